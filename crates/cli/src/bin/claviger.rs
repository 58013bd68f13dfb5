//! The server's and the technician's program.

use std::process::ExitCode;

use clap::Parser;
use cli::program::{Arguments, run};

fn main() -> ExitCode {
    cli::logging::start("info,fuser=error");
    run(&Arguments::parse()).map_or_else(|error| cli::logging::fail(&error), cli::terminal::finish)
}
