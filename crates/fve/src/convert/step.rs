//! One step of a conversion, and what a crash in the middle of one leaves to do.

use std::io;
use std::ops::Range;

use sha2::{Digest, Sha256};

use super::log::{ConversionMode, Direction, LogArea, PAGE_LEN, Record, read_page};
use super::plan::{Chunk, Terrain};
use crate::Error;
use crate::context::Context;
use crate::format::constants::{HEADER_LEN, state as number};
use crate::io::{ReadAt, WriteAt};
use crate::ntfs;
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
    /// Converts the next chunk, or ends the conversion. When this fails the volume stays
    /// readable and the step can be tried again, unless the failure was [`Error::Stale`].
    pub fn convert_step(&self, ctx: &mut Context<'_>) -> Result<Progress, Error> {
        let state = &mut *self.write_state();
        self.recover_state(state, ctx)?;
        let direction = match self.status_of(state) {
            ConversionStatus::EncryptionInProgress => Direction::Encrypt,
            ConversionStatus::DecryptionInProgress => Direction::Decrypt,
            ConversionStatus::FullyEncrypted | ConversionStatus::FullyDecrypted => return Ok(self.progress_of(state)),
            _ => return Err(Error::InvalidState("the conversion is paused")),
        };
        let log = Self::log_of(state)?;
        match self.next_chunk(state, &log, direction)? {
            None => self.finish(state, ctx, &log, direction)?,
            Some(chunk) => self.convert_chunk(state, ctx, &log, direction, &chunk)?,
        }
        Ok(self.progress_of(state))
    }

    /// Ends what a crash interrupted: writes the chunk in the log once more and moves the
    /// watermark. Conversion does so by itself; writing to the inner file system requires it.
    pub fn recover(&self, ctx: &mut Context<'_>) -> Result<(), Error> {
        self.recover_state(&mut self.write_state(), ctx)
    }

    pub(super) fn recover_state(&self, state: &mut State, ctx: &mut Context<'_>) -> Result<(), Error> {
        match state.pending.take() {
            None => Ok(()),
            Some(record) => self.carry_out(state, ctx, record),
        }
    }

    fn convert_chunk(
        &self,
        state: &mut State,
        ctx: &mut Context<'_>,
        log: &LogArea,
        direction: Direction,
        chunk: &Chunk,
    ) -> Result<(), Error> {
        let len = usize::try_from(chunk.range.end - chunk.range.start).map_err(io::Error::other)?;
        let mut ciphertext = vec![0; len];
        self.device.read_at(chunk.range.start, &mut ciphertext)?;
        if direction == Direction::Encrypt {
            self.cipher.encrypt(chunk.range.start, &mut ciphertext);
        }
        let from = state.metadata.header.state_offset;
        let record = Record {
            from,
            to: chunk.watermark,
            direction,
            offset: chunk.range.start,
            ciphertext,
        };
        self.device.write_at(log.record.start + PAGE_LEN, &record.ciphertext)?;
        self.device
            .write_at(log.record.start, &record.header(state.metadata.dataset.volume))?;
        self.device.flush()?;
        self.carry_out(state, ctx, record)
    }

    /// Writes a chunk whose record is durable. Until the watermark has moved, reads go through the record.
    fn carry_out(&self, state: &mut State, ctx: &mut Context<'_>, record: Record) -> Result<(), Error> {
        let to = record.to;
        let written = match record.direction {
            Direction::Encrypt => self.device.write_at(record.offset, &record.ciphertext),
            Direction::Decrypt => {
                let mut plain = record.ciphertext.clone();
                self.cipher.decrypt(record.offset, &mut plain);
                self.device.write_at(record.offset, &plain)
            }
        };
        state.pending = Some(record);
        written?;
        self.device.flush()?;
        self.update_state(state, ctx, |edit| {
            edit.header.state_offset = to;
            Ok(())
        })?;
        state.pending = None;
        Ok(())
    }

    fn finish(
        &self,
        state: &mut State,
        ctx: &mut Context<'_>,
        log: &LogArea,
        direction: Direction,
    ) -> Result<(), Error> {
        self.clear_record(state, log)?;
        let size = self.geometry.size;
        self.update_state(state, ctx, |edit| {
            let (end, watermark) = match direction {
                Direction::Encrypt => (number::ENCRYPTED, size),
                Direction::Decrypt => (number::DECRYPTED, HEADER_LEN),
            };
            (edit.header.current_state, edit.header.next_state) = (end, end);
            edit.header.state_offset = watermark;
            Ok(())
        })
    }

    /// Leaves zeros, in the encryption of their place, where the record was.
    pub(crate) fn clear_record(&self, state: &State, log: &LogArea) -> Result<(), Error> {
        const PIECE: u64 = 1 << 20;
        let encrypted = log.record.start < state.metadata.header.state_offset;
        let mut at = log.record.start;
        while at < log.record.end {
            let len = PIECE.min(log.record.end - at);
            let mut zeros = vec![0; usize::try_from(len).map_err(io::Error::other)?];
            if encrypted {
                self.cipher.encrypt(at, &mut zeros);
            }
            self.device.write_at(at, &zeros)?;
            at += len;
        }
        Ok(self.device.flush()?)
    }

    fn next_chunk(&self, state: &mut State, log: &LogArea, direction: Direction) -> Result<Option<Chunk>, Error> {
        let used_only = direction == Direction::Encrypt && self.mode_of(state, log)? == ConversionMode::UsedSpaceOnly;
        if used_only && state.used.is_none() {
            state.used = Some(self.used_ranges(state, log)?);
        }
        let mut reserved = self.geometry.metadata.to_vec();
        reserved.push(log.record.clone());
        // The outer header: its content lives in the relocated header.
        reserved.push(0..HEADER_LEN);
        let reserved = normalise(reserved);
        let used = state.used.as_deref().filter(|_| used_only);
        let terrain = Terrain {
            first: HEADER_LEN,
            size: self.geometry.size,
            chunk: log.chunk_len(),
            reserved: &reserved,
            used,
        };
        Ok(terrain.next(state.metadata.header.state_offset, direction))
    }

    /// What the inner file system uses, and what lies outside of it.
    fn used_ranges(&self, state: &State, log: &LogArea) -> Result<Vec<Range<u64>>, Error> {
        let view = StateView { volume: self, state };
        let info = ntfs::probe(&view)?;
        let mut used = ntfs::used_extents(&view)?;
        let end = info.total_sectors.saturating_mul(info.bytes_per_sector.into());
        used.extend([
            self.geometry.header.clone(),
            log.page..log.page + PAGE_LEN,
            end..self.geometry.size,
        ]);
        Ok(normalise(used))
    }

    fn mode_of(&self, state: &State, log: &LogArea) -> Result<ConversionMode, Error> {
        let mut page = [0; 512];
        self.read_view(state, log.page, &mut page)?;
        read_page(&page, state.metadata.dataset.volume).ok_or(Error::InvalidState("the conversion log is damaged"))
    }

    pub(super) fn log_of(state: &State) -> Result<LogArea, Error> {
        state.log.clone().ok_or(Error::Unsupported(
            "converting a volume without a conversion log of ours",
        ))
    }
}

impl<D: ReadAt> UnlockedVolume<D> {
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
        self.state().pending.is_some()
    }

    /// Finds our log, and in it the chunk that a crash interrupted.
    pub(crate) fn find_log(&self, state: &mut State) -> io::Result<()> {
        let area = self
            .geometry
            .extended
            .and_then(|extended| LogArea::new(&extended, self.geometry.sector_size, self.geometry.size));
        let Some(area) = area.filter(|_| self.eow.is_none()) else {
            return Ok(());
        };
        if self.status_of(state).in_progress() {
            state.pending = self.read_record(state, &area)?;
        }
        let mut page = [0; 512];
        self.read_view(state, area.page, &mut page)?;
        state.log = read_page(&page, state.metadata.dataset.volume).map(|_| area);
        Ok(())
    }

    fn read_record(&self, state: &State, area: &LogArea) -> io::Result<Option<Record>> {
        let mut header = vec![0; PAGE_LEN as usize];
        self.device.read_at(area.record.start, &mut header)?;
        let Some((mut record, len, hash)) = Record::read_header(&header, state.metadata.dataset.volume, area) else {
            return Ok(None);
        };
        let forward = self.status_of(state) == ConversionStatus::EncryptionInProgress;
        let same_way = forward == (record.direction == Direction::Encrypt);
        let aligned = (record.offset | len as u64).is_multiple_of(self.geometry.sector_size.into());
        if record.from != state.metadata.header.state_offset
            || !same_way
            || !aligned
            || record.range().start >= self.geometry.size
        {
            return Ok(None);
        }
        record.ciphertext = vec![0; len];
        self.device
            .read_at(area.record.start + PAGE_LEN, &mut record.ciphertext)?;
        Ok((Sha256::digest(&record.ciphertext).as_slice() == hash).then_some(record))
    }
}

/// The inner view while the state is held.
struct StateView<'a, D> {
    volume: &'a UnlockedVolume<D>,
    state: &'a State,
}

impl<D: ReadAt> ReadAt for StateView<'_, D> {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.volume.read_view(self.state, offset, buf)
    }

    fn size(&self) -> u64 {
        self.volume.size()
    }
}
