//! Reading a volume with all processors: reading, decrypting and writing overlap.
//!
//! [`copy`] hands pieces to the target in any order, which suits a file; [`read_in_order`] hands them over one after
//! the other, which suits a pipe. Both hold a bounded number of buffers, which are zeroed in the end, and stop
//! when the progress callback says so.
//!
//! ```
//! use std::ops::ControlFlow;
//! use fve::io::MemoryDevice;
//! use fve::pipeline::{Parallel, read_in_order};
//!
//! let source = MemoryDevice::new(vec![7; 10_000_000]);
//! let mut received = Vec::new();
//! read_in_order(
//!     &source,
//!     0..10_000_000,
//!     &Parallel::default(),
//!     &mut |_offset, piece| {
//!         received.extend_from_slice(piece);
//!         Ok(())
//!     },
//!     &mut |_done| ControlFlow::Continue(()),
//! )?;
//! assert_eq!(received, vec![7; 10_000_000]);
//! # Ok::<(), fve::pipeline::CopyError>(())
//! ```

mod copy;
mod ordered;
mod sparse;

use std::io;
use std::num::NonZeroUsize;
use std::ops::{ControlFlow, Range};

pub use copy::copy;
pub use ordered::read_in_order;
pub use sparse::{data_runs, write_sparse};

use crate::io::ReadAt;

/// What a thread takes at once, and what progress is told in: 4 MiB.
const CHUNK: u64 = 4 << 20;
/// What is read, decrypted and written at once: small enough to stay in a processor's own cache on the way.
const PIECE: usize = 256 << 10;

/// Called with the number of bytes that are done without a gap from the start of the range; says whether to go on.
pub type OnProgress<'a> = &'a mut dyn FnMut(u64) -> ControlFlow<()>;

/// How many threads take part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parallel {
    /// Threads that read and decrypt.
    pub threads: NonZeroUsize,
}

impl Default for Parallel {
    /// One thread for each processor, and at least two, so that one reads while another waits for the target.
    fn default() -> Self {
        let processors = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self {
            threads: processors.max(NonZeroUsize::MIN.saturating_add(1)),
        }
    }
}

/// Why a copy ended before its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
    /// The source failed.
    #[error("reading at byte {offset}")]
    Read {
        /// Where the piece that failed begins; everything before it was read.
        offset: u64,
        /// Why.
        source: io::Error,
    },
    /// The target failed.
    #[error("writing the plain text")]
    Write(#[source] io::Error),
    /// The progress callback said so.
    #[error("stopped at byte {offset}")]
    Stopped {
        /// Everything before this byte of the source was handed over.
        offset: u64,
    },
    /// No thread could be started.
    #[error("starting a thread")]
    Thread(#[source] io::Error),
}

impl CopyError {
    /// Where it happened: of several errors the first in the source is told.
    fn rank(&self) -> u64 {
        match self {
            Self::Read { offset, .. } => *offset,
            _ => 0,
        }
    }
}

/// A range cut into chunks.
struct Chunks {
    range: Range<u64>,
    chunk: u64,
}

impl Chunks {
    fn get(&self, index: u64) -> Option<Range<u64>> {
        let start = self.range.start.checked_add(index.checked_mul(self.chunk)?)?;
        (start < self.range.end).then(|| start..self.range.end.min(start.saturating_add(self.chunk)))
    }
}

/// The pieces of a chunk.
fn pieces(chunk: Range<u64>) -> impl Iterator<Item = (u64, usize)> {
    chunk.clone().step_by(PIECE).map(move |at| {
        let left = usize::try_from(chunk.end - at).unwrap_or(PIECE);
        (at, left.min(PIECE))
    })
}

fn read(source: &dyn ReadAt, offset: u64, buffer: &mut [u8]) -> Result<(), CopyError> {
    source
        .read_at(offset, buffer)
        .map_err(|source| CopyError::Read { offset, source })
}
