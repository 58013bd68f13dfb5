//! The model has teeth: what keeps the journal safe is taken away, a step at a time, and the loss is found.

use std::ops::Range;
use std::sync::Arc;

use fve::io::ReadAt;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

use crate::convert::{self, Conversion, ENCRYPT};
use crate::disk::Disk;
use crate::fresh::{Create, Initialise};
use crate::protect::{Changes, Kind};
use crate::recorder::{Event, Recorder, Write};
use crate::run::{self, Cut, Scenario, Trace};
use crate::shape::{Shape, Start};

/// A scenario over a device that did something else than it was told, or with a reader that is careless.
struct Mutant<'a> {
    scenario: &'a dyn Scenario,
    trace: Trace,
    reader: fn(&Shape, Disk) -> Disk,
    shape: Shape,
}

impl Scenario for Mutant<'_> {
    fn name(&self) -> &'static str {
        self.scenario.name()
    }

    fn trace(&self) -> &Trace {
        &self.trace
    }

    fn torn(&self, sector: u64) -> bool {
        self.scenario.torn(sector)
    }

    fn judge(&self, disk: &Recorder, cut: &Cut, rng: &mut ChaCha8Rng) -> Result<(), String> {
        let disk = Recorder::new((self.reader)(&self.shape, disk.disk()));
        self.scenario.judge(&disk, cut, rng)
    }
}

/// What an epoch - the writes between two flushes - was for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Sync {
    Record,
    Data,
    Copy,
}

fn touches(writes: &[&Write], range: &Range<u64>) -> bool {
    writes.iter().any(|write| write.touches(range.start, range.end))
}

fn kind(writes: &[&Write], shape: &Shape) -> Sync {
    if shape.metadata().iter().any(|copy| touches(writes, copy)) {
        Sync::Copy
    } else if touches(writes, &shape.log()) {
        Sync::Record
    } else {
        Sync::Data
    }
}

/// The events of a device that ignores flushes of one kind.
fn without_sync(trace: &Trace, shape: &Shape, ignored: Sync) -> Vec<Event> {
    let mut writes = Vec::new();
    let mut kept = Vec::new();
    for event in &trace.events {
        match event {
            Event::Write(write) => writes.push(write),
            Event::Flush if !writes.is_empty() && kind(&std::mem::take(&mut writes), shape) == ignored => continue,
            _ => {}
        }
        kept.push(event.clone());
    }
    assert!(kept.len() < trace.events.len(), "there is no {ignored:?} to ignore");
    kept
}

fn with_events(trace: &Trace, events: Vec<Event>) -> Trace {
    Trace {
        start: trace.start.clone(),
        events,
        view: trace.view.clone(),
    }
}

/// A careful reader.
fn as_it_is(_: &Shape, disk: Disk) -> Disk {
    disk
}

/// Must find a loss in the mutant, and none in the original under the same cuts.
fn is_caught(what: &str, scenario: &dyn Scenario, shape: Shape, events: Vec<Event>, reader: fn(&Shape, Disk) -> Disk) {
    let mutant = Mutant {
        trace: with_events(scenario.trace(), events),
        scenario,
        reader,
        shape,
    };
    for round in 0..40 {
        if let Err(loss) = run::at_random(&mutant, 50, &mut ChaCha8Rng::seed_from_u64(round)) {
            eprintln!("{what}: {}", loss.lines().next().unwrap_or_default());
            return;
        }
    }
    panic!("{what}: nobody notices");
}

fn conversion() -> (Arc<Start>, Conversion) {
    let rng = &mut ChaCha8Rng::seed_from_u64(5);
    let start = convert::tiny(68, rng);
    let conversion = Conversion::record(&ENCRYPT, Arc::clone(&start), rng);
    (start, conversion)
}

#[test]
fn a_journal_without_one_of_its_syncs_is_caught() {
    let (start, conversion) = conversion();
    for ignored in [Sync::Record, Sync::Data, Sync::Copy] {
        let events = without_sync(&conversion.trace, &start.shape, ignored);
        is_caught(&format!("{ignored:?} sync"), &conversion, start.shape, events, as_it_is);
    }
    let none = conversion
        .trace
        .events
        .iter()
        .filter(|event| !matches!(event, Event::Flush));
    is_caught("any sync", &conversion, start.shape, none.cloned().collect(), as_it_is);
}

#[test]
fn a_metadata_update_without_barriers_between_its_copies_is_caught() {
    let rng = &mut ChaCha8Rng::seed_from_u64(6);
    let start = Start::pick(rng);
    let changes = Changes::record(Kind::Protectors, 6, &start, rng);
    let events = without_sync(changes.trace(), &start.shape, Sync::Copy);
    is_caught("barrier between copies", &changes, start.shape, events, as_it_is);
}

#[test]
fn a_log_that_is_not_cleared_at_the_end_is_caught() {
    let (start, conversion) = conversion();
    let ring = start.shape.log();
    let mut events = conversion.trace.events.clone();
    let clears = |event: &Event| matches!(event, Event::Write(write) if write.touches(ring.start, ring.end));
    // The last ones to touch the ring clear it.
    let last = events.iter().rposition(clears).unwrap();
    events.remove(last);
    is_caught("clearing the log", &conversion, start.shape, events, as_it_is);
}

#[test]
fn a_boot_sector_that_does_not_come_last_is_caught() {
    let rng = &mut ChaCha8Rng::seed_from_u64(7);
    let start = Start::pick(rng);
    let initialise = Initialise::record(Arc::clone(&start), rng);
    let create = Create::record(Arc::clone(&start), rng);
    for scenario in [&initialise as &dyn Scenario, &create] {
        let mut events = scenario.trace().events.clone();
        let boots = |event: &Event| matches!(event, Event::Write(write) if write.offset == 0 && write.data[3..11] == *b"-FVE-FS-");
        let boot = events.remove(events.iter().position(boots).unwrap());
        events.splice(0..0, [boot, Event::Flush]);
        is_caught("boot sector last", scenario, start.shape, events, as_it_is);
    }
}

#[test]
fn a_record_written_after_its_chunk_is_caught() {
    let (start, conversion) = conversion();
    let ring = start.shape.log();
    let mut events = conversion.trace.events.clone();
    let in_ring = |event: &Event| matches!(event, Event::Write(write) if write.touches(ring.start, ring.end));
    let records: Vec<usize> = (0..events.len()).filter(|&index| in_ring(&events[index])).collect();
    for index in records {
        // Record, sync, chunk: the first and the last change places.
        let chunk = matches!(events.get(index + 1), Some(Event::Flush))
            && matches!(events.get(index + 2), Some(Event::Write(write)) if !write.touches(ring.start, ring.end));
        if chunk {
            events.swap(index, index + 2);
        }
    }
    is_caught("record first", &conversion, start.shape, events, as_it_is);
}

const PAGE: u64 = 4096;

/// A reader that believes a record whatever its payload's hash says.
fn without_hash_check(shape: &Shape, mut disk: Disk) -> Disk {
    for at in (shape.log().start + PAGE..shape.log().end).step_by(PAGE as usize) {
        let mut page = vec![0; PAGE as usize];
        disk.read_at(at, &mut page).unwrap();
        let len = u64::from_le_bytes(page[64..72].try_into().unwrap());
        if page[..8] != *b"CLAVREC2"
            || Sha256::digest(&page[..104])[..] != page[104..136]
            || at + PAGE + len > disk.len()
        {
            continue;
        }
        let mut payload = vec![0; len as usize];
        disk.read_at(at + PAGE, &mut payload).unwrap();
        page[72..104].copy_from_slice(&Sha256::digest(&payload));
        let hash = Sha256::digest(&page[..104]);
        page[104..136].copy_from_slice(&hash);
        disk.write(at, &page).unwrap();
    }
    disk
}

#[test]
fn a_reader_that_does_not_check_the_hash_of_a_record_is_caught() {
    let (start, conversion) = conversion();
    let events = conversion.trace.events.clone();
    is_caught("hash of a record", &conversion, start.shape, events, without_hash_check);
}
