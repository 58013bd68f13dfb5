//! What all real servers of this process begin with: an empty database and a key file, made once; and the runtime.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock};
use std::task::Poll;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use protocol::sealing::RecoveryPublicKey;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use server::Config;
use store::model::{NewToken, SecretHash};
use store::{SqliteStore, Tokens as _};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use zeroize::Zeroizing;

use super::evidence::Evidence;
use super::{InProcess, KdfCost, VirtualClock};

/// What enrolment asks for.
pub(super) const TOKEN: &str = "simulation";

/// The beginning of every real server.
pub(super) struct Ground {
    database: Vec<u8>,
    keys: Vec<u8>,
    pub(super) recovery_key: RecoveryPublicKey,
    pub(super) certificate_request: String,
    pub(super) evidence: Evidence,
}

/// The ground, made at the first call.
pub(super) fn ground() -> Result<&'static Ground> {
    static GROUND: OnceLock<Result<Ground, String>> = OnceLock::new();
    let made = GROUND.get_or_init(|| make().map_err(|error| format!("{error:#}")));
    made.as_ref().map_err(|error| anyhow!("{error}"))
}

impl Ground {
    /// Lays it in a new folder.
    pub(super) fn lay(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder)?;
        std::fs::write(folder.join(server::DATABASE), &self.database)?;
        std::fs::write(folder.join(server::KEY_FILE), &self.keys)?;
        Ok(())
    }
}

fn make() -> Result<Ground> {
    let folder = folder()?;
    let path = folder.path().join(server::DATABASE);
    let store = SqliteStore::open(&path)?;
    let token = NewToken {
        hash: SecretHash::of(TOKEN.as_bytes()),
        note: "simulation".to_owned(),
        created_at: super::super::world::START,
        created_by: "system".to_owned(),
        expires_at: None,
        uses: None,
    };
    in_time(store.add_token(token, Vec::new()))?;
    let clock = VirtualClock::default();
    clock
        .0
        .store(super::super::world::START.0, std::sync::atomic::Ordering::Relaxed);
    let rng = Arc::new(Mutex::new(ChaCha20Rng::from_seed([7; 32])));
    let server = in_time(InProcess::new(
        config(folder.path()),
        Arc::new(store),
        Arc::new(clock),
        rng,
    ))?;
    let recovery_key = server.state().keys.recovery_key().clone();
    drop(server);
    // What is still in the log goes into the file.
    let sql = rusqlite::Connection::open(&path)?;
    sql.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    drop(sql);
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let params = rcgen::CertificateParams::new(Vec::new())?;
    Ok(Ground {
        database: std::fs::read(&path).context("the database")?,
        keys: std::fs::read(folder.path().join(server::KEY_FILE)).context("the key file")?,
        recovery_key,
        certificate_request: params.serialize_request(&key)?.pem()?,
        evidence: Evidence::new()?,
    })
}

pub(super) fn config(folder: &Path) -> Config {
    let mut config = Config::new(folder.to_owned(), Zeroizing::new("simulation".to_owned()));
    config.kdf_cost = KdfCost {
        memory_kib: 16,
        passes: 1,
    };
    // A call may stand at the gate for as long as a debugger holds it.
    config.limits.request_timeout = Duration::from_secs(24 * 60 * 60);
    config
}

/// A folder in memory where there is one.
pub(super) fn folder() -> Result<TempDir> {
    let memory = Path::new("/dev/shm");
    let mut builder = tempfile::Builder::new();
    builder.prefix("claviger-sim-");
    Ok(match memory.is_dir() {
        true => builder.tempdir_in(memory)?,
        false => builder.tempdir()?,
    })
}

/// Copies database, log and key file into a new or emptied folder.
pub(super) fn copy_folder(from: &Path, to: &Path) -> Result<PathBuf> {
    if to.exists() {
        std::fs::remove_dir_all(to)?;
    }
    std::fs::create_dir_all(to)?;
    let log = format!("{}-wal", server::DATABASE);
    for name in [server::DATABASE, &log, server::KEY_FILE] {
        if from.join(name).exists() {
            std::fs::copy(from.join(name), to.join(name))?;
        }
    }
    Ok(to.to_owned())
}

thread_local! {
    static RUNTIME: Result<Runtime, String> = Builder::new_current_thread()
        .enable_time()
        .max_blocking_threads(1)
        .build()
        .map_err(|error| error.to_string());
}

/// Drives a future to its end, with all that it left running.
#[expect(clippy::panic, reason = "a simulation without a runtime has nothing to go on with")]
pub(super) fn in_time<T>(work: impl Future<Output = T>) -> T {
    RUNTIME.with(|runtime| match runtime {
        Ok(runtime) => runtime.block_on(async {
            let out = work.await;
            settle().await;
            out
        }),
        Err(error) => panic!("no runtime: {error}"),
    })
}

/// Drives a future until it ends, or `stopped` says that it stands.
pub(super) fn until<T, S>(
    work: &mut Pin<Box<dyn Future<Output = T> + Send>>,
    mut stopped: impl FnMut() -> Option<S>,
) -> Result<T, S> {
    in_time(std::future::poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(out) => Poll::Ready(Ok(out)),
        Poll::Pending => match stopped() {
            Some(stop) => Poll::Ready(Err(stop)),
            None => Poll::Pending,
        },
    }))
}

/// What a service left to run in the background (evaluations after a new policy) is done before anything else happens.
async fn settle() {
    let handle = tokio::runtime::Handle::current();
    while handle.metrics().num_alive_tasks() > 0 {
        tokio::task::yield_now().await;
    }
}
