//! Copying what can be read past what cannot, as GNU ddrescue does it: large pieces first, then the edges of what failed,
//! then its sectors one by one, then again as often as asked.

use std::ops::{ControlFlow, Range};

use super::map::{BlockStatus, Map, MapError};
use crate::Error;
use crate::io::{ReadAt, WriteAt};

/// How to copy.
#[derive(Clone, Debug)]
pub struct SalvageOptions {
    /// The smallest unit that is read: 512, or what the device reads at once.
    pub sector: u32,
    /// How much is read at once as long as all is well.
    pub piece: u32,
    /// How often bad sectors are tried again at the end.
    pub retries: u32,
    /// Fills bad sectors of the target, repeated, instead of zeros, so that they can be told apart.
    pub marker: Option<Vec<u8>>,
}

impl Default for SalvageOptions {
    fn default() -> Self {
        Self {
            sector: 512,
            piece: 1 << 20,
            retries: 0,
            marker: None,
        }
    }
}

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SalvagePhase {
    /// Large pieces; what fails is skipped, and the more is skipped the more fails.
    Copying,
    /// From both edges of what failed inwards, to the first bad sector.
    Trimming,
    /// What lies between, sector by sector.
    Scraping,
    /// Bad sectors once more.
    Retrying,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct SalvageProgress {
    /// What is being done.
    pub phase: SalvagePhase,
    /// Where.
    pub position: u64,
    /// Bytes copied.
    pub rescued: u64,
    /// Bytes known to be bad.
    pub bad: u64,
    /// Bytes of the source.
    pub total: u64,
}

/// Told while copying; breaking off stops it, to be resumed with the map.
#[derive(Clone, Copy, Debug)]
pub enum SalvageEvent<'a> {
    /// After every piece.
    Progress(SalvageProgress),
    /// The target is durable as the map says: the time to save the map.
    Checkpoint(&'a Map),
}

/// Told to the caller, who may break off.
type Listener<'a> = dyn FnMut(SalvageEvent<'_>) -> ControlFlow<()> + 'a;

/// Bytes between two checkpoints.
const CHECKPOINT: u64 = 256 << 20;

/// Copies `source` to `target` as far as it can be read; `map` holds what was done and lets it be resumed. Returns whether
/// everything was tried. What stays bad is zeros (or the marker) in the target and in [`Map::missing`].
///
/// # Errors
/// [`Error::InvalidArgument`] when sizes do not fit, [`Error::Io`] when the **target** fails.
pub fn salvage(
    source: &dyn ReadAt,
    target: &dyn WriteAt,
    map: &mut Map,
    options: &SalvageOptions,
    on: &mut Listener<'_>,
) -> Result<bool, Error> {
    if map.size() != source.size() {
        let (map, source_size) = (map.size(), source.size());
        return Err(std::io::Error::other(MapError::Size { map, source_size }).into());
    }
    if target.size() < source.size() {
        return Err(Error::InvalidArgument("the target is smaller than the source"));
    }
    let sector = u64::from(options.sector);
    if !matches!(sector, 512..=65536) || !sector.is_power_of_two() {
        return Err(Error::InvalidArgument("the sector size of the copy"));
    }
    let piece = u64::from(options.piece)
        .next_multiple_of(sector)
        .clamp(sector, 64 << 20);
    let len = usize::try_from(piece).map_err(std::io::Error::other)?;
    let mut job = Job {
        source,
        target,
        map,
        on,
        buffer: vec![0; len],
        sector,
        since_checkpoint: 0,
        phase: SalvagePhase::Copying,
        rescued: 0,
        bad: 0,
    };
    job.rescued = job.map.bytes(BlockStatus::Finished);
    job.bad = job.map.bytes(BlockStatus::BadSector);
    let finished = job.run(piece, options.retries)?;
    job.mark(options.marker.as_deref())?;
    job.checkpoint()?;
    Ok(finished)
}

struct Job<'a, 'b> {
    source: &'a dyn ReadAt,
    target: &'a dyn WriteAt,
    map: &'a mut Map,
    on: &'a mut Listener<'b>,
    buffer: Vec<u8>,
    sector: u64,
    since_checkpoint: u64,
    phase: SalvagePhase,
    rescued: u64,
    bad: u64,
}

/// Whether to go on.
type Flow = Result<ControlFlow<()>, Error>;

impl Job<'_, '_> {
    fn run(&mut self, piece: u64, retries: u32) -> Result<bool, Error> {
        let phases = [
            (SalvagePhase::Copying, '?', BlockStatus::NonTried),
            (SalvagePhase::Trimming, '*', BlockStatus::NonTrimmed),
            (SalvagePhase::Scraping, '/', BlockStatus::NonScraped),
        ];
        for (phase, sign, status) in phases {
            (self.phase, self.map.phase) = (phase, sign);
            // A pass that skips leaves work of its own kind behind.
            loop {
                let ranges = self.map.ranges(status);
                if ranges.is_empty() {
                    break;
                }
                for range in ranges {
                    let flow = match phase {
                        SalvagePhase::Copying => self.copy(range, piece)?,
                        SalvagePhase::Trimming => self.trim(range)?,
                        _ => self.scrape(range)?,
                    };
                    if flow.is_break() {
                        return Ok(false);
                    }
                }
            }
            self.checkpoint()?;
        }
        (self.phase, self.map.phase) = (SalvagePhase::Retrying, '-');
        for _ in 0..retries {
            for range in self.map.ranges(BlockStatus::BadSector) {
                if self.scrape(range)?.is_break() {
                    return Ok(false);
                }
            }
        }
        self.map.phase = '+';
        Ok(true)
    }

    /// Large pieces; after a failure the rest of the piece waits for trimming, and ever more is skipped for now.
    fn copy(&mut self, range: Range<u64>, piece: u64) -> Flow {
        let (mut at, mut skip) = (range.start, piece);
        while at < range.end {
            let end = at.saturating_add(piece).min(range.end);
            if self.take(at..end)? {
                skip = piece;
                at = end;
            } else {
                self.map.set(at..end, BlockStatus::NonTrimmed);
                // What is skipped stays non-tried and is come back to; bad places lie together.
                at = end.saturating_add(skip).min(range.end);
                skip = skip.saturating_mul(2).min(piece * 64);
            }
            if self.tell(at)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Sector by sector from the front to the first bad one, then from the back.
    fn trim(&mut self, range: Range<u64>) -> Flow {
        let mut start = range.start;
        while start < range.end {
            let end = self.sector_end(start).min(range.end);
            let good = self.take(start..end)?;
            if !good {
                self.give_up(start..end);
            }
            start = end;
            if self.tell(start)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            if !good {
                break;
            }
        }
        let mut end = range.end;
        while end > start {
            let from = ((end - 1) - (end - 1) % self.sector).max(start);
            let good = self.take(from..end)?;
            if !good {
                self.give_up(from..end);
            }
            end = from;
            if self.tell(end)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            if !good {
                break;
            }
        }
        self.map.set(start..end, BlockStatus::NonScraped);
        Ok(ControlFlow::Continue(()))
    }

    /// Every sector on its own.
    fn scrape(&mut self, range: Range<u64>) -> Flow {
        let mut at = range.start;
        while at < range.end {
            let end = self.sector_end(at).min(range.end);
            if !self.take(at..end)? {
                self.give_up(at..end);
            }
            at = end;
            if self.tell(at)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn sector_end(&self, at: u64) -> u64 {
        (at - at % self.sector).saturating_add(self.sector)
    }

    /// Reads and writes one range; false when it cannot be read.
    fn take(&mut self, range: Range<u64>) -> Result<bool, Error> {
        let len = usize::try_from(range.end - range.start).map_err(std::io::Error::other)?;
        let buffer = &mut self.buffer[..len];
        if self.source.read_at(range.start, buffer).is_err() {
            return Ok(false);
        }
        self.target.write_at(range.start, buffer)?;
        self.since_checkpoint += len as u64;
        self.rescued += len as u64;
        if self.phase == SalvagePhase::Retrying {
            self.bad = self.bad.saturating_sub(len as u64);
        }
        self.map.set(range, BlockStatus::Finished);
        Ok(true)
    }

    fn give_up(&mut self, range: Range<u64>) {
        if self.phase != SalvagePhase::Retrying {
            self.bad += range.end - range.start;
        }
        self.map.set(range, BlockStatus::BadSector);
    }

    fn tell(&mut self, position: u64) -> Flow {
        self.map.position = position;
        if self.since_checkpoint >= CHECKPOINT {
            self.checkpoint()?;
        }
        let progress = SalvageProgress {
            phase: self.phase,
            position,
            rescued: self.rescued,
            bad: self.bad,
            total: self.map.size(),
        };
        Ok((self.on)(SalvageEvent::Progress(progress)))
    }

    fn checkpoint(&mut self) -> Result<(), Error> {
        self.since_checkpoint = 0;
        self.target.flush()?;
        // Breaking off is heard at the next piece.
        let _ = (self.on)(SalvageEvent::Checkpoint(self.map));
        Ok(())
    }

    /// Fills what could not be copied, so far as it is known to be bad.
    fn mark(&mut self, marker: Option<&[u8]>) -> Result<(), Error> {
        let marker = marker.filter(|marker| !marker.is_empty()).unwrap_or(&[0]);
        let filling: Vec<u8> = marker.iter().copied().cycle().take(64 << 10).collect();
        for range in self.map.ranges(BlockStatus::BadSector) {
            let mut at = range.start;
            while at < range.end {
                let len = usize::try_from(range.end - at).map_or(filling.len(), |left| left.min(filling.len()));
                self.target.write_at(at, &filling[..len])?;
                at += len as u64;
            }
        }
        Ok(())
    }
}
