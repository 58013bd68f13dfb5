//! What each volume needs, and in which order the volumes come.

use super::auto_unlock::{self, OsDrive};
use super::keys::{self, KeySteps};
use super::{Action, Blocked, Plan, Question, Situation, passwords, start_up};
use crate::exemption::{self, Enforcement};
use crate::inventory::{Inventory, Tpm, VolumeReport};
use crate::ledger::Ledger;
use crate::policy::{Client, CoManaged, Encryption, Policy, WeakCipher, compare_registry};
use crate::time::Timestamp;
use crate::volume::{ConversionStatus, EncryptionMethod, LockStatus, VolumeKind};

/// All that a decision is made from.
pub(super) struct Decision<'a> {
    pub(super) policy: &'a Policy,
    pub(super) inventory: &'a Inventory,
    pub(super) ledger: &'a Ledger,
    pub(super) situation: &'a Situation,
    pub(super) enforcement: Enforcement,
}

/// The part of the plan that concerns one volume.
pub(super) struct Steps<'a> {
    pub(super) volume: &'a VolumeReport,
    pub(super) actions: Vec<Action>,
    pub(super) blocked: Vec<String>,
    /// What the user has to be asked before this volume can go on.
    pub(super) question: Option<Question>,
    /// Everything is ready, but the conversion waits for a better moment.
    pub(super) waits: bool,
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
        for steps in &mut os {
            auto_unlock::wait_for_data_volumes(steps, &data);
        }
        let decrypts_os = os
            .iter()
            .any(|s| s.actions.iter().any(|a| matches!(a, Action::Decrypt { .. })));
        let (first, second) = if decrypts_os { (data, os) } else { (os, data) };
        let mut plan = Plan::default();
        self.settings(&mut plan);
        for mut steps in first.into_iter().chain(second) {
            let consent = self.await_consent(&mut steps);
            let device = &steps.volume.device;
            let asked = steps.question.or(consent);
            if plan.prompt.is_none()
                && let Some(question) = asked
            {
                plan.prompt = Some(self.ask(question, self.postponable(steps.volume)));
            }
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
            question: None,
            waits: false,
        };
        let rule = self.rule(volume.kind);
        if self.policy.excludes(volume) {
            return steps;
        }
        if self
            .inventory
            .volumes
            .iter()
            .filter(|v| v.device == volume.device)
            .count()
            > 1
        {
            steps.blocked("Several drives are reported under this name: nothing is done to any of them.");
        } else if !volume.is_readable() {
            if rule != Encryption::NotConfigured || volume.kind != VolumeKind::Removable {
                steps.blocked(match volume.lock {
                    LockStatus::Locked => "It is locked: nothing can be done before somebody unlocks it.",
                    LockStatus::Unlocked => "Its protection is not known: nothing is done before it is.",
                });
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

    /// What policy asks of drives of this kind on this device now.
    pub(super) fn rule(&self, kind: VolumeKind) -> Encryption {
        let wanted = self.policy.rule(kind).encryption;
        let exempt = self.enforcement.is_exempt() && wanted == Encryption::Require;
        if exempt || self.stands_back() {
            Encryption::NotConfigured
        } else {
            wanted
        }
    }

    fn stands_back(&self) -> bool {
        self.inventory.co_managed && self.policy.client.co_managed == CoManaged::StandBack
    }

    /// Tells Windows, and an administrator what it cannot be told.
    fn settings(&self, plan: &mut Plan) {
        let client = &self.policy.client;
        if self.stands_back() {
            plan.notes.push(
                "Another product manages BitLocker on this device; keys are stored, nothing else is done.".to_owned(),
            );
        } else {
            let differences = compare_registry(self.policy, self.inventory);
            plan.blocked
                .extend(differences.conflicts.iter().map(|conflict| Blocked {
                    device: String::new(),
                    reason: conflict.sentence(),
                }));
            if !differences.write.is_empty() {
                plan.actions.push(Action::WriteSettings {
                    values: differences.write,
                });
            }
        }
        match self.enforcement {
            Enforcement::Exempt { until: None } => plan.notes.push("All users of the device are exempt.".to_owned()),
            Enforcement::Exempt { until: Some(until) } => plan
                .notes
                .push(format!("All users of the device are exempt until {}.", until.date())),
            Enforcement::Pending => plan
                .notes
                .push("A user's exemption waits for a decision; until then encryption is asked for.".to_owned()),
            Enforcement::Enforced | Enforcement::NotEnforced => {}
        }
        if client.allow_plaintext_storage {
            plan.notes.push(
                "client.allow_plaintext_storage has no effect: secrets are sealed before they leave the device."
                    .to_owned(),
            );
        }
        // These have a node for device management, and no registry value that is documented.
        let plain = Client::default();
        let by_mdm_only = [
            (
                "setup.warn_other_encryption",
                client.warn_other_encryption != plain.warn_other_encryption,
            ),
            (
                "os.standard_user_encryption",
                client.standard_user_encryption != plain.standard_user_encryption,
            ),
            (
                "client.recovery_password_rotation",
                client.recovery_password_rotation != plain.recovery_password_rotation,
            ),
        ];
        for (id, _) in by_mdm_only.into_iter().filter(|(_, differs)| *differs) {
            plan.notes.push(format!(
                "{id} reaches Windows by device management only: export it as a CSP."
            ));
        }
    }

    /// Encryption of a drive with the user's files begins: where they are there and may still say "later", they are asked,
    /// and it begins when they agree, or when they can put it off no longer.
    fn await_consent(&self, steps: &mut Steps<'_>) -> Option<Question> {
        let volume = steps.volume;
        let begins = |action: &Action| matches!(action, Action::Encrypt { .. });
        let agreed = self.situation.agreed.contains(&volume.device);
        if agreed
            || !self.situation.user_present
            || volume.conversion != ConversionStatus::FullyDecrypted
            || !steps.actions.iter().any(begins)
        {
            return None;
        }
        let latest = self.postponable(volume)?;
        steps.actions.retain(|action| !begins(action));
        steps.blocked(format!(
            "The user is asked whether encryption may begin; without an answer it begins on {}.",
            latest.date()
        ));
        steps.waits = true;
        Some(Question::Encryption {
            device: volume.device.clone(),
        })
    }

    /// Until when the user may still put the volume off.
    fn postponable(&self, volume: &VolumeReport) -> Option<Timestamp> {
        let kind = volume.kind;
        // Without an end, the longest postponement counts from now.
        let latest = self
            .latest_start(&volume.device, kind)
            .or_else(|| exemption::latest_start(self.policy, Some(self.situation.now), None))?;
        (self.situation.now < latest).then_some(latest)
    }

    /// The volume must be encrypted and protected.
    fn require(&self, steps: &mut Steps<'_>, os_drive: OsDrive) {
        if let Some(reason) = self.can_never_begin(steps.volume) {
            steps.blocked(reason);
            return;
        }
        let keys = keys::plan(self, steps, true);
        // Without a key nothing starts, whatever the protectors (P1).
        let usable = if !keys.held {
            start_up::Start::NOT_YET
        } else if steps.volume.kind == VolumeKind::Os {
            start_up::plan(self, steps)
        } else {
            let mut start = auto_unlock::plan(self, steps, &keys, os_drive);
            start.as_policy_wants &= passwords::of_data_drive(self, steps, start);
            start
        };
        self.convert(steps, &keys, usable);
        self.resume_protection(steps, usable);
        let opens = self.opens_without_password(steps, usable);
        passwords::remove_forbidden(self, steps, keys.held, opens);
        self.weak_method(steps, &keys, usable);
    }

    /// Whether something other than a password or recovery opens the volume day by day, after the steps so far.
    fn opens_without_password(&self, steps: &Steps<'_>, start: start_up::Start) -> bool {
        match steps.volume.kind {
            VolumeKind::Os => {
                let tpm = matches!(self.inventory.tpm, Tpm::Ready { .. });
                start.as_policy_wants && tpm
            }
            VolumeKind::Fixed | VolumeKind::Removable => {
                let kept = steps.volume.auto_unlock == Some(true)
                    && !steps
                        .actions
                        .iter()
                        .any(|a| matches!(a, Action::RemoveAutoUnlock { .. }));
                let added = steps.actions.iter().any(|a| matches!(a, Action::AddAutoUnlock { .. }));
                kept || added
            }
        }
    }

    fn convert(&self, steps: &mut Steps<'_>, keys: &KeySteps, start: start_up::Start) {
        if !keys.held {
            return;
        }
        let volume = steps.volume;
        match volume.conversion {
            ConversionStatus::FullyDecrypted if start.as_policy_wants && self.may_begin(steps) => {
                self.encrypt(steps, self.policy.rule(volume.kind).method);
            }
            // It is decrypted on purpose, to be encrypted anew.
            ConversionStatus::DecryptionInProgress if self.encrypts_anew(volume) => {}
            ConversionStatus::DecryptionPaused if self.encrypts_anew(volume) => self.resume_conversion(steps),
            // `Encrypt` ends a decryption that goes on; the method cannot change half-way.
            ConversionStatus::DecryptionInProgress | ConversionStatus::DecryptionPaused
                if start.somehow && self.may_convert(steps) =>
            {
                self.encrypt(steps, volume.method);
            }
            ConversionStatus::EncryptionPaused => self.resume_conversion(steps),
            _ => {}
        }
    }

    fn resume_conversion(&self, steps: &mut Steps<'_>) {
        if !self.policy.client.resume_forgotten {
            steps.blocked("Its conversion is paused, and policy leaves that to people.");
        } else if self.may_convert(steps) {
            steps.push(Action::ResumeConversion {
                device: steps.volume.device.clone(),
                after_escrow: self.policy.client.escrow
                    && steps.volume.conversion == ConversionStatus::EncryptionPaused,
            });
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
            Some(0) if !self.policy.client.resume_forgotten => {
                steps.blocked("Protection is suspended until somebody resumes it, and policy leaves that to people.");
            }
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

    /// Whether the volume's method is weaker than policy asks for, and policy wants such drives encrypted anew.
    fn encrypts_anew(&self, volume: &VolumeReport) -> bool {
        self.policy.setup.reencrypt == WeakCipher::Reencrypt
            && self.policy.rule(volume.kind).method.can_be_written()
            && !volume.method.satisfies(self.policy.rule(volume.kind).method)
    }

    /// A drive with a weaker method is reported, or decrypted to be encrypted anew where policy asks for that.
    fn weak_method(&self, steps: &mut Steps<'_>, keys: &KeySteps, start: start_up::Start) {
        let volume = steps.volume;
        let wanted = self.policy.rule(volume.kind).method;
        if !volume.is_encrypted_at_all() || volume.method.satisfies(wanted) {
            return;
        }
        let present = match volume.method {
            EncryptionMethod::None => "It does not say how it is encrypted".to_owned(),
            method => format!("It is encrypted with {}", method.name()),
        };
        let what = format!("{present}, policy asks for {}", wanted.name());
        if !self.encrypts_anew(volume) {
            steps.blocked(format!("{what}; an encrypted drive is not encrypted anew."));
        } else if volume.conversion != ConversionStatus::FullyEncrypted {
            steps.blocked(format!("{what}; it is encrypted anew once its conversion is over."));
        } else if !keys.held || !start.as_policy_wants || !self.can_escrow() {
            // What is decrypted now has to be encrypted again right after.
            steps.blocked(format!(
                "{what}; it stays as it is until it could be encrypted anew at once."
            ));
        } else if self.may_begin(steps) {
            steps.blocked(format!("{what}; it is decrypted, and then encrypted anew."));
            steps.push(Action::Decrypt {
                device: volume.device.clone(),
            });
        }
    }

    /// Whether a new recovery password could be stored now, or need not be.
    fn can_escrow(&self) -> bool {
        self.situation.server_reachable || !self.policy.client.escrow
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
            ConversionStatus::DecryptionPaused => self.resume_conversion(steps),
            ConversionStatus::FullyEncrypted
            | ConversionStatus::EncryptionInProgress
            | ConversionStatus::EncryptionPaused => {
                if !self.may_convert(steps) {
                    return;
                }
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
