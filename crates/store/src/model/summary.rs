//! Counts.

use std::collections::BTreeMap;

use domain::compliance::Verdict;
use domain::volume::VolumeKind;

/// Counts for the dashboard. Kept in the same transaction as each change: exact, and read without a scan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Devices that are not retired, by verdict. A verdict that no device has is absent.
    pub devices: BTreeMap<Verdict, u64>,
    /// Drives in the last inventories of those devices, by kind and verdict. A pair that no drive has is absent.
    pub drives: BTreeMap<(VolumeKind, Verdict), u64>,
    /// Retired devices.
    pub retired: u64,
    /// Devices, not retired, whose hardware id clashes.
    pub duplicate_hardware: u64,
    /// Keys, of retired devices too.
    pub keys: KeyTally,
    /// Requests that are not done.
    pub pending_requests: u64,
}

impl Summary {
    /// Devices that are not retired.
    #[must_use]
    pub fn devices_total(&self) -> u64 {
        self.devices.values().sum()
    }
}

/// Counts of keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyTally {
    /// Stored, never told.
    pub live: u64,
    /// Told and not replaced yet: exposed.
    pub disclosed: u64,
    /// Replaced.
    pub superseded: u64,
    /// Live or disclosed, not tried yet.
    pub not_proven: u64,
    /// Live or disclosed, and opens the volume.
    pub proven: u64,
    /// Live or disclosed, and does not open the volume.
    pub failed: u64,
}
