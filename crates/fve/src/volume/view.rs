//! The inner view: every read and write of the file system inside passes here.

use std::io;

use super::geometry::normalise;
use super::unlocked::{Key, State, UnlockedVolume};
use crate::io::{ReadAt, WriteAt};

/// Where a run of the inner view comes from.
#[derive(Clone, Copy, Debug)]
enum Source {
    Zeros,
    Device {
        at: u64,
        key: Key,
    },
    /// A chunk in the conversion log, ahead of the watermark: where its ciphertext is, and the place it belongs to.
    Log {
        payload: u64,
        at: u64,
    },
}

const MAX_SECTOR: usize = 4096;

impl<D: ReadAt> UnlockedVolume<D> {
    /// Works out anew which ranges read as zeros.
    pub(crate) fn refresh_zero(&self, state: &mut State) {
        let mut ranges = self.geometry.always_zero();
        if let Some(Ok(map)) = &self.eow {
            ranges.extend_from_slice(map.zero());
        }
        if let Some(log) = state.log.as_ref().filter(|_| self.status_of(state).in_progress()) {
            ranges.push(log.ring.clone());
        }
        state.zero = normalise(ranges);
    }

    pub(crate) fn read_view(&self, state: &State, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.check_range(offset, buf.len())?;
        if let Some(Err(error)) = &self.eow {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                format!("the conversion state cannot be read: {error}"),
            ));
        }
        let sector = self.geometry.sector_size as usize;
        let (mut at, mut rest) = (offset, buf);
        while !rest.is_empty() {
            let within = to_usize(at % sector as u64)?;
            let whole = rest.len() - rest.len() % sector;
            let len = if within == 0 && whole > 0 {
                self.read_sectors(state, at, &mut rest[..whole])?;
                whole
            } else {
                let mut bounce = [0; MAX_SECTOR];
                let bounce = &mut bounce[..sector];
                self.read_sectors(state, at - within as u64, bounce)?;
                let len = rest.len().min(sector - within);
                rest[..len].copy_from_slice(&bounce[within..within + len]);
                len
            };
            at += len as u64;
            rest = &mut rest[len..];
        }
        Ok(())
    }

    fn read_sectors(&self, state: &State, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let (mut at, mut rest) = (offset, buf);
        while !rest.is_empty() {
            let (source, len) = self.run_at(state, at, rest.len())?;
            let (run, tail) = rest.split_at_mut(len);
            match source {
                Source::Zeros => run.fill(0),
                Source::Device { at, key } => {
                    self.device.read_at(at, run)?;
                    if let Some(cipher) = self.cipher_for(key) {
                        cipher.decrypt(at, run);
                    }
                }
                Source::Log { payload, at } => {
                    self.device.read_at(payload, run)?;
                    self.cipher.decrypt(at, run);
                }
            }
            at += len as u64;
            rest = tail;
        }
        Ok(())
    }

    /// Where the sectors from `offset` on come from, and for how many bytes (at least one sector, at most `max`).
    fn run_at(&self, state: &State, offset: u64, max: usize) -> io::Result<(Source, usize)> {
        let header = &self.geometry.header;
        let header_len = header.end - header.start;
        let mut end = offset.saturating_add(max as u64);
        let source = if offset < header_len {
            end = end.min(header_len);
            Some(header.start + offset)
        } else {
            let next = state.zero.partition_point(|range| range.end <= offset);
            match state.zero.get(next) {
                Some(range) if range.start <= offset => {
                    end = end.min(range.end);
                    None
                }
                Some(range) => {
                    end = end.min(range.start);
                    Some(offset)
                }
                None => Some(offset),
            }
        };
        let Some(at) = source else {
            return Ok((Source::Zeros, self.run_len(offset, end, max)?));
        };
        let (source, until) = self.holding(state, at);
        let end = end.min(offset.saturating_add(until - at));
        Ok((source, self.run_len(offset, end, max)?))
    }

    /// Whole sectors from `offset` to `end`, at least one: a boundary inside a sector belongs to the next.
    fn run_len(&self, offset: u64, end: u64, max: usize) -> io::Result<usize> {
        let sector = u64::from(self.geometry.sector_size);
        let len = (end - offset).next_multiple_of(sector);
        Ok(to_usize(len)?.min(max))
    }

    /// What holds the truth about the device's byte at `at`, and up to where.
    fn holding(&self, state: &State, at: u64) -> (Source, u64) {
        if let Some(Ok(map)) = &self.eow {
            let (encrypted, until) = map.at(at);
            let key = if encrypted { Key::Present } else { Key::None };
            return (Source::Device { at, key }, until);
        }
        if let Some(chunk) = state.pending.iter().find(|chunk| chunk.range.contains(&at)) {
            let payload = chunk.payload + (at - chunk.range.start);
            return (Source::Log { payload, at }, chunk.range.end);
        }
        let (key, until) = self.key_at(state, at);
        let ahead = state
            .pending
            .iter()
            .map(|chunk| chunk.range.start)
            .filter(|&start| start > at);
        (Source::Device { at, key }, ahead.fold(until, u64::min))
    }

    fn check_range(&self, offset: u64, len: usize) -> io::Result<()> {
        match offset.checked_add(len as u64) {
            Some(end) if end <= self.geometry.size => Ok(()),
            _ => Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the range ends beyond the volume",
            )),
        }
    }
}

impl<D: WriteAt> UnlockedVolume<D> {
    pub(crate) fn write_view(&self, state: &mut State, offset: u64, data: &[u8]) -> io::Result<()> {
        self.check_range(offset, data.len())?;
        self.check_writable(state)?;
        self.check_free(state, offset, data)?;
        state.used = None;
        let sector = self.geometry.sector_size as usize;
        let (mut at, mut rest) = (offset, data);
        while !rest.is_empty() {
            let within = to_usize(at % sector as u64)?;
            let whole = rest.len() - rest.len() % sector;
            let len = if within == 0 && whole > 0 {
                self.write_sectors(state, at, &rest[..whole])?;
                whole
            } else {
                let mut bounce = [0; MAX_SECTOR];
                let bounce = &mut bounce[..sector];
                let start = at - within as u64;
                self.read_sectors(state, start, bounce)?;
                let len = rest.len().min(sector - within);
                bounce[within..within + len].copy_from_slice(&rest[..len]);
                self.write_sectors(state, start, bounce)?;
                len
            };
            at += len as u64;
            rest = &rest[len..];
        }
        Ok(())
    }

    /// Only zeros go where metadata lies. Looked at beforehand, so that a write that is refused changes nothing.
    fn check_free(&self, state: &State, offset: u64, data: &[u8]) -> io::Result<()> {
        let sector = u64::from(self.geometry.sector_size);
        let end = offset + data.len() as u64;
        let mut at = offset - offset % sector;
        while at < end {
            let (source, len) = self.run_at(state, at, to_usize((end - at).next_multiple_of(sector))?)?;
            let next = at + len as u64;
            if matches!(source, Source::Zeros) {
                let within = to_usize(at.max(offset) - offset)?..to_usize(next.min(end) - offset)?;
                if data[within].iter().any(|&byte| byte != 0) {
                    return Err(io::Error::new(
                        io::ErrorKind::PermissionDenied,
                        "the range holds BitLocker metadata",
                    ));
                }
            }
            at = next;
        }
        Ok(())
    }

    fn write_sectors(&self, state: &State, offset: u64, data: &[u8]) -> io::Result<()> {
        /// Encrypts in pieces, so that a large write needs no second buffer of its size.
        const PIECE: usize = 1 << 20;
        let (mut at, mut rest) = (offset, data);
        while !rest.is_empty() {
            let (source, len) = self.run_at(state, at, rest.len().min(PIECE))?;
            let (run, tail) = rest.split_at(len);
            match source {
                // Zeros, as was checked; they are there already.
                Source::Zeros => {}
                Source::Log { .. } => return Err(io::Error::other("a conversion was interrupted")),
                Source::Device { at, key } => match self.cipher_for(key) {
                    None => self.device.write_at(at, run)?,
                    Some(cipher) => {
                        let mut ciphertext = run.to_vec();
                        cipher.encrypt(at, &mut ciphertext);
                        self.device.write_at(at, &ciphertext)?;
                    }
                },
            }
            at += len as u64;
            rest = tail;
        }
        Ok(())
    }

    fn check_writable(&self, state: &State) -> io::Result<()> {
        if self.eow.is_some() {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "a volume that Windows is converting is only read",
            ));
        }
        if state.stale {
            return Err(io::Error::other(crate::Error::Stale));
        }
        if !state.pending.is_empty() || state.unsettled {
            return Err(io::Error::other(
                "a conversion was interrupted: recover the volume before writing to it",
            ));
        }
        Ok(())
    }
}

fn to_usize(value: u64) -> io::Result<usize> {
    usize::try_from(value).map_err(io::Error::other)
}
