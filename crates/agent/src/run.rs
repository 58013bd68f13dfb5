//! The two ways to run: on and on, or once.

use std::sync::Arc;
use std::time::Duration;

use domain::plan::Blocked;
use domain::time::Clock;
use rand_core::CryptoRng;
use tokio_util::sync::CancellationToken;

use crate::AgentError;
use crate::client::Timeouts;
use crate::config::Config;
use crate::cycle::{Agent, Settled};
use crate::hooks::{Hooks, NoPin, PinSource};
use crate::idle::{Idle, Woke};
use crate::pace::{Backoff, jitter};
use crate::provider::Provider;

/// What an agent works with.
pub struct Deps {
    /// The volumes.
    pub provider: Box<dyn Provider>,
    /// The time, for stamps.
    pub clock: Arc<dyn Clock>,
    /// Randomness, for sealing and jitter.
    pub rng: Box<dyn CryptoRng + Send>,
    /// Where a PIN or password comes from, besides the user's answers.
    pub pin: Box<dyn PinSource>,
    /// How long to wait for the server.
    pub timeouts: Timeouts,
}

impl Deps {
    /// With the usual time-outs and without a PIN.
    #[must_use]
    pub fn new(provider: Box<dyn Provider>, clock: Arc<dyn Clock>, rng: Box<dyn CryptoRng + Send>) -> Self {
        Self {
            provider,
            clock,
            rng,
            pin: Box::new(NoPin),
            timeouts: Timeouts::default(),
        }
    }
}

/// When `once` ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OnceOptions {
    /// Stay until conversions are finished, too.
    pub wait: bool,
}

/// What `once` leaves behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// What policy wants and cannot be done now.
    pub blocked: Vec<Blocked>,
    /// Volumes (the provider's names) whose conversion still goes on.
    pub converting: Vec<String>,
}

impl Outcome {
    /// Exit code for the command line: 0 all done, 3 a conversion still goes on, 4 something is blocked. Errors have
    /// [`AgentError::exit_code`].
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match (self.blocked.is_empty(), self.converting.is_empty()) {
            (false, _) => 4,
            (true, false) => 3,
            (true, true) => 0,
        }
    }
}

/// Runs until cancelled. Failures of server or volumes are logged, shown in the status, and tried again.
///
/// # Errors
/// Only what cannot get better by trying again: the pinned authority or the state directory cannot be used, or another
/// agent is at work.
pub async fn run(config: Config, deps: Deps, hooks: Hooks, cancel: CancellationToken) -> Result<(), AgentError> {
    let mut agent = Agent::new(config, deps, hooks)?;
    #[cfg(unix)]
    let _listening = crate::answers::listen(&agent.config.state_dir, &agent.answers)
        .inspect_err(|error| tracing::warn!(%error, "answers of the user cannot be taken"));
    let mut pace = Pace::default();
    loop {
        let result = tokio::select! {
            biased;
            () = cancel.cancelled() => break,
            result = agent.cycle() => result,
        };
        agent.tell(&result);
        agent.write_status();
        let mut woke = Woke::Time;
        for idle in pace.after(&result, &mut *agent.rng) {
            woke = agent.idle(idle, &cancel).await;
            if !matches!(woke, Woke::Time) {
                break;
            }
        }
        pace.was_asked = matches!(woke, Woke::Asked);
        match woke {
            Woke::Cancelled => break,
            Woke::Time | Woke::Asked | Woke::Answered => {}
            Woke::Converted => pace.conversions.reset(),
            Woke::ConversionFailed(error) => {
                agent.conversion_failed(&error);
                let pause = pace.conversions.next(&mut *agent.rng);
                if agent.rest(pause, &cancel).await {
                    break;
                }
            }
        }
    }
    // A cancelled cycle is like a crash between two steps: harmless. What a volume is in the middle of is finished.
    agent.settle_provider().await;
    agent.write_status();
    Ok(())
}

/// One cycle, until nothing is left to do; with [`OnceOptions::wait`] until conversions are finished and reported.
///
/// # Errors
/// The first failure. Cancelled: the outcome so far.
pub async fn once(
    config: Config,
    deps: Deps,
    hooks: Hooks,
    options: OnceOptions,
    cancel: CancellationToken,
) -> Result<Outcome, AgentError> {
    let mut agent = Agent::new(config, deps, hooks)?;
    loop {
        let result = tokio::select! {
            biased;
            () = cancel.cancelled() => break,
            result = agent.cycle() => result,
        };
        agent.write_status();
        result?;
        if !options.wait || agent.converting().is_empty() {
            break;
        }
        let idle = Idle {
            pause: Duration::from_secs(3600),
            online: true,
        };
        match agent.idle(idle, &cancel).await {
            Woke::Cancelled => break,
            Woke::ConversionFailed(error) => {
                agent.conversion_failed(&error);
                return Err(AgentError::Observe(error));
            }
            Woke::Time | Woke::Asked | Woke::Answered | Woke::Converted => {}
        }
    }
    agent.settle_provider().await;
    Ok(Outcome {
        blocked: agent.memory.blocked.clone(),
        converting: agent.converting().into_iter().map(|v| v.device).collect(),
    })
}

impl Agent {
    fn tell(&mut self, result: &Result<Settled, AgentError>) {
        if let Err(error) = result {
            tracing::warn!(%error, "the cycle failed");
            self.hooks.progress.message(&error.to_string());
        }
    }

    fn conversion_failed(&mut self, error: &crate::provider::ProviderError) {
        let message = format!("the conversion cannot go on: {error}");
        tracing::error!(%error, "the conversion cannot go on");
        self.hooks.progress.message(&message);
        self.memory.last_error = Some(message.clone());
        self.memory.conversion_error = Some(message);
        self.write_status();
    }

    /// Pauses without converting; true when cancelled.
    async fn rest(&mut self, pause: Duration, cancel: &CancellationToken) -> bool {
        tokio::select! {
            () = cancel.cancelled() => true,
            () = tokio::time::sleep(pause) => false,
        }
    }
}

/// Longest deafness to a server that calls again and again for nothing.
const LONGEST_DEAFNESS: Duration = Duration::from_secs(60);

/// How long to pause, and how.
#[derive(Default)]
struct Pace {
    failures: Backoff,
    conversions: Backoff,
    in_vain: Backoff,
    was_asked: bool,
}

impl Pace {
    /// The pauses after a cycle, one after the other.
    fn after(&mut self, result: &Result<Settled, AgentError>, rng: &mut dyn CryptoRng) -> Vec<Idle> {
        let settled = match result {
            Ok(settled) => settled,
            Err(error) => {
                let own = self.failures.next(rng);
                let pause = match error.retry_after() {
                    Some(after) => after + jitter(after / 10, rng),
                    None => own,
                };
                return vec![Idle { pause, online: false }];
            }
        };
        self.failures.reset();
        let mut pauses = Vec::new();
        if self.was_asked && !settled.productive {
            // Called for nothing: the held request is opened again only after a while.
            let pause = self.in_vain.next(rng).min(LONGEST_DEAFNESS);
            pauses.push(Idle { pause, online: false });
        } else {
            self.in_vain.reset();
        }
        pauses.push(Idle {
            pause: settled.next,
            online: true,
        });
        pauses
    }
}
