//! What the agent writes down for people to read (`claviger-agent status`). No secrets.

use std::path::Path;

use domain::compliance::{self, Reason, Verdict};
use domain::ids::{DeviceId, ProtectorId, VolumeId};
use domain::ledger::{KeyState, ProofState};
use domain::plan::{Blocked, Prompt, Situation};
use domain::time::Timestamp;
use domain::volume::{ConversionStatus, LockStatus, ProtectionStatus, VolumeKind};
use serde::{Deserialize, Serialize};

use crate::AgentError;
use crate::config::Config;
use crate::cycle::Agent;
use crate::files;

/// How the agent was when it last wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// When this was written.
    pub written_at: Timestamp,
    /// The agent's version.
    pub agent_version: String,
    /// The server.
    pub server: String,
    /// The device's id; none: not enrolled.
    pub device: Option<DeviceId>,
    /// When the server last answered.
    pub last_contact: Option<Timestamp>,
    /// The last failure, if it still stands.
    pub last_error: Option<String>,
    /// What policy wants and cannot be done now.
    pub blocked: Vec<Blocked>,
    /// What the user is asked; `claviger-agent answer` answers.
    #[serde(default)]
    pub prompt: Option<Prompt>,
    /// Digest of the policy in force, if one is known.
    pub policy_digest: Option<String>,
    /// Whether the device is as policy wants it.
    pub verdict: Verdict,
    /// Its volumes.
    pub volumes: Vec<VolumeStatus>,
}

/// One volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeStatus {
    /// The provider's name.
    pub device: String,
    /// Drive letter or mount point.
    pub letter: Option<String>,
    /// What it is for.
    pub kind: VolumeKind,
    /// BitLocker's id.
    pub volume: Option<VolumeId>,
    /// Protection.
    pub protection: ProtectionStatus,
    /// Conversion.
    pub conversion: ConversionStatus,
    /// Encrypted share in hundredths of a percent.
    pub encrypted_basis_points: u16,
    /// Whether it is locked.
    pub lock: LockStatus,
    /// The verdict on it.
    pub verdict: Verdict,
    /// Why it is not compliant.
    pub reasons: Vec<Reason>,
    /// Its recovery passwords, by id.
    pub recovery_keys: Vec<RecoveryKeyStatus>,
}

/// One recovery password, by id; the password itself is never here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveryKeyStatus {
    /// The recovery key ID.
    pub protector: ProtectorId,
    /// Where it stands at the server; none: the server does not hold it.
    pub state: Option<KeyState>,
    /// Whether the server has proven it.
    pub proof: Option<ProofState>,
}

/// Reads what the agent last wrote.
///
/// # Errors
/// [`AgentError::NoStatus`] when it has not written yet, [`AgentError::State`] when the file cannot be read.
pub fn status(config: &Config) -> Result<Status, AgentError> {
    let path = config.state_dir.join(FILE);
    let failed = |source| AgentError::State {
        path: path.clone(),
        source,
    };
    match std::fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| failed(e.into())),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(AgentError::NoStatus(config.state_dir.clone())),
        Err(e) => Err(failed(e)),
    }
}

const FILE: &str = "status.json";

impl Agent {
    /// Writes the status. A failure to do so is logged and stops nothing.
    pub(crate) fn write_status(&mut self) {
        self.hooks.before("status");
        let status = self.status();
        if let Err(error) = write(&self.config.state_dir, &status) {
            tracing::warn!(%error, "the status could not be written");
        }
        self.hooks.after("status");
    }

    fn status(&self) -> Status {
        let memory = &self.memory;
        let verdicts = match (&memory.policy, &memory.seen) {
            (Some((_, policy)), Some(seen)) => Some(compliance::evaluate(
                policy,
                &seen.inventory,
                &memory.ledger,
                &Situation::default(),
            )),
            _ => None,
        };
        let volumes = memory.seen.iter().flat_map(|seen| &seen.inventory.volumes);
        Status {
            written_at: self.clock.now(),
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            server: self.config.server.clone(),
            device: self.identity().map(|identity| identity.device),
            last_contact: memory.last_contact,
            last_error: memory.last_error.clone(),
            blocked: memory.blocked.clone(),
            prompt: self.answers.prompt(),
            policy_digest: memory.policy.as_ref().map(|(digest, _)| digest.clone()),
            verdict: verdicts.as_ref().map_or(Verdict::Unknown, |c| c.verdict),
            volumes: volumes
                .map(|volume| {
                    let verdict = verdicts
                        .iter()
                        .flat_map(|c| &c.volumes)
                        .find(|c| c.device == volume.device);
                    VolumeStatus {
                        device: volume.device.clone(),
                        letter: volume.letter.clone(),
                        kind: volume.kind,
                        volume: volume.volume,
                        protection: volume.protection,
                        conversion: volume.conversion,
                        encrypted_basis_points: volume.encrypted_basis_points,
                        lock: volume.lock,
                        verdict: verdict.map_or(Verdict::Unknown, |c| c.verdict),
                        reasons: verdict.map(|c| c.reasons.clone()).unwrap_or_default(),
                        recovery_keys: volume
                            .recovery_passwords()
                            .map(|protector| {
                                let entry = volume.volume.and_then(|id| memory.ledger.entry(id, protector));
                                RecoveryKeyStatus {
                                    protector,
                                    state: entry.map(|e| e.state),
                                    proof: entry.map(|e| e.proof),
                                }
                            })
                            .collect(),
                    }
                })
                .collect(),
        }
    }
}

fn write(state_dir: &Path, status: &Status) -> std::io::Result<()> {
    let json = serde_json::to_vec_pretty(status)?;
    files::replace(&state_dir.join(FILE), &json, files::PUBLIC)
}
