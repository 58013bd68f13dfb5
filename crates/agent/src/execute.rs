//! Carrying a plan out: in order, deciding nothing. After a step that fails, no later step of the same volume is carried
//! out; when it was the server that failed, nothing more is.
//!
//! Every step looks before it acts, so carrying it out twice does what once does. Three steps can cost a key when they
//! come too early; they are guarded here once more, whatever the plan says: encrypting and ending a suspension (P1) and
//! deleting a replaced recovery password (P2) need an acknowledgement of the server seen in this very cycle.

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::ids::{DeviceId, ProtectorId, VolumeId};
use domain::ledger::Ledger;
use domain::plan::{Action, Plan};
use protocol::messages::EscrowRequest;
use protocol::sealing::{Binding, RecoveryPublicKey, SealingError, seal};
use rand_core::CryptoRng;

use crate::client::{Client, ClientError};
use crate::hooks::{Hooks, PinSource};
use crate::provider::ProviderError;
use crate::shared::SharedProvider;

pub use act::{StepError, act as carry_out};
pub use evidence::{Evidence, collect as collect_evidence};

mod act;
mod evidence;

/// Recovery passwords of which the server said, in this cycle, whether it holds them durably.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acknowledged {
    held: BTreeSet<(VolumeId, ProtectorId)>,
    /// Stored, but seen not to open the volume: no way back, and no use in storing them again.
    failed: BTreeSet<(VolumeId, ProtectorId)>,
}

impl Acknowledged {
    /// Those of a ledger that came with this cycle's check-in.
    #[must_use]
    pub fn from_ledger(ledger: &Ledger) -> Self {
        let mut acknowledged = Self::default();
        for entry in &ledger.0 {
            let set = match ledger.holds(entry.volume, entry.protector) {
                true => &mut acknowledged.held,
                false => &mut acknowledged.failed,
            };
            set.insert((entry.volume, entry.protector));
        }
        acknowledged
    }

    /// Whether the server holds this one and may rely on it.
    #[must_use]
    pub fn contains(&self, volume: VolumeId, protector: ProtectorId) -> bool {
        self.held.contains(&(volume, protector))
    }

    /// Whether the server has never seen this one.
    #[must_use]
    pub fn is_unknown(&self, volume: VolumeId, protector: ProtectorId) -> bool {
        !self.contains(volume, protector) && !self.failed.contains(&(volume, protector))
    }

    /// Notes an acknowledgement: the server holds this one from now on.
    pub fn insert(&mut self, volume: VolumeId, protector: ProtectorId) {
        self.held.insert((volume, protector));
    }
}

/// Why carrying out stopped.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// The volume or the TPM refused.
    #[error("{action} on {device}: {source}")]
    Provider {
        /// Name of the action.
        action: &'static str,
        /// The volume.
        device: String,
        /// What it said.
        source: ProviderError,
    },
    /// The step would break a promise, or lacks what it needs.
    #[error("{action} on {device} was refused: {reason}")]
    Refused {
        /// Name of the action.
        action: &'static str,
        /// The volume.
        device: String,
        /// Why.
        reason: &'static str,
    },
    /// The server did not take the escrow.
    #[error("escrow of {device}: {source}")]
    Server {
        /// The volume.
        device: String,
        /// Why.
        source: ClientError,
    },
    /// The recovery key that the server gave cannot be used.
    #[error("escrow of {device}: {source}")]
    Sealing {
        /// The volume.
        device: String,
        /// Why.
        source: SealingError,
    },
    /// The provider broke off.
    #[error("{action} on {device}: {problem}")]
    Internal {
        /// Name of the action.
        action: &'static str,
        /// The volume.
        device: String,
        /// What happened.
        problem: String,
    },
}

impl ExecuteError {
    /// How long the server asked to be left alone, when it did.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Server { source, .. } => source.retry_after(),
            _ => None,
        }
    }
}

/// What carrying out needs.
pub struct Executor<'a> {
    /// The volumes.
    pub provider: &'a SharedProvider,
    /// The server.
    pub client: &'a Client,
    /// Who this device is; secrets are bound to it.
    pub device: DeviceId,
    /// To what secrets are sealed: from this cycle's check-in.
    pub recovery_key: &'a RecoveryPublicKey,
    /// What the server acknowledged in this cycle; grows with each escrow.
    pub acknowledged: &'a mut Acknowledged,
    /// Randomness for sealing.
    pub rng: &'a mut (dyn CryptoRng + Send),
    /// Where a PIN or password comes from.
    pub pin: &'a mut (dyn PinSource + 'static),
    /// Hooks.
    pub hooks: &'a mut Hooks,
}

impl Executor<'_> {
    /// Carries a plan out.
    ///
    /// # Errors
    /// The first failure. Steps of other volumes are carried out all the same, unless the server failed.
    pub async fn execute(&mut self, plan: &Plan) -> Result<(), ExecuteError> {
        let mut first_failure = None;
        let mut failed = BTreeSet::new();
        for action in &plan.actions {
            let (name, device) = (act::name(action), action.device());
            if failed.contains(device) {
                continue;
            }
            self.hooks.before(name);
            let result = self.step(action, name).await;
            self.hooks.after(name);
            match result {
                Ok(()) => {
                    tracing::info!(action = name, device, "done");
                    self.hooks.progress.message(&format!("{name} on {device}: done"));
                }
                Err(error @ ExecuteError::Server { .. }) => return Err(first_failure.unwrap_or(error)),
                Err(error) => {
                    tracing::warn!(%error, "a step failed");
                    failed.insert(device);
                    first_failure.get_or_insert(error);
                }
            }
        }
        first_failure.map_or(Ok(()), Err)
    }

    async fn step(&mut self, action: &Action, name: &'static str) -> Result<(), ExecuteError> {
        if let Action::Escrow { device, protector } = action {
            return self.escrow(device, *protector).await;
        }
        let secret = match action {
            Action::AddTpmPin { .. } => self.pin.pin(),
            Action::AddPassphrase { .. } => self.pin.password(),
            _ => None,
        };
        let work = action.clone();
        let acknowledged = self.acknowledged.clone();
        let result = self
            .provider
            .with(move |provider| act::act(provider, &work, &acknowledged, secret))
            .await;
        settle(result, name, action.device())
    }

    async fn escrow(&mut self, device: &str, protector: Option<ProtectorId>) -> Result<(), ExecuteError> {
        let acknowledged = self.acknowledged.clone();
        let name = device.to_owned();
        let result = self
            .provider
            .with(move |provider| evidence::collect(provider, &name, protector, &acknowledged))
            .await;
        for evidence in settle(result, "escrow", device)? {
            let request = self.sealed(&evidence).map_err(|source| ExecuteError::Sealing {
                device: device.to_owned(),
                source,
            })?;
            // The password itself is no longer needed, and an answer may be long in coming.
            drop(evidence);
            self.hooks.before("escrow_exchange");
            self.client
                .escrow(&request)
                .await
                .map_err(|source| ExecuteError::Server {
                    device: device.to_owned(),
                    source,
                })?;
            self.acknowledged.insert(request.volume, request.protector);
            self.hooks.after("escrow_exchange");
        }
        Ok(())
    }

    fn sealed(&mut self, evidence: &Evidence) -> Result<EscrowRequest, SealingError> {
        let binding = Binding {
            device: self.device,
            volume: evidence.volume,
            protector: evidence.protector,
        };
        Ok(EscrowRequest {
            volume: evidence.volume,
            protector: evidence.protector,
            sealed_password: seal(self.recovery_key, &binding, evidence.password.as_bytes(), self.rng)?,
            metadata: STANDARD.encode(&*evidence.metadata),
        })
    }
}

fn settle<T>(
    result: Result<Result<T, StepError>, String>,
    action: &'static str,
    device: &str,
) -> Result<T, ExecuteError> {
    let device = device.to_owned();
    match result {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(StepError::Provider(source))) => Err(ExecuteError::Provider { action, device, source }),
        Ok(Err(StepError::Refused(reason))) => Err(ExecuteError::Refused { action, device, reason }),
        Err(problem) => Err(ExecuteError::Internal {
            action,
            device,
            problem,
        }),
    }
}
