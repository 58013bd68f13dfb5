//! A walk over the boundaries of a whole run: one kill at each, every time followed by checks and a restart on what is left.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};

use super::device::{Device, End};

/// Boundaries by name, with how often.
pub(super) type Hits = BTreeMap<String, u32>;

/// Boundaries that were passed and where the agent was killed.
pub(super) struct Walk {
    /// Every boundary shall be met; otherwise there is time only for those of actions.
    complete: bool,
    /// Kills by boundary.
    pub(super) hits: Hits,
    /// Every boundary that some run passed.
    passed: Hits,
    /// Escrows that were reached.
    escrows: u32,
}

/// Where the next kill shall be.
enum Step {
    /// At the n-th boundary.
    Boundary(u64),
    /// At the n-th boundary of something that moves things on.
    Action(u64),
    /// At the first boundary of this name.
    Name(String),
}

/// A boundary that comes again and again means that nothing moves on.
const TOO_MANY: u32 = 400;

impl Walk {
    pub(super) fn new(complete: bool) -> Self {
        Self {
            complete,
            hits: Hits::new(),
            passed: Hits::new(),
            escrows: 0,
        }
    }

    /// Kills at every boundary from here until the agent has nothing left to do, or until `most` kills. Calls `check` after
    /// each.
    pub(super) fn go(&mut self, device: &Device, most: u32, check: &mut dyn FnMut(&str) -> Result<()>) -> Result<()> {
        let mut step = if self.complete {
            Step::Boundary(1)
        } else {
            Step::Action(1)
        };
        for _ in 0..most {
            let (option, at) = match &step {
                Step::Boundary(at) => ("--abort-at-boundary", at.to_string()),
                Step::Action(at) => ("--abort-at-action", at.to_string()),
                Step::Name(name) => ("--abort-at-name", name.clone()),
            };
            let (end, passed) = device.run(&[option, &at])?;
            for name in &passed {
                *self.passed.entry(name.clone()).or_default() += 1;
            }
            let End::Killed(Some(name)) = end else { return Ok(()) };
            let hits = self.hits.entry(name.clone()).or_default();
            *hits += 1;
            ensure!(*hits < TOO_MANY, "the agent comes to {name} again and again");
            check(&name)?;
            step = self.next(&step, &name, &passed);
        }
        Ok(())
    }

    /// A kill before something changes nothing, so the next run comes by here again. Only what comes after something changes
    /// what the next run finds to do first.
    fn next(&mut self, step: &Step, name: &str, passed: &[String]) -> Step {
        match step {
            // Looking, enrolling, checking in: every run begins with it, and checks in twice at most before it acts.
            Step::Boundary(at) if is_beginning(name) && checked_in(passed) < 2 => match name {
                // From now on the identity is there, and the first check-in follows the look.
                "after:store_identity" => Step::Boundary(3),
                _ => Step::Boundary(at + 1),
            },
            Step::Action(at) if name.starts_with("before:") => {
                // Boundaries between actions, which are not counted among them.
                let missed = passed.iter().find(|name| !self.hits.contains_key(*name));
                if let Some(missed) = missed.filter(|_| self.complete) {
                    return Step::Name(missed.clone());
                }
                // The exchange, and the step that it is a part of, end one after the other: they take turns.
                let over = name == "before:escrow_exchange";
                self.escrows += u32::from(over);
                Step::Action(at + 1 + u64::from(over && self.escrows.is_multiple_of(2)))
            }
            _ => Step::Action(1),
        }
    }

    /// Boundaries that were passed without a kill ever.
    pub(super) fn missed(&self) -> Vec<&str> {
        let missed = self.passed.keys().filter(|name| !self.hits.contains_key(*name));
        missed.map(String::as_str).collect()
    }
}

fn is_beginning(name: &str) -> bool {
    const BEGINNING: [&str; 4] = ["observe", "enrol", "store_identity", "check_in"];
    name.split_once(':').is_some_and(|(_, what)| BEGINNING.contains(&what))
}

fn checked_in(passed: &[String]) -> usize {
    passed.iter().filter(|name| *name == "after:check_in").count()
}
