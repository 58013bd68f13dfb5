//! Devices and their volumes.

use domain::compliance::{Compliance, Verdict};
use domain::exemption::Exemption;
use domain::ids::{DeviceId, ProtectorId, RequestId, VolumeId};
use domain::inventory::{Inventory, VolumeReport};
use domain::ledger::{Ledger, StateChange};
use domain::plan::{Blocked, Detected};
use domain::policy::resolve::Maintenance;
use domain::time::Timestamp;

use super::page::{Direction, Paging};
use super::request::DeviceRequest;
use super::summary::KeyTally;
use super::within::Within;

/// A device that enrols.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDevice {
    /// Its id, drawn by the caller.
    pub id: DeviceId,
    /// Computer name.
    pub hostname: String,
    /// Serial number or SMBIOS UUID; a clash with a device that is not retired marks both records.
    pub hardware_id: String,
    /// When.
    pub enrolled_at: Timestamp,
}

/// A device's record. Never deleted (P6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its id.
    pub id: DeviceId,
    /// Computer name: as enrolled, later as reported.
    pub hostname: String,
    /// Serial number or SMBIOS UUID.
    pub hardware_id: String,
    /// When it enrolled.
    pub enrolled_at: Timestamp,
    /// Last contact; may lag by the time for which last contacts are gathered.
    pub last_seen: Option<Timestamp>,
    /// The last inventory.
    pub inventory: Option<Inventory>,
    /// Digest of the last inventory.
    pub inventory_digest: Option<String>,
    /// When the last inventory came.
    pub inventory_at: Option<Timestamp>,
    /// Evaluated from the last inventory, the policy in force and the ledger.
    pub compliance: Option<Compliance>,
    /// The verdict; [`Verdict::Unknown`] before the first inventory.
    pub verdict: Verdict,
    /// What the device could not do and why.
    pub blocked: Vec<Blocked>,
    /// The last failure that it reported.
    pub last_error: Option<String>,
    /// Another device that is not retired has the same hardware id. A retired device keeps the last answer.
    pub duplicate_hardware: bool,
    /// Retired: hidden from lists unless asked for, may not write; its keys stay.
    pub retired_at: Option<Timestamp>,
    /// Digest of the policy that it was evaluated under.
    pub policy_digest: Option<String>,
}

/// A line of the list of devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceRow {
    /// Its id.
    pub id: DeviceId,
    /// Computer name.
    pub hostname: String,
    /// Operating system, in words; empty before the first inventory.
    pub os: String,
    /// Maker of the machine.
    pub manufacturer: String,
    /// Model.
    pub model: String,
    /// Local users.
    pub users: Vec<String>,
    /// The verdict.
    pub verdict: Verdict,
    /// When it enrolled.
    pub enrolled_at: Timestamp,
    /// Last contact.
    pub last_seen: Option<Timestamp>,
    /// Hardware id clash.
    pub duplicate_hardware: bool,
    /// Whether the device reports something that it could not do, or a failure.
    pub has_problems: bool,
    /// When it was retired.
    pub retired_at: Option<Timestamp>,
    /// Number of volumes in the last inventory.
    pub volumes: u32,
    /// Its keys.
    pub keys: KeyTally,
}

/// Which devices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceQuery {
    /// Only these.
    pub within: Within,
    /// Part of host name, user, maker, model or hardware id (any case), or the first four or more digits of a recovery key ID.
    pub search: Option<String>,
    /// Only this verdict.
    pub verdict: Option<Verdict>,
    /// Only devices with an exposed key.
    pub exposed: bool,
    /// Only devices with a key in use that is not proven.
    pub unproven: bool,
    /// Only devices whose hardware id clashes.
    pub duplicate_hardware: bool,
    /// Only devices last seen before this moment, or never.
    pub not_seen_since: Option<Timestamp>,
    /// Retired devices too.
    pub include_retired: bool,
    /// Order.
    pub sort: DeviceSort,
    /// Which way.
    pub direction: Direction,
    /// Which part.
    pub paging: Paging,
}

/// Order of the list of devices; equal ones are ordered by id, so that pages never overlap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceSort {
    /// By host name.
    #[default]
    Hostname,
    /// By last contact.
    LastSeen,
    /// By enrolment.
    EnrolledAt,
    /// By verdict: non-compliant, unknown, not enforced, not applicable, compliant.
    Verdict,
}

/// What a check-in says besides the inventory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What the device could not do and why.
    pub blocked: Vec<Blocked>,
    /// The last failure.
    pub last_error: Option<String>,
    /// Requests that are done.
    pub done: Vec<RequestId>,
}

/// What changed by an inventory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InventoryOutcome {
    /// Keys that were replaced, or that came back.
    pub key_changes: Vec<StateChange>,
    /// The verdict before.
    pub verdict_before: Verdict,
    /// Compliance now.
    pub compliance: Compliance,
    /// The ledger now.
    pub ledger: Ledger,
}

/// All that the answer to a check-in needs, from one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckInView {
    /// The highest number of a check-in that was taken.
    pub sequence: u64,
    /// Digest of the last inventory.
    pub inventory_digest: Option<String>,
    /// What it reported before, to see whether it changed.
    pub blocked: Vec<Blocked>,
    /// Likewise.
    pub last_error: Option<String>,
    /// Whether it is retired.
    pub retired: bool,
    /// The ledger.
    pub ledger: Ledger,
    /// Requests that are not done, oldest first.
    pub requests: Vec<DeviceRequest>,
    /// Digest of the policy that holds for it; none before it was evaluated.
    pub policy_digest: Option<String>,
    /// Something changed since it was evaluated that may concern it: refresh it.
    pub stale: bool,
    /// When it may begin what disturbs its user.
    pub maintenance: Maintenance,
    /// Exemptions of its users, the newest first.
    pub exemptions: Vec<Exemption>,
    /// When its volumes were first found not compliant, as of the last evaluation.
    pub detected: Vec<Detected>,
}

/// A volume that a device ever reported or escrowed a key of. Never deleted (P6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeRecord {
    /// The device.
    pub device: DeviceId,
    /// The volume.
    pub volume: VolumeId,
    /// The last report; none when only a key came yet.
    pub report: Option<VolumeReport>,
    /// First heard of.
    pub first_seen: Timestamp,
    /// Last heard of.
    pub last_seen: Timestamp,
    /// Whether the last inventory lists it.
    pub present: bool,
}

impl VolumeRecord {
    /// Recovery passwords that the volume carried at the last report.
    pub fn recovery_passwords(&self) -> impl Iterator<Item = ProtectorId> + '_ {
        self.report.iter().flat_map(VolumeReport::recovery_passwords)
    }
}
