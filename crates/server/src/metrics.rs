//! `GET /metrics` for Prometheus, on an address of its own: counts, never names of devices, people or keys.

use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use store::StoreError;
use store::model::{Summary, Within};
use tokio::net::TcpListener;

use crate::routes::{Access, Routes};
use crate::state::{AppState, Shared};
use crate::web::{VERDICTS, verdict_name};

type Count = Gauge<u64, AtomicU64>;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Label {
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StreamLabel {
    stream: String,
}

/// Listens; answers are plain HTTP, so the address should be one that only the collector reaches.
pub(crate) async fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Answers until the server stops.
pub(crate) async fn serve(state: AppState, listener: TcpListener) {
    let mut stop = state.stop.clone();
    let (router, _) = Routes::new(&state).get("/metrics", Access::Anybody, metrics).finish();
    let serving = axum::serve(listener, router).with_graceful_shutdown(async move {
        let _ = stop.wait_for(|stop| *stop).await;
    });
    if let Err(error) = serving.await {
        tracing::error!(%error, "metrics are not answered any more");
    }
}

async fn metrics(State(state): State<AppState>) -> impl IntoResponse {
    match text(&state).await {
        Ok(text) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            (StatusCode::OK, [(header::CONTENT_TYPE, kind)], text)
        }
        Err(error) => {
            tracing::error!(%error, "metrics: the store does not answer");
            let words = "the store does not answer\n".to_owned();
            (
                StatusCode::SERVICE_UNAVAILABLE,
                [(header::CONTENT_TYPE, "text/plain")],
                words,
            )
        }
    }
}

async fn text(state: &Shared) -> Result<String, StoreError> {
    let (summary, head) = (
        state.store.summary(&Within::default()).await?,
        state.store.audit_head().await?,
    );
    let signed = state.store.signed_up_to().await?;
    let mut registry = Registry::with_prefix("claviger");
    fleet(&mut registry, &summary);
    keys(&mut registry, &summary);
    let one = |registry: &mut Registry, name: &str, help: &str, value: u64| {
        let gauge = Count::default();
        gauge.set(value);
        registry.register(name, help, gauge);
    };
    let held = u64::try_from(state.held_requests()).unwrap_or(u64::MAX);
    one(
        &mut registry,
        "held_requests",
        "Requests of devices that wait for something to do",
        held,
    );
    one(&mut registry, "audit_entries", "Entries of the audit", head.sequence);
    let unsigned = head.sequence.saturating_sub(signed);
    one(
        &mut registry,
        "audit_unsigned",
        "Entries behind the last signed one",
        unsigned,
    );
    streams(&mut registry, state, head.sequence);
    let mut text = String::new();
    // Writing to a text does not fail.
    let _ = encode(&mut text, &registry);
    Ok(text)
}

fn fleet(registry: &mut Registry, summary: &Summary) {
    let devices = Family::<Label, Count>::default();
    for verdict in VERDICTS {
        let state = verdict_name(verdict);
        let count = summary.devices.get(&verdict).copied().unwrap_or_default();
        devices.get_or_create(&Label { state }).set(count);
    }
    devices.get_or_create(&Label { state: "retired" }).set(summary.retired);
    registry.register("devices", "Devices by compliance; retired ones apart", devices);
    let clashes = Count::default();
    clashes.set(summary.duplicate_hardware);
    registry.register(
        "duplicate_hardware",
        "Devices whose hardware id another device has",
        clashes,
    );
    let pending = Count::default();
    pending.set(summary.pending_requests);
    registry.register("pending_requests", "Requests to devices that are not done", pending);
}

fn keys(registry: &mut Registry, summary: &Summary) {
    let tally = summary.keys;
    let (states, proofs) = (Family::<Label, Count>::default(), Family::<Label, Count>::default());
    for (state, count) in [
        ("live", tally.live),
        ("disclosed", tally.disclosed),
        ("superseded", tally.superseded),
    ] {
        states.get_or_create(&Label { state }).set(count);
    }
    for (state, count) in [
        ("not_proven", tally.not_proven),
        ("proven", tally.proven),
        ("failed", tally.failed),
    ] {
        proofs.get_or_create(&Label { state }).set(count);
    }
    registry.register("keys", "Escrowed recovery passwords by state", states);
    registry.register(
        "key_proofs",
        "Recovery passwords in use, by whether they open their volume",
        proofs,
    );
}

fn streams(registry: &mut Registry, state: &Shared, head: u64) {
    let (behind, failing) = (
        Family::<StreamLabel, Count>::default(),
        Family::<StreamLabel, Count>::default(),
    );
    for (stream, standing) in state.streams.all() {
        let label = StreamLabel { stream };
        behind.get_or_create(&label).set(head.saturating_sub(standing.reached));
        failing.get_or_create(&label).set(u64::from(standing.failure.is_some()));
    }
    registry.register(
        "audit_stream_behind",
        "Entries that the receiver has not taken yet",
        behind,
    );
    registry.register("audit_stream_failing", "1 while the last attempt failed", failing);
}
