//! Handing over in order.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::{Mutex, PoisonError, mpsc};

use zeroize::Zeroizing;

use super::{Chunks, CopyError, OnProgress, Parallel, pieces, read};
use crate::io::ReadAt;

/// A buffer: also what is handed over at once.
const CHUNK: usize = 1 << 20;

/// Reads `range` of `source` with several threads and gives it to `take` on the calling thread, in order. No more than
/// two buffers of 1 MiB for each thread are held.
///
/// # Errors
/// The source's first failure, after everything before it was handed over; the target's; or [`CopyError::Stopped`].
pub fn read_in_order(
    source: &dyn ReadAt,
    range: Range<u64>,
    how: &Parallel,
    take: &mut dyn FnMut(u64, &[u8]) -> io::Result<()>,
    progress: OnProgress<'_>,
) -> Result<(), CopyError> {
    let start = range.start;
    let chunk = CHUNK as u64;
    let (free, buffers) = mpsc::channel();
    for _ in 0..how.threads.get() * 2 {
        // The receiver is right here.
        let _ = free.send(Zeroizing::new(vec![0; CHUNK]));
    }
    let work = Work {
        source,
        chunks: Chunks { range, chunk },
        queue: Mutex::new((buffers, 0)),
    };
    std::thread::scope(|scope| {
        let (done, ended) = mpsc::channel();
        for started in 0..how.threads.get() {
            let (work, done) = (&work, done.clone());
            let thread = std::thread::Builder::new().name("read".to_owned());
            if let Err(error) = thread.spawn_scoped(scope, move || work.run(&done)) {
                if started == 0 {
                    return Err(CopyError::Thread(error));
                }
                break;
            }
        }
        drop(done);
        // Whoever waits for a buffer gives up when `free` is gone, which it is on return.
        let free = free;
        let mut early = BTreeMap::new();
        for index in 0.. {
            let Some(chunk) = work.chunks.get(index) else {
                return Ok(());
            };
            let buffer = in_turn(index, &ended, &mut early)?;
            let len = usize::try_from(chunk.end - chunk.start).unwrap_or(CHUNK);
            take(chunk.start, &buffer[..len]).map_err(CopyError::Write)?;
            let _ = free.send(buffer);
            if progress(chunk.end - start).is_break() && work.chunks.get(index + 1).is_some() {
                return Err(CopyError::Stopped { offset: chunk.end });
            }
        }
        Ok(())
    })
}

type Buffer = Zeroizing<Vec<u8>>;
type Outcome = Result<Buffer, CopyError>;

/// Waits for the chunk with this index; keeps what comes before its turn.
fn in_turn(index: u64, ended: &mpsc::Receiver<(u64, Outcome)>, early: &mut BTreeMap<u64, Outcome>) -> Outcome {
    loop {
        if let Some(outcome) = early.remove(&index) {
            return outcome;
        }
        match ended.recv() {
            Ok((at, outcome)) => early.insert(at, outcome),
            Err(_) => return Err(CopyError::Thread(io::Error::other("all threads have ended"))),
        };
    }
}

struct Work<'a> {
    source: &'a dyn ReadAt,
    chunks: Chunks,
    /// Free buffers and the next index, taken together: the lowest index under way always has a buffer.
    queue: Mutex<(mpsc::Receiver<Buffer>, u64)>,
}

impl Work<'_> {
    fn run(&self, done: &mpsc::Sender<(u64, Outcome)>) {
        while let Some((index, chunk, mut buffer)) = self.claim() {
            let outcome = self.chunk(chunk, &mut buffer).map(|()| buffer);
            let failed = outcome.is_err();
            if done.send((index, outcome)).is_err() || failed {
                return;
            }
        }
    }

    fn claim(&self) -> Option<(u64, Range<u64>, Buffer)> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let chunk = self.chunks.get(queue.1)?;
        let buffer = queue.0.recv().ok()?;
        let index = queue.1;
        queue.1 += 1;
        Some((index, chunk, buffer))
    }

    fn chunk(&self, chunk: Range<u64>, buffer: &mut [u8]) -> Result<(), CopyError> {
        let start = chunk.start;
        for (offset, len) in pieces(chunk) {
            let at = usize::try_from(offset - start).unwrap_or(0);
            read(self.source, offset, &mut buffer[at..at + len])?;
        }
        Ok(())
    }
}
