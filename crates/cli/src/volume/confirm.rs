//! Asking before something that cannot be taken back.

use std::io::IsTerminal;

use anyhow::{Result, bail};
use clap::Args;

use crate::terminal;

/// `--yes`
#[derive(Debug, Args)]
pub(crate) struct ConfirmArgs {
    /// Do it without asking
    #[arg(long)]
    yes: bool,
}

impl ConfirmArgs {
    /// Returns when the person agreed: by `--yes`, or at the terminal.
    ///
    /// # Errors
    /// When they did not, or nobody is there to ask.
    pub(super) fn ask(&self, consequence: &str) -> Result<()> {
        self.ask_about(&[], consequence)
    }

    /// The same; the details are told before, to whoever may agree.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub(super) fn ask_about(&self, details: &[String], consequence: &str) -> Result<()> {
        let somebody = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        if !self.yes && !somebody {
            bail!("{consequence}; say --yes if that is wanted; nothing was changed");
        }
        details.iter().for_each(|line| terminal::note(line));
        if self.yes || terminal::agree(&format!("{consequence}. Go on?"))? {
            return Ok(());
        }
        bail!("not confirmed; nothing was changed")
    }
}
