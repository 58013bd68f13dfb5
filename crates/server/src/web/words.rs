//! States as coloured words, and audit entries as sentences.

use domain::{
    compliance::Verdict,
    ledger::{KeyState, ProofState},
    volume::{ConversionStatus, ProtectionStatus, ProtectorType, VolumeKind},
};
use store::model::KeyTally;

use super::{
    icons::{self, Icon},
    view::part::{Tag, Tone},
};

/// The verdict on a device or a volume.
pub(super) fn verdict(verdict: Verdict) -> Tag {
    let (tone, text) = verdict_words(verdict);
    Tag::new(tone, text)
}

/// The verdict's colour and words.
pub(super) fn verdict_words(verdict: Verdict) -> (Tone, &'static str) {
    match verdict {
        Verdict::Compliant => (Tone::Good, "Compliant"),
        Verdict::NonCompliant => (Tone::Bad, "Non-compliant"),
        Verdict::NotEnforced => (Tone::Calm, "Policy not enforced"),
        Verdict::NotApplicable => (Tone::Calm, "Not applicable"),
        Verdict::Unknown => (Tone::Warn, "Unknown"),
    }
}

/// Who did something, as versions and records name them: a person without the kind, whatever else with it.
pub(super) fn by_whom(actor: &str) -> &str {
    actor.strip_prefix("user:").unwrap_or(actor)
}

/// The verdict's name in addresses.
pub(crate) fn verdict_name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Compliant => "compliant",
        Verdict::NonCompliant => "non_compliant",
        Verdict::NotEnforced => "not_enforced",
        Verdict::NotApplicable => "not_applicable",
        Verdict::Unknown => "unknown",
    }
}

/// Verdicts, worst first.
pub(crate) const VERDICTS: [Verdict; 5] = [
    Verdict::NonCompliant,
    Verdict::Unknown,
    Verdict::NotEnforced,
    Verdict::NotApplicable,
    Verdict::Compliant,
];

/// Where a key stands.
pub(super) fn key_state(state: KeyState) -> Tag {
    match state {
        KeyState::Live => Tag::new(Tone::Good, "Live"),
        KeyState::Disclosed => Tag::new(Tone::Warn, "Exposed"),
        KeyState::Superseded => Tag::new(Tone::Calm, "Superseded"),
    }
}

/// Whether a key is proven to open its volume.
pub(super) fn proof(proof: ProofState) -> Tag {
    match proof {
        ProofState::Proven => Tag::new(Tone::Good, "Proven"),
        ProofState::NotProven => Tag::new(Tone::Info, "Not proven"),
        ProofState::Failed => Tag::new(Tone::Bad, "Failed"),
    }
}

/// How a device's keys in use stand: the worst that can be said.
pub(super) fn keys(tally: &KeyTally) -> Tag {
    if tally.failed > 0 {
        Tag::new(Tone::Bad, format!("{} failed", tally.failed))
    } else if tally.disclosed > 0 {
        Tag::new(Tone::Warn, format!("{} exposed", tally.disclosed))
    } else if tally.not_proven > 0 {
        Tag::new(Tone::Info, format!("{} not proven", tally.not_proven))
    } else if tally.proven > 0 {
        Tag::new(Tone::Good, format!("{} proven", tally.proven))
    } else {
        Tag::new(Tone::Calm, "None")
    }
}

/// Whether a volume is protected.
pub(super) fn protection(status: ProtectionStatus, suspended: bool) -> Tag {
    match status {
        ProtectionStatus::On => Tag::new(Tone::Good, "Protection on"),
        ProtectionStatus::Off if suspended => Tag::new(Tone::Warn, "Suspended"),
        ProtectionStatus::Off => Tag::new(Tone::Calm, "Protection off"),
        ProtectionStatus::Unknown => Tag::new(Tone::Info, "Locked"),
    }
}

/// What a conversion does.
pub(super) fn conversion(status: ConversionStatus) -> (Tone, &'static str) {
    match status {
        ConversionStatus::FullyDecrypted => (Tone::Calm, "Not encrypted"),
        ConversionStatus::FullyEncrypted => (Tone::Good, "Fully encrypted"),
        ConversionStatus::EncryptionInProgress => (Tone::Info, "Encrypting"),
        ConversionStatus::DecryptionInProgress => (Tone::Info, "Decrypting"),
        ConversionStatus::EncryptionPaused => (Tone::Warn, "Encryption paused"),
        ConversionStatus::DecryptionPaused => (Tone::Warn, "Decryption paused"),
    }
}

/// What a volume is for.
pub(super) fn kind(kind: VolumeKind) -> &'static str {
    match kind {
        VolumeKind::Os => "Operating system drive",
        VolumeKind::Fixed => "Fixed data drive",
        VolumeKind::Removable => "Removable data drive",
    }
}

/// Its picture.
pub(super) fn kind_icon(kind: VolumeKind) -> Icon {
    match kind {
        VolumeKind::Os => icons::SERVER,
        VolumeKind::Fixed => icons::DATABASE,
        VolumeKind::Removable => icons::USB,
    }
}

/// The name of a volume: its letter and label, else the provider's name of it.
pub(super) fn volume_name(letter: Option<&str>, label: Option<&str>, otherwise: &str) -> String {
    let parts: Vec<&str> = [letter, label]
        .into_iter()
        .flatten()
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect();
    if parts.is_empty() {
        otherwise.to_owned()
    } else {
        parts.join(" ")
    }
}

/// What protects a volume.
pub(super) fn protector(kind: ProtectorType) -> &'static str {
    match kind {
        ProtectorType::Unknown => "Unknown",
        ProtectorType::Tpm => "TPM",
        ProtectorType::ExternalKey => "External key",
        ProtectorType::RecoveryPassword => "Recovery password",
        ProtectorType::TpmPin => "TPM and PIN",
        ProtectorType::TpmStartupKey => "TPM and startup key",
        ProtectorType::TpmPinStartupKey => "TPM, PIN and startup key",
        ProtectorType::PublicKey => "Certificate",
        ProtectorType::Passphrase => "Passphrase",
        ProtectorType::TpmNetworkKey => "TPM and network key",
        ProtectorType::AdSid => "Account in Active Directory",
    }
}

/// How an action of the audit is shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deed {
    /// Its name in the audit.
    pub(super) action: &'static str,
    /// In a word or two.
    pub(super) label: &'static str,
    /// Its colour.
    pub(super) tone: Tone,
    /// Its picture.
    pub(super) icon: Icon,
}

/// Actions of the audit that have words of their own.
pub(super) const DEEDS: &[Deed] = &[
    deed("key.escrowed", "Key stored", Tone::Info, icons::KEY),
    deed("key.proven", "Key proven", Tone::Good, icons::ROSETTE_DISCOUNT_CHECK),
    deed(
        "key.proof_failed",
        "Key does not open the volume",
        Tone::Bad,
        icons::CIRCLE_X,
    ),
    deed("key.disclosed", "Key disclosed", Tone::Warn, icons::EYE),
    deed("key.exposed", "Key exposed with another record", Tone::Warn, icons::EYE),
    deed("key.saved", "Key saved as a file", Tone::Warn, icons::DOWNLOAD),
    deed("key.superseded", "Key superseded", Tone::Good, icons::REFRESH),
    deed("key.returned", "Key came back", Tone::Info, icons::HISTORY),
    deed("key.refused", "Key refused", Tone::Bad, icons::EYE_OFF),
    deed("key.not_opened", "Key could not be opened", Tone::Bad, icons::CIRCLE_X),
    deed(
        "key.rotation_requested",
        "Replacement asked for",
        Tone::Info,
        icons::REFRESH,
    ),
    deed("device.enrolled", "Device enrolled", Tone::Info, icons::DEVICE_LAPTOP),
    deed("device.renewed", "Certificate renewed", Tone::Calm, icons::CERTIFICATE),
    deed(
        "device.hardware_id_clash",
        "Hardware ID clash",
        Tone::Warn,
        icons::ALERT_TRIANGLE,
    ),
    deed(
        "device.report_requested",
        "Report asked for",
        Tone::Calm,
        icons::REFRESH,
    ),
    deed("device.retired", "Device retired", Tone::Warn, icons::BAN),
    deed(
        "device.taken_back",
        "Device taken back",
        Tone::Info,
        icons::DEVICE_LAPTOP,
    ),
    deed("sign_in.succeeded", "Signed in", Tone::Calm, icons::USER),
    deed("sign_in.failed", "Sign-in refused", Tone::Bad, icons::CIRCLE_X),
    deed("sign_in.ended", "Signed out", Tone::Calm, icons::LOGOUT),
    deed("account.created", "Account created", Tone::Info, icons::USERS),
    deed("account.role_changed", "Role changed", Tone::Warn, icons::USERS),
    deed("account.disabled", "Account disabled", Tone::Warn, icons::BAN),
    deed("account.enabled", "Account enabled", Tone::Info, icons::USERS),
    deed("account.password_changed", "Password changed", Tone::Calm, icons::LOCK),
    deed("account.password_reset", "Password reset", Tone::Warn, icons::LOCK),
    deed("account.session_ended", "Session ended", Tone::Calm, icons::LOGOUT),
    deed("enrolment.token_created", "Token made", Tone::Info, icons::TICKET),
    deed("api_token.created", "API token made", Tone::Warn, icons::KEY),
    deed("api_token.revoked", "API token revoked", Tone::Warn, icons::BAN),
    deed("enrolment.token_revoked", "Token revoked", Tone::Warn, icons::BAN),
    deed("policy.changed", "Policy changed", Tone::Warn, icons::ADJUSTMENTS),
    deed("policy.retired", "Policy retired", Tone::Warn, icons::ADJUSTMENTS),
    deed("collection.changed", "Collection changed", Tone::Info, icons::DEVICES),
    deed(
        "deployment.changed",
        "Deployment changed",
        Tone::Warn,
        icons::ADJUSTMENTS,
    ),
    deed("deployment.ended", "Deployment ended", Tone::Warn, icons::BAN),
    deed(
        "device.marked",
        "Tags or own settings changed",
        Tone::Info,
        icons::DEVICE_LAPTOP,
    ),
    deed(
        "exemption.requested",
        "Exemption asked for",
        Tone::Info,
        icons::SHIELD_LOCK,
    ),
    deed(
        "exemption.approved",
        "Exemption granted",
        Tone::Warn,
        icons::SHIELD_LOCK,
    ),
    deed("exemption.denied", "Exemption refused", Tone::Calm, icons::BAN),
    deed("exemption.revoked", "Exemption taken back", Tone::Calm, icons::BAN),
    deed("audit.exported", "Audit exported", Tone::Calm, icons::DOWNLOAD),
];

const fn deed(action: &'static str, label: &'static str, tone: Tone, icon: Icon) -> Deed {
    Deed {
        action,
        label,
        tone,
        icon,
    }
}

/// The words for an action, if it has some.
pub(super) fn deed_of(action: &str) -> Option<&'static Deed> {
    DEEDS.iter().find(|deed| deed.action == action)
}

/// An action as a coloured word; one without words of its own by its name.
pub(super) fn action(name: &str) -> Tag {
    deed_of(name).map_or_else(|| Tag::new(Tone::Calm, name), |deed| Tag::new(deed.tone, deed.label))
}
