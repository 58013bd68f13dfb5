//! What the virtual store holds, and what each transaction does to it. The decisions are those of `domain`: which keys an
//! inventory replaces, what a disclosure makes of a key, how the audit chain goes on. The bookkeeping around them is
//! modelled after `store`'s SQL; `real` compares the two.

use std::rc::Rc;

use domain::access::same_person;
use domain::audit::{AuditEntry, AuditEvent, ChainHead, append};
use domain::exemption::{Decision, Exemption};
use domain::ids::{DeviceId, ProtectorId, RequestId, VolumeId};
use domain::inventory::Inventory;
use domain::ledger::{
    KeyRecord, KeyState, Ledger, ProofState, StateChange, disclose, observe_escrow, observe_inventory,
};
use domain::plan::{Blocked, RotateRequest};
use domain::time::Timestamp;
use store::model::{KeyName, subject};

use super::choice::PolicyChoice;
use super::device::person;
use super::faults::Fault;

/// One version of an escrowed secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) secret: u64,
    /// Its transaction's place in the log.
    pub(super) place: usize,
    /// Sealing draws randomness, so the same secret sealed again is another version; a message that came twice is not.
    pub(super) seal: u64,
    pub(super) proof: ProofState,
}

/// One key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) name: KeyName,
    pub(super) record: KeyRecord,
    pub(super) versions: Vec<Version>,
}

/// One device's record.
#[derive(Clone, Debug)]
pub(super) struct DeviceRecord {
    pub(super) id: DeviceId,
    pub(super) hardware: String,
    pub(super) duplicate: bool,
    pub(super) retired: bool,
    /// The highest number of a check-in that was stored.
    pub(super) sequence: u64,
    pub(super) inventory: Option<Rc<Inventory>>,
    /// The number of the check-in that it came with.
    pub(super) inventory_of: u64,
    pub(super) blocked: Vec<Blocked>,
}

/// A wish to a device.
#[derive(Clone, Debug)]
pub(super) struct RequestRecord {
    pub(super) id: RequestId,
    pub(super) device: DeviceId,
    /// None: report afresh.
    pub(super) rotate: Option<RotateRequest>,
    pub(super) at: Timestamp,
    pub(super) done: bool,
}

/// An exemption, from the request on.
#[derive(Clone, Debug)]
pub(super) struct ExemptionRecord {
    pub(super) id: u64,
    pub(super) exemption: Exemption,
    pub(super) decisions: usize,
}

/// All of it.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) devices: Vec<DeviceRecord>,
    pub(super) keys: Vec<Key>,
    pub(super) requests: Vec<RequestRecord>,
    pub(super) policy: PolicyChoice,
    pub(super) audit: Vec<AuditEntry>,
    pub(super) head: ChainHead,
    pub(super) exemptions: Vec<ExemptionRecord>,
    /// Places in the log of the audit's entries.
    pub(super) audit_places: Vec<usize>,
    /// Transactions carried out.
    pub(super) place: usize,
}

/// One transaction.
#[derive(Clone, Debug)]
pub(super) enum Job {
    Enrol {
        device: DeviceId,
        hardware: String,
    },
    Inventory {
        device: DeviceId,
        sequence: u64,
        inventory: Rc<Inventory>,
    },
    Report {
        device: DeviceId,
        sequence: u64,
        blocked: Vec<Blocked>,
        done: Vec<RequestId>,
    },
    Escrow {
        name: KeyName,
        secret: u64,
        seal: u64,
    },
    Disclose {
        name: KeyName,
        actor: &'static str,
        /// Only if this person still uses the device.
        own: Option<u8>,
    },
    /// Nothing but a record in the audit.
    Note {
        actor: &'static str,
        action: &'static str,
        subject: String,
    },
    Ask {
        id: RequestId,
        device: DeviceId,
        rotate: Option<RotateRequest>,
    },
    Retire {
        device: DeviceId,
        retired: bool,
    },
    Proof {
        name: KeyName,
        version: usize,
        proof: ProofState,
    },
    Policy(PolicyChoice),
    /// An exemption is asked for.
    Wish {
        person: u8,
        /// The device at which it was asked for; none: by an administrator.
        by: Option<DeviceId>,
    },
    /// It is granted, or taken back.
    Decide {
        id: u64,
        granted: bool,
    },
}

/// What a transaction answers, once it is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Done,
    /// `clashes`: another device in use has the hardware id.
    Enrolled {
        device: DeviceId,
        clashes: bool,
    },
    /// The exemption's number.
    Wished(u64),
    Disclosed {
        name: KeyName,
        secret: u64,
        elsewhere: Vec<DeviceId>,
    },
    /// The rules say no.
    Refused,
    /// The storage failed.
    Failed,
}

impl State {
    pub(super) fn new(policy: PolicyChoice) -> Self {
        Self {
            devices: Vec::new(),
            keys: Vec::new(),
            requests: Vec::new(),
            policy,
            audit: Vec::new(),
            head: ChainHead::default(),
            exemptions: Vec::new(),
            audit_places: Vec::new(),
            place: 0,
        }
    }

    pub(super) fn device(&self, id: DeviceId) -> Option<&DeviceRecord> {
        self.devices.iter().find(|d| d.id == id)
    }

    fn device_mut(&mut self, id: DeviceId) -> Option<&mut DeviceRecord> {
        self.devices.iter_mut().find(|d| d.id == id)
    }

    pub(super) fn key(&self, name: KeyName) -> Option<&Key> {
        self.keys.iter().find(|k| k.name == name)
    }

    /// Every record of this key, whichever device escrowed it.
    pub(super) fn records_of(&self, volume: VolumeId, protector: ProtectorId) -> impl Iterator<Item = &Key> {
        let same = move |k: &&Key| k.name.protector == protector && k.name.volume == volume;
        self.keys.iter().filter(same)
    }

    pub(super) fn ledger(&self, device: DeviceId) -> Ledger {
        let own = self.keys.iter().filter(|k| k.name.device == device);
        Ledger(own.map(|k| k.record.entry.clone()).collect())
    }

    /// What a device is told: exemptions of the users that it last reported, the newest first.
    pub(super) fn exemptions_of(&self, device: DeviceId) -> Vec<Exemption> {
        let inventory = self.device(device).and_then(|d| d.inventory.as_ref());
        let users = inventory.map_or(&[][..], |inventory| &inventory.users);
        let all = self.exemptions.iter().rev().map(|e| &e.exemption);
        let theirs = all.filter(|e| users.iter().any(|u| same_person(u, &e.user)));
        theirs.cloned().collect()
    }

    /// The exemption of a person that holds or waits.
    pub(super) fn exemption_in_use(&self, n: u8) -> Option<&ExemptionRecord> {
        let in_use = |e: &&ExemptionRecord| {
            let decision = e.exemption.decision;
            e.exemption.user == person(n) && matches!(decision, Decision::Pending | Decision::Approved { .. })
        };
        self.exemptions.iter().rev().find(in_use)
    }

    fn wish(&mut self, n: u8, by: Option<DeviceId>, at: Timestamp) -> Answer {
        if self.exemption_in_use(n).is_some() {
            return Answer::Refused;
        }
        let id = self.exemptions.last().map_or(1, |last| last.id + 1);
        self.exemptions.push(ExemptionRecord {
            id,
            exemption: Exemption {
                user: person(n),
                requested: at,
                decision: Decision::Pending,
            },
            decisions: 0,
        });
        let subject = format!("user:{}", person(n));
        let actor = by.map_or_else(|| "user:admin".to_owned(), |device| format!("device:{device}"));
        self.audit(at, actor, "exemption.requested", subject);
        Answer::Wished(id)
    }

    fn decide(&mut self, id: u64, granted: bool, at: Timestamp) -> Answer {
        let (decision, action) = match granted {
            true => (Decision::Approved { at, until: None }, "exemption.approved"),
            false => (Decision::Revoked { at }, "exemption.revoked"),
        };
        let found = self.exemptions.iter_mut().find(|e| e.id == id);
        let Some(record) = found.filter(|e| e.exemption.decision.may_become(decision)) else {
            return Answer::Refused;
        };
        record.exemption.decision = decision;
        record.decisions += 1;
        self.audit(at, "user:admin".into(), action, format!("exemption:{id}"));
        Answer::Done
    }

    /// Requests to a device that are not done, the oldest by the server's clock first.
    pub(super) fn pending(&self, device: DeviceId) -> Vec<&RequestRecord> {
        let open = self.requests.iter().filter(|r| r.device == device && !r.done);
        let mut open: Vec<_> = open.collect();
        open.sort_by_key(|r| r.at);
        open
    }

    fn may_write(&self, device: DeviceId) -> bool {
        self.device(device).is_some_and(|d| !d.retired)
    }

    fn audit(&mut self, at: Timestamp, actor: String, action: &str, subject: String) {
        let event = AuditEvent {
            at,
            actor,
            action: action.to_owned(),
            subject,
            detail: String::new(),
        };
        let entry = append(self.head, event);
        self.head = ChainHead {
            sequence: entry.sequence,
            hash: entry.hash,
        };
        self.audit.push(entry);
        self.audit_places.push(self.place);
    }

    /// Carries a transaction out. What is refused changes nothing.
    pub(super) fn apply(&mut self, job: &Job, at: Timestamp, fault: Option<Fault>) -> Answer {
        let answer = self.carry_out(job, at, fault);
        self.place += 1;
        answer
    }

    fn carry_out(&mut self, job: &Job, at: Timestamp, fault: Option<Fault>) -> Answer {
        match job {
            Job::Enrol { device, hardware } => self.enrol(*device, hardware, at, fault),
            Job::Inventory {
                device,
                sequence,
                inventory,
            } => match self.take(*device, *sequence, fault) {
                Some(true) => self.inventory(*device, *sequence, inventory, at, fault),
                taken => self.not_taken(taken),
            },
            Job::Report {
                device,
                sequence,
                blocked,
                done,
            } => match self.take(*device, *sequence, fault) {
                Some(true) => self.report(*device, blocked, done),
                taken => self.not_taken(taken),
            },
            Job::Escrow { name, secret, seal } => self.escrow(*name, *secret, *seal, at, fault),
            Job::Disclose { name, own: Some(n), .. } if !self.uses(*n, name.device) => Answer::Refused,
            Job::Disclose { name, actor, .. } => self.disclose(*name, actor, at, fault),
            Job::Note { actor, action, subject } => {
                self.audit(at, (*actor).to_owned(), action, subject.clone());
                Answer::Done
            }
            Job::Ask { id, device, rotate } => {
                if !self.may_write(*device) {
                    return Answer::Refused;
                }
                self.requests.push(RequestRecord {
                    id: *id,
                    device: *device,
                    rotate: rotate.clone(),
                    at,
                    done: false,
                });
                let (action, volume) = match rotate {
                    Some(rotate) => ("key.rotation_requested", rotate.volume),
                    None => ("device.report_requested", None),
                };
                self.audit(at, "user:admin".into(), action, subject(*device, volume, None));
                Answer::Done
            }
            Job::Retire { device, retired } => self.retire(*device, *retired, at, fault),
            Job::Proof { name, version, proof } => self.proof(*name, *version, *proof, at),
            Job::Wish { person, by } => self.wish(*person, *by, at),
            Job::Decide { id, granted } => self.decide(*id, *granted, at),
            Job::Policy(policy) if *policy == self.policy => Answer::Done,
            Job::Policy(policy) => {
                self.policy = *policy;
                self.audit(at, "user:admin".into(), "policy.changed", "policy".into());
                Answer::Done
            }
        }
    }

    fn enrol(&mut self, id: DeviceId, hardware: &str, at: Timestamp, fault: Option<Fault>) -> Answer {
        if fault == Some(Fault::DuplicateHardwareOverwrites)
            && let Some(old) = self.devices.iter_mut().find(|d| d.hardware == hardware)
        {
            old.inventory = None;
            return Answer::Enrolled {
                device: old.id,
                clashes: false,
            };
        }
        if fault == Some(Fault::ReimageForgetsKeys) {
            let old = self.devices.iter().find(|d| d.hardware == hardware).map(|d| d.id);
            self.keys.retain(|k| Some(k.name.device) != old);
        }
        self.devices.push(DeviceRecord {
            id,
            hardware: hardware.to_owned(),
            duplicate: false,
            retired: false,
            sequence: 0,
            inventory: None,
            inventory_of: 0,
            blocked: Vec::new(),
        });
        if fault != Some(Fault::DuplicateHardwareUnseen) {
            self.mark_duplicates(hardware);
        }
        self.audit(at, format!("device:{id}"), "device.enrolled", subject(id, None, None));
        Answer::Enrolled {
            device: id,
            clashes: self.device(id).is_some_and(|d| d.duplicate),
        }
    }

    fn mark_duplicates(&mut self, hardware: &str) {
        let count = self
            .devices
            .iter()
            .filter(|d| d.hardware == hardware && !d.retired)
            .count();
        for device in self.devices.iter_mut().filter(|d| d.hardware == hardware && !d.retired) {
            device.duplicate = count > 1;
        }
    }

    /// Whether a check-in with this number may be stored; none: the device may not write. What was overtaken is answered,
    /// and not stored.
    fn take(&mut self, id: DeviceId, sequence: u64, fault: Option<Fault>) -> Option<bool> {
        if !self.may_write(id) {
            return None;
        }
        let record = self.device_mut(id)?;
        let newest = sequence >= record.sequence;
        record.sequence = record.sequence.max(sequence);
        Some(newest || fault == Some(Fault::OvertakenStored))
    }

    fn not_taken(&self, taken: Option<bool>) -> Answer {
        match taken {
            None => Answer::Refused,
            Some(_) => Answer::Done,
        }
    }

    /// Numbers of check-ins that stored nothing go along with the next transaction.
    pub(super) fn gathered(&mut self, numbers: &[(DeviceId, u64)]) {
        for (id, number) in numbers {
            if let Some(device) = self.device_mut(*id) {
                device.sequence = device.sequence.max(*number);
            }
        }
    }

    fn inventory(
        &mut self,
        id: DeviceId,
        sequence: u64,
        inventory: &Rc<Inventory>,
        at: Timestamp,
        fault: Option<Fault>,
    ) -> Answer {
        let mut hardware = String::new();
        if let Some(device) = self.device_mut(id) {
            hardware = std::mem::replace(&mut device.hardware, inventory.hardware_id.clone());
            device.inventory = Some(Rc::clone(inventory));
            device.inventory_of = sequence;
        }
        if fault != Some(Fault::DuplicateHardwareUnseen) {
            self.mark_duplicates(&hardware);
            self.mark_duplicates(&inventory.hardware_id);
        }
        let records = self.records_of_device(id);
        let changes = match fault {
            Some(Fault::SupersededWhenUnseen) => super::faults::observe_carelessly(&records, inventory),
            Some(Fault::SupersededNeverNoted) => Vec::new(),
            _ => observe_inventory(&records, inventory),
        };
        self.conclude(id, changes, at, fault);
        Answer::Done
    }

    fn records_of_device(&self, id: DeviceId) -> Vec<KeyRecord> {
        let own = self.keys.iter().filter(|k| k.name.device == id);
        own.map(|k| k.record.clone()).collect()
    }

    /// Moves keys to their new states.
    fn conclude(&mut self, id: DeviceId, changes: Vec<StateChange>, at: Timestamp, fault: Option<Fault>) {
        for change in changes {
            let name = KeyName {
                device: id,
                volume: change.volume,
                protector: change.protector,
            };
            let to = match (change.to, fault) {
                (KeyState::Disclosed, Some(Fault::ReturnsAsLive)) => KeyState::Live,
                (to, _) => to,
            };
            if let Some(key) = self.keys.iter_mut().find(|k| k.name == name) {
                key.record.entry.state = to;
            }
            let action = if to == KeyState::Superseded {
                "key.superseded"
            } else {
                "key.returned"
            };
            self.audit(at, format!("device:{id}"), action, subject_of(name));
        }
    }

    fn report(&mut self, id: DeviceId, blocked: &[Blocked], done: &[RequestId]) -> Answer {
        if let Some(device) = self.device_mut(id) {
            device.blocked = blocked.to_vec();
        }
        for request in &mut self.requests {
            request.done |= request.device == id && done.contains(&request.id);
        }
        Answer::Done
    }

    fn escrow(&mut self, name: KeyName, secret: u64, seal: u64, at: Timestamp, fault: Option<Fault>) -> Answer {
        if !self.may_write(name.device) {
            return Answer::Refused;
        }
        let version = Version {
            secret,
            place: self.place,
            seal,
            proof: ProofState::NotProven,
        };
        let same = |k: &Key| match fault {
            Some(Fault::CloneOverwrites) => k.name.volume == name.volume && k.name.protector == name.protector,
            _ => k.name == name,
        };
        // A password that was told is exposed on whichever device it turns up (P5).
        let told = self
            .records_of(name.volume, name.protector)
            .any(|k| k.record.ever_disclosed);
        if let Some(key) = self.keys.iter_mut().find(|k| same(k)) {
            if key.versions.iter().any(|v| v.seal == seal) {
                return Answer::Done;
            }
            key.name = name;
            if fault == Some(Fault::EscrowOverwritesVersion) {
                key.versions.clear();
            }
            key.versions.push(version);
            key.record.entry.escrowed_at = at;
            key.record.entry.proof = ProofState::NotProven;
            key.record.entry.state = key.record.state_while_present();
        } else {
            let mut record = KeyRecord::new(name.volume, name.protector, at);
            if told && fault != Some(Fault::ToldElsewhereForgotten) {
                record = disclose(record);
            }
            self.keys.push(Key {
                name,
                record,
                versions: vec![version],
            });
        }
        self.audit(at, format!("device:{}", name.device), "key.escrowed", subject_of(name));
        let inventory = self.device(name.device).and_then(|d| d.inventory.clone());
        if let Some(inventory) = inventory
            && !matches!(fault, Some(Fault::VanishedStays | Fault::SupersededNeverNoted))
        {
            let records = self.records_of_device(name.device);
            let changes = observe_escrow(&records, &inventory, name.volume, name.protector);
            self.conclude(name.device, changes, at, fault);
        }
        Answer::Done
    }

    /// Whether the person is a listed user of the device.
    pub(super) fn uses(&self, n: u8, device: DeviceId) -> bool {
        let inventory = self.device(device).and_then(|d| d.inventory.as_ref());
        inventory.is_some_and(|i| i.users.iter().any(|user| same_person(user, &person(n))))
    }

    fn disclose(&mut self, name: KeyName, actor: &str, at: Timestamp, fault: Option<Fault>) -> Answer {
        let Some(at_key) = self.keys.iter().position(|k| k.name == name) else {
            return Answer::Refused;
        };
        if fault != Some(Fault::DisclosureNotMarked) {
            let key = &mut self.keys[at_key];
            key.record = disclose(key.record.clone());
        }
        let silent = match fault {
            Some(Fault::SelfServiceNotAudited) => actor != "user:help",
            Some(Fault::AuditAfterAnswer) => true,
            _ => false,
        };
        if !silent {
            self.audit(at, actor.to_owned(), "key.disclosed", subject_of(name));
        }
        let mut elsewhere = Vec::new();
        let others = |k: &&mut Key| {
            k.name.protector == name.protector && k.name.volume == name.volume && k.name.device != name.device
        };
        let mut exposed = Vec::new();
        if fault != Some(Fault::ExposedElsewhereForgotten) {
            for key in self.keys.iter_mut().filter(others) {
                if key.record.entry.state == KeyState::Live {
                    exposed.push(key.name);
                }
                key.record = disclose(key.record.clone());
                elsewhere.push(key.name.device);
            }
        }
        for other in exposed {
            self.audit(at, "system".into(), "key.exposed", subject_of(other));
        }
        let key = &self.keys[at_key];
        let newest = key.versions.len().saturating_sub(1);
        let rank = |(n, v): &(usize, &Version)| {
            (
                *n == newest && v.proof != ProofState::Failed,
                v.proof == ProofState::Proven,
                *n,
            )
        };
        let candidates = key.versions.iter().enumerate();
        let candidates = candidates.filter(|(n, v)| *n == newest || v.proof == ProofState::Proven);
        match candidates.max_by_key(rank) {
            Some((_, version)) => Answer::Disclosed {
                name,
                secret: version.secret,
                elsewhere,
            },
            None => Answer::Refused,
        }
    }

    fn retire(&mut self, id: DeviceId, retired: bool, at: Timestamp, fault: Option<Fault>) -> Answer {
        let Some(device) = self.device_mut(id) else {
            return Answer::Refused;
        };
        device.retired = retired;
        let hardware = device.hardware.clone();
        if fault != Some(Fault::DuplicateHardwareUnseen) {
            self.mark_duplicates(&hardware);
        }
        if fault == Some(Fault::RetiringDeletesKeys) && retired {
            self.keys.retain(|k| k.name.device != id);
        }
        let action = if retired { "device.retired" } else { "device.taken_back" };
        self.audit(at, "user:admin".into(), action, subject(id, None, None));
        Answer::Done
    }

    fn proof(&mut self, name: KeyName, version: usize, proof: ProofState, at: Timestamp) -> Answer {
        let Some(key) = self.keys.iter_mut().find(|k| k.name == name) else {
            return Answer::Refused;
        };
        let newest = key.versions.len().saturating_sub(1);
        let Some(stored) = key.versions.get_mut(version) else {
            return Answer::Refused;
        };
        if stored.proof == proof {
            return Answer::Done;
        }
        stored.proof = proof;
        if version == newest {
            key.record.entry.proof = proof;
        }
        let action = match proof {
            ProofState::Failed => "key.proof_failed",
            _ => "key.proven",
        };
        self.audit(at, "system".into(), action, subject_of(name));
        Answer::Done
    }
}

pub(super) fn subject_of(name: KeyName) -> String {
    subject(name.device, Some(name.volume), Some(name.protector))
}
