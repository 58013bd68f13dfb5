//! Regular care: gathered writes are stored, stale sessions removed, the audit signed, the certificate renewed.

use std::time::Duration;

use domain::time::Timestamp;
use rand_core::CryptoRng;

use super::Renewal;
use crate::authority::Authority;
use crate::services::audit::add_checkpoint;
use crate::session::IDLE;
use crate::state::{AppState, Shared};
use crate::tls::TlsError;

const FLUSH_EVERY: Duration = Duration::from_secs(5);
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
    let now = state.now();
    if let Err(error) = add_checkpoint(&*state.store, state.keys.audit_key(), now).await {
        tracing::warn!(%error, "the audit could not be signed");
    }
    let idle_since = Timestamp(now.0.saturating_sub(i64::try_from(IDLE.as_millis()).unwrap_or(0)));
    if let Err(error) = state.store.remove_stale_sessions(now, idle_since).await {
        tracing::warn!(%error, "stale sessions could not be removed");
    }
}

fn renew(state: &Shared, renewal: &mut Renewal) {
    let renewed = state.with_rng(|rng| renewal.when_due(&state.authority, state.now(), rng));
    match renewed {
        Ok(true) => tracing::info!("the server's certificate was renewed"),
        Ok(false) => {}
        Err(error) => tracing::error!(%error, "the server's certificate could not be renewed"),
    }
}

impl Renewal {
    /// Replaces the certificate when its time has come. False: it had not.
    fn when_due(&mut self, authority: &Authority, now: Timestamp, rng: &mut dyn CryptoRng) -> Result<bool, TlsError> {
        if now < self.renew_after {
            return Ok(false);
        }
        let certificate = authority.issue_server(&self.names, now, rng)?;
        let renew_after = certificate.renew_after;
        self.certificate.replace(certificate)?;
        self.renew_after = renew_after;
        Ok(true)
    }
}

/// Waits; true when the server stops.
pub(super) async fn pause(state: &Shared, time: Duration) -> bool {
    let mut stop = state.stop.clone();
    tokio::select! {
        () = tokio::time::sleep(time) => false,
        _ = stop.wait_for(|stop| *stop) => true,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;
    use crate::authority::new_root;
    use crate::tls::CurrentCertificate;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    #[test]
    fn the_certificate_is_renewed_thirty_days_before_its_end_and_not_before() {
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        let now = Timestamp(1_795_564_800_000);
        let root = new_root(now, &mut rng).unwrap();
        let authority = Authority::load(&root.certificate, &root.key).unwrap();
        let first = authority.issue_server(&[], now, &mut rng).unwrap();
        let renew_after = first.renew_after;
        let certificate = Arc::new(CurrentCertificate::issued(first).unwrap());
        let mut renewal = Renewal {
            certificate: Arc::clone(&certificate),
            names: Vec::new(),
            renew_after,
        };
        let before = certificate.leaf();
        assert!(!renewal.when_due(&authority, now.after(59 * DAY), &mut rng).unwrap());
        assert_eq!(certificate.leaf(), before);
        let due = now.after(60 * DAY);
        assert!(renewal.when_due(&authority, due, &mut rng).unwrap());
        assert_ne!(certificate.leaf(), before);
        assert!(!renewal.when_due(&authority, due.after(59 * DAY), &mut rng).unwrap());
    }
}
