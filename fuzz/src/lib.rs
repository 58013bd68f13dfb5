//! What the fuzz targets share: a sparse device, metadata with right checksums, seeded time and randomness.

pub mod area;
pub mod device;
pub mod rng;

use fve::{Context, FileTime};

/// The volume master key of every volume that the targets build.
pub const MASTER_KEY: [u8; 32] = [0x42; 32];

/// Time stands still.
pub const NOW: FileTime = FileTime(133_500_000_000_000_000);

/// Runs `work` with seeded randomness.
pub fn with_context<T>(work: impl FnOnce(&mut Context<'_>) -> T) -> T {
    let mut rng = rng::Seeded::new();
    work(&mut Context {
        now: NOW,
        rng: &mut rng,
    })
}
