//! Which code stretches how many at once.

use super::{Job, Words, portable};
#[cfg(target_arch = "x86_64")]
use crate::crypto::kernels::x86;

/// The ways to stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Up to sixteen lanes side by side: the SHA instructions and AVX2, or more.
    Mixed16,
    /// Up to eight lanes side by side, likewise.
    Mixed8,
    /// The SHA instructions, one lane or two interleaved: the hash of one lane waits for itself half of the time.
    ShaNi,
    /// The `sha2` crate, one lane after the other.
    Portable,
}

impl Engine {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Mixed16, Self::Mixed8, Self::ShaNi, Self::Portable];

    /// Whether this processor can run it.
    #[must_use]
    pub fn is_available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Mixed16 | Self::Mixed8 => x86::has_sha_ni() && x86::has_avx2(),
            #[cfg(target_arch = "x86_64")]
            Self::ShaNi => x86::has_sha_ni(),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Mixed16 | Self::Mixed8 | Self::ShaNi => false,
            Self::Portable => true,
        }
    }

    /// Stretches every job; `None` when this processor does not run the engine.
    pub(crate) fn run(self, jobs: &[Job], rounds: u32) -> Option<Vec<Words>> {
        if !self.is_available() {
            return None;
        }
        let mut results = Vec::with_capacity(jobs.len());
        for chunk in jobs.chunks(self.lanes()) {
            results.extend(match self {
                #[cfg(target_arch = "x86_64")]
                Self::Mixed16 => x86::stretch_mixed_16(chunk, rounds)?,
                #[cfg(target_arch = "x86_64")]
                Self::Mixed8 => x86::stretch_mixed_8(chunk, rounds)?,
                #[cfg(target_arch = "x86_64")]
                Self::ShaNi => x86::stretch_sha_ni(chunk, rounds)?,
                _ => chunk.iter().map(|job| portable::run(job, rounds)).collect(),
            });
        }
        Some(results)
    }

    /// Jobs that it takes at a time.
    fn lanes(self) -> usize {
        match self {
            Self::Mixed16 => 16,
            Self::Mixed8 => 8,
            Self::ShaNi => 2,
            Self::Portable => 1,
        }
    }
}

/// Stretches every job by whatever is fastest for so many.
pub(crate) fn run(jobs: &[Job], rounds: u32) -> Vec<Words> {
    let mut results = Vec::with_capacity(jobs.len());
    let mut rest = jobs;
    while !rest.is_empty() {
        let engine = best_for(rest.len());
        let (chunk, later) = rest.split_at(engine.lanes().min(rest.len()));
        rest = later;
        results.extend(engine.run(chunk, rounds).unwrap_or_default());
    }
    results
}

/// The fastest for this many jobs.
fn best_for(count: usize) -> Engine {
    let wished = match count {
        11.. => Engine::Mixed16,
        4..=10 => Engine::Mixed8,
        _ => Engine::ShaNi,
    };
    let order = [wished, Engine::Mixed8, Engine::ShaNi, Engine::Portable];
    order
        .into_iter()
        .find(|engine| engine.is_available())
        .unwrap_or(Engine::Portable)
}
