//! Walks through what an operation did and cuts the power: everywhere in every way, or at random.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use fve::io::ReadAt;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::disk::{Disk, SECTOR};
use crate::fates;
use crate::recorder::{Event, Recorder, Write};

/// An operation as it went without a power cut.
pub(crate) struct Trace {
    pub(crate) start: Disk,
    pub(crate) events: Vec<Event>,
    /// What the file system inside holds at the start.
    pub(crate) view: View,
}

/// What the file system inside is entitled to find.
#[derive(Clone)]
pub(crate) struct View {
    pub(crate) sure: Disk,
    /// Written and not flushed: old or new, sector by sector.
    maybe: Vec<Write>,
    /// Sectors of the view that are nobody's.
    pub(crate) open: Vec<Range<u64>>,
}

impl View {
    pub(crate) fn new(sure: Disk, open: Vec<Range<u64>>) -> Self {
        Self {
            sure,
            maybe: Vec::new(),
            open,
        }
    }

    /// Compares all of it.
    pub(crate) fn check(&self, actual: &dyn ReadAt) -> Result<(), String> {
        self.check_range(actual, 0..self.sure.len())
    }

    /// Compares the sectors of `range`.
    pub(crate) fn check_range(&self, actual: &dyn ReadAt, range: Range<u64>) -> Result<(), String> {
        let [mut seen, mut sure] = [0, 1].map(|_| vec![0; (range.end - range.start) as usize]);
        actual
            .read_at(range.start, &mut seen)
            .map_err(|error| format!("reading the view: {error}"))?;
        self.sure.read(range.start, &mut sure).unwrap();
        if seen == sure {
            return Ok(());
        }
        for (index, (seen, sure)) in seen
            .chunks(SECTOR as usize)
            .zip(sure.chunks(SECTOR as usize))
            .enumerate()
        {
            let at = range.start + index as u64 * SECTOR;
            let entitled = seen == sure
                || self.open.iter().any(|open| open.contains(&at))
                || self
                    .maybe
                    .iter()
                    .any(|write| write.touches(at, at + SECTOR) && holds(write, at, seen));
            if !entitled {
                return Err(format!("the sector at {at} is lost"));
            }
        }
        Ok(())
    }
}

/// Whether `seen` is what `write` has for the sector at `at`. Inner writes are whole sectors.
fn holds(write: &Write, at: u64, seen: &[u8]) -> bool {
    let start = (at - write.offset) as usize;
    write.data.get(start..start + seen.len()) == Some(seen)
}

/// What may be asked of a disk after a cut.
#[derive(Clone)]
pub(crate) struct Cut {
    /// State acknowledged last, and the one that was being worked towards.
    pub(crate) states: Vec<usize>,
    /// Whether nothing more was being worked towards.
    pub(crate) acknowledged: bool,
    pub(crate) view: View,
    /// Whether to carry the interrupted work through to its end.
    pub(crate) thorough: bool,
}

/// An operation, and what it promises.
pub(crate) trait Scenario {
    fn name(&self) -> &'static str;
    fn trace(&self) -> &Trace;
    /// Whether the disk may tear inside of this sector: whoever wrote it must notice.
    fn torn(&self, sector: u64) -> bool;
    /// How many sectors the disk writes at once.
    fn atom(&self) -> u64 {
        1
    }
    /// Opens the disk, checks it and goes on.
    fn judge(&self, disk: &Recorder, cut: &Cut, rng: &mut ChaCha8Rng) -> Result<(), String>;
}

/// How many schedules were run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Cuts of the operation.
    pub(crate) cuts: u64,
    /// Of them: with a second, third or fourth cut while going on.
    pub(crate) nested: u64,
}

/// Every cut between two flushes, with every set of pieces (see [`fates`]).
pub(crate) fn exhaust(scenario: &dyn Scenario, rng: &mut ChaCha8Rng) -> Result<Tally, String> {
    let trace = scenario.trace();
    let mut walker = Walker::new(trace);
    let mut tally = Tally::default();
    for index in 0..=trace.events.len() {
        if matches!(trace.events.get(index), Some(Event::Write(_) | Event::Inner(_))) {
            walker.step(index, None);
            continue;
        }
        let pieces = fates::pieces(&walker.unflushed, scenario.atom());
        for (number, set) in fates::sets(pieces.len(), rng).into_iter().enumerate() {
            let disk = fates::with_pieces(&walker.durable, &walker.unflushed, &pieces, &set);
            let cut = walker.cut(index, number % 8 == 0);
            judge(scenario, disk, &cut, rng)
                .map_err(|loss| format!("{}: cut at event {index}, pieces {set:?}: {loss}", scenario.name()))?;
            tally.cuts += 1;
        }
        walker.step(index, None);
    }
    Ok(tally)
}

/// `count` cuts at random, a third of them with further cuts while going on.
pub(crate) fn at_random(scenario: &dyn Scenario, count: usize, rng: &mut ChaCha8Rng) -> Result<Tally, String> {
    let trace = scenario.trace();
    let mut places: Vec<usize> = (0..count).map(|_| rng.random_range(0..=trace.events.len())).collect();
    places.sort_unstable();
    let mut places = places.into_iter().peekable();
    let mut walker = Walker::new(trace);
    let mut tally = Tally::default();
    for index in 0..=trace.events.len() {
        while places.next_if_eq(&index).is_some() {
            let disk = fates::at_random(
                &walker.durable,
                &walker.unflushed,
                scenario.atom(),
                &|sector| scenario.torn(sector),
                rng,
            );
            let cut = walker.cut(index, rng.random_ratio(1, 4));
            let depth = if rng.random_ratio(1, 3) {
                rng.random_range(1..=3)
            } else {
                0
            };
            let deeper = nest(scenario, disk, &cut, depth, rng).map_err(|loss| {
                format!(
                    "{}: cut at event {index}: {loss}\n{}",
                    scenario.name(),
                    tail(&trace.events[..index])
                )
            })?;
            tally.cuts += 1;
            tally.nested += u64::from(deeper);
        }
        walker.step(index, Some(rng));
    }
    Ok(tally)
}

/// The last events before a loss.
fn tail(events: &[Event]) -> String {
    let line = |(index, event): (usize, &Event)| match event {
        Event::Write(write) => format!("{index}: write {}..{}", write.offset, write.end()),
        Event::Inner(write) => format!("{index}: inner write {}..{}", write.offset, write.end()),
        other => format!("{index}: {other:?}"),
    };
    let lines: Vec<_> = events
        .iter()
        .enumerate()
        .skip(events.len().saturating_sub(40))
        .map(line)
        .collect();
    lines.join("\n")
}

/// Judges, then cuts what the judge did: whether there was anything to cut.
fn nest(scenario: &dyn Scenario, disk: Disk, cut: &Cut, depth: usize, rng: &mut ChaCha8Rng) -> Result<bool, String> {
    let events = judge(scenario, disk.clone(), cut, rng)?;
    if depth == 0 || events.is_empty() {
        return Ok(false);
    }
    let trace = Trace {
        start: disk,
        events,
        view: cut.view.clone(),
    };
    // Recovery comes first, so that is where most of the cuts are.
    let place = (rng.random::<f64>().powi(3) * (trace.events.len() + 1) as f64) as usize;
    let mut walker = Walker::new(&trace);
    for index in 0..place {
        walker.step(index, Some(rng));
    }
    let disk = fates::at_random(
        &walker.durable,
        &walker.unflushed,
        scenario.atom(),
        &|sector| scenario.torn(sector),
        rng,
    );
    nest(scenario, disk, cut, depth - 1, rng).map_err(|loss| format!("then at event {place}: {loss}"))?;
    Ok(true)
}

/// What the scenario says, a panic being a loss; and what it did.
fn judge(scenario: &dyn Scenario, disk: Disk, cut: &Cut, rng: &mut ChaCha8Rng) -> Result<Vec<Event>, String> {
    let recorder = Recorder::new(disk);
    catch_unwind(AssertUnwindSafe(|| scenario.judge(&recorder, cut, rng)))
        .unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            Err(format!(
                "panic: {}",
                text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("?")
            ))
        })
        .map(|()| recorder.events())
}

/// The disk as events happen to it.
struct Walker<'a> {
    trace: &'a Trace,
    durable: Disk,
    unflushed: Vec<Write>,
    view: View,
    state: Option<usize>,
    /// For each event the state that is acknowledged at or after it.
    next: Vec<Option<usize>>,
}

impl<'a> Walker<'a> {
    fn new(trace: &'a Trace) -> Self {
        let mut next = vec![None; trace.events.len() + 1];
        for (index, event) in trace.events.iter().enumerate().rev() {
            next[index] = if let Event::Done(state) = event {
                Some(*state)
            } else {
                next[index + 1]
            };
        }
        Self {
            trace,
            durable: trace.start.clone(),
            unflushed: Vec::new(),
            view: trace.view.clone(),
            state: None,
            next,
        }
    }

    fn cut(&self, index: usize, thorough: bool) -> Cut {
        Cut {
            states: self.state.into_iter().chain(self.next[index]).collect(),
            acknowledged: self.next[index].is_none(),
            view: self.view.clone(),
            thorough,
        }
    }

    /// Lets event `index` happen. What a failed flush lets through is for chance to say, nothing without it.
    fn step(&mut self, index: usize, rng: Option<&mut ChaCha8Rng>) {
        match self.trace.events.get(index) {
            Some(Event::Write(write)) => self.unflushed.push(write.clone()),
            Some(Event::Flush) => {
                for write in self.unflushed.drain(..) {
                    self.durable.write(write.offset, &write.data).unwrap();
                }
                self.durable.settle();
                for write in self.view.maybe.drain(..) {
                    self.view.sure.write(write.offset, &write.data).unwrap();
                }
            }
            Some(Event::FailedFlush { visible }) => {
                let writes = std::mem::take(&mut self.unflushed);
                if let Some(rng) = rng.filter(|_| *visible) {
                    self.durable = fates::at_random(&self.durable, &writes, 1, &|_| false, rng);
                }
                // Whoever is told of it cannot count on these any more.
                for write in self.view.maybe.drain(..) {
                    self.view.open.push(write.offset..write.end());
                }
            }
            Some(Event::InnerFailed) => {
                self.view
                    .open
                    .extend(self.view.maybe.pop().map(|write| write.offset..write.end()));
            }
            Some(Event::Inner(write)) => self.view.maybe.push(write.clone()),
            Some(Event::Done(state)) => self.state = Some(*state),
            None => {}
        }
    }
}

/// The seed of a run: `CLAVIGER_SEED`, or always the same.
pub(crate) fn seed() -> u64 {
    let seed = std::env::var("CLAVIGER_SEED").ok().and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or(20_261_125);
    eprintln!("CLAVIGER_SEED={seed}");
    seed
}
