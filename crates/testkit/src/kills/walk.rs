//! A walk over the boundaries of a whole run: one kill at each, every time followed by checks and a restart on what is left.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use rand::Rng;
use rand_chacha::ChaCha20Rng;

use super::device::{Device, End};

/// Boundaries by name, with the number of kills at each.
pub(super) type Hits = BTreeMap<String, u32>;

/// Boundaries that were passed and where the agent was killed.
#[derive(Default)]
pub(super) struct Walk {
    /// Kills by boundary.
    pub(super) hits: Hits,
    /// Every boundary that some run passed.
    pub(super) passed: Hits,
}

/// Boundaries of looking, talking and getting an identity come at the beginning of every run: at most so many.
const BEGINNING: u64 = 12;
/// A boundary that comes again and again without end means that nothing moves on.
const TOO_MANY: u32 = 400;

impl Walk {
    /// Kills at every boundary from here until the agent has nothing left to do, or until `most` kills. Calls `check` after
    /// each. True when the end was reached.
    pub(super) fn go(
        &mut self,
        device: &Device,
        most: u32,
        rng: &mut ChaCha20Rng,
        check: &mut dyn FnMut(&str) -> Result<()>,
    ) -> Result<bool> {
        let mut kills = 0;
        // First one after the other, until the first action is reached: it is left to the second part.
        for at in 1..=BEGINNING {
            if kills == most {
                return Ok(false);
            }
            match self.kill(device, "--abort-at-boundary", at)? {
                Some(name) => check(&name)?,
                None => return Ok(true),
            }
            kills += 1;
        }
        // Then before, within and after each action. Only what comes after something changes what the next run finds first.
        let mut at = 1;
        let mut skip = false;
        loop {
            if kills == most {
                return Ok(false);
            }
            // Now and then anywhere else.
            let astray = rng.random_bool(0.1);
            let killed = if astray {
                self.kill(device, "--abort-at-boundary", rng.random_range(1..BEGINNING))?
            } else {
                self.kill(device, "--abort-at-action", at)?
            };
            let Some(name) = killed else { return Ok(true) };
            check(&name)?;
            kills += 1;
            if name.starts_with("after:") || astray {
                at = 1;
            } else if name == "before:escrow_exchange" {
                // The exchange and the step that it is part of end one after the other: each gets its turn.
                at += 1 + u64::from(skip);
                skip = !skip;
            } else {
                at += 1;
            }
        }
    }

    fn kill(&mut self, device: &Device, option: &str, at: u64) -> Result<Option<String>> {
        let (end, passed) = device.run(&[option, &at.to_string()])?;
        for name in passed {
            *self.passed.entry(name).or_default() += 1;
        }
        let End::Killed(Some(name)) = end else { return Ok(None) };
        let hits = self.hits.entry(name.clone()).or_default();
        *hits += 1;
        ensure!(*hits < TOO_MANY, "the agent comes to {name} again and again");
        Ok(Some(name))
    }

    /// Boundaries that were passed without a kill ever.
    pub(super) fn missed(&self) -> Vec<&str> {
        let missed = self.passed.keys().filter(|name| !self.hits.contains_key(*name));
        missed.map(String::as_str).collect()
    }
}
