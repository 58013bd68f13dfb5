//! A device on the bench: state directory, configuration, volumes, and agents that may be cut off.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use agent::client::Timeouts;
use agent::config::Config;
use agent::hooks::{Boundary, Hooks};
use agent::{AgentError, Deps, OnceOptions, Outcome};
use domain::time::{Clock, Timestamp};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use tokio_util::sync::CancellationToken;

use super::authority::Authority;
use super::volumes::Volumes;

/// A clock that a test sets.
pub struct TestClock(pub AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

pub struct Bench {
    pub dir: tempfile::TempDir,
    pub config: Config,
    pub clock: Arc<TestClock>,
    pub volumes: Volumes,
}

impl Bench {
    pub fn new(server: &str, authority: &Authority, volumes: Volumes) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("ca.pem"), &authority.certificate_pem).unwrap();
        std::fs::write(dir.path().join("token"), super::ledger::TOKEN).unwrap();
        let text = format!(
            "server = \"{server}\"\nca_file = \"ca.pem\"\nstate_dir = \"state\"\nenrolment_token_file = \"token\"\n\
             [facts]\nhostname = \"PC-1\"\nvirtual_machine = false\nusers = [\"ada\"]\n"
        );
        let file = dir.path().join("agent.toml");
        std::fs::write(&file, text).unwrap();
        Self {
            config: Config::load(&file).unwrap(),
            dir,
            clock: Arc::new(TestClock(AtomicI64::new(1_800_000_000_000))),
            volumes,
        }
    }

    pub fn state(&self, file: &str) -> PathBuf {
        self.config.state_dir.join(file)
    }

    pub fn deps(&self) -> Deps {
        let rng = ChaCha20Rng::from_seed([3; 32]);
        let mut deps = Deps::new(
            Box::new(self.volumes.clone()),
            Arc::clone(&self.clock) as Arc<dyn Clock>,
            Box::new(rng),
        );
        deps.timeouts = Timeouts {
            connect: Duration::from_secs(5),
            exchange: Duration::from_secs(20),
        };
        deps
    }

    pub async fn once(&self) -> Result<Outcome, AgentError> {
        self.once_with(Hooks::default()).await
    }

    pub async fn once_with(&self, hooks: Hooks) -> Result<Outcome, AgentError> {
        let options = OnceOptions { wait: true };
        agent::once(
            self.config.clone(),
            self.deps(),
            hooks,
            options,
            CancellationToken::new(),
        )
        .await
    }

    /// Runs once and is cut off at the n-th boundary. False: it ended before.
    pub async fn once_cut_off_at(&self, boundary: usize) -> bool {
        let hooks = Hooks {
            boundary: Box::new(CutOff { left: boundary }),
            ..Hooks::default()
        };
        let run = agent::once(
            self.config.clone(),
            self.deps(),
            hooks,
            OnceOptions { wait: true },
            CancellationToken::new(),
        );
        match tokio::spawn(run).await {
            Ok(result) => {
                result.unwrap();
                false
            }
            Err(error) => {
                assert!(error.into_panic().is::<Cut>());
                true
            }
        }
    }
}

struct Cut;

struct CutOff {
    left: usize,
}

impl Boundary for CutOff {
    fn boundary(&mut self, _name: &str) {
        if self.left == 0 {
            // Unlike a panic, this says nothing on the terminal.
            std::panic::resume_unwind(Box::new(Cut));
        }
        self.left -= 1;
    }
}
