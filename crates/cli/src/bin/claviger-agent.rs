//! The device's program.

use std::process::ExitCode;

use clap::Parser;
use cli::agent_program::{Arguments, run};

fn main() -> ExitCode {
    cli::logging::start("warn");
    run(&Arguments::parse()).unwrap_or_else(|error| cli::logging::fail(&error))
}
