//! `claviger-agent answer`: what the user says to what the agent asks. Secrets come from a terminal, a file or standard
//! input, never as an argument.

use std::path::{Path, PathBuf};

use agent::config::Config;
use agent::{Answer, Reply};
use anyhow::{Context, Result, bail};
use clap::Subcommand;
use domain::time::Timestamp;
use zeroize::Zeroizing;

use crate::secret;
use crate::terminal::say;

/// Answers.
#[derive(Debug, Subcommand)]
pub(super) enum Args {
    /// The start-up PIN that you chose
    Pin {
        /// Where to read it; '-': standard input, or asked for at a terminal
        #[arg(long, default_value = "-", value_name = "FILE")]
        from: PathBuf,
    },
    /// The password that you chose, for every drive that needs one now
    Password {
        /// Where to read it; '-': standard input, or asked for at a terminal
        #[arg(long, default_value = "-", value_name = "FILE")]
        from: PathBuf,
    },
    /// Encryption may begin
    Agree,
    /// Encryption shall begin later
    Postpone {
        /// Until then, such as 2026-12-01 or 2026-12-01T18:00Z; without: as late as policy allows
        #[arg(long, value_name = "TIME")]
        until: Option<Timestamp>,
    },
    /// Ask to be exempt from encryption
    Exemption {
        /// Who asks, as the device names its users
        #[arg(long, value_name = "NAME")]
        user: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

pub(super) fn run(config: &Config, args: &Args) -> Result<()> {
    let answer = match args {
        Args::Pin { from } => Answer::Pin {
            pin: chosen(from, "start-up PIN")?,
        },
        Args::Password { from } => Answer::Password {
            password: chosen(from, "password")?,
        },
        Args::Agree => Answer::Agree,
        Args::Postpone { until } => Answer::Postpone { until: *until },
        Args::Exemption { user, reason } => Answer::Exemption {
            user: user.clone(),
            reason: reason.clone(),
        },
    };
    match agent::answer(config, &answer)? {
        Reply::Taken => say("Taken. `claviger-agent status` shows what comes of it."),
        Reply::Refused { reason } => bail!("not taken: {reason}"),
    }
    Ok(())
}

/// Asked for twice at a terminal: nobody sees what they type.
fn chosen(from: &Path, what: &str) -> Result<Zeroizing<String>> {
    let first = secret::read_or_ask(from, what)?;
    if secret::asks(from) && secret::prompt(&format!("{what} again: "))? != first {
        bail!("the two differ; nothing was changed");
    }
    Ok(first)
}

/// Secrets that are given along with a command.
#[derive(Debug, clap::Args)]
pub(super) struct Given {
    /// File with the start-up PIN to use where policy asks for one; '-': standard input
    #[arg(long, value_name = "FILE")]
    pin_file: Option<PathBuf>,
    /// File with the password to use on drives that need one; '-': standard input
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

impl Given {
    pub(super) fn read(&self) -> Result<agent::hooks::Given> {
        let is_stdin = |file: &Option<PathBuf>| file.as_ref().is_some_and(|file| file.as_os_str() == "-");
        if is_stdin(&self.pin_file) && is_stdin(&self.password_file) {
            bail!("PIN and password cannot both come from standard input");
        }
        let read = |file: &Option<PathBuf>, what| file.as_ref().map(|file| secret::read_or_ask(file, what)).transpose();
        Ok(agent::hooks::Given {
            pin: read(&self.pin_file, "start-up PIN").context("--pin-file")?,
            password: read(&self.password_file, "password").context("--password-file")?,
        })
    }
}

/// Says what is asked, and how to answer.
pub(super) fn show(prompt: &domain::plan::Prompt) {
    use domain::plan::Question;
    let how = match prompt.question {
        Question::Pin { .. } => "pin",
        Question::Password { .. } => "password",
        Question::Encryption { .. } => "agree",
    };
    say(&format!("asked     {}", prompt.question.sentence()));
    say(&format!("          claviger-agent answer {how}"));
    if let Some(until) = prompt.may_postpone_until {
        say(&format!(
            "          claviger-agent answer postpone [--until TIME], until {} at most",
            until.date()
        ));
    }
    if prompt.may_request_exemption {
        say("          claviger-agent answer exemption --user NAME --reason TEXT");
    }
    if let Some(contact) = &prompt.contact {
        say(&format!("          who decides on that: {}", contact.detail));
    }
    if let Some(url) = &prompt.security_policy_url {
        say(&format!("          the organization's rules: {url}"));
    }
}
