//! A device that notes all that is done to it, and that can be told to fail.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fve::io::{ReadAt, WriteAt};

use crate::disk::{Disk, SECTOR};

/// One write.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    pub(crate) offset: u64,
    pub(crate) data: Arc<[u8]>,
}

impl Write {
    pub(crate) fn end(&self) -> u64 {
        self.offset + self.data.len() as u64
    }

    pub(crate) fn touches(&self, start: u64, end: u64) -> bool {
        self.offset < end && self.end() > start
    }
}

/// What happened, in order.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Write(Write),
    /// All writes before it are durable.
    Flush,
    /// A flush that failed: of the writes before it since the last flush none has reached the medium, as reading shows;
    /// or, as long as the cache shows all of them, any may have. No later flush will bring there what has not.
    FailedFlush {
        visible: bool,
    },
    /// The file system inside is about to write this (in its own view).
    Inner(Write),
    /// It failed to: what it wanted to write is neither there for sure nor not there.
    InnerFailed,
    /// An operation returned: from here on the scenario's state with this number holds.
    Done(usize),
}

/// A failure to come, counted from when it is armed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// The `n`th read fails.
    Read(usize),
    /// The `n`th write fails after `sectors` sectors.
    Write(usize, u64),
    /// The `n`th flush fails. What was not durable stays visible, as in a page cache, or does not.
    Flush(usize, bool),
}

/// The recording device. What it shows is what its writer expects to see.
pub(crate) struct Recorder {
    inner: Mutex<Inner>,
    size: u64,
}

struct Inner {
    now: Disk,
    /// As of the last flush, to fall back to.
    durable: Disk,
    events: Vec<Event>,
    fault: Option<Fault>,
}

impl Recorder {
    pub(crate) fn new(start: Disk) -> Self {
        Self {
            size: start.len(),
            inner: Mutex::new(Inner {
                now: start.clone(),
                durable: start,
                events: Vec::new(),
                fault: None,
            }),
        }
    }

    pub(crate) fn disk(&self) -> Disk {
        self.lock().now.clone()
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.lock().events.clone()
    }

    pub(crate) fn note(&self, event: Event) {
        self.lock().events.push(event);
    }

    /// Arms one failure, or disarms with `None`; gives what was still armed.
    pub(crate) fn arm(&self, fault: Option<Fault>) -> Option<Fault> {
        std::mem::replace(&mut self.lock().fault, fault)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Whether the armed fault is due now; `pick` takes the count out of a fault of the right kind.
    fn due(&mut self, pick: impl Fn(&mut Fault) -> Option<&mut usize>) -> Option<Fault> {
        let armed = self.fault?;
        let left = pick(self.fault.as_mut()?)?;
        if *left > 0 {
            *left -= 1;
            return None;
        }
        self.fault = None;
        Some(armed)
    }
}

fn broken() -> io::Error {
    io::Error::other("the device fails on purpose")
}

impl ReadAt for Recorder {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let mut inner = self.lock();
        let due = inner.due(|fault| {
            if let Fault::Read(left) = fault {
                Some(left)
            } else {
                None
            }
        });
        if due.is_some() {
            return Err(broken());
        }
        inner.now.read(offset, buf)
    }

    fn size(&self) -> u64 {
        self.size
    }
}

impl WriteAt for Recorder {
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut inner = self.lock();
        let due = inner.due(|fault| {
            if let Fault::Write(left, _) = fault {
                Some(left)
            } else {
                None
            }
        });
        let len = match due {
            Some(Fault::Write(_, sectors)) => data.len().min((sectors * SECTOR) as usize),
            _ => data.len(),
        };
        inner.now.write(offset, &data[..len])?;
        if len > 0 {
            let data = data[..len].into();
            inner.events.push(Event::Write(Write { offset, data }));
        }
        if due.is_some() { Err(broken()) } else { Ok(()) }
    }

    fn flush(&self) -> io::Result<()> {
        let mut inner = self.lock();
        let due = inner.due(|fault| {
            if let Fault::Flush(left, _) = fault {
                Some(left)
            } else {
                None
            }
        });
        match due {
            Some(Fault::Flush(_, visible)) => {
                inner.events.push(Event::FailedFlush { visible });
                if !visible {
                    inner.now = inner.durable.clone();
                }
                Err(broken())
            }
            _ => {
                inner.now.settle();
                inner.durable = inner.now.clone();
                inner.events.push(Event::Flush);
                Ok(())
            }
        }
    }
}
