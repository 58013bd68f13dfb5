//! How long to wait after failures, so that ten thousand devices do not come back in the same second.

use std::time::Duration;

use rand_core::CryptoRng;

/// First pause.
const FIRST: Duration = Duration::from_secs(1);
/// Longest pause.
const LONGEST: Duration = Duration::from_secs(300);

/// Counts failures in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// All is well again.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// The pause after one more failure: doubling up to a cap, and somewhere in its upper half.
    pub(crate) fn next(&mut self, rng: &mut dyn CryptoRng) -> Duration {
        let doubled = FIRST.saturating_mul(1 << self.failures.min(16)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        doubled / 2 + jitter(doubled / 2, rng)
    }
}

/// Somewhere between nothing and `most`.
pub(crate) fn jitter(most: Duration, rng: &mut dyn CryptoRng) -> Duration {
    let millis = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(rng.next_u64() % millis.saturating_add(1).max(1))
}

#[cfg(test)]
mod tests {
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    #[test]
    fn pauses_double_up_to_five_minutes_and_start_over_after_success() {
        let mut rng = rand_chacha::ChaCha20Rng::from_seed([7; 32]);
        let mut backoff = Backoff::default();
        for step in 0..40 {
            let full = Duration::from_secs(1 << step.min(16)).min(Duration::from_secs(300));
            let pause = backoff.next(&mut rng);
            assert!(pause >= full / 2 && pause <= full, "step {step}: {pause:?} of {full:?}");
        }
        backoff.reset();
        assert!(backoff.next(&mut rng) <= Duration::from_secs(1));
    }

    #[test]
    fn two_devices_do_not_pause_equally_long() {
        let pauses = |seed| {
            let mut rng = rand_chacha::ChaCha20Rng::from_seed([seed; 32]);
            let mut backoff = Backoff::default();
            (0..8).map(|_| backoff.next(&mut rng)).collect::<Vec<_>>()
        };
        assert_ne!(pauses(1), pauses(2));
    }
}
