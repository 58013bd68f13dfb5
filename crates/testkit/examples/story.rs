//! `./run --check`: the whole story on one machine, told with figures.

#![expect(clippy::disallowed_macros, reason = "this is a program for a terminal")]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use testkit::process::Programs;
use testkit::story::{Options, run};

/// Walks the whole story without a person.
#[derive(Debug, Parser)]
struct Arguments {
    /// Folder with the built programs
    #[arg(long, value_name = "DIR")]
    programs: PathBuf,
    /// Seed of the volumes' content
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many of the three devices
    #[arg(long, default_value_t = 3)]
    devices: usize,
    /// Multiplies the sizes of the volumes
    #[arg(long, default_value_t = 1)]
    scale: u64,
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
        dir: folder.path().join("story"),
        seed: arguments.seed,
        devices: arguments.devices,
        scale: arguments.scale,
    };
    let result = run(options, &mut |line| println!("{line}"));
    if arguments.keep {
        println!("kept: {}", folder.keep().display());
    }
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("FAILED: {error:#}");
            ExitCode::FAILURE
        }
    }
}
