//! `scripts/kills N`: agent and server are killed N times each.

#![expect(clippy::disallowed_macros, reason = "this is a program for a terminal")]

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use testkit::kills::{Note, Options, Whom, run};
use testkit::poll::Poll;
use testkit::process::Programs;

/// Kills agent and server, and checks that the promises hold.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many kills of each
    #[arg(default_value_t = 200)]
    kills: u32,
    /// Folder with the built programs
    #[arg(long, value_name = "DIR")]
    programs: PathBuf,
    /// Seed of files and instants, to see a failure again
    #[arg(long)]
    seed: Option<u64>,
    /// The agent only
    #[arg(long, conflicts_with = "server")]
    agent: bool,
    /// The server only
    #[arg(long)]
    server: bool,
    /// Keep the working folder and say where it is
    #[arg(long)]
    keep: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let folder = match tempfile::Builder::new().prefix("claviger-").tempdir() {
        Ok(folder) => folder,
        Err(error) => {
            eprintln!("no temporary folder: {error}");
            return ExitCode::FAILURE;
        }
    };
    let options = Options {
        programs: Programs(arguments.programs),
        dir: folder.path().join("kills"),
        seed: arguments.seed.unwrap_or_else(|| u64::from(std::process::id())),
        kills: arguments.kills,
        whom: match (arguments.agent, arguments.server) {
            (true, _) => Whom::Agent,
            (_, true) => Whom::Server,
            _ => Whom::Both,
        },
    };
    let clock = Poll::until_minutes(u64::MAX / 60);
    let shown = std::io::stderr().is_terminal();
    let clear = if shown { "\r\x1b[K" } else { "" };
    let result = run(&options, &mut |note| match note {
        Note::Line(line) => println!("{clear}{line}"),
        Note::Progress(text) if shown => eprint!("{clear}{text} ({:.0} s)", clock.seconds()),
        Note::Progress(_) => {}
    });
    if arguments.keep {
        println!("{clear}kept: {}", folder.keep().display());
    }
    match result {
        Ok(()) => {
            println!("{clear}All of it holds ({:.0} s).", clock.seconds());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{clear}FAILED: {error:#}");
            ExitCode::FAILURE
        }
    }
}
