//! Starting and stopping a server.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use domain::time::{Clock, Timestamp};
use store::{SqliteStore, Store, StoreError};
use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use zeroize::Zeroizing;

use crate::authority::{Authority, AuthorityError, new_root};
use crate::config::{CertificateSource, Config};
use crate::error::AppError;
use crate::jobs::{self, Renewal};
use crate::metrics;
use crate::router;
use crate::routes::Declared;
use crate::sealing::{KeyFileError, KeyRing, Unsealed, open_or_create, write_durably};
use crate::services::accounts;
use crate::services::passwords::Passwords;
use crate::state::{AppState, Shared, SharedRng};
use crate::stream;
use crate::tls::{self, Acceptor, CurrentCertificate, TlsError, server_config};

/// Name of the database in the data directory.
pub const DATABASE: &str = "claviger.db";
/// Name of the sealed key file in the data directory.
pub const KEY_FILE: &str = "keys.json";
/// Name of the root certificate in the data directory: what agents and browsers are told to trust.
pub const ROOT_CERTIFICATE: &str = "ca.pem";
/// Name of the public half of the audit key in the data directory: what auditors verify checkpoints with.
pub const AUDIT_KEY: &str = "audit.pub";

/// The server.
#[derive(Debug)]
pub struct Server;

/// A server that runs. Dropping it stops the server without waiting; use [`Running::stop`].
pub struct Running {
    address: SocketAddr,
    metrics_address: Option<SocketAddr>,
    state: AppState,
    first_run: Option<FirstRun>,
    stop: Stop,
    serving: JoinHandle<()>,
    jobs: JoinSet<()>,
}

/// Tells the server to stop; cheap to clone.
#[derive(Clone, Debug)]
pub struct Stop(watch::Sender<bool>);

impl Stop {
    /// Stops: no new connections, held requests are answered, requests under way are finished.
    pub fn now(&self) {
        self.0.send_replace(true);
    }
}

/// What the operator must be told once, at the first start.
pub struct FirstRun {
    /// Name of the first administrator.
    pub administrator: String,
    /// The generated password; it must be changed at the first sign-in. Print it, never log it.
    pub password: Zeroizing<String>,
}

/// Why a server did not start. Nothing is left running.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A directory or file cannot be used.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The key file.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The certificate authority.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A setting is not allowed.
    #[error("{0}")]
    Setting(String),
}

impl From<AppError> for StartError {
    fn from(error: AppError) -> Self {
        error.log();
        Self::Setting(error.detail().to_owned())
    }
}

impl Server {
    /// Starts a server on the embedded store in the data directory.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(config: Config, clock: Arc<dyn Clock>, rng: SharedRng) -> Result<Running, StartError> {
        make_private_directory(&config.data_dir)?;
        let path = config.data_dir.join(DATABASE);
        let database_exists = exists(&path)?;
        // The key file first: without the passphrase nothing is touched, not even the schema.
        let unsealed = unseal(&config, database_exists, &*clock, &rng)?;
        let store = tokio::task::spawn_blocking(move || SqliteStore::open(&path))
            .await
            .map_err(|error| StartError::Setting(error.to_string()))??;
        run(config, unsealed, Arc::new(store), clock, rng).await
    }

    /// Starts a server on a store that the caller opened.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start_on(
        config: Config,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        rng: SharedRng,
    ) -> Result<Running, StartError> {
        let unsealed = unseal_for(&config, &*store, &*clock, &rng).await?;
        run(config, unsealed, store, clock, rng).await
    }
}

/// Opens the key file that belongs to a store, or makes it for a new one.
pub(crate) async fn unseal_for(
    config: &Config,
    store: &dyn Store,
    clock: &dyn Clock,
    rng: &SharedRng,
) -> Result<Unsealed, StartError> {
    make_private_directory(&config.data_dir)?;
    let in_use = store.audit_head().await?.sequence > 0;
    unseal(config, in_use, clock, rng)
}

impl Running {
    /// Where the server listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where metrics are answered, if they are.
    #[must_use]
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_address
    }

    /// What handlers share; for callers in the same process.
    #[must_use]
    pub fn state(&self) -> &AppState {
        &self.state
    }

    /// All that is answered, for callers in the same process, and who may ask for it.
    pub fn routes(&self) -> (axum::Router, Vec<Declared>) {
        router::all(&self.state)
    }

    /// The first administrator's generated password: given out once, and only at the first start.
    pub fn take_first_run(&mut self) -> Option<FirstRun> {
        self.first_run.take()
    }

    /// A handle to stop the server from elsewhere, a signal handler say.
    #[must_use]
    pub fn stop_handle(&self) -> Stop {
        self.stop.clone()
    }

    /// Waits until the server has stopped: all answers given, gathered writes stored, the audit signed.
    pub async fn join(mut self) {
        let _ = (&mut self.serving).await;
        while self.jobs.join_next().await.is_some() {}
        jobs::finish(&self.state).await;
    }

    /// Stops and waits.
    pub async fn stop(self) {
        self.stop.now();
        self.join().await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.now();
    }
}

async fn run(
    config: Config,
    unsealed: Unsealed,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    rng: SharedRng,
) -> Result<Running, StartError> {
    let authority = Authority::load(&unsealed.authority_certificate, &unsealed.authority_key)?;
    export(&config.data_dir, ROOT_CERTIFICATE, authority.root_pem())?;
    export(
        &config.data_dir,
        AUDIT_KEY,
        &format!("{}\n", unsealed.ring.audit_key().public_hex()),
    )?;
    let (certificate, renewal) = certificate(&config, &authority, clock.now(), &rng)?;
    let tls = server_config(&authority, Arc::clone(&certificate), Arc::clone(&clock))?;
    let listener = TcpListener::bind(config.listen)
        .await
        .map_err(|source| StartError::Listen {
            address: config.listen,
            source,
        })?;
    let address = listener.local_addr().map_err(|source| StartError::Listen {
        address: config.listen,
        source,
    })?;
    let streams = stream::prepare(&config.audit_streams).map_err(StartError::Setting)?;
    let metrics = match config.metrics_listen {
        Some(address) => {
            let listening = metrics::listen(address).await;
            Some(listening.map_err(|source| StartError::Listen { address, source })?)
        }
        None => None,
    };
    let metrics_address = metrics.as_ref().and_then(|listener| listener.local_addr().ok());
    let (stop, stopped) = watch::channel(false);
    let state = assemble(&config, unsealed.ring, authority, store, clock, rng, stopped.clone())?;
    let first_run =
        accounts::ensure_first(&state, config.first_administrator)
            .await?
            .map(|(administrator, password)| FirstRun {
                administrator,
                password,
            });
    let acceptor = Acceptor {
        tls: TlsAcceptor::from(tls),
        router: router::all(&state).0,
        limits: config.limits,
    };
    tracing::info!(%address, "listening");
    Ok(Running {
        address,
        metrics_address,
        first_run,
        stop: Stop(stop),
        serving: tokio::spawn(tls::serve(listener, acceptor, stopped)),
        jobs: jobs::start(&state, renewal, streams, metrics),
        state,
    })
}

/// All that handlers share, and nothing that runs.
pub(crate) fn assemble(
    config: &Config,
    keys: KeyRing,
    authority: Authority,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    rng: SharedRng,
    stop: watch::Receiver<bool>,
) -> Result<AppState, StartError> {
    let passwords = {
        let mut rng = rng.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (mut salt, mut nobody) = ([0; 16], Zeroizing::new([0; 32]));
        rng.fill_bytes(&mut salt);
        rng.fill_bytes(&mut *nobody);
        Passwords::new(config.kdf_cost, &salt, &nobody).ok_or(KeyFileError::Cost)?
    };
    Ok(AppState::new(Shared {
        policies: Default::default(),
        streams: Default::default(),
        host: config
            .public_names
            .first()
            .cloned()
            .unwrap_or_else(|| "localhost".to_owned()),
        previews: Default::default(),
        clock,
        store,
        keys,
        authority,
        device_slots: Arc::new(Semaphore::new(config.limits.device_requests)),
        held_slots: Arc::new(Semaphore::new(config.limits.held_requests)),
        limits: config.limits.clone(),
        rng,
        passwords,
        unknown_names: Default::default(),
        save_tokens: Default::default(),
        hub: Default::default(),
        proof_work: Notify::new(),
        stop,
    }))
}

fn unseal(config: &Config, database_exists: bool, clock: &dyn Clock, rng: &SharedRng) -> Result<Unsealed, StartError> {
    let mut rng = rng.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let root = |rng: &mut dyn rand_core::CryptoRng| new_root(clock.now(), rng).map_err(|error| error.to_string());
    let path = config.data_dir.join(KEY_FILE);
    Ok(open_or_create(
        &path,
        database_exists,
        &config.passphrase,
        config.kdf_cost,
        &mut *rng,
        root,
    )?)
}

fn certificate(
    config: &Config,
    authority: &Authority,
    now: Timestamp,
    rng: &SharedRng,
) -> Result<(Arc<CurrentCertificate>, Option<Renewal>), StartError> {
    if let CertificateSource::Files { certificate, key } = &config.certificate {
        return Ok((Arc::new(CurrentCertificate::from_files(certificate, key)?), None));
    }
    let mut rng = rng.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let issued = authority.issue_server(&config.public_names, now, &mut *rng)?;
    let renew_after = issued.renew_after;
    let certificate = Arc::new(CurrentCertificate::issued(issued)?);
    let renewal = Renewal {
        certificate: Arc::clone(&certificate),
        names: config.public_names.clone(),
        renew_after,
    };
    Ok((certificate, Some(renewal)))
}

/// Writes something that everybody may read.
fn export(data_dir: &Path, name: &str, text: &str) -> Result<(), StartError> {
    let path = data_dir.join(name);
    if std::fs::read(&path).is_ok_and(|present| present == text.as_bytes()) {
        return Ok(());
    }
    write_durably(&path, text.as_bytes(), 0o644).map_err(|source| StartError::Io { path, source })
}

fn make_private_directory(path: &Path) -> Result<(), StartError> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|source| StartError::Io {
        path: path.to_owned(),
        source,
    })
}

fn exists(path: &Path) -> Result<bool, StartError> {
    path.try_exists().map_err(|source| StartError::Io {
        path: path.to_owned(),
        source,
    })
}
