//! A bounded part of `scripts/simulate`: schedules without a violation, against the model and beside the real server, and
//! every deliberate fault caught. `CLAVIGER_SCHEDULES`, `CLAVIGER_REAL_SCHEDULES`: how many.

#![expect(clippy::disallowed_macros, reason = "figures belong into the test's output")]

use anyhow::{Result, ensure};
use testkit::poll::Poll;
use testkit::sim::{Fault, Options, Summary, Watch, Way, catch, replay, run};

/// `./test` goes on after this time, however slow the machine is.
struct Limit(Poll, f64);

impl Watch for Limit {
    fn progress(&self, _: u64) -> bool {
        self.0.seconds() < self.1
    }
}

fn options(count: u64, fault: Option<Fault>) -> Options {
    Options {
        from: 0,
        count,
        threads: 2,
        way: Way::Model,
        fault,
    }
}

#[test]
fn no_schedule_breaks_a_promise() -> Result<()> {
    let count = std::env::var("CLAVIGER_SCHEDULES").map_or(Ok(4_000), |text| text.parse())?;
    let summary = run(&options(count, None), &Limit(Poll::until_minutes(60), 25.0));
    nothing_is_broken(&summary, 100)
}

#[test]
fn no_schedule_breaks_a_promise_beside_the_real_server() -> Result<()> {
    let count = std::env::var("CLAVIGER_REAL_SCHEDULES").map_or(Ok(256), |text| text.parse())?;
    let real = Options {
        way: Way::Real,
        ..options(count, None)
    };
    nothing_is_broken(&run(&real, &Limit(Poll::until_minutes(60), 20.0)), 20)
}

fn nothing_is_broken(summary: &Summary, fewest: u64) -> Result<()> {
    println!("{} schedules, {} steps", summary.schedules, summary.steps);
    if let Some(failure) = &summary.failure {
        println!("{}\n{}", failure.story, failure.file);
    }
    ensure!(
        summary.failure.is_none(),
        "a promise is broken: {:?}",
        summary.failure.as_ref().map(|f| &f.violation)
    );
    ensure!(
        summary.schedules >= fewest,
        "only {} schedules in that time",
        summary.schedules
    );
    Ok(())
}

#[test]
fn every_deliberate_fault_is_caught() -> Result<()> {
    for fault in Fault::ALL {
        let caught = catch(*fault, 1, 4_000)?;
        println!("{:>5}  {}  {:?}", caught.median, fault.sentence(), caught.by);
    }
    Ok(())
}

#[test]
fn a_failing_schedule_is_made_small_and_replays() -> Result<()> {
    let fault = Some(Fault::EscrowLeftOut);
    let summary = run(&options(200, fault), &Limit(Poll::until_minutes(60), 25.0));
    let Some(failure) = summary.failure else {
        anyhow::bail!("the fault was not caught");
    };
    ensure!(failure.file.lines().count() <= 4, "not small:\n{}", failure.file);
    let (_, violation) = replay(&failure.file)?;
    ensure!(
        violation == Some(failure.violation),
        "the replay breaks something else: {violation:?}"
    );
    Ok(())
}
