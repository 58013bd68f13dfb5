//! `claviger completions`: what a shell needs to complete the commands of both programs.

use anyhow::Result;
use clap::{CommandFactory, ValueEnum};
use clap_complete::{Shell, generate};

use crate::terminal::say;
use crate::{agent_program, program};

/// `claviger completions`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
    /// The program to be completed
    #[arg(long, value_enum, default_value = "claviger")]
    program: Program,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Program {
    /// The server's and the technician's
    Claviger,
    /// The device's
    ClavigerAgent,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let mut command = match args.program {
        Program::Claviger => program::Arguments::command(),
        Program::ClavigerAgent => agent_program::Arguments::command(),
    };
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    generate(args.shell, &mut command, name, &mut script);
    say(String::from_utf8_lossy(&script).trim_end());
    Ok(())
}
