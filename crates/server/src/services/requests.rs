//! Wishes to devices: replace keys, report afresh; and retiring a device.

use domain::access::Permission;
use domain::ids::{DeviceId, RequestId, VolumeId};
use domain::ledger::KeyState;
use domain::plan::RotateRequest;
use store::model::{NewRequest, RequestKind, subject};

use crate::error::{AppError, Result};
use crate::services::devices;
use crate::session::CurrentUser;
use crate::state::AppState;

const MAX_REASON: usize = 1024;

/// Asks a device to replace the recovery passwords that the server holds now, of one volume or of all.
///
/// # Errors
/// 403; 404; 403 `device_retired`; 422 for a reason that is too long; 409 `no_keys` when there is nothing to replace.
pub async fn rotate(
    state: &AppState,
    user: &CurrentUser,
    device: DeviceId,
    volume: Option<VolumeId>,
    reason: &str,
) -> Result<RequestId> {
    user.demand(Permission::ManageDevices)?;
    devices::visible(state, user, device).await?;
    let ledger = state.store.ledger(device).await?;
    let protectors: Vec<_> = ledger
        .0
        .iter()
        .filter(|entry| entry.state != KeyState::Superseded && volume.is_none_or(|volume| entry.volume == volume))
        .map(|entry| entry.protector)
        .collect();
    if protectors.is_empty() {
        return Err(AppError::conflict(
            "no_keys",
            "The server holds no key in use of this volume.",
        ));
    }
    let kind = RequestKind::Rotate(RotateRequest { volume, protectors });
    ask(state, user, device, volume, kind, "key.rotation_requested", reason).await
}

/// Asks a device to report its inventory afresh.
///
/// # Errors
/// 403; 404; 403 `device_retired`.
pub async fn report(state: &AppState, user: &CurrentUser, device: DeviceId) -> Result<RequestId> {
    user.demand(Permission::ManageDevices)?;
    devices::visible(state, user, device).await?;
    ask(
        state,
        user,
        device,
        None,
        RequestKind::Report,
        "device.report_requested",
        "",
    )
    .await
}

/// Retires a device: it may no longer write, and its keys stay. `false` takes it back.
///
/// # Errors
/// 403; 404.
pub async fn set_retired(state: &AppState, user: &CurrentUser, device: DeviceId, retired: bool) -> Result<()> {
    user.demand(Permission::ManageDevices)?;
    devices::visible(state, user, device).await?;
    let (action, at) = if retired {
        ("device.retired", Some(state.now()))
    } else {
        ("device.taken_back", None)
    };
    let event = state.event(user.actor(), action, subject(device, None, None), "");
    state.store.set_retired(device, at, vec![event]).await?;
    state.hub.wake(device);
    Ok(())
}

async fn ask(
    state: &AppState,
    user: &CurrentUser,
    device: DeviceId,
    volume: Option<VolumeId>,
    kind: RequestKind,
    action: &str,
    reason: &str,
) -> Result<RequestId> {
    if reason.len() > MAX_REASON {
        return Err(AppError::invalid("reason", "reason: at most 1024 bytes"));
    }
    let request = NewRequest {
        id: RequestId(state.random_id()),
        device,
        kind,
        at: state.now(),
        by: user.actor(),
    };
    let id = request.id;
    let event = state.event(user.actor(), action, subject(device, volume, None), reason.trim());
    state.store.add_request(request, vec![event]).await?;
    state.hub.wake(device);
    Ok(id)
}
