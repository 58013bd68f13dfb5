//! What a protector says about itself without any secret (BitLocker format notes §6).

use crate::format::constants::{kind, role};
use crate::format::read::{Bytes, FormatError, nested, text};
use crate::format::{Datum, Metadata};
use crate::guid::Guid;
use crate::time::FileTime;

/// The kinds of protectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProtectorKind {
    /// The key lies there in clear: protection is suspended, or has not begun.
    ClearKey,
    /// TPM alone.
    Tpm,
    /// An external key, `.BEK`.
    ExternalKey,
    /// TPM and startup key.
    TpmStartupKey,
    /// TPM and PIN.
    TpmPin,
    /// TPM, PIN and startup key.
    TpmPinStartupKey,
    /// 48-digit recovery password.
    RecoveryPassword,
    /// Smart card or certificate.
    PublicKey,
    /// Passphrase.
    Passphrase,
    /// Another number.
    Unknown(u16),
}

impl ProtectorKind {
    /// From the priority word of the VMK datum, whose low byte is of no account.
    #[must_use]
    pub const fn from_priority(priority: u16) -> Self {
        match priority & 0xFF00 {
            0x0000 => Self::ClearKey,
            0x0100 => Self::Tpm,
            0x0200 => Self::ExternalKey,
            0x0300 => Self::TpmStartupKey,
            0x0500 => Self::TpmPin,
            0x0700 => Self::TpmPinStartupKey,
            0x0800 => Self::RecoveryPassword,
            0x1000 => Self::PublicKey,
            0x2000 => Self::Passphrase,
            _ => Self::Unknown(priority),
        }
    }

    /// The priority word.
    #[must_use]
    pub const fn priority(self) -> u16 {
        match self {
            Self::ClearKey => 0x0000,
            Self::Tpm => 0x0100,
            Self::ExternalKey => 0x0200,
            Self::TpmStartupKey => 0x0300,
            Self::TpmPin => 0x0500,
            Self::TpmPinStartupKey => 0x0700,
            Self::RecoveryPassword => 0x0800,
            Self::PublicKey => 0x1000,
            Self::Passphrase => 0x2000,
            Self::Unknown(priority) => priority,
        }
    }
}

impl std::fmt::Display for ProtectorKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::ClearKey => "clear key",
            Self::Tpm => "TPM",
            Self::ExternalKey => "external key",
            Self::TpmStartupKey => "TPM and startup key",
            Self::TpmPin => "TPM and PIN",
            Self::TpmPinStartupKey => "TPM, PIN and startup key",
            Self::RecoveryPassword => "recovery password",
            Self::PublicKey => "certificate or smart card",
            Self::Passphrase => "passphrase",
            Self::Unknown(priority) => return write!(f, "protector of unknown kind {priority:#06x}"),
        })
    }
}

/// The TPM datum of a protector.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct TpmDatum {
    /// Bit i: the seal depends on PCR i.
    pub pcr_bitmap: u32,
    /// The sealed object. On volumes made by this crate it has this project's own
    /// layout; only the TPM that sealed it can open it.
    pub blob: Vec<u8>,
}

/// When and where a recovery password was backed up (§5.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct BackupInfo {
    /// When the password was made.
    pub created: FileTime,
    /// When it was backed up.
    pub backed_up: FileTime,
    /// 1 Active Directory, 2 OneDrive, 4 Entra ID, 8 file, 0x10 printed.
    pub method: u16,
    /// Undocumented; 2 on passwords saved to a file.
    pub flags: u16,
}

/// One protector.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ProtectorInfo {
    /// Its GUID; for a recovery password this is the recovery key ID.
    pub id: Guid,
    /// Its kind.
    pub kind: ProtectorKind,
    /// When it was made or last changed.
    pub created: FileTime,
    /// Its friendly name.
    pub name: Option<String>,
    /// The sealed object of a TPM protector.
    pub tpm: Option<TpmDatum>,
    /// Backup record of a recovery password.
    pub backup: Option<BackupInfo>,
    /// Reboots until protection resumes, on a clear key that counts them.
    pub suspend_count: Option<u8>,
    /// How the secret becomes a key, on protectors that stretch it.
    pub stretch: Option<Stretch>,
    /// What it is made of, in its order on disk; of no further use than to be looked at.
    pub parts: Vec<Part>,
}

/// How a secret is stretched (§5.3, §7.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Stretch {
    /// The algorithm's name where one is given (Windows 8.1 and later can); otherwise it is Windows 7's. *Not verified:* no
    /// volume with a name has been seen.
    pub algorithm: Option<String>,
    /// Its rounds, where given.
    pub iterations: Option<u64>,
    /// The PIN may have letters and signs.
    pub enhanced_pin: bool,
}

/// One datum inside a protector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Part {
    /// `constants::role`.
    pub role: u16,
    /// `constants::kind`.
    #[serde(rename = "type")]
    pub kind: u16,
    /// Its key type, where it has one.
    pub key_type: Option<u16>,
    /// Its length in bytes.
    pub len: usize,
}

/// Flag on a clear key's VMK datum: the high byte is the reboot count.
pub(crate) const CLEAR_KEY_COUNT_FLAG: u16 = 0x0004;

/// The protectors of a volume with their datums' places among the top-level datums.
pub(crate) fn list(metadata: &Metadata) -> Result<Vec<(usize, ProtectorInfo)>, FormatError> {
    let vmks = metadata
        .datums
        .iter()
        .enumerate()
        .filter(|(_, d)| d.kind == kind::VMK_INFO && d.role == role::VMK_INFO);
    vmks.map(|(index, datum)| Ok((index, info(datum)?))).collect()
}

pub(crate) fn info(datum: &Datum) -> Result<ProtectorInfo, FormatError> {
    let bytes = Bytes::new(&datum.body, "a protector");
    let kind = ProtectorKind::from_priority(bytes.u16(26)?);
    let inner = nested(datum)?;
    let property = |wanted: u16| inner.iter().find(|d| d.kind == wanted);
    let counts = kind == ProtectorKind::ClearKey && datum.flags & CLEAR_KEY_COUNT_FLAG != 0;
    Ok(ProtectorInfo {
        id: bytes.guid(0)?,
        kind,
        created: FileTime(bytes.u64(16)?),
        name: property(kind::UNICODE).and_then(text),
        tpm: property(kind::TPM_BLOB).map(tpm).transpose()?,
        backup: property(kind::BACKUP_INFO).map(backup).transpose()?,
        suspend_count: counts.then(|| datum.flags.to_le_bytes()[1]),
        stretch: property(kind::STRETCH).map(stretch),
        parts: inner.iter().map(part).collect(),
    })
}

fn part(datum: &Datum) -> Part {
    let has_key_type = matches!(datum.kind, kind::KEY | kind::STRETCH | kind::USE_KEY);
    let key_type = Bytes::new(&datum.body, "a key type").u16(0).ok();
    Part {
        role: datum.role,
        kind: datum.kind,
        key_type: key_type.filter(|_| has_key_type),
        len: datum.len(),
    }
}

/// What a STRETCH datum says about itself; a damaged one says nothing.
fn stretch(datum: &Datum) -> Stretch {
    /// Key flag of a PIN with letters and signs.
    const ENHANCED_PIN: u16 = 0x04;
    let inner = nested(datum).unwrap_or_default();
    let flags = Bytes::new(&datum.body, "key flags").u16(2).unwrap_or_default();
    let iterations = inner.iter().find(|d| d.kind == kind::SIMPLE_LARGE);
    Stretch {
        algorithm: inner.iter().find(|d| d.role == role::STRETCH_ALGORITHM).and_then(text),
        iterations: iterations.and_then(|d| Bytes::new(&d.body, "iterations").u64(0).ok()),
        enhanced_pin: flags & ENHANCED_PIN != 0,
    }
}

fn tpm(datum: &Datum) -> Result<TpmDatum, FormatError> {
    let bytes = Bytes::new(&datum.body, "a TPM object");
    Ok(TpmDatum {
        pcr_bitmap: bytes.u32(0)?,
        blob: datum.body.get(4..).unwrap_or_default().to_vec(),
    })
}

fn backup(datum: &Datum) -> Result<BackupInfo, FormatError> {
    let bytes = Bytes::new(&datum.body, "backup information");
    Ok(BackupInfo {
        created: FileTime(bytes.u64(0)?),
        backed_up: FileTime(bytes.u64(8)?),
        method: bytes.u16(16)?,
        flags: bytes.u16(18)?,
    })
}
