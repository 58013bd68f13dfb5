//! Escrowed recovery passwords.

use std::fmt;

use domain::ids::{DeviceId, ProtectorId, VolumeId};
use domain::ledger::{KeyState, ProofState};
use domain::time::Timestamp;

/// Names a key: a recovery password's protector on a volume, as one device escrowed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName {
    /// The device.
    pub device: DeviceId,
    /// The volume.
    pub volume: VolumeId,
    /// The protector: the recovery key ID.
    pub protector: ProtectorId,
}

/// A secret that the device sealed to the organisation's recovery key. The store does not look inside; it is printed as
/// its length only.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedBytes {
    /// Version of the recovery key that opens it.
    pub key_version: u32,
    /// The sealed secret in the caller's encoding.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for SealedBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "SealedBytes {{ key_version: {}, bytes: [{} sealed bytes] }}",
            self.key_version,
            self.bytes.len()
        )
    }
}

/// An escrow to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEscrow {
    /// Which key.
    pub name: KeyName,
    /// The sealed recovery password.
    pub sealed: SealedBytes,
    /// A metadata copy of the volume, as evidence for the proof; kept compressed.
    pub evidence: Vec<u8>,
    /// When it came.
    pub at: Timestamp,
}

/// The acknowledgement: it is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Escrowed {
    /// When this sealed secret was first stored.
    pub escrowed_at: Timestamp,
    /// Which version of the key this sealed secret is: 1, 2, …
    pub version: u32,
    /// False: the same sealed secret was there already, nothing was changed and no audit event was appended.
    pub new: bool,
}

/// What is known about a key, without any secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// Which key.
    pub name: KeyName,
    /// Where it stands.
    pub state: KeyState,
    /// Whether the newest version is proven.
    pub proof: ProofState,
    /// Why the proof failed, or what it showed.
    pub proof_reason: Option<String>,
    /// When the newest version was tried.
    pub proof_at: Option<Timestamp>,
    /// When the first version was stored.
    pub first_escrowed_at: Timestamp,
    /// When the newest version was stored.
    pub escrowed_at: Timestamp,
    /// When it was last told to somebody; stays when it is replaced.
    pub disclosed_at: Option<Timestamp>,
    /// When it was seen to be replaced.
    pub superseded_at: Option<Timestamp>,
    /// All versions, newest first.
    pub versions: Vec<KeyVersion>,
}

/// One stored version of a key: the device escrowed the same protector again with another sealed secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyVersion {
    /// 1, 2, …
    pub version: u32,
    /// Version of the recovery key that opens it.
    pub key_version: u32,
    /// When it was stored.
    pub escrowed_at: Timestamp,
    /// Whether it is proven.
    pub proof: ProofState,
    /// Why not, or what the proof showed.
    pub proof_reason: Option<String>,
    /// When it was tried.
    pub proof_at: Option<Timestamp>,
}

/// How somebody at a recovery screen names a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeySearch {
    /// The first eight hexadecimal digits of the recovery key ID.
    FirstEight(u32),
    /// The whole recovery key ID.
    Whole(ProtectorId),
}

impl KeySearch {
    /// Reads what a person typed: eight hexadecimal digits or a whole ID, in any case, with or without braces.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_start_matches('{').trim_end_matches('}');
        if text.len() == 8 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return u32::from_str_radix(text, 16).ok().map(Self::FirstEight);
        }
        text.parse().ok().map(Self::Whole)
    }
}

/// A key and where it belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundKey {
    /// The key.
    pub key: KeyRecord,
    /// The device's name.
    pub hostname: String,
    /// Whether the device is retired.
    pub retired: bool,
    /// Drive letter or mount point at the last report.
    pub letter: Option<String>,
    /// Label of the file system at the last report.
    pub label: Option<String>,
    /// Local users of the device.
    pub users: Vec<String>,
}

/// A sealed secret, handed out after the record of it is durable (P4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disclosed {
    /// Which key.
    pub name: KeyName,
    /// Which version: the newest, or, when its proof failed, the newest proven one if there is any.
    pub version: u32,
    /// The sealed secret.
    pub sealed: SealedBytes,
    /// Whether this version is proven.
    pub proof: ProofState,
    /// State after the disclosure: [`KeyState::Disclosed`], or [`KeyState::Superseded`] when it was so before.
    pub state: KeyState,
    /// Other devices that escrowed the same key of the same volume (one that enrolled anew, a drive that moved). There it
    /// counts as exposed as well, for it is one password.
    pub elsewhere: Vec<DeviceId>,
}

/// A version that was not tried yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofJob {
    /// Which key.
    pub name: KeyName,
    /// Which version.
    pub version: u32,
    /// The sealed secret.
    pub sealed: SealedBytes,
    /// The volume's metadata.
    pub evidence: Vec<u8>,
    /// When it was stored.
    pub escrowed_at: Timestamp,
}

/// Outcome of a proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofResult {
    /// Which key.
    pub name: KeyName,
    /// Which version.
    pub version: u32,
    /// Proven or failed.
    pub proof: ProofState,
    /// In words, without secrets.
    pub reason: Option<String>,
    /// When.
    pub at: Timestamp,
}
