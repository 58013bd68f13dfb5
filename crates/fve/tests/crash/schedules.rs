//! As many random schedules as one likes: `scripts/crash-schedules`.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::convert::{self, Conversion};
use crate::fresh::{Create, Deinitialise, Initialise};
use crate::protect::{Changes, Kind};
use crate::reencrypt::Reencrypt;
use crate::reserve::{Plain, Reserve};
use crate::run::{self, Scenario, Tally};
use crate::shape::Start;

/// Cuts of one operation before the next is recorded.
const BLOCK: u64 = 500;

type Make = fn(&mut ChaCha8Rng) -> Box<dyn Scenario>;

fn conversion(script: &convert::Script, rng: &mut ChaCha8Rng) -> Box<dyn Scenario> {
    let start = Start::pick(rng);
    Box::new(Conversion::record(script, start, rng))
}

fn changes(kind: Kind, rng: &mut ChaCha8Rng) -> Box<dyn Scenario> {
    let start = Start::pick(rng);
    // New passwords cost a stretch each.
    let count = if matches!(kind, Kind::Rotation | Kind::MasterKey) {
        4
    } else {
        12
    };
    Box::new(Changes::record(kind, count, &start, rng))
}

/// The operations, each as often as it is listed.
const OPERATIONS: &[Make] = &[
    |rng| conversion(&convert::ENCRYPT, rng),
    |rng| conversion(&convert::DECRYPT, rng),
    |rng| conversion(&convert::TURNS, rng),
    |rng| conversion(&convert::BUSY, rng),
    |rng| conversion(&convert::FAULTS, rng),
    |rng| Box::new(Reencrypt::record(Start::pick(rng), true, rng)),
    |rng| changes(Kind::Protectors, rng),
    |rng| changes(Kind::Rotation, rng),
    |rng| changes(Kind::MasterKey, rng),
    |rng| changes(Kind::Damaged, rng),
    |rng| Box::new(Initialise::record(Start::pick(rng), rng)),
    |rng| Box::new(Deinitialise::record(Start::pick(rng))),
    |rng| Box::new(Create::record(Start::pick(rng), rng)),
    |rng| Box::new(Reserve::record(false, 8, Plain::pick(rng))),
    |rng| Box::new(Reserve::record(true, 8, Plain::pick(rng))),
];

/// Block `number` of the run with this seed: always the same.
fn block(seed: u64, number: u64) -> (&'static str, Result<Tally, String>) {
    let rng = &mut ChaCha8Rng::seed_from_u64(seed.wrapping_mul(1_000_003).wrapping_add(number));
    let scenario = OPERATIONS[number as usize % OPERATIONS.len()](rng);
    (scenario.name(), run::at_random(scenario.as_ref(), BLOCK as usize, rng))
}

fn setting<T: FromStr>(name: &str, otherwise: T) -> T {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(otherwise)
}

#[test]
#[ignore = "runs for minutes or hours: scripts/crash-schedules"]
fn as_many_random_schedules_as_asked_for_lose_nothing() {
    let (seed, first) = (run::seed(), setting("CLAVIGER_CRASH_FROM", 0));
    let blocks = first..first + setting("CLAVIGER_CRASH_SCHEDULES", 100_000_u64).div_ceil(BLOCK);
    let (next, done) = (AtomicU64::new(blocks.start), AtomicU64::new(0));
    let tallies: Mutex<BTreeMap<&str, Tally>> = Mutex::default();
    let losses: Mutex<Vec<String>> = Mutex::default();
    #[expect(clippy::disallowed_methods, reason = "a person waits for the progress lines")]
    let begun = Instant::now();
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= blocks.end {
                break;
            }
            let (name, outcome) = block(seed, number);
            let mut tallies = tallies.lock().unwrap_or_else(PoisonError::into_inner);
            match outcome {
                Ok(tally) => {
                    let sum = tallies.entry(name).or_default();
                    sum.cuts += tally.cuts;
                    sum.nested += tally.nested;
                }
                Err(loss) => {
                    eprintln!("LOSS in block {number}: {loss}");
                    losses.lock().unwrap_or_else(PoisonError::into_inner).push(loss);
                }
            }
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            let total = blocks.end - blocks.start;
            if done % 10 == 0 || done == total {
                let seconds = begun.elapsed().as_secs();
                let _ = writeln!(
                    std::io::stderr(),
                    "{:>7} of {} schedules, {seconds} s; resume: --seed {seed} --from {}",
                    done * BLOCK,
                    total * BLOCK,
                    number.saturating_sub(1)
                );
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..setting("CLAVIGER_CRASH_THREADS", 2) {
            scope.spawn(work);
        }
    });
    let tallies = tallies.into_inner().unwrap_or_else(PoisonError::into_inner);
    for (name, Tally { cuts, nested }) in &tallies {
        println!("{cuts:>8} schedules, {nested:>7} of them cut again while going on: {name}");
    }
    let losses = losses.into_inner().unwrap_or_else(PoisonError::into_inner);
    let (cuts, nested) = tallies
        .values()
        .fold((0, 0), |sum, tally| (sum.0 + tally.cuts, sum.1 + tally.nested));
    println!(
        "{cuts:>8} schedules, {nested:>7} of them nested: all; {} losses",
        losses.len()
    );
    assert!(losses.is_empty(), "{losses:#?}");
}
