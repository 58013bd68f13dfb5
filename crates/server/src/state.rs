//! What every handler shares.

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use domain::audit::AuditEvent;
use domain::time::{Clock, Timestamp};
use rand_core::CryptoRng;
use store::Store;
use tokio::sync::{Notify, Semaphore, watch};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::authority::Authority;
use crate::config::Limits;
use crate::sealing::KeyRing;
use crate::services::passwords::Passwords;
use crate::services::policy::KnownPolicies;
use crate::services::preview::Previews;
use crate::services::recovery::SaveTokens;
use crate::services::sign_in::UnknownNames;
use crate::stream::Standings;
use crate::wake::Hub;

/// The server's randomness, as the caller brought it.
pub type SharedRng = Arc<Mutex<dyn CryptoRng + Send>>;

/// Handle to everything that handlers share; cheap to clone.
#[derive(Clone)]
pub struct AppState(Arc<Shared>);

/// What [`AppState`] points to.
pub struct Shared {
    /// The present.
    pub clock: Arc<dyn Clock>,
    /// Where things are kept.
    pub store: Arc<dyn Store>,
    /// Private keys; only `sealing` opens anything with them.
    pub keys: KeyRing,
    /// Issues certificates.
    pub authority: Authority,
    /// Bounds of work.
    pub limits: Limits,
    /// How the streams of the audit stand.
    pub streams: Standings,
    /// Name under which this server is known to whom the audit is sent.
    pub(crate) host: String,
    pub(crate) rng: SharedRng,
    pub(crate) passwords: Passwords,
    pub(crate) unknown_names: UnknownNames,
    pub(crate) save_tokens: SaveTokens,
    pub(crate) policies: KnownPolicies,
    pub(crate) previews: Previews,
    pub(crate) hub: Hub,
    pub(crate) proof_work: Notify,
    pub(crate) device_slots: Arc<Semaphore>,
    pub(crate) held_slots: Arc<Semaphore>,
    pub(crate) stop: watch::Receiver<bool>,
}

impl Deref for AppState {
    type Target = Shared;
    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl AppState {
    pub(crate) fn new(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }
}

impl Shared {
    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Lends the generator for a moment; nothing may be awaited inside.
    pub fn with_rng<T>(&self, work: impl FnOnce(&mut dyn CryptoRng) -> T) -> T {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut *rng)
    }

    /// How many requests of devices are held now.
    #[must_use]
    pub fn held_requests(&self) -> usize {
        self.limits
            .held_requests
            .saturating_sub(self.held_slots.available_permits())
    }

    /// Random bytes.
    #[must_use]
    pub fn random<const N: usize>(&self) -> Zeroizing<[u8; N]> {
        let mut bytes = Zeroizing::new([0; N]);
        self.with_rng(|rng| rng.fill_bytes(&mut *bytes));
        bytes
    }

    /// A fresh random id (UUID version 4).
    #[must_use]
    pub fn random_id(&self) -> Uuid {
        uuid::Builder::from_random_bytes(*self.random()).into_uuid()
    }

    /// An audit event that happens now. Control characters become spaces: what people and devices write must not disturb
    /// whoever reads the audit in a terminal or a spreadsheet.
    #[must_use]
    pub fn event(
        &self,
        actor: impl Into<String>,
        action: &str,
        subject: impl Into<String>,
        detail: impl Into<String>,
    ) -> AuditEvent {
        event_at(self.now(), actor, action, subject, detail)
    }
}

/// An audit event that happens at that moment, as [`Shared::event`] makes it.
pub(crate) fn event_at(
    at: Timestamp,
    actor: impl Into<String>,
    action: &str,
    subject: impl Into<String>,
    detail: impl Into<String>,
) -> AuditEvent {
    AuditEvent {
        at,
        actor: actor.into(),
        action: action.to_owned(),
        subject: printable(subject.into()),
        detail: printable(detail.into()),
    }
}

fn printable(text: String) -> String {
    if text.chars().any(char::is_control) {
        return text.replace(char::is_control, " ");
    }
    text
}
