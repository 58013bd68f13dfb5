//! The pages of a running server, as browsers see them.
#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]
#![expect(
    dead_code,
    unused_imports,
    reason = "the support is shared with the tests of the routes"
)]

mod browser;
mod forged;
mod looks;
mod policies;
mod previews;
mod recovery;
mod roles;
mod sign_in;
#[path = "../routes/support/mod.rs"]
mod support;
mod written;

use support::{Device, Harness, Volume, inventory};

/// A server with one device, used by `CORP\anna`, whose only volume has an escrowed and tried key.
async fn with_a_device(harness: &Harness) -> (Device, Volume) {
    let device = Device::enrol(harness, "HW-1").await;
    let volume = Volume::new(1);
    let report = inventory(&["CORP\\anna"], &volume, &[volume.protector]);
    device.check_in(Some(report)).await.unwrap();
    device.escrow(&volume).await.unwrap();
    harness.all_tried().await;
    (device, volume)
}
