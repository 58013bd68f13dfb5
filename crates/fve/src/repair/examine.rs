//! Looking at a device that does not open: its boot sector, its metadata areas, backups, and if need be every sector.

use std::ops::ControlFlow;

use super::area::{RawArea, reconstruct};
use super::scan::{ScanState, scan};
use crate::Error;
use crate::convert::Progress;
use crate::format::Metadata;
use crate::format::constants::HEADER_LEN;
use crate::format::read::{BootSector, FormatError, Layout, read_boot_sector, virtualization_info};
use crate::guid::Guid;
use crate::io::ReadAt;
use crate::protector::{self, ProtectorInfo};
use crate::volume::MetadataBackup;

/// Whether every sector is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ScanMode {
    /// Only when boot sector and backups do not lead to a sound metadata area on the device.
    #[default]
    Auto,
    /// In any case.
    Always,
    /// Never.
    Never,
}

/// How to look.
#[derive(Clone, Debug, Default)]
pub struct ExamineOptions<'a> {
    /// Whether every sector is looked at.
    pub scan: ScanMode,
    /// Metadata backups: containers ([`MetadataBackup`]) or bare areas of 64 KiB.
    pub backups: &'a [&'a [u8]],
    /// What an earlier, interrupted examination had found.
    pub resume: Option<ScanState>,
}

/// What became of the boot sector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BootCondition {
    /// It is there.
    Sound,
    /// The device does not give it out.
    Unreadable,
    /// Something else lies there.
    NotBitLocker,
    /// It bears the signature and cannot be used.
    Damaged,
}

/// The boot sector as it was found.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct BootFinding {
    /// What became of it.
    pub condition: BootCondition,
    /// In words.
    pub problem: Option<String>,
    #[serde(skip)]
    pub(super) sector: Option<BootSector>,
}

/// Where a metadata area came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AreaSource {
    /// It lies where the boot sector or another copy says that copy number `n` is.
    Copy(u8),
    /// Looking at every sector found it.
    Scan,
    /// The given backup, counted from 0.
    Backup(usize),
    /// Put together from the good sectors of damaged copies.
    Reconstructed,
}

/// One metadata area.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct AreaInfo {
    /// Where it lies on the device; `None` for a backup.
    pub offset: Option<u64>,
    /// Where it came from.
    pub source: AreaSource,
    /// The volume it says it belongs to; `None` when not even that can be made out.
    pub volume: Option<Guid>,
    /// Its age: grows with every change.
    pub next_nonce: u32,
    /// What is wrong with it; `None` for a sound area.
    pub problem: Option<String>,
}

/// A volume of which something was found.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct FoundVolume {
    /// Identifies it.
    pub volume: Guid,
    /// Where on the device it begins: 0, or the start of a partition.
    pub start: u64,
    /// State number now, by its newest metadata.
    pub current_state: u16,
    /// State number worked towards.
    pub next_state: u16,
    /// Its protectors.
    pub protectors: Vec<ProtectorInfo>,
    /// Whether one of its areas is sound.
    pub sound: bool,
    /// What is lost or damaged, in words.
    pub problems: Vec<String>,
}

/// Everything that was found.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Findings {
    /// Length of the device.
    pub size: u64,
    /// Its first sector.
    pub boot: BootFinding,
    /// Every metadata area, sound or not.
    pub areas: Vec<AreaInfo>,
    /// The volumes they belong to, the one at the device's start first.
    pub volumes: Vec<FoundVolume>,
    /// How far every sector was looked at; give it back as [`ExamineOptions::resume`].
    pub scan: Option<ScanState>,
    /// Whether a scan, if there was one, came to the end.
    pub scan_finished: bool,
    #[serde(skip)]
    pub(super) found: Vec<Found>,
}

/// An area with what was read from it.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) offset: Option<u64>,
    pub(super) source: AreaSource,
    pub(super) metadata: Option<Metadata>,
    pub(super) problem: Option<String>,
    pub(super) backup: Option<MetadataBackup>,
    raw: Option<RawArea>,
}

impl Found {
    pub(super) fn is_sound(&self) -> bool {
        self.problem.is_none() && self.metadata.is_some()
    }

    /// Where the volume begins, if this area lies where its own header says that a copy lies.
    pub(super) fn starts(&self) -> Vec<u64> {
        let (Some(offset), Some(metadata)) = (self.offset, &self.metadata) else {
            return Vec::new();
        };
        let copies = metadata.header.copies;
        let mut starts: Vec<_> = copies.iter().filter_map(|copy| offset.checked_sub(*copy)).collect();
        starts.sort_unstable();
        starts.dedup();
        starts
    }

    fn may_be_converting(&self) -> bool {
        self.metadata.as_ref().is_some_and(may_be_converting)
    }

    fn info(&self) -> AreaInfo {
        AreaInfo {
            offset: self.offset,
            source: self.source,
            volume: self.metadata.as_ref().map(|metadata| metadata.dataset.volume),
            next_nonce: self.metadata.as_ref().map_or(0, |metadata| metadata.dataset.next_nonce),
            problem: self.problem.clone(),
        }
    }
}

/// Looks at a device. Never writes; unreadable sectors are stepped over.
///
/// # Errors
/// [`Error::InvalidArgument`] for a backup that is none.
pub fn examine(
    device: &dyn ReadAt,
    options: &ExamineOptions<'_>,
    on: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Findings, Error> {
    let boot = look_at_boot(device);
    let mut search = Search {
        device,
        found: Vec::new(),
    };
    if let Some(sector) = &boot.sector {
        search.copies(0, sector.metadata);
    }
    for (index, bytes) in options.backups.iter().enumerate() {
        search.backup(index, bytes)?;
    }
    search.sisters();
    let mut state = options.resume.clone();
    let enough = search
        .found
        .iter()
        .any(|found| found.offset.is_some() && found.is_sound());
    let wanted = match options.scan {
        ScanMode::Always => true,
        ScanMode::Never => false,
        // Where the bitmaps of a Windows 10 conversion are, only the boot sector says.
        ScanMode::Auto => !enough || (boot.sector.is_none() && search.found.iter().any(Found::may_be_converting)),
    };
    let mut scan_finished = true;
    if wanted || state.is_some() {
        let state = state.get_or_insert_default();
        if wanted {
            scan_finished = scan(device, state, on)?;
        }
        for &offset in &state.areas {
            search.area(offset, AreaSource::Scan);
        }
        search.sisters();
    }
    search.put_together();
    let found = search.found;
    let volumes = volumes(&boot, &found, state.as_ref());
    Ok(Findings {
        size: device.size(),
        boot,
        areas: found.iter().map(Found::info).collect(),
        volumes,
        scan: state,
        scan_finished,
        found,
    })
}

pub(super) fn look_at_boot(device: &dyn ReadAt) -> BootFinding {
    let mut sector = [0; 512];
    let (condition, problem, sector) = match device.read_at(0, &mut sector) {
        Err(error) => (BootCondition::Unreadable, Some(error.to_string()), None),
        Ok(()) => match read_boot_sector(&sector) {
            Ok(boot) => (BootCondition::Sound, None, Some(boot)),
            Err(error @ FormatError::Signature { .. }) => (BootCondition::NotBitLocker, Some(error.to_string()), None),
            Err(error) => (BootCondition::Damaged, Some(error.to_string()), None),
        },
    };
    BootFinding {
        condition,
        problem,
        sector,
    }
}

struct Search<'a> {
    device: &'a dyn ReadAt,
    found: Vec<Found>,
}

/// A device with more areas than this is hostile; the rest are passed over.
const MAX_AREAS: usize = 256;

impl Search<'_> {
    fn copies(&mut self, start: u64, offsets: [u64; 3]) {
        for (index, offset) in (0..).zip(offsets) {
            if let Some(offset) = start.checked_add(offset) {
                self.area(offset, AreaSource::Copy(index));
            }
        }
    }

    fn area(&mut self, offset: u64, source: AreaSource) {
        let known = self.found.iter().any(|found| found.offset == Some(offset));
        if known || self.found.len() >= MAX_AREAS {
            return;
        }
        let raw = RawArea::read(self.device, offset);
        let (metadata, problem) = match raw.sound() {
            Ok(metadata) if metadata.header.copies.iter().all(|copy| offset < *copy) => (
                Some(metadata),
                Some("it lies where its own header says that no copy is".to_owned()),
            ),
            Ok(metadata) => (Some(metadata), None),
            Err(problem) => (raw.damaged(), Some(problem)),
        };
        self.found.push(Found {
            offset: Some(offset),
            source,
            metadata,
            problem,
            backup: None,
            raw: Some(raw),
        });
    }

    fn backup(&mut self, index: usize, bytes: &[u8]) -> Result<(), Error> {
        let source = AreaSource::Backup(index);
        let found = match MetadataBackup::parse(bytes) {
            Ok(backup) => Found {
                offset: None,
                source,
                metadata: Some(backup.metadata().clone()),
                problem: None,
                backup: Some(backup),
                raw: None,
            },
            Err(problem) => {
                let raw = RawArea::from_bytes(bytes);
                let metadata = raw.damaged();
                if metadata.is_none() {
                    return Err(Error::InvalidArgument("a given backup is no metadata backup"));
                }
                Found {
                    offset: None,
                    source,
                    metadata,
                    problem: Some(problem.to_string()),
                    backup: None,
                    raw: Some(raw),
                }
            }
        };
        self.found.push(found);
        Ok(())
    }

    /// Looks where the areas found so far say that their sisters are.
    fn sisters(&mut self) {
        let mut places: Vec<(u64, [u64; 3])> = Vec::new();
        for found in &self.found {
            let Some(metadata) = &found.metadata else { continue };
            let starts = if found.offset.is_some() {
                found.starts()
            } else {
                vec![0]
            };
            // With three possible starts, the one for which the most areas are there has been found by scanning.
            places.extend(starts.iter().take(3).map(|&start| (start, metadata.header.copies)));
        }
        for (start, copies) in places {
            for (index, copy) in (0..).zip(copies) {
                let Some(offset) = start.checked_add(copy) else {
                    continue;
                };
                let readable = RawArea::read(self.device, offset);
                let is_area = readable.sound().is_ok() || readable.damaged().is_some();
                // A place that nothing but a guess leads to, and where nothing is, is no finding.
                if is_area || start == 0 {
                    self.area(offset, AreaSource::Copy(index));
                }
            }
        }
    }

    /// Where no copy is sound, tries to make one of the parts.
    fn put_together(&mut self) {
        if self
            .found
            .iter()
            .any(|found| found.offset.is_some() && found.is_sound())
        {
            return;
        }
        let copies: Vec<_> = self
            .found
            .iter()
            .filter_map(|found| found.raw.as_ref())
            .take(8)
            .collect();
        let Some(metadata) = (copies.len() > 1).then(|| reconstruct(&copies)).flatten() else {
            return;
        };
        let offset = self.found.iter().find_map(|found| found.offset);
        self.found.push(Found {
            offset,
            source: AreaSource::Reconstructed,
            metadata: Some(metadata),
            problem: None,
            backup: None,
            raw: None,
        });
    }
}

/// Groups what was found by volume and place.
fn volumes(boot: &BootFinding, found: &[Found], scan: Option<&ScanState>) -> Vec<FoundVolume> {
    let mut volumes: Vec<FoundVolume> = Vec::new();
    let mut by_age: Vec<_> = found.iter().collect();
    by_age.sort_by_key(|area| {
        let age = area.metadata.as_ref().map_or(0, |metadata| metadata.dataset.next_nonce);
        (!area.is_sound(), area.offset.is_none(), std::cmp::Reverse(age))
    });
    for area in by_age {
        let Some(metadata) = &area.metadata else { continue };
        let volume = metadata.dataset.volume;
        let start = start_of(area, found, scan);
        let known = volumes
            .iter_mut()
            .find(|known| known.volume == volume && (area.offset.is_none() || known.start == start));
        if let Some(known) = known {
            known.sound |= area.is_sound();
            continue;
        }
        volumes.push(FoundVolume {
            volume,
            start,
            current_state: metadata.header.current_state,
            next_state: metadata.header.next_state,
            protectors: protector::list(metadata)
                .map(|list| list.into_iter().map(|(_, info)| info).collect())
                .unwrap_or_default(),
            sound: area.is_sound(),
            problems: Vec::new(),
        });
    }
    for volume in &mut volumes {
        volume.problems = problems(volume, boot, found);
    }
    volumes.sort_by_key(|volume| (!volume.sound, volume.start));
    volumes
}

/// Of the places where the volume can begin, the one that most areas agree on; before others 0, then one with a boot sector.
fn start_of(area: &Found, found: &[Found], scan: Option<&ScanState>) -> u64 {
    let volume = area.metadata.as_ref().map(|metadata| metadata.dataset.volume);
    let sisters = || {
        found
            .iter()
            .filter(|other| other.metadata.as_ref().map(|metadata| metadata.dataset.volume) == volume)
    };
    let agreeing = |start: &u64| sisters().filter(|other| other.starts().contains(start)).count();
    let starts = area.starts();
    starts
        .into_iter()
        .max_by_key(|start| {
            let has_boot = scan.is_some_and(|scan| scan.boots.contains(start));
            (agreeing(start), *start == 0, has_boot, start.is_multiple_of(1 << 20))
        })
        .unwrap_or(0)
}

fn problems(volume: &FoundVolume, boot: &BootFinding, found: &[Found]) -> Vec<String> {
    let mut problems = Vec::new();
    if volume.start != 0 {
        problems.push(format!(
            "it begins at byte {} of the device: its partition is lost",
            volume.start
        ));
    } else if boot.condition != BootCondition::Sound {
        let why = boot.problem.as_deref().unwrap_or("it is damaged");
        problems.push(format!("the boot sector is lost: {why}"));
    }
    let of_volume = |area: &&Found| {
        area.metadata
            .as_ref()
            .is_some_and(|metadata| metadata.dataset.volume == volume.volume)
    };
    let newest = found
        .iter()
        .filter(of_volume)
        .filter(|area| area.is_sound() && area.offset.is_some())
        .filter_map(|area| area.metadata.as_ref())
        .max_by_key(|metadata| metadata.dataset.next_nonce);
    let copies = found
        .iter()
        .find(of_volume)
        .and_then(|area| area.metadata.as_ref())
        .map_or([0; 3], |metadata| newest.unwrap_or(metadata).header.copies);
    for (index, copy) in copies.iter().enumerate() {
        let place = volume.start.saturating_add(*copy);
        let here = found.iter().find(|area| area.offset == Some(place));
        match here {
            None => problems.push(format!("metadata copy {index} at byte {place} is lost")),
            Some(Found {
                problem: Some(problem), ..
            }) => problems.push(format!("metadata copy {index} at byte {place} is damaged: {problem}")),
            Some(area)
                if newest.is_some_and(|newest| area.metadata.as_ref().is_some_and(|m| m.area != newest.area)) =>
            {
                problems.push(format!("metadata copy {index} at byte {place} differs from the newest"));
            }
            Some(_) => {}
        }
    }
    let put_together = found
        .iter()
        .filter(of_volume)
        .any(|area| area.source == AreaSource::Reconstructed);
    if put_together {
        problems.push("no copy is sound; one was put together from their good sectors".to_owned());
    }
    if newest.is_none() {
        let sound: Vec<_> = found.iter().filter(of_volume).filter(|area| area.is_sound()).collect();
        problems.push(match sound.first().map(|area| area.source) {
            Some(AreaSource::Backup(index)) => format!("no copy on the device is sound; backup {index} is"),
            _ => "no copy is sound".to_owned(),
        });
    }
    problems
}

impl Findings {
    /// Whether nothing is wrong: boot sector and all copies are there and alike.
    #[must_use]
    pub fn healthy(&self) -> bool {
        self.boot.condition == BootCondition::Sound
            && self
                .volumes
                .first()
                .is_some_and(|volume| volume.start == 0 && volume.problems.is_empty())
    }

    /// What was found, line by line.
    #[must_use]
    pub fn describe(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for volume in &self.volumes {
            let what = if volume.sound { "" } else { ", no sound metadata" };
            lines.push(format!("volume {} at byte {}{what}", volume.volume, volume.start));
            lines.extend(volume.problems.iter().map(|problem| format!("  {problem}")));
            if volume.problems.is_empty() {
                lines.push("  nothing is wrong with it".to_owned());
            }
        }
        if self.volumes.is_empty() {
            lines.push("nothing of a BitLocker volume was found".to_owned());
        }
        if let Some(scan) = &self.scan {
            let unreadable: u64 = scan.unreadable.iter().map(|range| range.end - range.start).sum();
            lines.push(format!(
                "{} of {} bytes were looked at, {unreadable} could not be read",
                scan.position, self.size
            ));
        }
        lines
    }
}

/// The layout that metadata points to, when the boot sector cannot be asked.
pub(super) fn layout_of(metadata: &Metadata, eow: &[u64]) -> Layout {
    if may_be_converting(metadata) && !eow.is_empty() {
        Layout::Eow
    } else {
        Layout::Fixed
    }
}

/// Whether the flags are those of a Windows 10 conversion under way. To-Go volumes, whose header is long, have the bit too.
fn may_be_converting(metadata: &Metadata) -> bool {
    /// Set while Windows 10 converts (BitLocker format notes §8, measured).
    const CONVERTING: u64 = 0x40;
    let info = virtualization_info(&metadata.datums).ok().flatten();
    info.is_some_and(|info| {
        info.header_len <= HEADER_LEN && info.extended.is_some_and(|extended| extended.flags & CONVERTING != 0)
    })
}
