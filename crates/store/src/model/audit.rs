//! The audit: what it is about, and how to look things up in it.

use domain::audit::AuditEvent;
use domain::ids::{DeviceId, ProtectorId, VolumeId};
use domain::time::Timestamp;

use super::page::{Direction, Paging};
use super::within::Within;

/// Which entries. Those that match all given conditions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditQuery {
    /// Only entries about these devices.
    pub within: Within,
    /// Exactly this actor (`user:NAME`, `device:ID`, `system`).
    pub actor: Option<String>,
    /// Actions that begin so: `key.` finds `key.disclosed`.
    pub action_prefix: Option<String>,
    /// Subject contains this, in any (ASCII) case.
    pub subject: Option<String>,
    /// Only entries about this device: named in the subject, or the actor.
    pub device: Option<DeviceId>,
    /// At or after.
    pub from: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
    /// By sequence.
    pub direction: Direction,
    /// Which part.
    pub paging: Paging,
}

/// The subject of an event about a device, and, where they matter, a volume and a protector of it:
/// `device:ID volume:ID protector:ID`.
#[must_use]
pub fn subject(device: DeviceId, volume: Option<VolumeId>, protector: Option<ProtectorId>) -> String {
    let mut text = format!("device:{device}");
    if let Some(volume) = volume {
        text.push_str(&format!(" volume:{volume}"));
    }
    if let Some(protector) = protector {
        text.push_str(&format!(" protector:{protector}"));
    }
    text
}

/// The device that an event is about: the one in the subject, else the one that acted.
#[must_use]
pub fn device_of(event: &AuditEvent) -> Option<DeviceId> {
    let named = |text: &str| {
        text.split_whitespace()
            .find_map(|word| word.strip_prefix("device:")?.parse().ok())
    };
    named(&event.subject).or_else(|| named(&event.actor))
}
