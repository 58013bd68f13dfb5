//! Reading messages: what breaks a limit is refused with the field and what is allowed.
//!
//! Values are never repeated in an error, because some are secrets.

use std::fmt;

use domain::inventory::{Inventory, RegistryData, Tpm, VolumeReport};
use serde::de::DeserializeOwned;

use crate::limits::{
    MAX_BLOCKED, MAX_CERTIFICATE_REQUEST, MAX_DONE, MAX_GROUPS, MAX_HARDWARE_IDS, MAX_PROTECTORS, MAX_REGISTRY_VALUES,
    MAX_SEALED, MAX_SEQUENCE, MAX_SUSPEND_COUNT, MAX_TEXT, MAX_USERS, MAX_UTC_OFFSET, MAX_VOLUMES, MAX_WAIT_SECONDS,
    MAX_WISHES, MAX_WORDS, METADATA_LEN,
};
use crate::messages::{CheckInRequest, EnrolRequest, EscrowRequest, RenewRequest, WaitRequest, digest};
use crate::sealing::SealedSecret;

/// A field breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {allowed}")]
pub struct FieldError {
    /// Path of the field: `inventory.volumes[2].label`. `message` when it is not about a single one.
    pub field: String,
    /// What is allowed.
    pub allowed: String,
}

/// Result of a check.
pub type Checked = Result<(), FieldError>;

/// Messages that know their limits.
pub trait Validate {
    /// Checks every limit.
    ///
    /// # Errors
    /// The first field that breaks one.
    fn validate(&self) -> Checked;
}

/// Reads a message from JSON and checks its limits.
///
/// # Errors
/// The first field that is missing, unknown, of the wrong type, or breaks a limit.
pub fn read<T: DeserializeOwned + Validate>(json: &[u8]) -> Result<T, FieldError> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    let message: T = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let field = if path == "." { "message".to_owned() } else { cut(&path) };
        FieldError {
            field,
            allowed: without_values(error.inner()),
        }
    })?;
    reader
        .end()
        .map_err(|_| fault("message", "must be one JSON object and nothing after it"))?;
    message.validate()?;
    Ok(message)
}

/// What the reader expected. Its own sentence repeats the value that it found, which may be a secret.
fn without_values(error: &serde_json::Error) -> String {
    let sentence = error.to_string();
    if sentence.starts_with("missing field") {
        return cut(sentence.split(" at line").next().unwrap_or_default());
    }
    if sentence.starts_with("unknown field") {
        return "has a field that the protocol does not know".to_owned();
    }
    if error.is_data()
        && let Some((_, expected)) = sentence.rsplit_once(", expected ")
    {
        return format!("must be {}", cut(expected.split(" at line").next().unwrap_or_default()));
    }
    if error.is_data() {
        return "has a value that is not allowed".to_owned();
    }
    format!("is not JSON (line {}, column {})", error.line(), error.column())
}

fn cut(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

impl Validate for EnrolRequest {
    fn validate(&self) -> Checked {
        filled("token", &self.token)?;
        certificate_request(&self.certificate_request)?;
        filled("hostname", &self.hostname)?;
        filled("hardware_id", &self.hardware_id)
    }
}

impl Validate for RenewRequest {
    fn validate(&self) -> Checked {
        certificate_request(&self.certificate_request)
    }
}

impl Validate for WaitRequest {
    fn validate(&self) -> Checked {
        optional_digest("policy_digest", self.policy_digest.as_deref())?;
        ensure(
            (1..=MAX_WAIT_SECONDS).contains(&self.seconds),
            "seconds",
            format_args!("1 to {MAX_WAIT_SECONDS}"),
        )
    }
}

impl Validate for EscrowRequest {
    fn validate(&self) -> Checked {
        self.sealed_password.validate()?;
        // Four characters for three bytes, rounded up; contents are looked at after decoding.
        let most = METADATA_LEN.div_ceil(3) * 4;
        ensure(
            self.metadata.len() == most,
            "metadata",
            format_args!("one copy of {METADATA_LEN} bytes in base64 with padding ({most} characters)"),
        )
    }
}

impl Validate for SealedSecret {
    fn validate(&self) -> Checked {
        ensure(self.key_version > 0, "sealed_password.key_version", "1 or more")?;
        ensure(
            is_hex(&self.encapsulated_key) && self.encapsulated_key.len() == 64,
            "sealed_password.encapsulated_key",
            "32 bytes in hexadecimal",
        )?;
        let length = self.ciphertext.len();
        ensure(
            is_hex(&self.ciphertext) && (34..=MAX_SEALED * 2).contains(&length) && length.is_multiple_of(2),
            "sealed_password.ciphertext",
            format_args!("17 to {MAX_SEALED} bytes in hexadecimal"),
        )
    }
}

impl Validate for CheckInRequest {
    fn validate(&self) -> Checked {
        ensure(
            self.sequence <= MAX_SEQUENCE,
            "sequence",
            format_args!("at most {MAX_SEQUENCE}"),
        )?;
        one_digest("inventory_digest", &self.inventory_digest)?;
        optional_digest("policy_digest", self.policy_digest.as_deref())?;
        at_most("blocked", self.blocked.len(), MAX_BLOCKED)?;
        for (index, blocked) in self.blocked.iter().enumerate() {
            text(format_args!("blocked[{index}].device"), &blocked.device)?;
            words(format_args!("blocked[{index}].reason"), &blocked.reason)?;
        }
        words("last_error", self.last_error.as_deref().unwrap_or_default())?;
        at_most("done", self.done.len(), MAX_DONE)?;
        at_most("exemption_wishes", self.exemption_wishes.len(), MAX_WISHES)?;
        for (index, wish) in self.exemption_wishes.iter().enumerate() {
            filled(format_args!("exemption_wishes[{index}].user"), &wish.user)?;
            filled(format_args!("exemption_wishes[{index}].reason"), &wish.reason)?;
        }
        let Some(inventory) = &self.inventory else {
            return Ok(());
        };
        inventory.validate()?;
        ensure(
            digest(inventory).is_ok_and(|computed| computed == self.inventory_digest),
            "inventory_digest",
            "must be the digest of the inventory that came with it",
        )
    }
}

impl Validate for Inventory {
    fn validate(&self) -> Checked {
        filled("inventory.hostname", &self.hostname)?;
        let texts = [
            ("os", &self.os),
            ("os_version", &self.os_version),
            ("manufacturer", &self.manufacturer),
            ("model", &self.model),
            ("hardware_id", &self.hardware_id),
            ("agent_version", &self.agent_version),
        ];
        for (name, value) in texts {
            text(format_args!("inventory.{name}"), value)?;
        }
        match &self.tpm {
            Tpm::Absent => {}
            Tpm::NotReady { reason, .. } => words("inventory.tpm.reason", reason)?,
            Tpm::Ready {
                manufacturer,
                spec_version,
            } => {
                text("inventory.tpm.manufacturer", manufacturer)?;
                text("inventory.tpm.spec_version", spec_version)?;
            }
        }
        at_most("inventory.users", self.users.len(), MAX_USERS)?;
        for (index, user) in self.users.iter().enumerate() {
            filled(format_args!("inventory.users[{index}]"), user)?;
        }
        text("inventory.domain", self.domain.as_deref().unwrap_or_default())?;
        words("inventory.ou", self.ou.as_deref().unwrap_or_default())?;
        at_most("inventory.groups", self.groups.len(), MAX_GROUPS)?;
        for (index, group) in self.groups.iter().enumerate() {
            filled(format_args!("inventory.groups[{index}]"), group)?;
        }
        ensure(
            self.utc_offset_minutes
                .is_none_or(|offset| offset.0.unsigned_abs() <= MAX_UTC_OFFSET),
            "inventory.utc_offset_minutes",
            format_args!("-{MAX_UTC_OFFSET} to {MAX_UTC_OFFSET}"),
        )?;
        let registry = self.registry.as_deref().unwrap_or_default();
        at_most("inventory.registry", registry.len(), MAX_REGISTRY_VALUES)?;
        for (index, entry) in registry.iter().enumerate() {
            filled(format_args!("inventory.registry[{index}].name"), &entry.name)?;
            if let RegistryData::Text(data) = &entry.data {
                words(format_args!("inventory.registry[{index}].data"), data)?;
            }
        }
        at_most("inventory.volumes", self.volumes.len(), MAX_VOLUMES)?;
        for (index, volume) in self.volumes.iter().enumerate() {
            check_volume(index, volume)?;
        }
        Ok(())
    }
}

fn check_volume(index: usize, volume: &VolumeReport) -> Checked {
    let at = |name: &str| format!("inventory.volumes[{index}].{name}");
    filled(at("device"), &volume.device)?;
    text(at("letter"), volume.letter.as_deref().unwrap_or_default())?;
    text(at("label"), &volume.label)?;
    text(at("file_system"), &volume.file_system)?;
    text(
        at("org_identifier"),
        volume.org_identifier.as_deref().unwrap_or_default(),
    )?;
    text(
        at("other_encryption"),
        volume.other_encryption.as_deref().unwrap_or_default(),
    )?;
    at_most(at("hardware_ids"), volume.hardware_ids.len(), MAX_HARDWARE_IDS)?;
    for (number, id) in volume.hardware_ids.iter().enumerate() {
        text(at(&format!("hardware_ids[{number}]")), id)?;
    }
    // SQL integers are signed; no volume comes near.
    ensure(volume.size <= i64::MAX as u64, at("size"), "at most 2^63 - 1 bytes")?;
    ensure(
        volume.encrypted_basis_points <= 10_000,
        at("encrypted_basis_points"),
        "0 to 10000",
    )?;
    ensure(
        volume.suspend_count.is_none_or(|count| count <= MAX_SUSPEND_COUNT),
        at("suspend_count"),
        format_args!("0 to {MAX_SUSPEND_COUNT}"),
    )?;
    at_most(at("protectors"), volume.protectors.len(), MAX_PROTECTORS)?;
    for (number, protector) in volume.protectors.iter().enumerate() {
        let name = protector.name.as_deref().unwrap_or_default();
        text(at(&format!("protectors[{number}].name")), name)?;
    }
    Ok(())
}

fn certificate_request(pem: &str) -> Checked {
    ensure(
        !pem.is_empty() && pem.len() <= MAX_CERTIFICATE_REQUEST,
        "certificate_request",
        format_args!("1 to {MAX_CERTIFICATE_REQUEST} bytes of PEM"),
    )
}

fn one_digest(field: &str, value: &str) -> Checked {
    let lower = value
        .bytes()
        .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    ensure(
        value.len() == 64 && lower,
        field,
        "SHA-256 in 64 lower-case hexadecimal digits",
    )
}

fn optional_digest(field: &str, value: Option<&str>) -> Checked {
    value.map_or(Ok(()), |value| one_digest(field, value))
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn at_most(field: impl fmt::Display, length: usize, most: usize) -> Checked {
    ensure(length <= most, field, format_args!("at most {most} entries"))
}

/// Short text without control characters; may be empty.
fn text(field: impl fmt::Display, value: &str) -> Checked {
    ensure(
        value.len() <= MAX_TEXT && !value.chars().any(char::is_control),
        field,
        format_args!("at most {MAX_TEXT} bytes without control characters"),
    )
}

fn filled(field: impl fmt::Display, value: &str) -> Checked {
    ensure(!value.trim().is_empty(), &field, "must not be empty")?;
    text(field, value)
}

/// Longer text; line breaks are allowed.
fn words(field: impl fmt::Display, value: &str) -> Checked {
    let printable = value
        .chars()
        .all(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t'));
    ensure(
        value.len() <= MAX_WORDS && printable,
        field,
        format_args!("at most {MAX_WORDS} bytes of printable text"),
    )
}

fn ensure(holds: bool, field: impl fmt::Display, allowed: impl fmt::Display) -> Checked {
    if holds { Ok(()) } else { Err(fault(field, allowed)) }
}

fn fault(field: impl fmt::Display, allowed: impl fmt::Display) -> FieldError {
    FieldError {
        field: field.to_string(),
        allowed: allowed.to_string(),
    }
}
