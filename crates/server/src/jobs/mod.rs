//! What runs beside requests: proofs, checkpoints, batched writes, certificate renewal.

mod care;
mod proof;

pub(crate) use care::pause;

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::error::Result;
use crate::metrics;
use crate::state::AppState;
use crate::stream::{self, Stream};
use crate::tls::CurrentCertificate;

pub(crate) use proof::record as record_proof;

/// The own certificate, to be renewed.
pub(crate) struct Renewal {
    pub(crate) certificate: Arc<CurrentCertificate>,
    pub(crate) names: Vec<String>,
    pub(crate) renew_after: domain::time::Timestamp,
}

/// Starts all jobs; they end when the server stops.
pub(crate) fn start(
    state: &AppState,
    renewal: Option<Renewal>,
    streams: Vec<Stream>,
    metrics: Option<TcpListener>,
) -> JoinSet<()> {
    let mut jobs = JoinSet::new();
    jobs.spawn(proof::run(state.clone()));
    jobs.spawn(care::flush(state.clone()));
    jobs.spawn(care::sign(state.clone()));
    jobs.spawn(care::time_passes(state.clone()));
    jobs.spawn(care::hourly(state.clone(), renewal));
    for stream in streams {
        jobs.spawn(stream::run(state.clone(), stream));
    }
    if let Some(listener) = metrics {
        jobs.spawn(metrics::serve(state.clone(), listener));
    }
    jobs
}

/// What is left to do when all requests are answered and all jobs have ended.
pub(crate) async fn finish(state: &AppState) {
    care::last(state).await;
}

/// One round of regular care.
pub(crate) async fn tend(state: &AppState) -> Result<()> {
    state.store.flush().await?;
    care::look_at_the_time(state).await?;
    care::sign_once(state).await
}
