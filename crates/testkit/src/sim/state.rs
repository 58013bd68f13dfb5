//! What the virtual store holds, and what each transaction does to it. The decisions are those of `domain`: which keys an
//! inventory replaces, what a disclosure makes of a key, how the audit chain goes on. The bookkeeping around them is
//! modelled after `store`'s SQL; nothing compares the two yet.

use std::rc::Rc;

use domain::access::same_person;
use domain::audit::{AuditEntry, AuditEvent, ChainHead, append};
use domain::exemption::{Decision, Exemption};
use domain::ids::{DeviceId, ProtectorId, RequestId, VolumeId};
use domain::inventory::Inventory;
use domain::ledger::{KeyRecord, KeyState, Ledger, ProofState, disclose, observe_inventory};
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
    pub(super) inventory: Option<Rc<Inventory>>,
    pub(super) blocked: Vec<Blocked>,
}

/// A wish to a device.
#[derive(Clone, Debug)]
pub(super) struct RequestRecord {
    pub(super) id: RequestId,
    pub(super) device: DeviceId,
    /// None: report afresh.
    pub(super) rotate: Option<RotateRequest>,
    pub(super) done: bool,
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
    /// Who was exempt for how long, by person.
    pub(super) exemptions: Vec<Exemption>,
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
        inventory: Rc<Inventory>,
    },
    Report {
        device: DeviceId,
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
    },
    /// Nothing but a record in the audit.
    Note {
        name: KeyName,
        actor: &'static str,
        action: &'static str,
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
    Exempt {
        person: u8,
        exempt: bool,
    },
}

/// What a transaction answers, once it is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Done,
    Enrolled(DeviceId),
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

    /// What a device with these users is told.
    pub(super) fn exemptions_of(&self, users: &[String]) -> Vec<Exemption> {
        let theirs = self
            .exemptions
            .iter()
            .filter(|e| users.iter().any(|u| same_person(u, &e.user)));
        theirs.cloned().collect()
    }

    fn exempt(&mut self, n: u8, exempt: bool, at: Timestamp) -> Answer {
        let user = person(n);
        let decision = match exempt {
            true => Decision::Approved { at, until: None },
            false => Decision::Revoked { at },
        };
        self.exemptions.retain(|e| e.user != user);
        self.exemptions.push(Exemption {
            user: user.clone(),
            requested: at,
            decision,
        });
        self.audit(at, "user:admin".into(), "exemption.decided", user);
        Answer::Done
    }

    pub(super) fn pending(&self, device: DeviceId) -> impl Iterator<Item = &RequestRecord> {
        self.requests.iter().filter(move |r| r.device == device && !r.done)
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
            Job::Inventory { device, inventory } => self.inventory(*device, inventory, at, fault),
            Job::Report { device, blocked, done } => self.report(*device, blocked, done),
            Job::Escrow { name, secret, seal } => self.escrow(*name, *secret, *seal, at, fault),
            Job::Disclose { name, actor } => self.disclose(*name, actor, at, fault),
            Job::Note { name, actor, action } => {
                self.audit(at, (*actor).to_owned(), action, subject_of(*name));
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
                    done: false,
                });
                self.audit(at, "user:admin".into(), "device.asked", subject(*device, None, None));
                Answer::Done
            }
            Job::Retire { device, retired } => self.retire(*device, *retired, at, fault),
            Job::Proof { name, version, proof } => self.proof(*name, *version, *proof, at),
            Job::Exempt { person, exempt } => self.exempt(*person, *exempt, at),
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
            return Answer::Enrolled(old.id);
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
            inventory: None,
            blocked: Vec::new(),
        });
        if fault != Some(Fault::DuplicateHardwareUnseen) {
            self.mark_duplicates(hardware);
        }
        self.audit(at, format!("device:{id}"), "device.enrolled", subject(id, None, None));
        Answer::Enrolled(id)
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

    fn inventory(&mut self, id: DeviceId, inventory: &Rc<Inventory>, at: Timestamp, fault: Option<Fault>) -> Answer {
        if !self.may_write(id) {
            return Answer::Refused;
        }
        let mut hardware = String::new();
        if let Some(device) = self.device_mut(id) {
            hardware = std::mem::replace(&mut device.hardware, inventory.hardware_id.clone());
            device.inventory = Some(Rc::clone(inventory));
        }
        if fault != Some(Fault::DuplicateHardwareUnseen) {
            self.mark_duplicates(&hardware);
            self.mark_duplicates(&inventory.hardware_id);
        }
        let records: Vec<KeyRecord> = self
            .keys
            .iter()
            .filter(|k| k.name.device == id)
            .map(|k| k.record.clone())
            .collect();
        let changes = match fault {
            Some(Fault::SupersededWhenUnseen) => super::faults::observe_carelessly(&records, inventory),
            Some(Fault::SupersededNeverNoted) => Vec::new(),
            _ => observe_inventory(&records, inventory),
        };
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
        Answer::Done
    }

    fn report(&mut self, id: DeviceId, blocked: &[Blocked], done: &[RequestId]) -> Answer {
        if !self.may_write(id) {
            return Answer::Refused;
        }
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
        Answer::Done
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
        self.audit(at, "user:admin".into(), "device.retired", subject(id, None, None));
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
        self.audit(at, "system".into(), "key.tried", subject_of(name));
        Answer::Done
    }
}

pub(super) fn subject_of(name: KeyName) -> String {
    subject(name.device, Some(name.volume), Some(name.protector))
}
