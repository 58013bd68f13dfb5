//! The server without a network and without threads of its own: what it answers and what its jobs do, for callers in the
//! same process that hold clock and randomness, such as simulations.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, header};
use domain::access::{Grant, Role};
use domain::time::Clock;
use http_body_util::BodyExt as _;
use store::Store;
use store::model::KeyName;
use tokio::sync::watch;
use tower::ServiceExt as _;

use crate::authority::Authority;
use crate::config::Config;
use crate::csrf::CsrfToken;
use crate::error::{AppError, Result};
use crate::jobs;
use crate::router;
use crate::server::{self, StartError};
use crate::session::{Caller, CurrentUser, Token};
use crate::state::{AppState, SharedRng};
use crate::tls::PeerIdentity;

/// Router and jobs, nothing of which runs by itself.
#[derive(Clone)]
pub struct InProcess {
    state: AppState,
    router: Router,
    /// The server runs as long as somebody can tell it to stop.
    _stop: Arc<watch::Sender<bool>>,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

impl InProcess {
    /// A server on a store that the caller opened, with the key file of its data directory. It makes no account.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn new(
        config: Config,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        rng: SharedRng,
    ) -> Result<Self, StartError> {
        let unsealed = server::unseal_for(&config, &*store, &*clock, &rng).await?;
        let authority = Authority::load(&unsealed.authority_certificate, &unsealed.authority_key)?;
        let (stop, stopped) = watch::channel(false);
        let state = server::assemble(&config, unsealed.ring, authority, store, clock, rng, stopped)?;
        Ok(Self {
            router: router::all(&state).0,
            state,
            _stop: Arc::new(stop),
        })
    }

    /// What handlers share.
    #[must_use]
    pub fn state(&self) -> &AppState {
        &self.state
    }

    /// Answers a `POST` of JSON as the TLS layer would hand it over: with the identity that the client certificate gave.
    /// The future holds nothing of `self`.
    pub fn post(
        &self,
        path: &str,
        peer: Option<PeerIdentity>,
        body: Vec<u8>,
    ) -> impl Future<Output = Result<Answer>> + Send + use<> {
        let router = self.router.clone();
        let request = Request::post(path)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body));
        async move {
            let mut request = request.map_err(AppError::internal)?;
            if let Some(peer) = peer {
                request.extensions_mut().insert(peer);
            }
            let response = match router.oneshot(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            };
            let status = response.status().as_u16();
            let body = response.into_body().collect().await.map_err(AppError::internal)?;
            Ok(Answer {
                status,
                body: body.to_bytes().to_vec(),
            })
        }
    }

    /// A person as if signed in, with a session that the store does not know.
    #[must_use]
    pub fn person(&self, name: &str, role: Role) -> CurrentUser {
        let token = Token::new(self.state.random());
        CurrentUser {
            name: name.to_owned(),
            caller: Caller::Person,
            grant: Grant::everywhere(role),
            must_change_password: false,
            session: token.hash(),
            csrf: CsrfToken::of_session(&token),
        }
    }

    /// One round of what runs beside requests: last contacts are stored, what time alone changed is looked at, the audit is
    /// signed. Proofs are not tried: their cost is not for a simulation.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn tend(&self) -> Result<()> {
        jobs::tend(&self.state).await
    }

    /// Records the outcome of a proof as the worker does.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn record_proof(
        &self,
        name: KeyName,
        version: u32,
        outcome: std::result::Result<(), String>,
    ) -> Result<()> {
        jobs::record_proof(&self.state, name, version, outcome).await
    }
}
