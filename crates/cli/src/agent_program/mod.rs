//! `claviger-agent`: the device's program.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use agent::config::Config;
use agent::hooks::Hooks;
use agent::platform::linux::tpm::TpmAddress;
use agent::platform::linux::{LinuxConfig, LinuxProvider, VolumeConfig, kernel_boot_id};
use agent::{Deps, OnceOptions};
use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use tokio_util::sync::CancellationToken;

use crate::system::{SystemClock, forbid_core_dumps, system_rng};

mod answer;
mod bars;
mod fault;
mod status;

/// Keeps this device's drives as policy wants them, and its recovery keys with the server.
#[derive(Debug, Parser)]
#[command(name = "claviger-agent", version, arg_required_else_help = true)]
pub struct Arguments {
    /// Configuration file
    #[arg(long, global = true, default_value = "/etc/claviger/agent.toml", value_name = "FILE")]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run until stopped: check in, carry out, wait for the server's word
    Run {
        #[command(flatten)]
        fault: fault::Args,
    },
    /// One full round, then end. Exit code: 0 done, 3 a conversion still goes on, 4 something is blocked
    Once {
        /// Stay until conversions are finished and reported
        #[arg(long)]
        wait: bool,
        #[command(flatten)]
        given: answer::Given,
        #[command(flatten)]
        fault: fault::Args,
    },
    /// Answer what the running agent asks; `status` shows the question
    Answer {
        #[command(subcommand)]
        answer: answer::Args,
    },
    /// Show what the last round found, and what is asked
    Status {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

/// Carries a command out.
///
/// # Errors
/// In words for the person at the terminal.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    forbid_core_dumps().context("forbidding core dumps")?;
    let config = Config::load(&arguments.config)?;
    match &arguments.command {
        Command::Status { json } => status::show(&config, *json).map(|()| ExitCode::SUCCESS),
        Command::Answer { answer } => answer::run(&config, answer).map(|()| ExitCode::SUCCESS),
        Command::Run { fault } => {
            let hooks = hooks(fault);
            let deps = deps(&config)?;
            runtime()?.block_on(async {
                let cancel = cancel_on_signal()?;
                agent::run(config, deps, hooks, cancel).await?;
                Ok(ExitCode::SUCCESS)
            })
        }
        Command::Once { wait, given, fault } => {
            let hooks = hooks(fault);
            let mut deps = deps(&config)?;
            deps.pin = Box::new(given.read()?);
            let options = OnceOptions { wait: *wait };
            runtime()?.block_on(async {
                let cancel = cancel_on_signal()?;
                let outcome = agent::once(config, deps, hooks, options, cancel).await?;
                for blocked in &outcome.blocked {
                    crate::terminal::note(&format!("{}: {}", blocked.device, blocked.reason));
                }
                Ok(ExitCode::from(outcome.exit_code()))
            })
        }
    }
}

fn hooks(fault: &fault::Args) -> Hooks {
    Hooks {
        boundary: fault.boundary(),
        progress: Box::new(bars::Bars::new()),
    }
}

fn deps(config: &Config) -> Result<Deps> {
    let clock = Arc::new(SystemClock);
    let provider = LinuxProvider::new(linux_config(config)?, clock.clone(), Box::new(system_rng()))
        .context("the volume provider does not start")?;
    Ok(Deps::new(Box::new(provider), clock, Box::new(system_rng())))
}

/// Shortest PIN that a TPM protector takes. What policy asks for is checked when the PIN is chosen.
const MINIMUM_PIN: u8 = 4;

fn linux_config(config: &Config) -> Result<LinuxConfig> {
    let tpm = config
        .tpm
        .as_deref()
        .map(str::parse::<TpmAddress>)
        .transpose()
        .map_err(anyhow::Error::msg)?;
    let volumes = config.volumes.iter().map(|v| VolumeConfig {
        path: v.path.clone(),
        letter: v.letter.clone(),
        kind: v.kind,
    });
    Ok(LinuxConfig {
        volumes: volumes.collect(),
        tpm,
        state_dir: config.state_dir.join("volumes"),
        minimum_pin: MINIMUM_PIN,
        boot_id: kernel_boot_id().context("reading the kernel's boot id")?,
        pin: None,
    })
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("starting the runtime")
}

/// Interrupt and termination end a run in order; what a volume is in the middle of is finished first.
fn cancel_on_signal() -> Result<CancellationToken> {
    let cancel = CancellationToken::new();
    let token = cancel.clone();
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
        token.cancel();
    });
    Ok(cancel)
}
