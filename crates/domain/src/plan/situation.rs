//! What else matters at the moment of planning: facts that change by themselves, and so are not part of the inventory.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::exemption::{Exemption, Postponement};
use crate::ids::{ProtectorId, VolumeId};
use crate::inventory::{Inventory, VolumeReport};
use crate::time::Timestamp;

/// The moment of planning. What is absent of a hand-written one is taken for "no".
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Situation {
    /// The present moment.
    pub now: Timestamp,
    /// The server answered just now: escrow can work. Without it nothing that needs escrow starts.
    pub server_reachable: bool,
    /// A PIN that the user has chosen is at hand (for TPM+PIN); the plan never carries the PIN itself.
    pub pin_available: bool,
    /// A password that the user has chosen is at hand; the plan never carries the password itself.
    pub password_available: bool,
    /// Somebody is there to be asked.
    pub user_present: bool,
    /// Drives (the provider's names) that the user who is present agreed to have encrypted.
    pub agreed: Vec<String>,
    /// Rotations that the server asked for. Only the recovery passwords that a request names are replaced, so that a
    /// request which was carried out asks for nothing more.
    pub rotate: Vec<RotateRequest>,
    /// Recovery passwords by which a volume was opened since they were made.
    pub used: Vec<ProtectorId>,
    /// Where its power comes from.
    pub power: Power,
    /// A restart waits to be done: what is encrypted before it may find another platform afterwards.
    pub restart_pending: bool,
    /// The maintenance window.
    pub maintenance: Maintenance,
    /// Exemptions of the device's users, whatever their state.
    pub exemptions: Vec<Exemption>,
    /// A user put encryption off.
    pub postponed: Option<Postponement>,
    /// When volumes were first found not compliant; what [`crate::compliance::Compliance::detected`] said last time.
    pub detected: Vec<Detected>,
}

/// The server's wish to have recovery passwords replaced, disclosed or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateRequest {
    /// Only this volume; none: every volume of the device.
    pub volume: Option<VolumeId>,
    /// Replace the passwords that the server held when it asked: newer ones already satisfy the request.
    pub protectors: Vec<ProtectorId>,
}

impl RotateRequest {
    /// Whether it is carried out, as far as this inventory shows: the volumes that it means are there, all of them can be
    /// read, and none carries a password that it names. A locked volume may hide what it carries, so it leaves a request open.
    #[must_use]
    pub fn is_satisfied_by(&self, inventory: &Inventory) -> bool {
        let meant = |v: &&VolumeReport| v.volume.is_some() && (self.volume.is_none() || self.volume == v.volume);
        let mut volumes = inventory.volumes.iter().filter(meant).peekable();
        volumes.peek().is_some()
            && volumes.all(|v| v.is_readable() && !v.recovery_passwords().any(|p| self.protectors.contains(&p)))
    }
}

/// Where a device's power comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "source", rename_all = "snake_case", deny_unknown_fields)]
pub enum Power {
    /// The mains, or nobody looked.
    #[default]
    Mains,
    /// The battery.
    Battery {
        /// Its charge, 0–100.
        percent: u8,
    },
}

/// Whether work on drives may begin now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "window", rename_all = "snake_case", deny_unknown_fields)]
pub enum Maintenance {
    /// There are no windows, one is open, or work outside them is allowed.
    #[default]
    Open,
    /// Not now.
    Closed {
        /// When the next one opens, when that is known.
        #[serde(default)]
        opens: Option<Timestamp>,
    },
}

/// When a volume was first found not compliant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Detected {
    /// The provider's name of the volume.
    pub device: String,
    /// The first time since it was last compliant.
    pub since: Timestamp,
    /// From when its grace period counts: for a fixed drive, once the operating system drive is compliant. None: not yet.
    #[serde(default)]
    pub grace_since: Option<Timestamp>,
}
