//! Volumes: locked ([`Volume`]), unlocked ([`UnlockedVolume`]) and what can be done with them.

mod backup;
mod change;
mod copies;
mod eow;
mod geometry;
mod info;
mod keyless;
mod method;
mod open;
mod plan;
mod protector_edits;
mod protectors;
mod restore;
mod rotate_vmk;
mod status;
mod unlocked;
mod update;
mod view;

pub use backup::{BackupError, MetadataBackup};
pub use change::{ChangePlan, ProtectorChange};
pub use copies::CopyInfo;
pub(crate) use geometry::normalise;
pub use info::{EowInfo, VolumeInfo};
pub use keyless::KeylessVolume;
pub use open::{Volume, is_fve};
pub(crate) use plan::touched;
pub use plan::{MetadataTouched, ProtectorSummary};
pub use restore::{BootSectorPlan, RestorePlan, RestoreRefusal, restore_metadata, restore_metadata_plan};
pub use rotate_vmk::{MasterKeyRotation, MasterKeyRotationPlan, ProtectorKey};
pub use status::ConversionStatus;
pub(crate) use status::is_reencrypting;
pub use unlocked::UnlockedVolume;
pub(crate) use unlocked::{Key, State};
pub(crate) use update::Edit;
