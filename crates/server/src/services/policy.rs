//! The policy in force.

use std::sync::{Arc, PoisonError, RwLock};

use domain::access::Permission;
use domain::policy::Policy;
use store::model::{NewPolicy, PolicyVersion};

use crate::error::{AppError, Result};
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

/// The policy in force, in memory.
pub(crate) struct CurrentPolicy(RwLock<Arc<InForce>>);

impl CurrentPolicy {
    pub(crate) async fn load(store: &dyn store::Store) -> Result<Self> {
        let in_force = match store.policy().await? {
            Some(version) => from_version(version),
            None => InForce {
                version: 0,
                digest: digest(&Policy::default())?,
                policy: Policy::default(),
            },
        };
        Ok(Self(RwLock::new(Arc::new(in_force))))
    }

    pub(crate) fn get(&self) -> Arc<InForce> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn set(&self, in_force: InForce) {
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        // Two administrators may save at once: the later version wins, whichever answer comes first.
        if in_force.version >= current.version {
            *current = Arc::new(in_force);
        }
    }
}

/// The policy in force. Needs [`Permission::ReadDevices`].
///
/// # Errors
/// 403.
pub fn get(state: &AppState, user: &CurrentUser) -> Result<Arc<InForce>> {
    user.demand(Permission::ReadDevices)?;
    Ok(state.policy.get())
}

/// All versions, newest first.
///
/// # Errors
/// 403; when the store fails.
pub async fn history(state: &AppState, user: &CurrentUser) -> Result<Vec<PolicyVersion>> {
    user.demand(Permission::ReadDevices)?;
    Ok(state.store.policy_history().await?)
}

/// Puts a policy in force and wakes every device that waits. Reports follow in the background.
///
/// # Errors
/// 403; 422 with every setting that breaks a rule (pages show them beside the fields by `Policy::validate`).
pub async fn update(state: &AppState, user: &CurrentUser, policy: Policy, note: &str) -> Result<u32> {
    user.demand(Permission::ManagePolicy)?;
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
        policy: policy.clone(),
        digest: digest.clone(),
        at: state.now(),
        by: actor.to_owned(),
        note: note.trim().to_owned(),
    };
    let event = state.event(actor, "policy.changed", "policy", new.note.clone());
    let version = state.store.put_policy(new, vec![event]).await?;
    let in_force = InForce {
        version,
        policy,
        digest,
    };
    state.policy.set(in_force);
    state.hub.wake_everybody();
    let state = state.clone();
    tokio::spawn(async move {
        if let Err(error) = reevaluate(&state).await {
            error.log();
        }
    });
    Ok(version)
}

/// Evaluates every device under the policy in force.
pub(crate) async fn reevaluate(state: &Shared) -> Result<()> {
    let mut after = None;
    while let Some(last) = state.store.reevaluate(after, REEVALUATE_AT_ONCE).await? {
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
