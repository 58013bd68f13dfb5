//! One step of a conversion, and what a crash in the middle of one leaves to do.

use std::io;
use std::ops::Range;

use sha2::{Digest, Sha256};

use super::adopt;
use super::log::{ConversionMode, Direction, LogArea, PAGE_LEN, read_page};
use super::plan::{Chunk, Terrain};
use super::record::{Pending, Record};
use crate::Error;
use crate::context::Context;
use crate::format::constants::state as number;
use crate::inner;
use crate::io::{ReadAt, WriteAt};
use crate::volume::{ConversionStatus, State, UnlockedVolume, normalise};

/// How far a conversion has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Progress {
    /// Bytes converted.
    pub done_bytes: u64,
    /// Bytes of the volume.
    pub total_bytes: u64,
    /// Whether the conversion has ended.
    pub finished: bool,
}

impl<D: WriteAt> UnlockedVolume<D> {
    /// Converts the next chunks, as many as the log holds (at most 32 MiB), or ends the conversion. After each
    /// step the volume on disk is whole and can be written to. When a step fails the volume stays readable and
    /// the step can be tried again, unless the failure was [`Error::Stale`].
    ///
    /// ```
    /// use fve::io::{MemoryDevice, ReadAt};
    /// use fve::{Context, ConversionMode, FileTime, InitOptions, Placement, initialise, inner::Regions};
    /// # use rand::SeedableRng;
    /// # let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(1);
    /// # fn main_(rng: &mut rand_chacha::ChaCha20Rng) -> Result<(), fve::Error> {
    /// let regions = Regions { metadata: [64 << 10, 128 << 10, 192 << 10], header: 256 << 10, ice: 264 << 10, log: 384 << 10 };
    /// let options = InitOptions {
    ///     placement: Placement::At { regions, sector_size: 512, log_len: 64 << 10 },
    ///     ..InitOptions::default()
    /// };
    /// let mut ctx = Context { now: FileTime(133_500_000_000_000_000), rng };
    /// let volume = initialise(MemoryDevice::new(vec![7; 1 << 20]), &options, &mut ctx)?;
    /// volume.begin_encryption(&mut ctx, ConversionMode::Full)?;
    /// while !volume.convert_step(&mut ctx)?.finished {}
    /// let (mut shown, mut raw) = ([0; 512], [0; 512]);
    /// volume.read_at(512 << 10, &mut shown)?;
    /// volume.device().read_at(512 << 10, &mut raw)?;
    /// assert!(shown == [7; 512] && raw != [7; 512]);
    /// # Ok(())
    /// # }
    /// # main_(&mut rng).unwrap();
    /// ```
    pub fn convert_step(&self, ctx: &mut Context<'_>) -> Result<Progress, Error> {
        let state = &mut *self.write_state();
        self.recover_state(state, ctx)?;
        let status = self.status_of(state);
        let Some(direction) = direction_of(status) else {
            return match status {
                ConversionStatus::FullyEncrypted | ConversionStatus::FullyDecrypted => Ok(self.progress_of(state)),
                _ => Err(Error::InvalidState("the conversion is paused")),
            };
        };
        let log = Self::log_of(state)?;
        let chunks = self.next_chunks(state, &log, direction)?;
        if chunks.is_empty() {
            self.finish(state, ctx, &log, direction)?;
        } else {
            self.convert_lap(state, ctx, &log, direction, &chunks)?;
        }
        Ok(self.progress_of(state))
    }

    /// Ends what a crash interrupted: writes the chunks in the log once more and moves the
    /// watermark. Conversion does so by itself; writing to the inner file system requires it.
    pub fn recover(&self, ctx: &mut Context<'_>) -> Result<(), Error> {
        self.recover_state(&mut self.write_state(), ctx)
    }

    pub(crate) fn recover_state(&self, state: &mut State, ctx: &mut Context<'_>) -> Result<(), Error> {
        if state.stale {
            // Which metadata is on the disk is not known: a chunk written now could be one that it does not know of.
            return Err(Error::Stale);
        }
        if state.pending.is_empty() && !state.unsettled {
            return Ok(());
        }
        // What is read here need not be durable: its writer may have died before its sync, or its sync may have failed,
        // after which the system shows the records and yet never writes them. So they are written again.
        for chunk in &state.pending {
            let mut slot =
                vec![0; usize::try_from(chunk.range.end - chunk.range.start + PAGE_LEN).map_err(io::Error::other)?];
            self.device.read_at(chunk.payload - PAGE_LEN, &mut slot)?;
            self.device.write_at(chunk.payload - PAGE_LEN, &slot)?;
        }
        self.device.flush()?;
        state.durable = true;
        let direction = direction_of(self.status_of(state)).ok_or(Error::InvalidState("the conversion is paused"))?;
        let mut watermark = state.metadata.header.state_offset;
        for chunk in &state.pending {
            let len = usize::try_from(chunk.range.end - chunk.range.start).map_err(io::Error::other)?;
            let mut payload = vec![0; len];
            self.device.read_at(chunk.payload, &mut payload)?;
            let plain = self.data_of(direction, chunk.range.start, &payload);
            self.device
                .write_at(chunk.range.start, plain.as_deref().unwrap_or(&payload))?;
            watermark = chunk.to;
        }
        self.device.flush()?;
        self.publish(state, ctx, watermark)
    }

    fn next_chunks(&self, state: &mut State, log: &LogArea, direction: Direction) -> Result<Vec<Chunk>, Error> {
        let used_only = direction != Direction::Decrypt && self.mode_of(state, log)? == ConversionMode::UsedSpaceOnly;
        if used_only && state.used.is_none() {
            state.used = Some(self.used_ranges(state, Some(log))?);
        }
        let reserved = self.reserved(log);
        let terrain = Terrain {
            first: self.outer_header(),
            size: self.geometry.size,
            chunk: log.chunk_len(),
            reserved: &reserved,
            used: state.used.as_deref().filter(|_| used_only),
        };
        let mut watermark = state.metadata.header.state_offset;
        let mut chunks = Vec::new();
        while let Some(chunk) = terrain
            .next(watermark, direction)
            .filter(|_| (chunks.len() as u64) < log.slots())
        {
            watermark = chunk.watermark;
            chunks.push(chunk);
        }
        Ok(chunks)
    }

    fn finish(
        &self,
        state: &mut State,
        ctx: &mut Context<'_>,
        log: &LogArea,
        direction: Direction,
    ) -> Result<(), Error> {
        self.make_durable(state)?;
        self.clear_ring(state, log)?;
        let size = self.geometry.size;
        self.update_state(state, ctx, |edit| {
            let (end, watermark) = match direction {
                Direction::Decrypt => (number::DECRYPTED, self.outer_header()),
                Direction::Encrypt | Direction::Reencrypt => (number::ENCRYPTED, size),
            };
            (edit.header.current_state, edit.header.next_state) = (end, end);
            edit.header.state_offset = watermark;
            if direction == Direction::Reencrypt {
                edit.end_reencryption()?;
            }
            // On a volume made by others nothing of ours stays in the metadata.
            edit.datums.retain(|datum| !adopt::is_ours(datum));
            Ok(())
        })?;
        state.log = self.log_area(state).filter(|area| area == log);
        Ok(())
    }

    /// Leaves zeros, in the encryption of their place, where the records were.
    pub(crate) fn clear_ring(&self, state: &State, log: &LogArea) -> Result<(), Error> {
        const PIECE: u64 = 1 << 20;
        let (key, _) = self.key_at(state, log.ring.start);
        let mut at = log.ring.start;
        while at < log.ring.end {
            let len = PIECE.min(log.ring.end - at);
            let mut zeros = vec![0; usize::try_from(len).map_err(io::Error::other)?];
            if let Some(cipher) = self.cipher_for(key) {
                cipher.encrypt(at, &mut zeros);
            }
            self.device.write_at(at, &zeros)?;
            at += len;
        }
        Ok(self.device.flush()?)
    }
}

impl<D: ReadAt> UnlockedVolume<D> {
    /// What the inner file system uses, what lies outside of it, and what of ours is converted with it.
    pub(super) fn used_ranges(&self, state: &State, log: Option<&LogArea>) -> Result<Vec<Range<u64>>, Error> {
        let mut used = inner::used_extents(&StateView { volume: self, state })?;
        used.push(self.geometry.header.clone());
        used.extend(log.map(|log| log.page..log.page + PAGE_LEN));
        Ok(normalise(used))
    }

    pub(super) fn mode_of(&self, state: &State, log: &LogArea) -> Result<ConversionMode, Error> {
        let mut page = [0; 512];
        self.read_view(state, log.page, &mut page)?;
        read_page(&page, state.metadata.dataset.volume).ok_or(Error::InvalidState("the conversion log is damaged"))
    }

    pub(super) fn log_of(state: &State) -> Result<LogArea, Error> {
        state.log.clone().ok_or(Error::Unsupported(
            "converting a volume without a conversion log of ours: it has to be adopted first",
        ))
    }

    /// What the present or last encryption takes in; `None` on a volume without a conversion log of ours.
    ///
    /// # Errors
    /// When the device fails.
    pub fn conversion_mode(&self) -> Result<Option<ConversionMode>, Error> {
        let state = &self.state();
        let Some(log) = &state.log else {
            return Ok(None);
        };
        let mut page = [0; 512];
        self.read_view(state, log.page, &mut page)?;
        Ok(read_page(&page, state.metadata.dataset.volume))
    }

    /// How far the conversion has come.
    pub fn progress(&self) -> Progress {
        self.progress_of(&self.state())
    }

    pub(super) fn progress_of(&self, state: &State) -> Progress {
        let total_bytes = self.geometry.size;
        let encrypted = state.metadata.header.state_offset.min(total_bytes);
        let status = self.status_of(state);
        let done_bytes = match status {
            ConversionStatus::DecryptionInProgress
            | ConversionStatus::DecryptionPaused
            | ConversionStatus::FullyDecrypted => total_bytes - encrypted,
            _ => encrypted,
        };
        let finished = matches!(
            status,
            ConversionStatus::FullyEncrypted | ConversionStatus::FullyDecrypted
        );
        Progress {
            done_bytes,
            total_bytes,
            finished,
        }
    }

    /// Whether a crash left a chunk half-converted. Reads are right nevertheless;
    /// writes need [`recover`](Self::recover) first.
    pub fn needs_recovery(&self) -> bool {
        let state = self.state();
        !state.pending.is_empty() || state.unsettled
    }

    /// Length of the part of the device whose content is relocated.
    pub(crate) fn outer_header(&self) -> u64 {
        self.geometry.header.end - self.geometry.header.start
    }

    /// Where a log of ours would be.
    fn log_area(&self, state: &State) -> Option<LogArea> {
        let (sector_size, size) = (self.geometry.sector_size, self.geometry.size);
        match adopt::log_place(&state.metadata) {
            Some((offset, len)) => LogArea::at(offset, len, sector_size, size),
            None => LogArea::new(&self.geometry.extended?, sector_size, size),
        }
    }

    /// Finds our log, and in it the chunk that a crash interrupted.
    pub(crate) fn find_log(&self, state: &mut State) -> io::Result<()> {
        let area = self.log_area(state);
        let Some(area) = area.filter(|_| self.eow.is_none()) else {
            return Ok(());
        };
        state.pending = self.read_records(state, &area)?;
        // The newest copy may be seen and yet not be durable: before a slot is used again, or a chunk that it covers is
        // written to, all three are written once more.
        let differ = state.copies.iter().any(|copy| !copy.current);
        state.unsettled |= differ && self.status_of(state).in_progress();
        let mut page = [0; 512];
        self.read_view(state, area.page, &mut page)?;
        state.log = read_page(&page, state.metadata.dataset.volume).map(|_| area);
        Ok(())
    }

    /// The records that follow the published watermark without a gap.
    fn read_records(&self, state: &State, area: &LogArea) -> io::Result<Vec<Pending>> {
        let mut found = Vec::new();
        let Some(direction) = direction_of(self.status_of(state)) else {
            return Ok(found);
        };
        let sector = u64::from(self.geometry.sector_size);
        let mut watermark = state.metadata.header.state_offset;
        let mut page = vec![0; PAGE_LEN as usize];
        for number in 0..area.slots() {
            self.device.read_at(area.slot(number), &mut page)?;
            let Some((record, hash)) = Record::read(&page, state.metadata.dataset.volume, area) else {
                break;
            };
            let follows = record.lap == u64::from(state.metadata.dataset.next_nonce)
                && u64::from(record.number) == number
                && record.direction == direction
                && record.from == watermark;
            let fits = (record.range.start | record.range.end).is_multiple_of(sector)
                && record.range.end <= self.geometry.size
                && record.to <= self.geometry.size;
            if !follows || !fits {
                break;
            }
            let pending = Pending::new(&record, area);
            let len = usize::try_from(record.range.end - record.range.start).map_err(io::Error::other)?;
            let mut payload = vec![0; len];
            self.device.read_at(pending.payload, &mut payload)?;
            if Sha256::digest(&payload).as_slice() != hash {
                break;
            }
            watermark = record.to;
            found.push(pending);
        }
        Ok(found)
    }
}

fn direction_of(status: ConversionStatus) -> Option<Direction> {
    match status {
        ConversionStatus::EncryptionInProgress => Some(Direction::Encrypt),
        ConversionStatus::DecryptionInProgress => Some(Direction::Decrypt),
        ConversionStatus::ReencryptionInProgress => Some(Direction::Reencrypt),
        _ => None,
    }
}

/// The inner view while the state is held.
pub(super) struct StateView<'a, D> {
    pub(super) volume: &'a UnlockedVolume<D>,
    pub(super) state: &'a State,
}

impl<D: ReadAt> ReadAt for StateView<'_, D> {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.volume.read_view(self.state, offset, buf)
    }

    fn size(&self) -> u64 {
        self.volume.size()
    }
}
