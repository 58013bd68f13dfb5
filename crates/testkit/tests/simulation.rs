//! A bounded part of `scripts/simulate`: schedules without a violation, and every deliberate fault caught.
//! `CLAVIGER_SCHEDULES`: how many.

#![expect(clippy::disallowed_macros, reason = "figures belong into the test's output")]

use anyhow::{Result, ensure};
use testkit::poll::Poll;
use testkit::sim::{Fault, Options, Watch, catch, replay, run};

/// `./test` goes on after this time, however slow the machine is.
struct Limit(Poll);

impl Watch for Limit {
    fn progress(&self, _: u64) -> bool {
        self.0.seconds() < 25.0
    }
}

fn options(count: u64, fault: Option<Fault>) -> Options {
    Options {
        from: 0,
        count,
        threads: 2,
        fault,
    }
}

#[test]
fn no_schedule_breaks_a_promise() -> Result<()> {
    let count = std::env::var("CLAVIGER_SCHEDULES").map_or(Ok(4_000), |text| text.parse())?;
    let summary = run(&options(count, None), &Limit(Poll::until_minutes(60)));
    println!("{} schedules, {} steps", summary.schedules, summary.steps);
    if let Some(failure) = &summary.failure {
        println!("{}\n{}", failure.story, failure.file);
    }
    ensure!(
        summary.failure.is_none(),
        "a promise is broken: {:?}",
        summary.failure.map(|f| f.violation)
    );
    ensure!(
        summary.schedules > 100,
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
    let summary = run(&options(200, fault), &Limit(Poll::until_minutes(60)));
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
