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

/// Devices, searched, filtered and sorted. Needs [`Permission::ReadDevices`].
///
/// # Errors
/// 403; when the store fails.
pub async fn list(state: &AppState, user: &CurrentUser, query: DeviceQuery) -> Result<Page<DeviceRow>> {
    user.demand(Permission::ReadDevices)?;
    Ok(state.store.devices(query).await?)
}

/// One device.
///
/// # Errors
/// 403; 404.
pub async fn get(state: &AppState, user: &CurrentUser, id: DeviceId) -> Result<DeviceDetail> {
    user.demand(Permission::ReadDevices)?;
    let device = state
        .store
        .device(id)
        .await?
        .ok_or_else(|| AppError::not_found("There is no such device."))?;
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
