//! What rules look at.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::ids::DeviceId;
use crate::inventory::{Inventory, Tpm};

/// A device as rules see it: its last inventory, and the tags that administrators gave it.
#[derive(Clone, Copy, Debug)]
pub struct DeviceFacts<'a> {
    /// Its id, for direct members.
    pub id: DeviceId,
    /// What it reported last.
    pub inventory: &'a Inventory,
    /// Its tags.
    pub tags: &'a BTreeSet<String>,
}

/// The security chip, as rules name its states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TpmState {
    /// There is none.
    Absent,
    /// It cannot be used now.
    NotReady,
    /// It works.
    Ready,
}

impl TpmState {
    /// The state that a device reported.
    #[must_use]
    pub fn of(tpm: &Tpm) -> Self {
        match tpm {
            Tpm::Absent => Self::Absent,
            Tpm::NotReady { .. } => Self::NotReady,
            Tpm::Ready { .. } => Self::Ready,
        }
    }

    /// As rules and people write it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::NotReady => "not_ready",
            Self::Ready => "ready",
        }
    }
}
