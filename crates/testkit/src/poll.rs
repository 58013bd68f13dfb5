//! Waiting for something that another process does: look, pause, look again, up to a limit.

use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Lets this much time pass: for an instant that is part of what is tested, never to wait for something.
pub fn pause(time: Duration) {
    let (_held, never) = channel::<()>();
    // Always a time-out: the sender lives as long as we do.
    let _ = never.recv_timeout(time);
}

/// A wait with a limit. The limit says that something is wrong, never how fast it must be.
#[derive(Debug)]
pub struct Poll {
    started: Instant,
    limit: Duration,
    shown: String,
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
        pause(Duration::from_millis(20));
        Ok(())
    }
}
