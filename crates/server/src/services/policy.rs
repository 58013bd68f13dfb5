//! The policy in force.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use domain::access::Permission;
use domain::policy::Policy;
use store::model::{NewPolicy, PolicyVersion};

use crate::error::{AppError, Result};
use crate::services::reaches;
use crate::session::CurrentUser;
use crate::state::{AppState, Shared};

const MAX_NOTE: usize = 1024;
const REEVALUATE_AT_ONCE: u32 = 200;

/// The policy with its digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InForce {
    /// 0 before the first version: everything "not configured".
    pub version: u32,
    /// The policy.
    pub policy: Policy,
    /// Its digest, as devices compare it.
    pub digest: String,
}

/// Most policies that are kept in memory.
const MOST_KNOWN: usize = 1024;

/// Policies that devices were told, by digest, in memory: most devices share a few.
#[derive(Default)]
pub(crate) struct KnownPolicies(Mutex<HashMap<String, Arc<Policy>>>);

impl KnownPolicies {
    /// The policy of that digest.
    pub(crate) async fn get(&self, store: &dyn store::Store, digest: &str) -> Result<Arc<Policy>> {
        let known = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(digest)
            .cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let stored = store.effective_policy(digest).await?;
        let policy = Arc::new(stored.ok_or_else(|| AppError::internal("a device's policy is not stored"))?);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST_KNOWN {
            all.clear();
        }
        all.insert(digest.to_owned(), Arc::clone(&policy));
        Ok(policy)
    }
}

/// The built-in policy, which reaches every device. Needs [`Permission::ReadPolicy`].
///
/// # Errors
/// 403; when the store fails.
pub async fn get(state: &AppState, user: &CurrentUser) -> Result<InForce> {
    user.demand(Permission::ReadPolicy)?;
    Ok(match state.store.policy().await? {
        Some(version) => from_version(version),
        None => InForce {
            version: 0,
            digest: digest(&Policy::default())?,
            policy: Policy::default(),
        },
    })
}

/// All versions, newest first.
///
/// # Errors
/// 403; when the store fails.
pub async fn history(state: &AppState, user: &CurrentUser) -> Result<Vec<PolicyVersion>> {
    user.demand(Permission::ReadPolicy)?;
    Ok(state.store.policy_history().await?)
}

/// Puts a policy in force and wakes every device that waits. Reports follow in the background.
///
/// # Errors
/// 403; 422 with every setting that breaks a rule (pages show them beside the fields by `Policy::validate`).
pub async fn update(state: &AppState, user: &CurrentUser, policy: Policy, note: &str) -> Result<u32> {
    user.demand(Permission::ManagePolicy)?;
    reaches::everything(user)?;
    update_as(state, &user.actor(), policy, note).await
}

/// As [`update`], for the operator at the command line, who has no session.
///
/// # Errors
/// As [`update`].
pub async fn update_as(state: &AppState, actor: &str, policy: Policy, note: &str) -> Result<u32> {
    if let Err(errors) = policy.validate() {
        let sentences: Vec<String> = errors.iter().map(ToString::to_string).collect();
        return Err(AppError::invalid("policy", sentences.join(" ")));
    }
    if note.len() > MAX_NOTE {
        return Err(AppError::invalid("note", "note: at most 1024 bytes"));
    }
    let digest = digest(&policy)?;
    let new = NewPolicy {
        policy,
        digest,
        at: state.now(),
        by: actor.to_owned(),
        note: note.trim().to_owned(),
    };
    let event = state.event(actor, "policy.changed", "policy", new.note.clone());
    let version = state.store.put_policy(new, vec![event]).await?;
    changed(state);
    Ok(version)
}

/// Something changed that may concern any device: those that wait look whether it concerns them, and reports follow in the
/// background.
pub(crate) fn changed(state: &AppState) {
    state.hub.wake_everybody();
    let state = state.clone();
    tokio::spawn(async move {
        if let Err(error) = reevaluate(&state).await {
            error.log();
        }
    });
}

/// Evaluates every stale device under the policy that holds for it.
pub(crate) async fn reevaluate(state: &Shared) -> Result<()> {
    let mut after = None;
    while let Some(last) = state.store.reevaluate(after, REEVALUATE_AT_ONCE, state.now()).await? {
        after = Some(last);
    }
    Ok(())
}

fn from_version(version: PolicyVersion) -> InForce {
    InForce {
        version: version.version,
        policy: version.policy,
        digest: version.digest,
    }
}

fn digest(policy: &Policy) -> Result<String> {
    protocol::messages::digest(policy).map_err(AppError::internal)
}
