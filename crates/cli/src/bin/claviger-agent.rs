//! The device's program.

use std::process::ExitCode;

use clap::Parser;
use cli::agent_program::{Arguments, run};

fn main() -> ExitCode {
    cli::logging::start("warn");
    run(&Arguments::parse()).map_or_else(|error| cli::logging::fail(&error), cli::terminal::finish)
}
