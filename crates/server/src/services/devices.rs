//! Looking at devices.

use domain::access::Permission;
use domain::audit::AuditEntry;
use domain::ids::DeviceId;
use store::model::{
    AuditQuery, Device, DeviceQuery, DeviceRequest, DeviceRow, Direction, KeyRecord, Page, Paging, VolumeRecord,
};

use crate::error::{AppError, Result};
use crate::session::CurrentUser;
use crate::state::AppState;

const HISTORY: u32 = 50;

/// One device with all that belongs to it.
#[derive(Clone, Debug)]
pub struct DeviceDetail {
    /// Its record.
    pub device: Device,
    /// Its volumes, present ones first.
    pub volumes: Vec<VolumeRecord>,
    /// Its keys, those in use first.
    pub keys: Vec<KeyRecord>,
    /// The server's wishes to it, newest first.
    pub requests: Vec<DeviceRequest>,
    /// The newest entries of the audit about it.
    pub history: Vec<AuditEntry>,
}

/// Devices in the scope, searched, filtered and sorted. Needs [`Permission::ReadDevices`].
///
/// # Errors
/// 403; when the store fails.
pub async fn list(state: &AppState, user: &CurrentUser, query: DeviceQuery) -> Result<Page<DeviceRow>> {
    user.demand(Permission::ReadDevices)?;
    let query = DeviceQuery {
        within: user.within(),
        ..query
    };
    Ok(state.store.devices(query).await?)
}

/// A device's record, if it is in the scope.
///
/// # Errors
/// 404, the same for a device outside the scope as for one that does not exist.
pub(crate) async fn visible(state: &AppState, user: &CurrentUser, id: DeviceId) -> Result<Device> {
    let device = state.store.device_within(id, &user.within()).await?;
    device.ok_or_else(|| AppError::not_found("There is no such device."))
}

/// One device.
///
/// # Errors
/// 403; 404.
pub async fn get(state: &AppState, user: &CurrentUser, id: DeviceId) -> Result<DeviceDetail> {
    user.demand(Permission::ReadDevices)?;
    let device = visible(state, user, id).await?;
    let query = AuditQuery {
        device: Some(id),
        direction: Direction::Descending,
        paging: Paging::page(1, HISTORY),
        ..AuditQuery::default()
    };
    Ok(DeviceDetail {
        device,
        volumes: state.store.volumes(id).await?,
        keys: state.store.keys_of_device(id).await?,
        requests: state.store.requests(id).await?,
        history: state.store.search_audit(query).await?.items,
    })
}
