//! Devices and the requests to them.

use async_trait::async_trait;
use domain::audit::AuditEvent;
use domain::ids::{DeviceId, RequestId};
use domain::inventory::Inventory;
use domain::time::Timestamp;

use crate::Result;
use crate::model::{
    CheckInView, Device, DeviceQuery, DeviceRequest, DeviceRow, InventoryOutcome, NewDevice, NewRequest, Page, Report,
    SecretHash, VolumeRecord, Within,
};

/// Devices: enrolled, seen, reported, retired; never deleted.
#[async_trait]
pub trait Devices {
    /// Stores a new device and takes one use of the enrolment token, in one transaction. A hardware id that a device
    /// which is not retired has already marks both records, and overwrites nothing (P6).
    ///
    /// # Errors
    /// `Refused` when the token does not allow it; `Exists` when the id is taken.
    async fn enrol(&self, device: NewDevice, token: SecretHash, audit: Vec<AuditEvent>) -> Result<Device>;

    /// A device's record.
    async fn device(&self, id: DeviceId) -> Result<Option<Device>>;

    /// A device's record, if it is one of these.
    async fn device_within(&self, id: DeviceId, within: &Within) -> Result<Option<Device>>;

    /// Devices, searched, filtered and sorted.
    async fn devices(&self, query: DeviceQuery) -> Result<Page<DeviceRow>>;

    /// Devices, not retired, on which this person signed in (any case).
    async fn devices_of_user(&self, user: &str) -> Result<Vec<DeviceRow>>;

    /// All volumes of a device, those in the last inventory first.
    async fn volumes(&self, device: DeviceId) -> Result<Vec<VolumeRecord>>;

    /// All that the answer to a check-in needs; none when there is no such device.
    async fn check_in_view(&self, device: DeviceId) -> Result<Option<CheckInView>>;

    /// Notes that a device was in contact. Returns at once: last contacts are gathered and stored with the next
    /// transaction, whichever that is, or by [`Maintenance::flush`](super::Maintenance::flush).
    fn seen(&self, device: DeviceId, at: Timestamp);

    /// Likewise, and notes the number of a check-in (0: it is not counted), with which later ones are compared.
    fn checked_in(&self, device: DeviceId, sequence: u64, at: Timestamp);

    /// Stores an inventory; marks keys that the reported volumes no longer carry as superseded, and those that came back
    /// as in use (with an audit event `key.superseded` or `key.returned` for each, by the device); evaluates compliance
    /// under the policy that holds for the device; in one transaction. `sequence`: the check-in's number; none is returned,
    /// and nothing stored, when one with a higher number was taken before. 0 is not counted, and always taken.
    ///
    /// # Errors
    /// `NotFound`; `Refused` when the device is retired.
    async fn record_inventory(
        &self,
        device: DeviceId,
        sequence: u64,
        inventory: Inventory,
        digest: String,
        at: Timestamp,
        audit: Vec<AuditEvent>,
    ) -> Result<Option<InventoryOutcome>>;

    /// Stores what else a check-in said, and marks its requests as done. Requests that are unknown, done already, or
    /// another device's are passed over. Returns those that are now done. `sequence` as for
    /// [`record_inventory`](Self::record_inventory).
    ///
    /// # Errors
    /// `NotFound`; `Refused` when the device is retired.
    async fn record_report(
        &self,
        device: DeviceId,
        sequence: u64,
        report: Report,
        at: Timestamp,
        audit: Vec<AuditEvent>,
    ) -> Result<Option<Vec<RequestId>>>;

    /// Retires a device, or takes it back with `None`.
    ///
    /// # Errors
    /// `NotFound`.
    async fn set_retired(&self, device: DeviceId, at: Option<Timestamp>, audit: Vec<AuditEvent>) -> Result<()>;

    /// Evaluates the next `limit` stale devices (not retired, with an inventory, by id, after `after`) under the policy that
    /// holds for each. Returns the last one, to go on from; none when there were no more.
    async fn reevaluate(&self, after: Option<DeviceId>, limit: u32, now: Timestamp) -> Result<Option<DeviceId>>;
}

/// Wishes of the server to devices.
#[async_trait]
pub trait Requests {
    /// Stores a request.
    ///
    /// # Errors
    /// `NotFound` when there is no such device; `Refused` when it is retired; `Exists` when the id is taken.
    async fn add_request(&self, request: NewRequest, audit: Vec<AuditEvent>) -> Result<()>;

    /// Requests to a device that are not done, oldest first.
    async fn pending_requests(&self, device: DeviceId) -> Result<Vec<DeviceRequest>>;

    /// All requests to a device, newest first.
    async fn requests(&self, device: DeviceId) -> Result<Vec<DeviceRequest>>;
}
