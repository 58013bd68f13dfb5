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
    crate::terminal::note(&format!("error: {}", causes(error)));
    ExitCode::FAILURE
}

/// The chain of causes. Some errors tell their cause themselves; it is not told twice.
fn causes(error: &anyhow::Error) -> String {
    let mut told = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if told.is_empty() {
            told = cause;
        } else if !told.ends_with(&cause) {
            told = format!("{told}: {cause}");
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::causes;

    #[test]
    fn a_cause_that_is_told_already_is_not_told_twice() {
        let error = anyhow::anyhow!("no room").context("writing: no room").context("saving");
        assert_eq!(causes(&error), "saving: writing: no room");
    }
}
