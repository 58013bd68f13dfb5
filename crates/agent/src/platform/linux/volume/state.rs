//! What keeps a volume's key, beside its protectors.

use fve::io::{FileDevice, ReadAt};
use fve::{ConversionStatus, ProtectorInfo, ProtectorKind, UnlockedVolume};

use crate::provider::Result;

/// Whether the key lies on the volume in clear, and why.
///
/// As on Windows, a volume carries a clear key from its first protector until it is fully encrypted, so that a restart in between
/// needs nobody; and while it is suspended. The two are told apart by the count of restarts, which only a
/// suspension has. A clear key without a count on a fully encrypted volume, as Windows leaves it, is a suspension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClearKey {
    /// There is none: protectors are enabled.
    Absent,
    /// Until the volume is fully encrypted.
    Provisional,
    /// Protection is suspended for so many restarts; 0: until resumed.
    Suspended(u8),
}

pub(super) fn clear_key(volume: &UnlockedVolume<FileDevice>) -> Result<ClearKey> {
    let protectors = volume.protectors()?;
    let clear = protectors.iter().find(|info| info.kind == ProtectorKind::ClearKey);
    Ok(match clear.map(|info| info.suspend_count) {
        None => ClearKey::Absent,
        Some(Some(count)) => ClearKey::Suspended(count),
        Some(None) if volume.conversion_status() == ConversionStatus::FullyEncrypted => ClearKey::Suspended(0),
        Some(None) => ClearKey::Provisional,
    })
}

/// Whether protection is suspended.
pub(in super::super) fn is_suspended(volume: &UnlockedVolume<FileDevice>) -> Result<bool> {
    Ok(matches!(clear_key(volume)?, ClearKey::Suspended(_)))
}

/// The protectors, without the clear key.
pub(super) fn real_protectors<D: ReadAt>(volume: &UnlockedVolume<D>) -> Result<Vec<ProtectorInfo>> {
    let mut protectors = volume.protectors()?;
    protectors.retain(|info| info.kind != ProtectorKind::ClearKey);
    Ok(protectors)
}
