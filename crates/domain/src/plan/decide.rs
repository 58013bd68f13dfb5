//! What each volume needs, and in which order the volumes come.

use super::auto_unlock::{self, OsDrive};
use super::keys::{self, KeySteps};
use super::{Action, Blocked, Plan, Situation, start_up};
use crate::inventory::{Inventory, VolumeReport};
use crate::ledger::Ledger;
use crate::policy::{Encryption, Policy};
use crate::volume::{ConversionStatus, EncryptionMethod, VolumeKind};

/// All that a decision is made from.
pub(super) struct Decision<'a> {
    pub(super) policy: &'a Policy,
    pub(super) inventory: &'a Inventory,
    pub(super) ledger: &'a Ledger,
    pub(super) situation: &'a Situation,
}

/// The part of the plan that concerns one volume.
pub(super) struct Steps<'a> {
    pub(super) volume: &'a VolumeReport,
    pub(super) actions: Vec<Action>,
    pub(super) blocked: Vec<String>,
}

impl Decision<'_> {
    pub(super) fn plan(&self) -> Plan {
        let (os_volumes, data_volumes): (Vec<_>, Vec<_>) =
            self.inventory.volumes.iter().partition(|v| v.kind == VolumeKind::Os);
        let mut os: Vec<Steps<'_>> = os_volumes
            .into_iter()
            .map(|v| self.volume(v, OsDrive::default()))
            .collect();
        let os_drive = OsDrive::look(self, &os);
        let data: Vec<Steps<'_>> = data_volumes.into_iter().map(|v| self.volume(v, os_drive)).collect();

        // Data volumes let go of the operating system volume before that is decrypted.
        let decrypts_os = self.policy.os.encryption == Encryption::Forbid;
        if decrypts_os {
            for steps in &mut os {
                auto_unlock::wait_for_data_volumes(steps, &data);
            }
        }
        let (first, second) = if decrypts_os { (data, os) } else { (os, data) };
        let mut plan = Plan::default();
        for steps in first.into_iter().chain(second) {
            let device = &steps.volume.device;
            plan.actions.extend(steps.actions);
            plan.blocked.extend(steps.blocked.into_iter().map(|reason| Blocked {
                device: device.clone(),
                reason,
            }));
        }
        plan
    }

    fn volume<'a>(&self, volume: &'a VolumeReport, os_drive: OsDrive) -> Steps<'a> {
        let mut steps = Steps {
            volume,
            actions: Vec::new(),
            blocked: Vec::new(),
        };
        let rule = self.policy.rule(volume.kind).encryption;
        if !volume.is_readable() {
            if rule != Encryption::NotConfigured || volume.kind != VolumeKind::Removable {
                steps.blocked("It is locked: nothing can be done before somebody unlocks it.");
            }
        } else if volume.is_encrypted_at_all() && volume.volume.is_none() {
            steps.blocked("It is encrypted, but its identity is not reported: its keys cannot be stored.");
        } else {
            match rule {
                Encryption::Require => self.require(&mut steps, os_drive),
                Encryption::Forbid => self.forbid(&mut steps, os_drive),
                Encryption::NotConfigured => self.leave(&mut steps, os_drive),
            }
        }
        steps
    }

    /// The volume must be encrypted and protected.
    fn require(&self, steps: &mut Steps<'_>, os_drive: OsDrive) {
        let keys = keys::plan(self, steps, true);
        // Without a key nothing starts, whatever the protectors (P1).
        let usable = if !keys.held {
            start_up::Start::NOT_YET
        } else if steps.volume.kind == VolumeKind::Os {
            start_up::plan(self, steps)
        } else {
            auto_unlock::plan(self, steps, &keys, os_drive)
        };
        self.convert(steps, &keys, usable);
        self.resume_protection(steps, usable);
        self.note_method(steps);
    }

    fn convert(&self, steps: &mut Steps<'_>, keys: &KeySteps, start: start_up::Start) {
        if !keys.held {
            return;
        }
        let volume = steps.volume;
        match volume.conversion {
            ConversionStatus::FullyDecrypted if start.as_policy_wants => {
                self.encrypt(steps, self.policy.rule(volume.kind).method);
            }
            // `Encrypt` ends a decryption that goes on; the method cannot change half-way.
            ConversionStatus::DecryptionInProgress | ConversionStatus::DecryptionPaused if start.somehow => {
                self.encrypt(steps, volume.method);
            }
            ConversionStatus::EncryptionPaused => steps.push(Action::ResumeConversion {
                device: volume.device.clone(),
            }),
            _ => {}
        }
    }

    fn encrypt(&self, steps: &mut Steps<'_>, method: EncryptionMethod) {
        if method.can_be_written() {
            steps.push(Action::Encrypt {
                device: steps.volume.device.clone(),
                method,
                extent: self.policy.rule(steps.volume.kind).extent,
                after_escrow: self.policy.client.escrow,
            });
        } else {
            steps.blocked(format!("Drives cannot be encrypted with {}.", method.name()));
        }
    }

    fn resume_protection(&self, steps: &mut Steps<'_>, start: start_up::Start) {
        match steps.volume.suspension() {
            Some(0) if start.somehow => steps.push(Action::EnableProtectors {
                device: steps.volume.device.clone(),
                after_escrow: self.policy.client.escrow,
            }),
            Some(restarts) if restarts > 0 => {
                steps.blocked(format!(
                    "Protection is suspended for {restarts} more restarts, and resumes by itself."
                ));
            }
            _ => {}
        }
    }

    /// Existing drives are never encrypted anew: compliance reports them, and so does this note.
    fn note_method(&self, steps: &mut Steps<'_>) {
        let wanted = self.policy.rule(steps.volume.kind).method;
        let present = steps.volume.method;
        if steps.volume.is_encrypted_at_all() && !present.satisfies(wanted) {
            steps.blocked(format!(
                "It is encrypted with {}, policy asks for {}; an encrypted drive is not encrypted anew.",
                present.name(),
                wanted.name()
            ));
        }
    }

    /// Policy says nothing: keys that are there are kept safe, nothing else changes.
    fn leave(&self, steps: &mut Steps<'_>, os_drive: OsDrive) {
        if !steps.volume.is_encrypted_at_all() {
            return;
        }
        // A stranger's stick is not our business before the server knows a key of it.
        let known = steps.volume.volume.is_some_and(|v| self.ledger.knows(v));
        if steps.volume.kind != VolumeKind::Removable || known {
            let keys = keys::plan(self, steps, false);
            auto_unlock::let_go_of_os_drive(self, steps, &keys, os_drive);
        }
    }

    /// The volume must not be encrypted.
    fn forbid(&self, steps: &mut Steps<'_>, os_drive: OsDrive) {
        let device = steps.volume.device.clone();
        match steps.volume.conversion {
            ConversionStatus::FullyDecrypted | ConversionStatus::DecryptionInProgress => {}
            ConversionStatus::DecryptionPaused => steps.push(Action::ResumeConversion { device }),
            ConversionStatus::FullyEncrypted
            | ConversionStatus::EncryptionInProgress
            | ConversionStatus::EncryptionPaused => {
                let keys = KeySteps {
                    held: keys::held_now(self, steps.volume),
                };
                auto_unlock::let_go_of_os_drive(self, steps, &keys, os_drive);
                steps.push(Action::Decrypt { device });
            }
        }
    }
}

impl Steps<'_> {
    pub(super) fn push(&mut self, action: Action) {
        self.actions.push(action);
    }

    pub(super) fn blocked(&mut self, reason: impl Into<String>) {
        self.blocked.push(reason.into());
    }
}
