//! One lap of the ring: chunks are prepared on threads while the device makes the ones before durable.
//!
//! ```text
//! record 0 | sync | chunk 0, record 1 | sync | chunk 1, record 2 | sync | ... | chunk n | sync | watermark, three copies
//! ```
//!
//! A chunk is written only once its record is durable, and a slot is used again only once the watermark that
//! covers its chunk is.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::log::{Direction, LogArea, PAGE_LEN};
use super::plan::Chunk;
use super::record::{Pending, Record};
use crate::Error;
use crate::context::Context;
use crate::io::WriteAt;
use crate::volume::{Key, State, UnlockedVolume};

/// Laps shorter than this are not worth a thread.
const SHORT_LAP: u64 = 1 << 20;

/// A chunk ready to be written.
struct Prepared {
    record: Record,
    /// Header page and ciphertext.
    slot: Vec<u8>,
    /// What goes to the chunk's place; `None` for the ciphertext.
    plain: Option<Vec<u8>>,
}

impl Prepared {
    fn data(&self) -> &[u8] {
        match &self.plain {
            Some(plain) => plain,
            None => self.slot.get(PAGE_LEN as usize..).unwrap_or_default(),
        }
    }
}

/// What all records of a lap have in common.
struct Lap<'a, D> {
    volume: &'a UnlockedVolume<D>,
    direction: Direction,
    /// The records, their payloads still to be made.
    records: Vec<Record>,
    /// Buffers of chunks that are done: fresh memory costs as much as encrypting it.
    spare: Mutex<Vec<Vec<u8>>>,
}

/// Gives the next chunk, and takes back one that is done.
type Next<'a> = dyn FnMut(Option<Prepared>) -> io::Result<Prepared> + 'a;

impl<D: WriteAt> UnlockedVolume<D> {
    /// Converts `chunks`, at most as many as the ring has slots, and publishes where the last one ends.
    ///
    /// When this fails, what `state.pending` holds is what reads have to go through.
    pub(super) fn convert_lap(
        &self,
        state: &mut State,
        ctx: &mut Context<'_>,
        area: &LogArea,
        direction: Direction,
        chunks: &[Chunk],
    ) -> Result<(), Error> {
        let Some(last) = chunks.last() else {
            return Ok(());
        };
        self.make_durable(state)?;
        let lap = Lap::new(self, state, direction, chunks);
        if !lap.records.is_empty() {
            // From here on, until the watermark is published, the ring may hold records of this lap.
            state.unsettled = true;
            lap.run(|next| self.write_lap(state, area, lap.records.len(), next))?;
        }
        self.publish(state, ctx, last.watermark)
    }

    fn write_lap(&self, state: &mut State, area: &LogArea, count: usize, next: &mut Next<'_>) -> Result<(), Error> {
        let mut present = next(None)?;
        self.write_record(area, &present)?;
        self.device.flush()?;
        for number in 1..=count {
            state.pending.push(Pending::new(&present.record, area));
            self.device.write_at(present.record.range.start, present.data())?;
            if number < count {
                present = next(Some(present))?;
                self.write_record(area, &present)?;
            }
            self.device.flush()?;
        }
        Ok(())
    }

    fn write_record(&self, area: &LogArea, prepared: &Prepared) -> io::Result<()> {
        let slot = area.slot(prepared.record.number.into());
        self.device.write_at(slot, &prepared.slot)
    }

    /// The watermark moves; everything before it must be durable.
    pub(super) fn publish(&self, state: &mut State, ctx: &mut Context<'_>, watermark: u64) -> Result<(), Error> {
        self.update_under(state, &self.vmk, ctx, |edit| {
            edit.header.state_offset = watermark;
            Ok(())
        })?;
        state.pending.clear();
        state.unsettled = false;
        Ok(())
    }

    /// Before the first write to the ring: what an earlier process wrote may still be on its way to the medium.
    pub(super) fn make_durable(&self, state: &mut State) -> io::Result<()> {
        if !state.durable {
            self.device.flush()?;
            state.durable = true;
        }
        Ok(())
    }

    /// What belongs in the place of a chunk whose ciphertext is `payload`.
    pub(super) fn data_of(&self, direction: Direction, offset: u64, payload: &[u8]) -> Option<Vec<u8>> {
        (direction == Direction::Decrypt).then(|| {
            let mut plain = payload.to_vec();
            self.cipher.decrypt(offset, &mut plain);
            plain
        })
    }
}

impl<'a, D: WriteAt> Lap<'a, D> {
    fn new(volume: &'a UnlockedVolume<D>, state: &State, direction: Direction, chunks: &[Chunk]) -> Self {
        let mut from = state.metadata.header.state_offset;
        let mut records = Vec::with_capacity(chunks.len());
        for (number, chunk) in (0..).zip(chunks.iter().filter(|chunk| !chunk.range.is_empty())) {
            records.push(Record {
                volume: state.metadata.dataset.volume,
                lap: state.metadata.dataset.next_nonce.into(),
                number,
                direction,
                from,
                to: chunk.watermark,
                range: chunk.range.clone(),
            });
            from = chunk.watermark;
        }
        Self {
            volume,
            direction,
            records,
            spare: Mutex::default(),
        }
    }

    fn buffer(&self, len: usize) -> Vec<u8> {
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut buffer = spare.unwrap_or_default();
        buffer.resize(len, 0);
        buffer
    }

    fn take_back(&self, done: Option<Prepared>) {
        let buffers = done.into_iter().flat_map(|done| [Some(done.slot), done.plain]);
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        spare.extend(buffers.flatten());
    }

    /// Gives `consume` a source of prepared chunks, in order.
    fn run<T>(&self, consume: impl FnOnce(&mut Next<'_>) -> Result<T, Error>) -> Result<T, Error> {
        let bytes: u64 = self
            .records
            .iter()
            .map(|record| record.range.end - record.range.start)
            .sum();
        if bytes < SHORT_LAP {
            let mut records = self.records.iter();
            return consume(&mut |done| {
                self.take_back(done);
                self.prepare(records.next().ok_or_else(ended)?)
            });
        }
        let threads = thread::available_parallelism()
            .map_or(1, usize::from)
            .min(self.records.len());
        thread::scope(|scope| {
            let sources: Vec<Receiver<io::Result<Prepared>>> = (0..threads)
                .map(|first| {
                    // One chunk waits, one is being made: the memory in use is bounded.
                    let (sender, receiver) = sync_channel(1);
                    scope.spawn(move || self.prepare_every(threads, first, &sender));
                    receiver
                })
                .collect();
            let mut turn = sources.iter().cycle();
            let prepared = consume(&mut |done| {
                self.take_back(done);
                match turn.next().map(Receiver::recv) {
                    Some(Ok(prepared)) => prepared,
                    _ => Err(ended()),
                }
            });
            // Threads that still wait to hand something over end with this.
            drop(sources);
            prepared
        })
    }

    fn prepare_every(&self, threads: usize, first: usize, sender: &SyncSender<io::Result<Prepared>>) {
        for record in self.records.iter().skip(first).step_by(threads) {
            if sender.send(self.prepare(record)).is_err() {
                return;
            }
        }
    }

    fn prepare(&self, record: &Record) -> io::Result<Prepared> {
        let offset = record.range.start;
        let len = usize::try_from(record.range.end - offset).map_err(io::Error::other)?;
        let mut slot = self.buffer(PAGE_LEN as usize + len);
        let payload = &mut slot[PAGE_LEN as usize..];
        self.volume.device.read_at(offset, payload)?;
        let encrypt = |payload: &mut [u8]| self.volume.cipher.encrypt(offset, payload);
        match self.direction {
            Direction::Encrypt => encrypt(payload),
            Direction::Decrypt => {}
            Direction::Reencrypt => {
                let previous = self.volume.cipher_for(Key::Previous);
                previous.ok_or_else(ended)?.decrypt(offset, payload);
                encrypt(payload);
            }
        }
        let plain = (self.direction == Direction::Decrypt).then(|| {
            let mut plain = self.buffer(len);
            plain.copy_from_slice(payload);
            self.volume.cipher.decrypt(offset, &mut plain);
            plain
        });
        record.seal(&mut slot);
        Ok(Prepared {
            record: record.clone(),
            slot,
            plain,
        })
    }
}

fn ended() -> io::Error {
    io::Error::other("preparing a chunk failed")
}
