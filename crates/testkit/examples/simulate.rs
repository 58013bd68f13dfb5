//! `scripts/simulate`: virtual fleets through random misfortune, as many as one likes.

#![expect(clippy::disallowed_macros, reason = "this is a program for a terminal")]

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, bail};
use clap::Parser;
use testkit::poll::Poll;
use testkit::sim::{self, Fault, Options, Summary, Watch, Way};

/// Plays random histories of virtual fleets and checks the promises P1 to P6 after every event.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many schedules
    #[arg(default_value_t = 1_000_000)]
    count: u64,
    /// As long as this instead: 90s, 10m, 1h
    #[arg(long = "for", value_name = "TIME", value_parser = seconds)]
    time: Option<u64>,
    /// The first schedule's seed: goes on where an earlier run stopped
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Threads
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Beside the real server and its SQLite store instead of a model of them
    #[arg(long)]
    real: bool,
    /// Put in one deliberate fault, and see it caught
    #[arg(long, value_name = "NAME", value_parser = |name: &str| sim::fault(name).map_err(|e| e.to_string()))]
    fault: Option<Fault>,
    /// Every deliberate fault in turn: how soon and by which promise each is caught
    #[arg(long, conflicts_with_all = ["fault", "replay"])]
    faults: bool,
    /// Play the schedule of a file
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
    /// Where a failing schedule is written
    #[arg(long, value_name = "FILE", default_value = "failing-schedule.jsonl")]
    save: PathBuf,
}

fn seconds(text: &str) -> Result<u64, String> {
    let number = text.trim_end_matches(['s', 'm', 'h']);
    let unit = match &text[number.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err("90s, 10m or 1h".to_owned()),
    };
    number.parse::<u64>().map(|n| n * unit).map_err(|e| e.to_string())
}

struct Screen {
    clock: Poll,
    seconds: Option<u64>,
    count: u64,
    from: u64,
    shown: bool,
    last: AtomicU64,
    line: Mutex<()>,
}

impl Watch for Screen {
    fn progress(&self, schedules: u64) -> bool {
        let seconds = self.clock.seconds();
        let tenth = (seconds * 4.0) as u64;
        if self.shown
            && self.last.swap(tenth, Ordering::Relaxed) != tenth
            && let Ok(_line) = self.line.try_lock()
        {
            let rate = schedules as f64 / seconds.max(0.001);
            let left = match self.seconds {
                Some(limit) => limit as f64 - seconds,
                None => (self.count - schedules.min(self.count)) as f64 / rate.max(1.0),
            };
            eprint!(
                "\r\x1b[K{schedules} schedules, {rate:.0}/s, about {left:.0} s left; stop with Ctrl-C, go on with --from {}",
                self.from + schedules
            );
        }
        self.seconds.is_none_or(|limit| seconds < limit as f64)
    }
}

fn main() -> ExitCode {
    match play(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn play(arguments: &Arguments) -> Result<bool> {
    if let Some(file) = &arguments.replay {
        let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        let (story, violation) = sim::replay(&text)?;
        print!("{story}");
        match violation {
            Some(violation) => println!("BROKEN  {}: {}", violation.promise, violation.words),
            None => println!("All promises hold."),
        }
        return Ok(true);
    }
    if arguments.faults {
        return faults();
    }
    let screen = Screen {
        clock: Poll::until_minutes(u64::MAX / 60),
        seconds: arguments.time,
        count: arguments.count,
        from: arguments.from,
        shown: std::io::stderr().is_terminal(),
        last: AtomicU64::new(0),
        line: Mutex::new(()),
    };
    let options = Options {
        from: arguments.from,
        count: if arguments.time.is_some() {
            u64::MAX
        } else {
            arguments.count
        },
        threads: arguments.threads,
        way: if arguments.real { Way::Real } else { Way::Model },
        fault: arguments.fault,
    };
    let summary = sim::run(&options, &screen);
    tell(&summary, screen.clock.seconds(), arguments)
}

fn tell(summary: &Summary, seconds: f64, arguments: &Arguments) -> Result<bool> {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K");
    }
    println!(
        "{} schedules ({} to {}), {} steps, {seconds:.1} s, {:.0} schedules/s",
        summary.schedules,
        arguments.from,
        summary.next.saturating_sub(1),
        summary.steps,
        summary.schedules as f64 / seconds.max(0.001)
    );
    println!("events from outside:");
    for (name, count) in &summary.events {
        println!("  {count:>10}  {name}");
    }
    let Some(failure) = &summary.failure else {
        println!("violations: 0");
        return Ok(true);
    };
    println!("\nBROKEN  {}: {}", failure.violation.promise, failure.violation.words);
    println!("seed {}\n\n{}", failure.seed, failure.story);
    if std::fs::write(&arguments.save, &failure.file).is_err() {
        bail!("{} could not be written:\n{}", arguments.save.display(), failure.file);
    }
    println!("written to {0}; again with --replay {0}", arguments.save.display());
    Ok(false)
}

/// The table: fault, by which promise, after how many schedules.
fn faults() -> Result<bool> {
    let mut all = true;
    println!("{:>7} {:>8}  {:<58} caught by", "median", "slowest", "fault");
    for fault in Fault::ALL {
        match sim::catch(*fault, 5, 20_000) {
            Ok(caught) => {
                let by: Vec<String> = caught.by.iter().map(|(name, n)| format!("{name} ({n})")).collect();
                println!(
                    "{:>7} {:>8}  {:<58} {}",
                    caught.median,
                    caught.slowest,
                    fault.sentence(),
                    by.join(", ")
                );
            }
            Err(error) => {
                all = false;
                println!("{:>7} {:>8}  {:<58} NOT CAUGHT: {error}", "", "", fault.sentence());
            }
        }
    }
    Ok(all)
}
