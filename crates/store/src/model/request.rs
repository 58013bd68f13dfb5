//! Wishes of the server to a device.

use domain::ids::{DeviceId, RequestId};
use domain::plan::RotateRequest;
use domain::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What is wished.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum RequestKind {
    /// Replace recovery passwords.
    Rotate(RotateRequest),
    /// Report the inventory afresh.
    Report,
}

/// A request to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRequest {
    /// Its id, drawn by the caller.
    pub id: RequestId,
    /// To whom.
    pub device: DeviceId,
    /// What.
    pub kind: RequestKind,
    /// When.
    pub at: Timestamp,
    /// Who asked: as in the audit.
    pub by: String,
}

/// A stored request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceRequest {
    /// Its id.
    pub id: RequestId,
    /// To whom.
    pub device: DeviceId,
    /// What.
    pub kind: RequestKind,
    /// When.
    pub at: Timestamp,
    /// Who asked.
    pub by: String,
    /// When the device said that it is done.
    pub done_at: Option<Timestamp>,
}
