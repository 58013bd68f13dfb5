//! The server under test and the devices and people around it.

mod device;
mod volume;

pub(crate) use device::{Answer, Device, Key, check_in, inventory, post};
pub(crate) use volume::Volume;

use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::{HeaderMap, header};
use domain::access::Role;
use domain::audit::AuditEntry;
use domain::time::{Clock, Timestamp};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, RootCertStore};
use server::sealing::KdfCost;
use server::services::{accounts, enrolment, sign_in};
use server::session::{CurrentUser, user_of};
use server::{Config, FirstAdministrator, ROOT_CERTIFICATE, Running, Server};
use store::model::{AuditQuery, Paging};
use tempfile::TempDir;
use zeroize::Zeroizing;

/// 2026-11-25T00:00:00Z.
pub(crate) const START: i64 = 1_795_564_800_000;
pub(crate) const PASSPHRASE: &str = "a passphrase of the tests";
pub(crate) const ADMIN_PASSWORD: &str = "correct horse battery staple";

/// A clock that stands still until a test moves it.
#[derive(Debug)]
pub(crate) struct TestClock(AtomicI64);

impl TestClock {
    pub(crate) fn advance(&self, time: Duration) {
        self.0
            .fetch_add(i64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// A server and its data directory.
pub(crate) struct Harness {
    pub(crate) clock: Arc<TestClock>,
    pub(crate) running: Running,
    pub(crate) directory: TempDir,
}

pub(crate) fn config(directory: &Path) -> Config {
    Config {
        listen: ([127, 0, 0, 1], 0).into(),
        kdf_cost: KdfCost {
            memory_kib: 16,
            passes: 1,
        },
        first_administrator: Some(FirstAdministrator {
            name: "admin".to_owned(),
            password: Zeroizing::new(ADMIN_PASSWORD.to_owned()),
        }),
        ..Config::new(directory.to_owned(), Zeroizing::new(PASSPHRASE.to_owned()))
    }
}

pub(crate) fn rng(seed: u8) -> Arc<Mutex<ChaCha20Rng>> {
    Arc::new(Mutex::new(ChaCha20Rng::from_seed([seed; 32])))
}

impl Harness {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        Self::start_seeded(1, change).await
    }

    /// A server whose keys are not those of the others.
    pub(crate) async fn start_seeded(seed: u8, change: impl FnOnce(&mut Config)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(TestClock(AtomicI64::new(START)));
        let mut config = config(directory.path());
        change(&mut config);
        let running = Server::start(config, clock.clone(), rng(seed)).await.unwrap();
        Self {
            clock,
            running,
            directory,
        }
    }

    /// Stops the server and starts another on the same data.
    pub(crate) async fn restart(self) -> Self {
        self.restart_with(|_| {}).await
    }

    pub(crate) async fn restart_with(self, change: impl FnOnce(&mut Config)) -> Self {
        self.running.stop().await;
        let mut config = config(self.directory.path());
        change(&mut config);
        Self {
            running: Server::start(config, self.clock.clone(), rng(2)).await.unwrap(),
            ..self
        }
    }

    pub(crate) fn state(&self) -> &server::AppState {
        self.running.state()
    }

    pub(crate) fn database(&self) -> std::path::PathBuf {
        self.directory.path().join(server::DATABASE)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.running.address().port())
    }

    /// A client that trusts this server's authority, with or without a client certificate.
    pub(crate) fn client(&self, identity: Option<(&str, &Key)>) -> reqwest::Client {
        let root = std::fs::read(self.directory.path().join(ROOT_CERTIFICATE)).unwrap();
        client(&root, identity)
    }

    /// A token that any number of devices may use for an hour.
    pub(crate) async fn token(&self) -> String {
        let admin = self.admin().await;
        enrolment::create(self.state(), &admin, "tests", Duration::from_secs(3600), None)
            .await
            .unwrap()
            .token
            .to_string()
    }

    pub(crate) async fn admin(&self) -> CurrentUser {
        self.sign_in("admin", ADMIN_PASSWORD).await
    }

    /// A new account of this role, signed in.
    pub(crate) async fn person(&self, name: &str, role: Role) -> CurrentUser {
        let admin = self.admin().await;
        let password = accounts::create(self.state(), &admin, name, role).await.unwrap();
        self.sign_in(name, &password).await
    }

    pub(crate) async fn sign_in(&self, name: &str, password: &str) -> CurrentUser {
        let headers = self.session(name, password).await;
        user_of(&headers, self.state()).await.unwrap().unwrap()
    }

    /// Request headers with a new session's cookie.
    pub(crate) async fn session(&self, name: &str, password: &str) -> HeaderMap {
        let password = Zeroizing::new(password.to_owned());
        let signed_in = sign_in::sign_in(self.state(), name, password, "tests").await.unwrap();
        let cookie = signed_in.cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
        HeaderMap::from_iter([(header::COOKIE, cookie.parse().unwrap())])
    }

    /// The whole audit, oldest first.
    pub(crate) async fn audit(&self) -> Vec<AuditEntry> {
        let query = AuditQuery {
            paging: Paging::page(1, 1000),
            ..AuditQuery::default()
        };
        self.state().store.search_audit(query).await.unwrap().items
    }

    pub(crate) async fn audit_count(&self, action: &str) -> usize {
        let entries = self.audit().await;
        entries.iter().filter(|entry| entry.event.action == action).count()
    }

    /// Waits until no escrow is left that was not tried.
    pub(crate) async fn all_tried(&self) {
        let tried = async { while !self.state().store.unproven(1).await.unwrap().is_empty() {} };
        tokio::time::timeout(Duration::from_secs(60), tried).await.unwrap();
    }
}

/// A client with its own idea of trust; its clock stands at the start of the test.
pub(crate) fn client(root_pem: &[u8], identity: Option<(&str, &Key)>) -> reqwest::Client {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(root_pem).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_details(provider, Arc::new(Standing))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots);
    let tls = match identity {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => {
            let chain = CertificateDer::pem_slice_iter(chain.as_bytes())
                .collect::<Result<Vec<_>, _>>()
                .unwrap();
            let key = PrivateKeyDer::try_from(key.0.serialize_der()).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    };
    reqwest::Client::builder()
        .use_preconfigured_tls(tls)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

#[derive(Debug)]
struct Standing;

impl TimeProvider for Standing {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_millis(START.unsigned_abs())))
    }
}
