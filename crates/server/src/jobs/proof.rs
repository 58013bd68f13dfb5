//! Proofs (P8): each escrowed password is tried on its volume's own metadata.

use std::time::Duration;

use domain::ledger::ProofState;
use fve::{EvidenceError, Proven, RecoveryPassword};
use protocol::sealing::SealedSecret;
use store::model::{KeyName, ProofJob, ProofResult};

use super::care::pause;
use crate::device_api::as_uuid;
use crate::error::{AppError, Result};
use crate::sealing::SealedRecord;
use crate::services::recovery::subject_of;
use crate::state::AppState;

/// Proofs that are tried side by side; a stop waits for them, well below a second.
const AT_ONCE: u32 = 16;
const LOOK_AGAIN: Duration = Duration::from_secs(60);
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// Works until the server stops. Woken by each new escrow, and by itself now and then.
pub(super) async fn run(state: AppState) {
    let mut stop = state.stop.clone();
    loop {
        if *stop.borrow() {
            return;
        }
        let wait = match batch(&state).await {
            Ok(0) => LOOK_AGAIN,
            Ok(_) => continue,
            Err(error) => {
                error.log();
                if pause(&state, AFTER_FAILURE).await {
                    return;
                }
                continue;
            }
        };
        tokio::select! {
            () = state.proof_work.notified() => {}
            () = tokio::time::sleep(wait) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// Tries some, all together. Returns how many.
async fn batch(state: &AppState) -> Result<usize> {
    let jobs = state.store.unproven(AT_ONCE).await?;
    let names: Vec<_> = jobs.iter().map(|job| (job.name, job.version)).collect();
    if names.is_empty() {
        return Ok(0);
    }
    let worker = state.clone();
    let outcomes = tokio::task::spawn_blocking(move || attempt_all(&worker, &jobs))
        .await
        .map_err(AppError::internal)?;
    let mut result = Ok(names.len());
    for ((name, version), outcome) in names.into_iter().zip(outcomes) {
        // What cannot be recorded is tried again; it keeps nothing from the others.
        if let Err(error) = record(state, name, version, outcome).await {
            result = Err(error);
        }
    }
    result
}

/// Records the outcome of a proof, and wakes a device that must not count on its key any more.
pub(crate) async fn record(
    state: &AppState,
    name: KeyName,
    version: u32,
    outcome: std::result::Result<(), String>,
) -> Result<()> {
    let (proof, action, reason) = match outcome {
        Ok(()) => (ProofState::Proven, "key.proven", None),
        Err(reason) => (ProofState::Failed, "key.proof_failed", Some(reason)),
    };
    let event = state.event("system", action, subject_of(name), reason.clone().unwrap_or_default());
    let result = ProofResult {
        name,
        version,
        proof,
        reason,
        at: state.now(),
    };
    if state.store.record_proof(result, vec![event]).await? && proof == ProofState::Failed {
        tracing::warn!(device = %name.device, volume = %name.volume, protector = %name.protector,
            "an escrowed password does not open its volume");
        // The device no longer counts on that key, and adds a new one when it hears so.
        state.hub.wake(name.device);
    }
    Ok(())
}

/// Opens the sealed passwords and tries them, each on its own volume: for each, why not, in words without secrets.
fn attempt_all(state: &AppState, jobs: &[ProofJob]) -> Vec<std::result::Result<(), String>> {
    let opened: Vec<_> = jobs.iter().map(|job| open(state, job)).collect();
    let proofs: Vec<_> = jobs
        .iter()
        .zip(&opened)
        .filter_map(|(job, password)| Some((job.evidence.as_slice(), password.as_ref().ok()?)))
        .collect();
    let mut proven = fve::verify_many(&proofs).into_iter();
    jobs.iter()
        .zip(opened)
        .map(|(job, password)| {
            password?;
            judge(
                job.name,
                proven.next().unwrap_or(Err(EvidenceError::NoSuchProtectorOpens)),
            )
        })
        .collect()
}

fn open(state: &AppState, job: &ProofJob) -> std::result::Result<RecoveryPassword, String> {
    let name = job.name;
    let sealed: SealedSecret =
        serde_json::from_slice(&job.sealed.bytes).map_err(|_| "the stored secret is malformed".to_owned())?;
    let record = SealedRecord {
        device: name.device,
        volume: name.volume,
        protector: name.protector,
        sealed: &sealed,
    };
    let text = state.keys.open_password(record).map_err(|error| error.to_string())?;
    RecoveryPassword::parse(&text).map_err(|_| "the sealed secret is not a recovery password".to_owned())
}

/// Whether what was proven is what the password was escrowed for.
fn judge(name: KeyName, proven: std::result::Result<Proven, EvidenceError>) -> std::result::Result<(), String> {
    let proven = proven.map_err(|error| match error {
        EvidenceError::NoSuchProtectorOpens => "the password opens no protector of this volume".to_owned(),
        other => other.to_string(),
    })?;
    if as_uuid(proven.volume) != name.volume.0 {
        return Err("the metadata is of another volume".to_owned());
    }
    if as_uuid(proven.protector) != name.protector.0 {
        return Err("the password opens another protector than the one it was escrowed for".to_owned());
    }
    Ok(())
}
