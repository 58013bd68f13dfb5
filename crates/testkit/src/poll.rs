//! Waiting for something that another process does: look, pause, look again, up to a limit.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// A wait with a limit. The limit says that something is wrong, never how fast it must be.
#[derive(Debug)]
pub struct Poll {
    started: Instant,
    limit: Duration,
    shown: String,
    // Nothing is ever sent: receiving with a time-out is the pause.
    never: (Sender<()>, Receiver<()>),
}

impl Poll {
    /// A wait of at most so many minutes.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "waits for other processes, which live in real time"
    )]
    pub fn until_minutes(minutes: u64) -> Self {
        Self {
            started: Instant::now(),
            limit: Duration::from_secs(60 * minutes),
            shown: String::new(),
            never: channel(),
        }
    }

    /// Seconds since the wait began.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// Says where things are, when that has changed.
    pub fn progress(&mut self, text: &str, say: &mut dyn FnMut(&str)) {
        if self.shown != text {
            say(text);
            text.clone_into(&mut self.shown);
        }
    }

    /// Pauses.
    ///
    /// # Errors
    /// When the limit has passed.
    pub fn wait(&self, what: &str) -> Result<()> {
        if self.started.elapsed() > self.limit {
            bail!("waited {:?} for {what}; last seen:{}", self.limit, self.shown);
        }
        // Always a time-out: the sender lives as long as we do.
        let _ = self.never.1.recv_timeout(Duration::from_millis(20));
        Ok(())
    }
}
