//! Whether the file system was left in order: offline changes to one that was
//! not would be undone or mangled by its journal, or by Windows waking up.

use super::NtfsError;
use super::bytes::{slice, u8_at, u16_at, u32_at, u64_at};
use super::index::Directory;
use super::names::Upcase;
use super::record::{DATA, VOLUME_INFORMATION, VOLUME_NAME};
use super::volume::{Content, LOG_FILE, RECORD_NUMBER, VOLUME, Volume, damaged};

/// Dirty, resize the log, upgrade, repair the object ids, checker at work.
const NOT_CLEAN: u16 = 0x0001 | 0x0002 | 0x0004 | 0x0020 | 0x4000;
const NO_CLIENT: u16 = 0xFFFF;
const LOG_IS_CLEAN: u16 = 2;

/// What `$Volume` says of itself.
pub(super) struct VolumeState {
    pub(super) label: String,
    pub(super) version: (u8, u8),
    pub(super) flags: u16,
}

pub(super) fn volume_state(volume: &Volume<'_>) -> Result<VolumeState, NtfsError> {
    let record = volume.record(VOLUME)?;
    let info = record
        .find(VOLUME_INFORMATION, "")
        .ok_or_else(|| damaged("$Volume has no information"))?
        .value()?;
    let label = match record.find(VOLUME_NAME, "") {
        Some(name) => {
            let units: Vec<u16> = name
                .value()?
                .chunks_exact(2)
                .map(|unit| u16::from_le_bytes([unit[0], unit[1]]))
                .collect();
            String::from_utf16_lossy(&units)
        }
        None => String::new(),
    };
    Ok(VolumeState {
        label,
        version: (u8_at(info, 8)?, u8_at(info, 9)?),
        flags: u16_at(info, 10)?,
    })
}

impl VolumeState {
    pub(super) fn dirty(&self) -> bool {
        self.flags & NOT_CLEAN != 0
    }
}

/// Refuses a volume that must not be changed now.
pub(super) fn check(volume: &Volume<'_>, root: &Directory, upcase: &Upcase) -> Result<(), NtfsError> {
    let state = volume_state(volume)?;
    if state.version != (3, 1) {
        return Err(NtfsError::Unsupported(format!(
            "NTFS version {}.{}",
            state.version.0, state.version.1
        )));
    }
    if state.dirty() {
        return Err(NtfsError::Dirty(format!(
            "the volume flags are {:#06x}; let Windows check it (chkdsk /f)",
            state.flags
        )));
    }
    check_log(volume)?;
    check_hibernation(volume, root, upcase)
}

fn check_log(volume: &Volume<'_>) -> Result<(), NtfsError> {
    let Some(Content::Stream(log)) = volume.content(&volume.record(LOG_FILE)?, DATA, "")? else {
        return Err(damaged("$LogFile has no clusters"));
    };
    let mut latest: Option<(u64, bool)> = None;
    let mut page = 4096_u64;
    for at in 0..2 {
        let mut head = vec![0; 4096];
        if log.size < at * page + head.len() as u64 {
            break;
        }
        volume.read_stream(&log, at * page, &mut head)?;
        if slice(&head, 0, 4)? != b"RSTR" {
            continue;
        }
        let area = usize::from(u16_at(&head, 0x18)?);
        if at == 0 {
            page = u64::from(u32_at(&head, 0x10)?).clamp(512, 65536);
        }
        let clean = u16_at(&head, area + 0x0C)? == NO_CLIENT || u16_at(&head, area + 0x0E)? & LOG_IS_CLEAN != 0;
        let sequence = u64_at(&head, area)?;
        if latest.is_none_or(|(other, _)| sequence > other) {
            latest = Some((sequence, clean));
        }
    }
    // An emptied log has no restart page at all.
    match latest {
        Some((_, false)) => Err(NtfsError::Dirty(
            "$LogFile holds changes that were not carried out; mount it once with Windows".to_owned(),
        )),
        _ => Ok(()),
    }
}

fn check_hibernation(volume: &Volume<'_>, root: &Directory, upcase: &Upcase) -> Result<(), NtfsError> {
    let Ok(entry) = root.find(volume, upcase, "hiberfil.sys")? else {
        return Ok(());
    };
    let record = volume.record(entry.file & RECORD_NUMBER)?;
    let Some(Content::Stream(file)) = volume.content(&record, DATA, "")? else {
        return Ok(());
    };
    let mut magic = [0; 4];
    if file.size >= 4096 {
        volume.read_stream(&file, 0, &mut magic)?;
    }
    if magic.eq_ignore_ascii_case(b"hibr") {
        return Err(NtfsError::Dirty(
            "Windows is hibernated in it (or shut down with fast start-up)".to_owned(),
        ));
    }
    Ok(())
}
