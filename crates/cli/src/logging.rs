//! Logs and last words.

use std::io::IsTerminal;
use std::process::ExitCode;

use tracing_subscriber::EnvFilter;

/// Logs to standard error, at the level of `CLAVIGER_LOG` or this one.
pub fn start(level: &str) {
    let filter = EnvFilter::try_from_env("CLAVIGER_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}

/// Says why a command failed: the whole chain of causes on one line.
#[must_use]
pub fn fail(error: &anyhow::Error) -> ExitCode {
    crate::terminal::note(&format!("error: {error:#}"));
    ExitCode::FAILURE
}
