//! The whole fleet, on several threads.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use super::worker::{Found, Worker};
use super::{Line, Preview, Question, StoredDevice};

/// Devices taken at once.
const BATCH: usize = 1024;

/// How to go through the fleet.
pub struct Run<'a> {
    /// What is asked.
    pub question: Question<'a>,
    /// On how many threads.
    pub threads: NonZeroUsize,
    /// Told now and then how many devices were looked at; may stop the work.
    pub progress: &'a (dyn Fn(u64) -> ControlFlow<()> + Sync),
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Stopped<E> {
    /// A device could not be read.
    Read(E),
}

impl<E> Stopped<E> {
    /// What could not be read.
    pub fn into_inner(self) -> E {
        match self {
            Self::Read(error) => error,
        }
    }
}

impl Run<'_> {
    /// Looks at all devices. They come in some stored form; `read` makes devices of it on the working threads.
    /// The answer does not depend on the number of threads.
    ///
    /// # Errors
    /// The first device that cannot be read ends the work.
    pub fn run<S, R, E>(
        &self,
        stored: impl Iterator<Item = Result<S, E>> + Send,
        read: R,
    ) -> Result<Preview, Stopped<E>>
    where
        S: Send,
        E: Send,
        R: Fn(S) -> Result<StoredDevice, E> + Sync,
    {
        let source = Mutex::new(Source {
            stored,
            batch: 0,
            end: None,
        });
        let answer = Mutex::new(Answer::default());
        thread::scope(|scope| {
            for _ in 0..self.threads.get() {
                scope.spawn(|| self.work(&source, &read, &answer));
            }
        });
        let end = source.into_inner().unwrap_or_else(PoisonError::into_inner).end;
        let answer = answer.into_inner().unwrap_or_else(PoisonError::into_inner);
        match end {
            Some(End::Failed(error)) => Err(Stopped::Read(error)),
            end => Ok(Preview {
                complete: matches!(end, Some(End::Reached)),
                listing: answer.listing,
                listable: answer.listable,
                ..answer.counts
            }),
        }
    }

    fn work<S, E, I, R>(&self, source: &Mutex<Source<I, E>>, read: &R, answer: &Mutex<Answer>)
    where
        I: Iterator<Item = Result<S, E>>,
        R: Fn(S) -> Result<StoredDevice, E>,
    {
        let mut worker = Worker::new(self.question);
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            // In a statement of its own, so that the lock is not held while the batch is worked on.
            let Some(number) = lock(source).take(&mut batch) else {
                break;
            };
            let needed = lock(answer).lines_needed(&self.question);
            let mut found = Batch {
                devices: u64::try_from(batch.len()).unwrap_or(u64::MAX),
                ..Batch::default()
            };
            for stored in batch.drain(..) {
                match read(stored) {
                    Ok(device) => found.add(worker.look(&device, needed)),
                    Err(error) => {
                        lock(source).end = Some(End::Failed(error));
                        return;
                    }
                }
            }
            let looked_at = lock(answer).put(number, found, &self.question);
            if (self.progress)(looked_at).is_break() {
                lock(source).stop();
            }
        }
        lock(answer).counts.add(worker.finish());
    }
}

/// A poisoned lock means that a thread panicked; the scope passes that on, so what is behind the lock no longer matters.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Source<I, E> {
    stored: I,
    batch: u64,
    end: Option<End<E>>,
}

enum End<E> {
    /// There are no more devices.
    Reached,
    /// It was stopped.
    Stopped,
    /// A device could not be read.
    Failed(E),
}

impl<S, E, I: Iterator<Item = Result<S, E>>> Source<I, E> {
    /// Fills the next batch and gives its number; none at the end.
    fn take(&mut self, batch: &mut Vec<S>) -> Option<u64> {
        while self.end.is_none() && batch.len() < BATCH {
            match self.stored.next() {
                Some(Ok(stored)) => batch.push(stored),
                Some(Err(error)) => self.end = Some(End::Failed(error)),
                None => self.end = Some(End::Reached),
            }
        }
        if batch.is_empty() || matches!(self.end, Some(End::Failed(_))) {
            return None;
        }
        self.batch += 1;
        Some(self.batch - 1)
    }

    fn stop(&mut self) {
        if self.end.is_none() {
            self.end = Some(End::Stopped);
        }
    }
}

/// What one batch gave.
#[derive(Default)]
struct Batch {
    devices: u64,
    listable: u64,
    lines: Vec<Line>,
}

impl Batch {
    fn add(&mut self, found: Found) {
        match found {
            Found::Nothing => {}
            Found::Unlisted => self.listable += 1,
            Found::Line(line) => {
                self.listable += 1;
                self.lines.push(*line);
            }
        }
    }
}

/// What was found so far. Batches are put together in their order, whichever is finished first.
#[derive(Default)]
struct Answer {
    counts: Preview,
    looked_at: u64,
    listing: Vec<Line>,
    listable: u64,
    next: u64,
    waiting: BTreeMap<u64, Batch>,
}

impl Answer {
    fn lines_needed(&self, question: &Question<'_>) -> bool {
        self.listing.len() < question.listing.limit
    }

    fn put(&mut self, number: u64, batch: Batch, question: &Question<'_>) -> u64 {
        self.looked_at += batch.devices;
        self.waiting.insert(number, batch);
        while let Some(batch) = self.waiting.remove(&self.next) {
            self.next += 1;
            let listing = question.listing;
            for (place, line) in (self.listable..).zip(batch.lines) {
                if place >= listing.offset && self.listing.len() < listing.limit {
                    self.listing.push(line);
                }
            }
            self.listable += batch.listable;
        }
        self.looked_at
    }
}
