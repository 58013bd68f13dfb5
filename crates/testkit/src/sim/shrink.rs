//! Making a failing schedule small: events are left out as long as the same promise stays broken.

use super::faults::Fault;
use super::generate::Schedule;
use super::play::play;
use super::run::Way;

/// Most replays for one failure.
const MOST: u32 = 2_000;

/// A schedule that breaks the same promise, with as few events as were found.
pub(super) fn shrink(schedule: &Schedule, way: Way, fault: Option<Fault>) -> Schedule {
    let Some(broken) = play(schedule, way, fault, false).violation else {
        return schedule.clone();
    };
    let mut best = schedule.clone();
    let mut replays = 0;
    let mut fails = |candidate: &Schedule| {
        replays += 1;
        let violation = play(candidate, way, fault, false).violation;
        (violation.is_some_and(|v| v.promise == broken.promise), replays < MOST)
    };
    let mut chunk = best.events.len().div_ceil(2).max(1);
    loop {
        let mut removed = false;
        let mut at = 0;
        while at < best.events.len() {
            let mut candidate = best.clone();
            let end = (at + chunk).min(candidate.events.len());
            candidate.events.drain(at..end);
            let (still, more) = fails(&candidate);
            if still {
                best = candidate;
                removed = true;
            } else {
                at += chunk;
            }
            if !more {
                return best;
            }
        }
        if chunk > 1 {
            chunk = chunk.div_ceil(2);
        } else if !removed {
            return best;
        }
    }
}
