//! How long things take.

use std::time::{Duration, Instant};

/// Runs it once.
pub(crate) fn time(run: impl FnOnce()) -> Duration {
    let start = Instant::now();
    run();
    start.elapsed()
}

/// The one in the middle.
pub(crate) fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// Runs two things in turns, ours first, so that what else the machine does meets both; the medians.
pub(crate) fn in_turns(
    runs: usize,
    mut ours: impl FnMut() -> Duration,
    mut peer: impl FnMut() -> Duration,
) -> (Duration, Duration) {
    let (mut our_times, mut peer_times) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        our_times.push(ours());
        peer_times.push(peer());
    }
    (median(our_times), median(peer_times))
}
