//! BitLocker volumes: read, create, convert in place, protectors, rotation, repair.
//!
//! | to | begin at |
//! |---|---|
//! | look at a volume without a key | [`Volume::open`], [`Volume::info`] |
//! | read and write what is inside | [`Volume::unlock`]; [`UnlockedVolume`] is an [`io::ReadAt`] and [`io::WriteAt`] |
//! | copy a whole volume with all processors | [`pipeline::copy()`] |
//! | make a volume | [`create`] from an image, [`initialise`] in place |
//! | encrypt, decrypt, re-encrypt in place | [`UnlockedVolume::begin_encryption`], [`UnlockedVolume::begin_decryption`], [`UnlockedVolume::begin_reencryption`], then [`UnlockedVolume::convert_step`] |
//! | add, remove, rotate protectors | the methods of [`UnlockedVolume`]; a new master key by [`UnlockedVolume::rotate_master_key`] |
//! | prove that passwords open a volume | [`verify`], [`verify_many`] |
//! | mend a volume that does not open | [`repair`] |
//!
//! Everything works over [`io::ReadAt`] and [`io::WriteAt`]; time and
//! randomness are arguments ([`Context`]). Section numbers in comments refer to
//! the BitLocker format notes.
//!
//! ```no_run
//! use fve::{Credential, RecoveryPassword, Volume, io::{FileDevice, ReadAt}};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let volume = Volume::open(FileDevice::open_read("/dev/sdb1")?)?;
//! let password = RecoveryPassword::parse(&std::fs::read_to_string("password.txt")?)?;
//! let volume = volume.unlock(&Credential::RecoveryPassword(&password))?;
//! let mut first = [0; 512];
//! volume.read_at(0, &mut first)?;
//! # Ok(())
//! # }
//! ```

mod context;
mod convert;
mod crypto;
mod error;
mod evidence;
pub mod fat;
pub mod format;
mod fresh;
mod guid;
pub mod inner;
pub mod io;
mod keychain;
#[doc(hidden)]
pub mod measure;
pub mod ntfs;
mod passwords;
pub mod pipeline;
mod protector;
pub mod repair;
mod secret;
pub mod time;
mod volume;

pub use context::Context;
pub use convert::{
    AdoptionPlan, ConversionMode, ConversionOperation, ConversionPlan, LogPlace, Progress, ReencryptOptions,
    Reencryption, WipeProgress,
};
pub use error::Error;
pub use evidence::{EvidenceContents, EvidenceError, Proven, evidence_contents, verify, verify_many};
pub use format::EncryptionMethod;
pub use fresh::{CreateOptions, InitOptions, NewProtector, Placement, create, initialise};
pub use guid::{Guid, GuidError};
pub use keychain::Credential;
pub use protector::{BackupInfo, Part, ProtectorInfo, ProtectorKind, Stretch, TpmDatum};
pub use secret::{Bek, BekError, ExternalKey, Passphrase, RecoveryPassword, RecoveryPasswordError, VolumeMasterKey};
pub use time::FileTime;
pub use volume::{
    BackupError, BootSectorPlan, ChangePlan, ConversionStatus, CopyInfo, EowInfo, KeylessVolume, MasterKeyRotation,
    MasterKeyRotationPlan, MetadataBackup, MetadataTouched, ProtectorChange, ProtectorKey, ProtectorSummary,
    RestorePlan, RestoreRefusal, UnlockedVolume, Volume, VolumeInfo, is_fve, restore_metadata, restore_metadata_plan,
};
