//! The device that the checker carries a plan out on.

use super::super::{Action, Situation};
use super::Rule;
use crate::access::same_person;
use crate::exemption::Decision;
use crate::ids::ProtectorId;
use crate::inventory::{Inventory, Origin, Tpm, VolumeReport};
use crate::ledger::{Ledger, ProofState};
use crate::policy::{CoManaged, Encryption, Policy, TriState, WantedValue, WeakCipher, setting};
use crate::volume::{ConversionStatus, EncryptionMethod, LockStatus, ProtectionStatus, ProtectorType, VolumeKind};

pub(super) struct Device<'a> {
    policy: &'a Policy,
    inventory: &'a Inventory,
    managed: bool,
    /// Nothing but the safety of keys is this agent's business here.
    keys_only: Option<Rule>,
    tpm_ready: bool,
    volumes: Vec<Volume<'a>>,
}

struct Volume<'a> {
    name: &'a str,
    kind: VolumeKind,
    readable: bool,
    conversion: ConversionStatus,
    protection: ProtectionStatus,
    suspended_until_resumed: bool,
    method: EncryptionMethod,
    auto_unlock: bool,
    excluded: bool,
    other_encryption: bool,
    added_recovery_password: bool,
    protectors: Vec<Protector>,
}

struct Protector {
    /// None: added by the plan, its id is not known yet.
    id: Option<ProtectorId>,
    kind: ProtectorType,
    /// The server holds it and its proof did not fail.
    held: bool,
    /// The server tried it and it did not open the volume.
    failed: bool,
}

type Outcome = Result<(), Rule>;

impl<'a> Device<'a> {
    pub(super) fn new(inventory: &'a Inventory, ledger: &Ledger, policy: &'a Policy, situation: &Situation) -> Self {
        let stands_back = inventory.co_managed && policy.client.co_managed == CoManaged::StandBack;
        let exempt = all_exempt(inventory, policy, situation);
        Self {
            policy,
            inventory,
            managed: policy.manages(inventory),
            keys_only: stands_back
                .then_some(Rule::StandsBack)
                .or(exempt.then_some(Rule::Exempt)),
            tpm_ready: matches!(inventory.tpm, Tpm::Ready { .. }),
            volumes: inventory
                .volumes
                .iter()
                .map(|v| Volume::new(v, ledger, policy.excludes(v)))
                .collect(),
        }
    }

    /// Whether a step leads to plain text: nobody is exempt from that.
    fn decrypts(&self, action: &Action) -> bool {
        match action {
            Action::Decrypt { .. } | Action::RemoveAutoUnlock { .. } => true,
            Action::ResumeConversion { device, .. } => self
                .inventory
                .volumes
                .iter()
                .any(|v| v.device == *device && v.conversion == ConversionStatus::DecryptionPaused),
            _ => false,
        }
    }

    pub(super) fn carry_out(&mut self, action: &Action) -> Outcome {
        ensure(self.managed, Rule::NotManaged)?;
        if let Action::WriteSettings { values } = action {
            ensure(self.keys_only != Some(Rule::StandsBack), Rule::StandsBack)?;
            return self.write_settings(values);
        }
        if let Some(rule) = self.keys_only
            && !concerns_keys(action)
            && !(rule == Rule::Exempt && self.decrypts(action))
        {
            return Err(rule);
        }
        let holds_auto_unlock_keys = self.volumes.iter().any(|v| v.kind != VolumeKind::Os && v.auto_unlock);
        let os_protected = self.volumes.iter().any(|v| {
            v.kind == VolumeKind::Os
                && matches!(
                    v.conversion,
                    ConversionStatus::FullyEncrypted | ConversionStatus::EncryptionInProgress
                )
                && v.protection == ProtectionStatus::On
        });
        let (policy, tpm_ready) = (self.policy, self.tpm_ready);
        let inventory = self.inventory;
        let volume = self
            .volumes
            .iter_mut()
            .find(|v| v.name == action.device())
            .ok_or(Rule::UnknownVolume)?;
        ensure(volume.readable, Rule::LockedVolume)?;
        ensure(!volume.excluded, Rule::Excluded)?;
        match action {
            // Handled above; concerns no volume.
            Action::WriteSettings { .. } => Ok(()),
            Action::AddPassphrase { .. } => volume.add_passphrase(policy, inventory),
            Action::AddRecoveryPassword { .. } => volume.add_recovery_password(),
            Action::Escrow { protector, .. } => volume.escrow(policy, *protector),
            Action::AddTpm { .. } => volume.add_tpm(ProtectorType::Tpm, tpm_ready),
            Action::AddTpmPin { .. } => volume.add_tpm(ProtectorType::TpmPin, tpm_ready),
            Action::AddAutoUnlock { .. } => volume.add_auto_unlock(os_protected),
            Action::RemoveAutoUnlock { .. } => volume.remove_auto_unlock(policy),
            Action::Encrypt {
                method, after_escrow, ..
            } => volume.encrypt(policy, tpm_ready, *method, *after_escrow),
            Action::ResumeConversion { after_escrow, .. } => volume.resume_conversion(policy, *after_escrow),
            Action::EnableProtectors { after_escrow, .. } => volume.enable(policy, tpm_ready, *after_escrow),
            Action::DeleteProtector {
                protector, replaced, ..
            } => volume.delete(policy, *protector, *replaced),
            Action::Decrypt { .. } => volume.decrypt(policy, holds_auto_unlock_keys),
        }
    }

    fn write_settings(&self, values: &[WantedValue]) -> Outcome {
        let found = self.inventory.registry.as_ref().ok_or(Rule::UnknownSetting)?;
        for value in values {
            let carried = setting(&value.setting)
                .is_some_and(|s| s.registry.iter().any(|r| r.root == value.root && r.name == value.name));
            ensure(carried, Rule::UnknownSetting)?;
            let by_domain = found.iter().any(|e| {
                e.origin == Origin::Domain && e.root == value.root && e.name.eq_ignore_ascii_case(&value.name)
            });
            ensure(!by_domain, Rule::GroupPolicy)?;
        }
        Ok(())
    }
}

/// Steps that store, add or replace recovery passwords.
fn concerns_keys(action: &Action) -> bool {
    match action {
        Action::AddRecoveryPassword { .. } | Action::Escrow { .. } => true,
        Action::DeleteProtector { replaced, .. } => *replaced,
        _ => false,
    }
}

/// One user without an exemption that holds now is enough for the device not to be exempt.
fn all_exempt(inventory: &Inventory, policy: &Policy, situation: &Situation) -> bool {
    let holds = |user: &String| {
        situation.exemptions.iter().any(|exemption| {
            let granted = match exemption.decision {
                Decision::Approved { until: Some(until), .. } => until > situation.now,
                Decision::Approved { until: None, .. } => true,
                _ => false,
            };
            granted && same_person(&exemption.user, user)
        })
    };
    policy.client.user_exemption == TriState::Enabled
        && !inventory.users.is_empty()
        && inventory.users.iter().all(holds)
}

impl<'a> Volume<'a> {
    fn new(report: &'a VolumeReport, ledger: &Ledger, excluded: bool) -> Self {
        let encrypted = report.conversion == ConversionStatus::FullyEncrypted;
        let open = encrypted && report.protection == ProtectionStatus::Off;
        Self {
            name: &report.device,
            kind: report.kind,
            readable: report.lock == LockStatus::Unlocked && report.protection != ProtectionStatus::Unknown,
            conversion: report.conversion,
            protection: report.protection,
            suspended_until_resumed: report.suspend_count.map_or(open, |restarts| restarts == 0),
            method: report.method,
            auto_unlock: report.auto_unlock == Some(true),
            excluded,
            other_encryption: report.other_encryption.is_some(),
            added_recovery_password: false,
            protectors: report
                .protectors
                .iter()
                .map(|p| Protector::new(p.id, p.kind, report, ledger))
                .collect(),
        }
    }

    fn add_recovery_password(&mut self) -> Outcome {
        ensure(!self.added_recovery_password, Rule::SecondRecoveryPassword)?;
        self.added_recovery_password = true;
        self.add(ProtectorType::RecoveryPassword);
        Ok(())
    }

    fn escrow(&mut self, policy: &Policy, wanted: Option<ProtectorId>) -> Outcome {
        ensure(policy.client.escrow, Rule::EscrowNotWanted)?;
        let mut found = false;
        for protector in &mut self.protectors {
            let meant =
                protector.kind == ProtectorType::RecoveryPassword && (wanted.is_none() || protector.id == wanted);
            found |= meant;
            protector.held |= meant && !protector.failed;
        }
        ensure(found, Rule::NothingToEscrow)
    }

    fn add_tpm(&mut self, kind: ProtectorType, tpm_ready: bool) -> Outcome {
        ensure(self.kind == VolumeKind::Os, Rule::OnlyOsVolume)?;
        ensure(tpm_ready, Rule::NoTpm)?;
        ensure(!self.has(kind), Rule::ProtectorExists)?;
        ensure(
            kind != ProtectorType::Tpm || !self.has(ProtectorType::TpmPin),
            Rule::PinDefeated,
        )?;
        self.add(kind);
        Ok(())
    }

    fn add_passphrase(&mut self, policy: &Policy, inventory: &Inventory) -> Outcome {
        let state = match self.kind {
            VolumeKind::Os => policy.os.password,
            VolumeKind::Fixed => policy.fixed.password.state,
            VolumeKind::Removable => policy.removable.password.state,
        };
        ensure(!inventory.fips && state != TriState::Disabled, Rule::PasswordForbidden)?;
        ensure(!self.has(ProtectorType::Passphrase), Rule::ProtectorExists)?;
        self.add(ProtectorType::Passphrase);
        Ok(())
    }

    fn add_auto_unlock(&mut self, os_protected: bool) -> Outcome {
        ensure(self.kind != VolumeKind::Os, Rule::OnlyDataVolume)?;
        ensure(!self.auto_unlock, Rule::BoundToAutoUnlock)?;
        ensure(os_protected, Rule::OsNotProtected)?;
        self.auto_unlock = true;
        self.add(ProtectorType::ExternalKey);
        Ok(())
    }

    fn remove_auto_unlock(&mut self, policy: &Policy) -> Outcome {
        ensure(self.kind != VolumeKind::Os, Rule::OnlyDataVolume)?;
        ensure(self.auto_unlock, Rule::NotBoundToAutoUnlock)?;
        ensure(self.way_back(policy), Rule::NoWayBack)?;
        // One that policy forbids to encrypt goes to plain text.
        let to_plain_text = policy.rule(self.kind).encryption == Encryption::Forbid;
        let opens = [
            ProtectorType::Passphrase,
            ProtectorType::PublicKey,
            ProtectorType::AdSid,
        ];
        ensure(
            to_plain_text || opens.into_iter().any(|kind| self.has(kind)),
            Rule::NoDayByDay,
        )?;
        self.auto_unlock = false;
        if let Some(at) = self
            .protectors
            .iter()
            .position(|p| p.kind == ProtectorType::ExternalKey)
        {
            self.protectors.remove(at);
        }
        Ok(())
    }

    fn encrypt(&mut self, policy: &Policy, tpm: bool, method: EncryptionMethod, after_escrow: bool) -> Outcome {
        ensure(
            policy.rule(self.kind).encryption == Encryption::Require,
            Rule::NotWanted,
        )?;
        let partly = match self.conversion {
            ConversionStatus::FullyDecrypted => false,
            ConversionStatus::DecryptionInProgress | ConversionStatus::DecryptionPaused => true,
            _ => return Err(Rule::AlreadyEncrypted),
        };
        ensure(!self.other_encryption, Rule::OtherEncryption)?;
        let right = matches!(method, EncryptionMethod::XtsAes128 | EncryptionMethod::XtsAes256);
        ensure(right && (!partly || method == self.method), Rule::WrongMethod)?;
        self.may_protect(policy, tpm, after_escrow)?;
        self.conversion = ConversionStatus::EncryptionInProgress;
        self.method = method;
        Ok(())
    }

    fn resume_conversion(&mut self, policy: &Policy, after_escrow: bool) -> Outcome {
        match self.conversion {
            ConversionStatus::EncryptionPaused => {
                ensure(
                    policy.rule(self.kind).encryption == Encryption::Require,
                    Rule::NotWanted,
                )?;
                ensure(after_escrow == policy.client.escrow, Rule::WrongGuard)?;
                ensure(self.way_back(policy), Rule::NothingEscrowed)?;
                self.conversion = ConversionStatus::EncryptionInProgress;
                Ok(())
            }
            ConversionStatus::DecryptionPaused => {
                let wanted = policy.rule(self.kind).encryption == Encryption::Forbid;
                ensure(wanted || self.to_be_encrypted_anew(policy), Rule::NotWanted)?;
                self.conversion = ConversionStatus::DecryptionInProgress;
                Ok(())
            }
            _ => Err(Rule::NothingPaused),
        }
    }

    fn enable(&mut self, policy: &Policy, tpm: bool, after_escrow: bool) -> Outcome {
        ensure(
            policy.rule(self.kind).encryption == Encryption::Require,
            Rule::NotWanted,
        )?;
        let encrypted = self.conversion != ConversionStatus::FullyDecrypted;
        ensure(encrypted && self.suspended_until_resumed, Rule::NotSuspended)?;
        self.may_protect(policy, tpm, after_escrow)?;
        self.suspended_until_resumed = false;
        if self.conversion == ConversionStatus::FullyEncrypted {
            self.protection = ProtectionStatus::On;
        }
        Ok(())
    }

    fn delete(&mut self, policy: &Policy, id: ProtectorId, replaced: bool) -> Outcome {
        let at = self
            .protectors
            .iter()
            .position(|p| p.id == Some(id))
            .ok_or(Rule::UnknownProtector)?;
        let kind = self.protectors[at].kind;
        ensure(
            replaced == (kind == ProtectorType::RecoveryPassword),
            Rule::WrongReplaced,
        )?;
        ensure(
            kind != ProtectorType::ExternalKey || !self.auto_unlock,
            Rule::BoundToAutoUnlock,
        )?;
        ensure(self.protectors.len() > 1, Rule::LastProtector)?;
        let remain =
            |keep: &dyn Fn(&Protector) -> bool| self.protectors.iter().enumerate().any(|(i, p)| i != at && keep(p));
        if kind == ProtectorType::RecoveryPassword {
            let way_back = |p: &Protector| p.is_way_back(policy);
            ensure(remain(&way_back), Rule::NoWayBack)?;
        } else if self.kind == VolumeKind::Os {
            ensure(remain(&|p: &Protector| starts(p.kind, true)), Rule::NoStartUpProtector)?;
        }
        self.protectors.remove(at);
        Ok(())
    }

    fn decrypt(&mut self, policy: &Policy, holds_auto_unlock_keys: bool) -> Outcome {
        match self.conversion {
            ConversionStatus::FullyDecrypted | ConversionStatus::DecryptionInProgress => {
                return Err(Rule::NothingToDecrypt);
            }
            _ => {}
        }
        let anew = self.to_be_encrypted_anew(policy) && self.conversion == ConversionStatus::FullyEncrypted;
        ensure(
            policy.rule(self.kind).encryption == Encryption::Forbid || anew,
            Rule::NotWanted,
        )?;
        // What is decrypted to be encrypted anew has to be recoverable all the way.
        ensure(!anew || self.way_back(policy), Rule::NoWayBack)?;
        ensure(
            self.kind != VolumeKind::Os || !holds_auto_unlock_keys,
            Rule::AutoUnlockKeysStored,
        )?;
        self.conversion = ConversionStatus::DecryptionInProgress;
        self.protection = ProtectionStatus::Off;
        Ok(())
    }

    /// Policy asks for a stronger method, and for drives with a weaker one to be encrypted anew.
    fn to_be_encrypted_anew(&self, policy: &Policy) -> bool {
        let rule = policy.rule(self.kind);
        rule.encryption == Encryption::Require
            && policy.setup.reencrypt == WeakCipher::Reencrypt
            && !self.method.satisfies(rule.method)
    }

    /// P1, and that the machine starts without its recovery password afterwards.
    fn may_protect(&self, policy: &Policy, tpm_ready: bool, after_escrow: bool) -> Outcome {
        ensure(after_escrow == policy.client.escrow, Rule::WrongGuard)?;
        ensure(self.way_back(policy), Rule::NothingEscrowed)?;
        let starts = self.protectors.iter().any(|p| starts(p.kind, tpm_ready));
        ensure(self.kind != VolumeKind::Os || starts, Rule::NoStartUpProtector)
    }

    fn way_back(&self, policy: &Policy) -> bool {
        self.protectors.iter().any(|p| p.is_way_back(policy))
    }

    fn has(&self, kind: ProtectorType) -> bool {
        self.protectors.iter().any(|p| p.kind == kind)
    }

    fn add(&mut self, kind: ProtectorType) {
        self.protectors.push(Protector {
            id: None,
            kind,
            held: false,
            failed: false,
        });
    }
}

impl Protector {
    fn new(id: ProtectorId, kind: ProtectorType, report: &VolumeReport, ledger: &Ledger) -> Self {
        let entry = report.volume.and_then(|v| ledger.entry(v, id));
        let failed = entry.is_some_and(|e| e.proof == ProofState::Failed);
        Self {
            id: Some(id),
            kind,
            held: entry.is_some() && !failed,
            failed,
        }
    }

    /// Without escrow, the person who wrote the password down is the way back.
    fn is_way_back(&self, policy: &Policy) -> bool {
        self.kind == ProtectorType::RecoveryPassword && (self.held || !policy.client.escrow)
    }
}

/// Whether a protector opens an operating system volume at start.
fn starts(kind: ProtectorType, tpm_ready: bool) -> bool {
    match kind {
        ProtectorType::Passphrase | ProtectorType::ExternalKey => true,
        ProtectorType::Tpm | ProtectorType::TpmPin | ProtectorType::TpmStartupKey | ProtectorType::TpmPinStartupKey => {
            tpm_ready
        }
        _ => false,
    }
}

fn ensure(holds: bool, rule: Rule) -> Outcome {
    if holds { Ok(()) } else { Err(rule) }
}
