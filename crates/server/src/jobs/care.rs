//! Regular care: gathered writes are stored, stale sessions removed, the audit signed, the certificate renewed.

use std::time::Duration;

use super::Renewal;
use crate::error::Result;
use crate::services::audit::add_checkpoint;
use crate::session::IDLE;
use crate::state::{AppState, Shared};

const FLUSH_EVERY: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_secs(60);
const SIGN_EVERY: Duration = Duration::from_secs(60);
const CARE_EVERY: Duration = Duration::from_secs(60 * 60);

/// Stores gathered last contacts every few seconds.
pub(super) async fn flush(state: AppState) {
    while !pause(&state, FLUSH_EVERY).await {
        flush_now(&state).await;
    }
}

/// What is left to do when all requests are answered.
pub(super) async fn last(state: &Shared) {
    flush_now(state).await;
    tidy(state).await;
}

async fn flush_now(state: &Shared) {
    if let Err(error) = state.store.flush().await {
        tracing::warn!(%error, "last contacts could not be stored");
    }
}

/// Looks every minute at what time alone changed: deployments that begin, exemptions that end.
pub(super) async fn time_passes(state: AppState) {
    // What an earlier run of the server left undone.
    reevaluate(&state).await;
    while !pause(&state, LOOK_EVERY).await {
        if let Err(error) = look_at_the_time(&state).await {
            tracing::warn!(%error, "beginnings and ends could not be looked at");
        }
    }
}

/// Looks once, and tells the devices concerned.
pub(super) async fn look_at_the_time(state: &Shared) -> store::Result<()> {
    let passed = state.store.time_passed(state.now()).await?;
    for device in passed.devices {
        state.hub.wake(device);
    }
    if passed.everybody {
        state.hub.wake_everybody();
        reevaluate(state).await;
    }
    Ok(())
}

async fn reevaluate(state: &Shared) {
    if let Err(error) = crate::services::policy::reevaluate(state).await {
        error.log();
    }
}

/// Signs the audit every minute in which it grew.
pub(super) async fn sign(state: AppState) {
    while !pause(&state, SIGN_EVERY).await {
        sign_now(&state).await;
    }
}

async fn sign_now(state: &Shared) {
    if let Err(error) = sign_once(state).await {
        tracing::warn!(%error, "the audit could not be signed");
    }
}

pub(super) async fn sign_once(state: &Shared) -> Result<()> {
    add_checkpoint(&*state.store, state.keys.audit_key(), state.now()).await?;
    Ok(())
}

/// Once an hour.
pub(super) async fn hourly(state: AppState, mut renewal: Option<Renewal>) {
    loop {
        if let Some(renewal) = &mut renewal {
            renew(&state, renewal);
        }
        tidy(&state).await;
        if pause(&state, CARE_EVERY).await {
            return;
        }
    }
}

async fn tidy(state: &Shared) {
    sign_now(state).await;
    let now = state.now();
    let idle_since = domain::time::Timestamp(now.0.saturating_sub(i64::try_from(IDLE.as_millis()).unwrap_or(0)));
    if let Err(error) = state.store.remove_stale_sessions(now, idle_since).await {
        tracing::warn!(%error, "stale sessions could not be removed");
    }
}

fn renew(state: &Shared, renewal: &mut Renewal) {
    if state.now() < renewal.renew_after {
        return;
    }
    let issued = state.with_rng(|rng| state.authority.issue_server(&renewal.names, state.now(), rng));
    let replaced = issued.map_err(|error| error.to_string()).and_then(|certificate| {
        let renew_after = certificate.renew_after;
        renewal
            .certificate
            .replace(certificate)
            .map_err(|error| error.to_string())?;
        Ok(renew_after)
    });
    match replaced {
        Ok(renew_after) => {
            renewal.renew_after = renew_after;
            tracing::info!("the server's certificate was renewed");
        }
        Err(error) => tracing::error!(error, "the server's certificate could not be renewed"),
    }
}

/// Waits; true when the server stops.
pub(crate) async fn pause(state: &Shared, time: Duration) -> bool {
    let mut stop = state.stop.clone();
    tokio::select! {
        () = tokio::time::sleep(time) => false,
        _ = stop.wait_for(|stop| *stop) => true,
    }
}
