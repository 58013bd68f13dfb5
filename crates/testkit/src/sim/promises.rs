//! The promises, held against the world after every event. Each function says what is the product's fault and what is
//! not. They look at the volumes and at what the store would keep whatever happens next; not at what anybody believes.

use std::rc::Rc;

use agent::execute::Acknowledged;
use domain::audit;
use domain::exemption::enforcement;
use domain::ids::{DeviceId, ProtectorId, VolumeId};
use domain::inventory::Inventory;
use domain::ledger::{KeyState, ProofState};
use domain::plan::RotateRequest;
use domain::policy::{Encryption, Policy};
use domain::volume::VolumeKind;
use store::model::KeyName;

use super::event::Event;
use super::faults::Fault;
use super::provider::Effects;
use super::server::actor;
use super::state::{Job, subject_of};
use super::store::{Crash, Replica};
use super::volume::Volume;
use super::world::{To, World};

/// A promise that is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Its name.
    pub promise: &'static str,
    /// How.
    pub words: String,
}

/// A secret that left the server.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) name: KeyName,
    /// The log's length then.
    pub(super) place: usize,
}

/// Who caused what just happened, where that matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// Somebody changed or replaced a volume without asking anybody.
    Stranger,
    /// The storage lost what was never promised: a fail-over to an asynchronous replica.
    StaleReplica,
    /// A secret was found not to open its volume, so it never was a way back.
    FailedProof,
    Other,
}

impl Cause {
    pub(super) fn of(event: &Event, replica: Replica) -> Self {
        match event {
            Event::StrangerDeletes { .. } | Event::StrangerDeletesAll { .. } | Event::StrangerDecrypts { .. } => {
                Self::Stranger
            }
            Event::Reimaged { .. } | Event::Cloned { .. } | Event::Moved { .. } | Event::PutBack { .. } => {
                Self::Stranger
            }
            Event::FailOver { .. } if replica == Replica::Asynchronous => Self::StaleReplica,
            Event::ProofFails { .. } | Event::Prove => Self::FailedProof,
            _ => Self::Other,
        }
    }
}

impl World {
    /// After every event.
    pub(super) fn check_promises(&mut self, cause: Cause) {
        self.p2_always_a_way_back(cause);
        if self.checked != self.store.len() {
            self.checked = self.store.len();
            self.p6_nothing_is_forgotten();
            self.p5_what_was_told_is_shown_as_exposed();
            self.p4_the_chain_has_no_gap();
        }
        self.p3_acknowledged_means_durable();
    }

    /// Whether the server would have, whatever happens to it next, a password that opens this volume. A record whose
    /// proof failed does not count, unless whoever acts (`relied`) was told of the key before the proof failed, or of one
    /// that a fail-over lost: what nobody could know is nobody's fault.
    fn is_held(&self, volume: &Volume, relied: Option<&Acknowledged>) -> bool {
        let durable = self.store.durable();
        volume.recovery_passwords().any(|p| {
            let stored = self.store.state.records_of(volume.id, p.id).any(|key| {
                let relied = relied.is_some_and(|r| r.contains(volume.id, p.id));
                let newest = key.versions.len().saturating_sub(1);
                key.versions.iter().enumerate().any(|(n, v)| {
                    let fine = v.proof != ProofState::Failed && (n == newest || v.proof == ProofState::Proven);
                    v.place < durable && v.secret == p.secret && (fine || relied)
                })
            });
            stored || (relied.is_some() && self.lost.contains(&(volume.id, p.id)))
        })
    }

    /// Before a step of the agent: which of its volumes have a way back.
    pub(super) fn ways_back(&self, device: usize) -> Vec<(String, bool)> {
        let volumes = self.devices[device].volumes.iter();
        volumes.map(|v| (v.device.clone(), self.is_held(v, None))).collect()
    }

    /// After a step of an agent: P1 and P2 for what it did.
    pub(super) fn check_step(
        &mut self,
        device: usize,
        effects: &Effects,
        before: &[(String, bool)],
        relied: &Acknowledged,
    ) {
        self.p1_escrow_first(device, effects, relied);
        self.p2_no_step_takes_the_way_back(device, effects, before, relied);
    }

    /// **P1 escrow first.** No volume begins to encrypt, goes on with it, or comes out of suspension by the agent's doing,
    /// while policy asks for escrow, unless the server durably holds a password that opens it. What people do at the
    /// volume by themselves is not the product's doing.
    fn p1_escrow_first(&mut self, device: usize, effects: &Effects, relied: &Acknowledged) {
        if effects.encrypts.is_empty() && effects.resumed.is_empty() {
            return;
        }
        let policy = self.devices[device]
            .agent
            .memory
            .policy
            .map(|p| p.policy())
            .unwrap_or_default();
        if !policy.client.escrow {
            return;
        }
        let begun = effects.encrypts.iter().chain(&effects.resumed);
        for name in begun {
            let volume = self.devices[device].volumes.iter().find(|v| v.device == *name);
            if let Some(volume) = volume
                && !self.is_held(volume, Some(relied))
            {
                let words = format!(
                    "{} of device {device} is protected, and the server holds none of its passwords",
                    volume.device
                );
                self.fail("P1 escrow first", words);
                return;
            }
        }
    }

    /// **P2 always a way back**, for a step: a volume that had a password which the server holds still has one after a
    /// protector was deleted. A volume that had none has nothing to lose.
    fn p2_no_step_takes_the_way_back(
        &mut self,
        device: usize,
        effects: &Effects,
        before: &[(String, bool)],
        relied: &Acknowledged,
    ) {
        for name in &effects.lost_a_protector {
            let had = before.iter().any(|(v, held)| v == name && *held);
            let volume = self.devices[device].volumes.iter().find(|v| v.device == *name);
            if let Some(volume) = volume
                && had
                && !self.is_held(volume, Some(relied))
            {
                let words = format!(
                    "{} of device {device} lost the last password that the server holds",
                    volume.device
                );
                self.fail("P2 always a way back", words);
                return;
            }
        }
    }

    /// **P2 always a way back**, at every instant: an encrypted volume that had a way back keeps it. Not the product's
    /// fault: a stranger who deletes it or decrypts, a replaced disk, a fail-over to a replica that is not synchronous, a
    /// secret that is found never to have opened the volume.
    fn p2_always_a_way_back(&mut self, cause: Cause) {
        for device in 0..self.devices.len() {
            for at in 0..self.devices[device].volumes.len() {
                let volume = &self.devices[device].volumes[at];
                let held = volume.is_encrypted() && self.is_held(volume, None);
                let lost = volume.way_back && !held && volume.is_encrypted();
                let excused = cause != Cause::Other || !self.lost.is_empty() || self.is_relied_on(device, volume);
                if lost && !excused {
                    let words = format!(
                        "{} of device {device} has no password any more that the server holds",
                        volume.device
                    );
                    self.fail("P2 always a way back", words);
                    return;
                }
                self.devices[device].volumes[at].way_back = held;
            }
        }
    }

    /// The agent is in the middle of a plan that was made before a proof failed.
    fn is_relied_on(&self, device: usize, volume: &Volume) -> bool {
        use super::device::{Phase, Wants};
        let acknowledged = match &self.devices[device].agent.phase {
            Phase::Acting(acting) => &acting.acknowledged,
            Phase::Waiting(waiting) => match &waiting.wants {
                Wants::Escrow { acting, .. } => &acting.acknowledged,
                _ => return self.has_failed_proof(volume),
            },
            _ => return self.has_failed_proof(volume),
        };
        self.is_held(volume, Some(acknowledged)) || self.has_failed_proof(volume)
    }

    fn has_failed_proof(&self, volume: &Volume) -> bool {
        volume.recovery_passwords().any(|p| {
            let mut records = self.store.state.records_of(volume.id, p.id);
            records.any(|k| k.versions.iter().any(|v| v.proof == ProofState::Failed))
        })
    }

    /// **P3 acknowledged means durable.** Every escrow that was acknowledged since the last look is in what survives any
    /// crash; with a synchronous replica, also the loss of the server.
    fn p3_acknowledged_means_durable(&mut self) {
        let durable = self.store.durable();
        let missing = self.acknowledged.iter().rev().take(4).find(|(name, secret)| {
            let key = self.store.state.records_of(name.volume, name.protector);
            let mut versions = key
                .filter(|k| k.name.device == name.device || self.fault.is_some())
                .flat_map(|k| &k.versions);
            !versions.any(|v| v.secret == *secret && v.place < durable)
        });
        if let Some((name, _)) = missing {
            let words = format!(
                "{} was acknowledged and would not survive a crash now",
                name.protector.short()
            );
            self.fail("P3 acknowledged means durable", words);
        }
    }

    /// After a crash: what was acknowledged, told and remembered is still there, unless a fail-over to a replica that
    /// nobody waited for lost it.
    pub(super) fn after_crash(&mut self, crash: Crash, lost: bool) {
        let stale = crash == Crash::FailOver && self.store.replica == Replica::Asynchronous && lost;
        let (state, told_of) = (&self.store.state, self.store.len());
        let survives = |name: &KeyName, secret: u64| {
            state
                .key(*name)
                .is_some_and(|k| k.versions.iter().any(|v| v.secret == secret))
        };
        if stale {
            let gone = self
                .acknowledged
                .iter()
                .filter(|(name, secret)| !survives(name, *secret));
            self.went_stale = true;
            self.lost.extend(gone.map(|(name, _)| (name.volume, name.protector)));
            self.acknowledged.retain(|(name, secret)| survives(name, *secret));
            self.reported.clear();
            self.told.retain(|told| told.place < told_of);
            self.remembered.retain(|(name, _)| state.key(*name).is_some());
            for (name, versions) in &mut self.remembered {
                *versions = state
                    .key(*name)
                    .map_or_else(Vec::new, |k| k.versions.iter().map(|v| v.seal).collect());
            }
            return;
        }
        if let Some((name, _)) = self.acknowledged.iter().find(|(name, secret)| !survives(name, *secret)) {
            let words = format!(
                "{} was acknowledged and is gone after a {crash:?}",
                name.protector.short()
            );
            self.fail("P3 acknowledged means durable", words);
        }
        self.p6_nothing_is_forgotten();
        self.p4_the_chain_is_whole();
    }

    /// A secret leaves the server. **P4 audited before told**: the record of who and which is durable; and self-service
    /// tells a person only keys of own devices.
    pub(super) fn tell(&mut self, name: KeyName, by: &'static str, person: Option<u8>) {
        self.say(|| format!("server: tells {} to {by}", name.protector.short()));
        let subject = subject_of(name);
        let durable = self.store.durable();
        let state = &self.store.state;
        let recorded = state.audit.iter().zip(&state.audit_places).rev().any(|(entry, place)| {
            let event = &entry.event;
            *place < durable && event.action == "key.disclosed" && event.actor == by && event.subject == subject
        });
        if !recorded {
            let words = format!("{} was told to {by} before that was recorded", name.protector.short());
            self.fail("P4 audited before told", words);
        }
        if let Some(n) = person
            && !self.owns(name, n)
        {
            // Whoever signed out while the answer was made had the right when it was asked for.
            let careless = self.fault == Some(Fault::SelfServiceTellsOthers);
            if careless {
                let words = format!(
                    "{} of another's device was told to {}",
                    name.protector.short(),
                    actor(person)
                );
                self.fail("P4 audited before told", words);
            }
        }
        self.told.push(Told {
            name,
            place: self.store.len(),
        });
        if self.fault == Some(Fault::AuditAfterAnswer) {
            let job = Job::Note {
                actor: by,
                action: "key.disclosed",
                subject: subject_of(name),
            };
            self.submit(job, To::Nobody, None);
        }
    }

    /// **P4**: the audit chain goes on without a gap.
    fn p4_the_chain_has_no_gap(&mut self) {
        let state = &self.store.state;
        if state.head.sequence != state.audit.len() as u64 {
            self.fail("P4 audited before told", "the audit chain has a gap".to_owned());
        }
    }

    /// **P4**: the audit chain verifies from its beginning.
    pub(super) fn p4_the_chain_is_whole(&mut self) {
        let state = &self.store.state;
        match audit::verify(state.audit.iter().cloned()) {
            Ok(head) if head == state.head => {}
            Ok(_) => self.fail("P4 audited before told", "the audit chain ends early".to_owned()),
            Err(fault) => self.fail(
                "P4 audited before told",
                format!("the audit chain does not verify: {fault:?}"),
            ),
        }
    }

    /// **P5 told once**, until it is replaced: a told password is shown as exposed on every record of it, or as replaced
    /// with the memory of it.
    fn p5_what_was_told_is_shown_as_exposed(&mut self) {
        let state = &self.store.state;
        let hidden = self.told.iter().find_map(|told| {
            let mut records = state.records_of(told.name.volume, told.name.protector);
            records.find(|k| k.record.entry.state == KeyState::Live || !k.record.ever_disclosed)
        });
        if let Some(key) = hidden {
            let words = format!(
                "{} was told, and its record says {:?}",
                key.name.protector.short(),
                key.record.entry.state
            );
            self.fail("P5 told once", words);
        }
    }

    /// A cycle came to its end: the device was in contact, and had its chance. **P5 told once**: no volume that is
    /// encrypted and readable still carries a password that had been told when the last answer was made. Not the
    /// product's fault: policy that does not want it (no escrow, no replacement, a drive to be decrypted), a locked
    /// volume, a stranger's removable drive.
    /// **P6**, seen from here: no password that a volume carries counts as replaced.
    pub(super) fn check_settled(&mut self, device: usize, seen: &Rc<Inventory>) {
        let memory = &self.devices[device].agent.memory;
        let policy = memory.policy.map(|p| p.policy()).unwrap_or_default();
        let (as_of, ledger) = (memory.as_of, memory.ledger.clone());
        let exempt = enforcement(&policy, &seen.users, &memory.exemptions, memory.now).is_exempt();
        if !policy.manages(seen) {
            return;
        }
        for report in seen
            .volumes
            .iter()
            .filter(|v| v.is_readable() && v.is_encrypted_at_all())
        {
            let Some(id) = report.volume else { continue };
            if !keeps_keys(&policy, report.kind, ledger.knows(id), exempt) {
                continue;
            }
            for protector in report.recovery_passwords() {
                let told = |t: &Told| t.name.volume == id && t.name.protector == protector && t.place < as_of;
                if policy.client.rotate_after_disclosure && self.told.iter().any(told) {
                    let words = format!(
                        "{} was told, and {} of device {device} still carries it after a contact",
                        protector.short(),
                        report.device
                    );
                    self.fail("P5 told once", words);
                    return;
                }
            }
        }
        // The volumes as they are: a locked one may not list what it carries. A drive that came from elsewhere may carry
        // what was replaced on its original, and nobody can know before it lists that.
        let carried = |v: VolumeId, p: ProtectorId| {
            let mut own = self.devices[device].volumes.iter().filter(|w| w.home == device);
            own.any(|w| w.id == v && w.carries(p))
        };
        let twins = |v: VolumeId| self.devices[device].volumes.iter().filter(|w| w.id == v).count() > 1;
        let current = self.is_current(device, seen);
        let wrong = ledger
            .0
            .iter()
            .find(|e| e.state == KeyState::Superseded && carried(e.volume, e.protector) && !twins(e.volume) && current);
        let replaced = ledger.0.iter().find(|e| {
            let mut reports = seen.volumes.iter().filter(|v| v.volume == Some(e.volume));
            let report = reports.next().filter(|v| v.is_readable() && reports.next().is_none());
            let gone = report.is_some_and(|v| {
                let carries = |p| v.recovery_passwords().any(|q| q == p);
                !carries(e.protector) && v.recovery_passwords().any(|p| ledger.holds(e.volume, p))
            });
            e.state != KeyState::Superseded && gone && !self.went_stale
        });
        if let Some(entry) = replaced {
            let words = format!(
                "{} was replaced on device {device}, and counts as in use",
                entry.protector.short()
            );
            self.fail("P5 told once", words);
            return;
        }
        if let Some(entry) = wrong {
            let words = format!(
                "{} counts as replaced, and device {device} carries it",
                entry.protector.short()
            );
            self.fail("P6 nothing is forgotten", words);
        }
    }

    /// The device still is as it was seen.
    fn is_current(&self, device: usize, seen: &Inventory) -> bool {
        self.devices[device].observe() == *seen
    }

    /// A rotation is called done. **P5**: none of the volumes that were looked at carries what was to be replaced.
    pub(super) fn check_done(&mut self, device: usize, wish: &RotateRequest) {
        let known = self.devices[device].agent.memory.reported.clone();
        let seen = |id| {
            known
                .as_ref()
                .is_some_and(|i| i.volumes.iter().any(|v| v.volume == Some(id)))
        };
        let left = self.devices[device].volumes.iter().find(|v| {
            let meant = wish.volume.is_none_or(|w| w == v.id) && seen(v.id);
            meant && v.is_encrypted() && v.recovery_passwords().any(|p| wish.protectors.contains(&p.id))
        });
        if let Some(volume) = left {
            let words = format!(
                "a rotation is called done, and {} of device {device} carries what it named",
                volume.device
            );
            self.fail("P5 told once", words);
        }
    }

    /// **P6 nothing is forgotten.** Every record that was ever visible is there, under its device, with as many versions as
    /// it ever had; and what a device reported does not go back to what it reported before.
    fn p6_nothing_is_forgotten(&mut self) {
        let state = &self.store.state;
        let gone = self.remembered.iter().find(|(name, versions)| {
            state
                .key(*name)
                .is_none_or(|k| !versions.iter().all(|seal| k.versions.iter().any(|v| v.seal == *seal)))
        });
        if let Some((name, _)) = gone {
            let words = format!("the record of {} is gone or has lost a version", name.protector.short());
            self.fail("P6 nothing is forgotten", words);
            return;
        }
        let mut older = None;
        for device in &state.devices {
            match self.reported.iter_mut().find(|(id, _)| *id == device.id) {
                Some((_, newest)) if device.inventory_of < *newest => older = Some(device.id),
                Some((_, newest)) => *newest = device.inventory_of,
                None => self.reported.push((device.id, device.inventory_of)),
            }
        }
        if let Some(id) = older {
            let words = format!("an older inventory of device {id} took the place of a newer one");
            self.fail("P6 nothing is forgotten", words);
            return;
        }
        for key in &state.keys {
            let seals = || key.versions.iter().map(|v| v.seal);
            match self.remembered.iter_mut().find(|(name, _)| *name == key.name) {
                Some((_, known)) if known.len() == key.versions.len() => {}
                Some((_, known)) => *known = seals().collect(),
                None => self.remembered.push((key.name, seals().collect())),
            }
        }
    }

    /// **P6**: no two machines share a record, and devices that claim the same hardware are marked, both of them.
    pub(super) fn note_enrolment(&mut self, device: usize, id: DeviceId) {
        let taken = |(n, d): (usize, &super::device::Device)| n != device && d.agent.identity == Some(id);
        if self.devices.iter().enumerate().any(taken) {
            self.fail(
                "P6 nothing is forgotten",
                format!("device {device} took over another's record"),
            );
            return;
        }
        let state = &self.store.state;
        let clash = |d: &&super::state::DeviceRecord| {
            let same = |o: &&super::state::DeviceRecord| o.hardware == d.hardware && !o.retired;
            !d.retired && !d.duplicate && state.devices.iter().filter(same).count() > 1
        };
        if let Some(unmarked) = state.devices.iter().find(clash) {
            let words = format!("the hardware id of device {} clashes and is not marked", unmarked.id);
            self.fail("P6 nothing is forgotten", words);
        }
    }
}

/// Whether policy has the keys of an encrypted volume looked after. An exempt device is asked for nothing, and keeps what
/// the server knows.
fn keeps_keys(policy: &Policy, kind: VolumeKind, known: bool, exempt: bool) -> bool {
    let rule = match policy.rule(kind).encryption {
        Encryption::Require if exempt => Encryption::NotConfigured,
        rule => rule,
    };
    let wanted = match rule {
        Encryption::Require => true,
        Encryption::Forbid => false,
        Encryption::NotConfigured => kind != VolumeKind::Removable || known,
    };
    wanted && policy.client.escrow
}
