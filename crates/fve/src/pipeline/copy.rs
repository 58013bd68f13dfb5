//! Handing over in any order.

use std::collections::BTreeSet;
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;

use zeroize::Zeroizing;

use super::{CHUNK, Chunks, CopyError, OnProgress, PIECE, Parallel, pieces, read};
use crate::io::ReadAt;

/// Reads `range` of `source` with several threads, each of which gives what it read to `write`, in any order and at the
/// same time as the others. `progress` runs on the calling thread.
///
/// # Errors
/// The first of the source's failures, or the target's, or [`CopyError::Stopped`]; everything that was begun has ended then.
pub fn copy(
    source: &dyn ReadAt,
    range: Range<u64>,
    how: &Parallel,
    write: &(dyn Fn(u64, &[u8]) -> io::Result<()> + Sync),
    progress: OnProgress<'_>,
) -> Result<(), CopyError> {
    let start = range.start;
    let work = Work {
        source,
        chunks: Chunks { range, chunk: CHUNK },
        write,
        next: AtomicU64::new(0),
        stop: AtomicBool::new(false),
    };
    std::thread::scope(|scope| {
        let (done, ended) = mpsc::channel();
        for started in 0..how.threads.get() {
            let (work, done) = (&work, done.clone());
            let thread = std::thread::Builder::new().name("copy".to_owned());
            if let Err(error) = thread.spawn_scoped(scope, move || work.run(&done)) {
                if started == 0 {
                    return Err(CopyError::Thread(error));
                }
                break;
            }
        }
        drop(done);
        work.watch(start, &ended, progress)
    })
}

type Outcome = Result<u64, CopyError>;

struct Work<'a> {
    source: &'a dyn ReadAt,
    chunks: Chunks,
    write: &'a (dyn Fn(u64, &[u8]) -> io::Result<()> + Sync),
    next: AtomicU64,
    stop: AtomicBool,
}

impl Work<'_> {
    /// One thread: takes chunk after chunk.
    fn run(&self, done: &mpsc::Sender<Outcome>) {
        let mut buffer = Zeroizing::new(vec![0; PIECE]);
        while !self.stop.load(Ordering::Relaxed) {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(chunk) = self.chunks.get(index) else {
                return;
            };
            let outcome = self.chunk(chunk, &mut buffer).map(|()| index);
            if outcome.is_err() {
                self.stop.store(true, Ordering::Relaxed);
            }
            if done.send(outcome).is_err() {
                return;
            }
        }
    }

    fn chunk(&self, chunk: Range<u64>, buffer: &mut [u8]) -> Result<(), CopyError> {
        for (offset, len) in pieces(chunk) {
            let piece = &mut buffer[..len];
            read(self.source, offset, piece)?;
            (self.write)(offset, piece).map_err(CopyError::Write)?;
        }
        Ok(())
    }

    /// Joins what the threads report into progress without gaps.
    fn watch(&self, start: u64, ended: &mpsc::Receiver<Outcome>, progress: OnProgress<'_>) -> Result<(), CopyError> {
        let (mut whole, mut ahead) = (0, BTreeSet::new());
        let (mut stopped, mut failed) = (false, None::<CopyError>);
        let done_to = |whole: u64| self.chunks.get(whole).map_or(self.chunks.range.end, |next| next.start);
        for outcome in ended {
            match outcome {
                Ok(index) => {
                    ahead.insert(index);
                    let before = whole;
                    while ahead.remove(&whole) {
                        whole += 1;
                    }
                    if whole > before && !stopped && progress(done_to(whole) - start).is_break() {
                        stopped = true;
                        self.stop.store(true, Ordering::Relaxed);
                    }
                }
                Err(error) => {
                    if failed.as_ref().is_none_or(|first| error.rank() < first.rank()) {
                        failed = Some(error);
                    }
                }
            }
        }
        match failed {
            Some(error) => Err(error),
            // Told to stop after the last chunk: there is nothing left to stop.
            None if done_to(whole) == self.chunks.range.end => Ok(()),
            None => Err(CopyError::Stopped { offset: done_to(whole) }),
        }
    }
}
