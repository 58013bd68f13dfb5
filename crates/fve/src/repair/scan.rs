//! Looking through a whole device for what BitLocker leaves on it.

use std::ops::{ControlFlow, Range};

use crate::Error;
use crate::convert::Progress;
use crate::format::constants::SIGNATURE;
use crate::io::ReadAt;

/// How far a scan has come and what it found; kept, it lets the scan go on later.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ScanState {
    /// Everything before it has been looked at.
    pub position: u64,
    /// Sectors that begin like a metadata area.
    pub areas: Vec<u64>,
    /// Sectors that begin like the information of a Windows 10 conversion.
    pub eow: Vec<u64>,
    /// Sectors that look like a BitLocker boot sector.
    pub boots: Vec<u64>,
    /// What could not be read.
    pub unreadable: Vec<Range<u64>>,
}

/// Everything on disk begins on a multiple of this.
const SECTOR: usize = 512;
const PIECE: usize = 4 << 20;
/// A device with more places of one kind is hostile; the rest are passed over.
const MAX_PLACES: usize = 4096;

/// Looks through `device` from `state.position` on. Unreadable sectors are noted and stepped over.
/// Returns whether the end was reached; `on` can stop it after any piece.
///
/// # Errors
/// None at present: what the device refuses is noted in `state`.
pub fn scan(
    device: &dyn ReadAt,
    state: &mut ScanState,
    on: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<bool, Error> {
    let total = device.size() - device.size() % SECTOR as u64;
    let mut buffer = vec![0; PIECE];
    state.position -= state.position % SECTOR as u64;
    while state.position < total {
        let len = usize::try_from(total - state.position).map_or(PIECE, |left| left.min(PIECE));
        look(device, state, state.position, &mut buffer[..len]);
        state.position += len as u64;
        let progress = Progress {
            done_bytes: state.position,
            total_bytes: total,
            finished: state.position >= total,
        };
        if on(progress).is_break() {
            break;
        }
    }
    Ok(state.position >= total)
}

/// Reads one piece, in ever smaller parts where that fails.
fn look(device: &dyn ReadAt, state: &mut ScanState, offset: u64, buffer: &mut [u8]) {
    if device.read_at(offset, buffer).is_ok() {
        note(state, offset, buffer);
        return;
    }
    if buffer.len() <= SECTOR {
        let end = offset + buffer.len() as u64;
        let known = state.unreadable.len();
        match state.unreadable.last_mut() {
            Some(last) if last.end == offset => last.end = end,
            _ if known < MAX_PLACES => state.unreadable.push(offset..end),
            _ => {}
        }
        return;
    }
    let part = if buffer.len() > 64 << 10 { 64 << 10 } else { SECTOR };
    let mut at = offset;
    for part in buffer.chunks_mut(part) {
        look(device, state, at, part);
        at += part.len() as u64;
    }
}

fn note(state: &mut ScanState, offset: u64, buffer: &[u8]) {
    for (index, sector) in buffer.chunks_exact(SECTOR).enumerate() {
        let places = if sector.starts_with(SIGNATURE) {
            &mut state.areas
        } else if sector.starts_with(b"FVE-EOW\0") {
            &mut state.eow
        } else if sector[3..].starts_with(SIGNATURE) {
            &mut state.boots
        } else {
            continue;
        };
        if places.len() < MAX_PLACES {
            places.push(offset + (index * SECTOR) as u64);
        }
    }
}
