//! Which code stretches how many at once.

use super::{Job, Words, portable};
#[cfg(target_arch = "x86_64")]
use crate::crypto::kernels::x86;

/// The ways to stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// The SHA instructions, one lane or two interleaved: the hash of one lane waits for itself half of the time.
    ShaNi,
    /// The `sha2` crate, one lane after the other.
    Portable,
}

impl Engine {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::ShaNi, Self::Portable];

    /// Whether this processor can run it.
    #[must_use]
    pub fn is_available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::ShaNi => x86::has_sha_ni(),
            #[cfg(not(target_arch = "x86_64"))]
            Self::ShaNi => false,
            Self::Portable => true,
        }
    }

    /// Stretches every job; `None` when this processor does not run the engine.
    pub(crate) fn run(self, jobs: &[Job], rounds: u64) -> Option<Vec<Words>> {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::ShaNi => x86::stretch_sha_ni(jobs, rounds),
            #[cfg(not(target_arch = "x86_64"))]
            Self::ShaNi => None,
            Self::Portable => Some(jobs.iter().map(|job| portable::run(job, rounds)).collect()),
        }
    }
}

/// Stretches every job by whatever is fastest for so many.
pub(crate) fn run(jobs: &[Job], rounds: u64) -> Vec<Words> {
    Engine::ALL
        .into_iter()
        .find_map(|engine| engine.run(jobs, rounds))
        .unwrap_or_default()
}
