//! Many schedules on several threads, counted; faults, and how soon each is caught; one schedule from a file.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use super::choice::PolicyChoice;
use super::event::Timed;
use super::faults::Fault;
use super::generate::{Schedule, schedule};
use super::play::play;
use super::promises::Violation;
use super::shrink::shrink;
use super::store::Replica;

/// What to play.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The first schedule's seed; the others follow.
    pub from: u64,
    /// How many.
    pub count: u64,
    /// Threads.
    pub threads: usize,
    /// What stands for the server.
    pub way: Way,
    /// A deliberate fault, to see it caught.
    pub fault: Option<Fault>,
}

/// What stands for the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Way {
    /// A model of its handlers and its store.
    #[default]
    Model,
    /// The real server and its SQLite store, beside the model; so it is always for faults of the real server.
    Real,
}

/// What was played.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Schedules.
    pub schedules: u64,
    /// Everything below this seed was played.
    pub next: u64,
    /// Steps of the world: messages, actions, commits, events from outside.
    pub steps: u64,
    /// Events from outside, by kind.
    pub events: BTreeMap<&'static str, u64>,
    /// The first failure.
    pub failure: Option<Failure>,
}

/// A broken promise, with all that is needed to see it again.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The schedule's seed.
    pub seed: u64,
    /// What is broken.
    pub violation: Violation,
    /// The schedule, made small, as a file for `--replay`.
    pub file: String,
    /// What happens in it, in lines.
    pub story: String,
}

/// Tells how far things are, and may ask to stop.
pub trait Watch: Sync {
    /// So many schedules are done. False: stop.
    fn progress(&self, schedules: u64) -> bool;
}

/// Schedules that a thread takes at once.
fn at_once(options: &Options) -> u64 {
    match options.way {
        Way::Model => 64,
        Way::Real => 4,
    }
}

/// Plays schedules until all are done, one fails, or `watch` says to stop.
pub fn run(options: &Options, watch: &dyn Watch) -> Summary {
    let at_once = at_once(options);
    let next = AtomicU64::new(options.from);
    let stop = AtomicBool::new(false);
    let end = options.from.saturating_add(options.count);
    let total = Mutex::new(Summary::default());
    std::thread::scope(|scope| {
        for _ in 0..options.threads.max(1) {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let first = next.fetch_add(at_once, Ordering::Relaxed);
                    if first >= end {
                        break;
                    }
                    let part = chunk(first, end.min(first + at_once), options);
                    let failed = part.failure.is_some();
                    let mut total = total.lock().unwrap_or_else(PoisonError::into_inner);
                    total.add(part);
                    if failed || !watch.progress(total.schedules) {
                        stop.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let mut total = total.into_inner().unwrap_or_else(PoisonError::into_inner);
    total.next = next.into_inner().min(end);
    if let Some(failure) = &mut total.failure {
        *failure = explain(&schedule(failure.seed), options, failure.violation.clone());
    }
    total
}

fn chunk(from: u64, to: u64, options: &Options) -> Summary {
    let mut summary = Summary::default();
    for seed in from..to {
        let schedule = schedule(seed);
        let played = play(&schedule, options.way, options.fault, false);
        summary.schedules += 1;
        summary.steps += played.steps;
        for timed in &schedule.events {
            *summary.events.entry(timed.event.name()).or_default() += 1;
        }
        if let Some(violation) = played.violation {
            summary.failure = Some(Failure {
                seed,
                violation,
                file: String::new(),
                story: String::new(),
            });
            break;
        }
    }
    summary
}

impl Summary {
    fn add(&mut self, part: Self) {
        self.schedules += part.schedules;
        self.steps += part.steps;
        for (name, count) in part.events {
            *self.events.entry(name).or_default() += count;
        }
        let earlier = |old: &Failure, new: &Failure| new.seed < old.seed;
        match (&self.failure, part.failure) {
            (None, new) => self.failure = new,
            (Some(old), Some(new)) if earlier(old, &new) => self.failure = Some(new),
            _ => {}
        }
    }
}

fn explain(schedule: &Schedule, options: &Options, violation: Violation) -> Failure {
    let (way, fault) = (options.way, options.fault);
    let small = shrink(schedule, way, fault);
    let played = play(&small, way, fault, true);
    Failure {
        seed: schedule.seed,
        violation: played.violation.unwrap_or(violation),
        file: write(&small, way, fault),
        story: tell(&small, &played.trace),
    }
}

fn tell(schedule: &Schedule, trace: &[String]) -> String {
    let mut story = format!("replica {:?}; policy at first: {}\n", schedule.replica, schedule.policy);
    for timed in &schedule.events {
        story.push_str(&format!("{timed}\n"));
    }
    story.push_str("-- what followed\n");
    for line in trace {
        story.push_str(line);
        story.push('\n');
    }
    story
}

/// First line of a file: what is not an event.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    seed: u64,
    policy: PolicyChoice,
    synchronous_replica: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    real: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fault: Option<String>,
}

fn write(schedule: &Schedule, way: Way, fault: Option<Fault>) -> String {
    let head = Head {
        seed: schedule.seed,
        policy: schedule.policy,
        synchronous_replica: schedule.replica == Replica::Synchronous,
        real: way == Way::Real,
        fault: fault.map(|fault| format!("{fault:?}")),
    };
    let mut text = serde_json::to_string(&head).unwrap_or_default();
    text.push('\n');
    for timed in &schedule.events {
        text.push_str(&serde_json::to_string(timed).unwrap_or_default());
        text.push('\n');
    }
    text
}

/// Plays the schedule of a file: what happens, and what is broken.
///
/// # Errors
/// When the file is not one of ours.
pub fn replay(text: &str) -> Result<(String, Option<Violation>)> {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let head: Head = serde_json::from_str(lines.next().context("the file is empty")?).context("line 1")?;
    let mut events: Vec<Timed> = Vec::new();
    for (n, line) in lines.enumerate() {
        events.push(serde_json::from_str(line).with_context(|| format!("line {}", n + 2))?);
    }
    let fault = head.fault.as_deref().map(fault).transpose()?;
    let schedule = Schedule {
        seed: head.seed,
        policy: head.policy.plainly(),
        replica: if head.synchronous_replica {
            Replica::Synchronous
        } else {
            Replica::Asynchronous
        },
        events,
    };
    let way = if head.real { Way::Real } else { Way::Model };
    let played = play(&schedule, way, fault, true);
    Ok((tell(&schedule, &played.trace), played.violation))
}

/// A fault by its name.
///
/// # Errors
/// When there is none of that name.
pub fn fault(name: &str) -> Result<Fault> {
    let found = Fault::ALL.iter().find(|fault| format!("{fault:?}") == name);
    match found {
        Some(fault) => Ok(*fault),
        None => bail!("there is no fault {name}"),
    }
}

/// How a fault was caught.
#[derive(Clone, Debug)]
pub struct Caught {
    /// The fault.
    pub fault: Fault,
    /// After how many schedules: median over the attempts.
    pub median: u64,
    /// The slowest attempt.
    pub slowest: u64,
    /// By which promises, how often.
    pub by: BTreeMap<&'static str, u32>,
}

/// Plays with a fault until it is caught, several times from different seeds.
///
/// # Errors
/// When it is not caught within `most` schedules.
pub fn catch(fault: Fault, attempts: u64, most: u64) -> Result<Caught> {
    let mut needed = Vec::new();
    let mut by = BTreeMap::new();
    for attempt in 0..attempts {
        let first = attempt << 32;
        let mut caught = None;
        for n in 0..most {
            if let Some(violation) = play(&schedule(first + n), Way::Model, Some(fault), false).violation {
                caught = Some((n + 1, violation.promise));
                break;
            }
        }
        let Some((schedules, promise)) = caught else {
            bail!("{fault:?} is not caught within {most} schedules from {first}");
        };
        needed.push(schedules);
        *by.entry(promise).or_default() += 1;
    }
    needed.sort_unstable();
    ensure!(!needed.is_empty(), "no attempt");
    Ok(Caught {
        fault,
        median: needed[needed.len() / 2],
        slowest: needed[needed.len() - 1],
        by,
    })
}
