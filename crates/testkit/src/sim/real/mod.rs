//! The real server beside the model: router, handlers, services and the SQLite store, in this process, on virtual time.
//!
//! A request runs through the real handler until it writes; there it stands at the gate until the virtual storage commits,
//! fails or loses the write, and goes on. After every commit what the database holds is compared with the model. A kill
//! drops server and store and opens the files as they were then; so does a power loss, because whatever was acknowledged is
//! in them and nothing else is (that SQLite brings torn files back is for the store's own tests).

mod answers;
mod calls;
mod careless;
mod evidence;
mod forward;
mod gate;
mod ground;
mod projection;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use anyhow::{Context as _, Result};
use domain::ids::DeviceId;
use domain::time::{Clock, Timestamp};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use server::{InProcess, sealing::KdfCost};
use store::{SqliteOptions, SqliteStore, StoreError};
use tempfile::TempDir;

pub(super) use answers::Heard;
pub(super) use calls::Call;
pub(super) use gate::What;

use self::gate::{Gate, Later, Waiting};
use self::ground::{Ground, ground, in_time};
use super::choice::PolicyChoice;
use super::faults::Fault;
use super::state::State;

/// A clock that the schedule sets.
#[derive(Debug, Default)]
struct VirtualClock(AtomicI64);

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }
}

/// Where a call stands.
pub(super) enum Stop {
    /// At a write: its number, and what it is.
    Waits(u64, What),
    /// It is answered.
    Answered(Heard),
}

/// The real server, its files, and the calls that stand at the gate.
pub(super) struct Mirror {
    ground: &'static Ground,
    clock: Arc<VirtualClock>,
    rng: Arc<std::sync::Mutex<ChaCha20Rng>>,
    folder: TempDir,
    /// Folders so far: each crash begins a new one.
    opened: u32,
    open: Option<Open>,
    waiting: HashMap<u64, Waiting>,
    calls: HashMap<u64, Later<Heard>>,
    numbers: u64,
    digests: HashMap<String, PolicyChoice>,
    sealed: HashMap<u64, Vec<u8>>,
    snapshot: Option<PathBuf>,
    /// [`Fault::RealRestartsOlder`]: the files before the last commit.
    older: Option<PathBuf>,
    fault: Option<Fault>,
}

struct Open {
    server: InProcess,
    gate: Arc<Gate>,
    reader: projection::Reader,
    path: PathBuf,
}

impl Mirror {
    pub(super) fn new(seed: u64, policy: PolicyChoice, now: Timestamp, fault: Option<Fault>) -> Result<Self> {
        let ground = ground()?;
        let folder = ground::folder()?;
        let first = folder.path().join("0");
        ground.lay(&first)?;
        let mut mirror = Self {
            ground,
            clock: Arc::default(),
            rng: Arc::new(std::sync::Mutex::new(ChaCha20Rng::seed_from_u64(seed))),
            folder,
            opened: 0,
            open: None,
            waiting: HashMap::new(),
            calls: HashMap::new(),
            numbers: 0,
            digests: HashMap::new(),
            sealed: HashMap::new(),
            snapshot: None,
            older: None,
            fault,
        };
        mirror.set_clock(now);
        mirror.open(&first)?;
        mirror.put_first_policy(policy)?;
        mirror.take_snapshot()?;
        Ok(mirror)
    }

    pub(super) fn set_clock(&self, now: Timestamp) {
        self.clock.0.store(now.0, Ordering::Relaxed);
    }

    fn open(&mut self, folder: &Path) -> Result<()> {
        let path = folder.join(server::DATABASE);
        let store = SqliteStore::open_with(&path, SqliteOptions { readers: 1 })?;
        let gate = Arc::new(Gate::new(Arc::new(store), self.fault));
        let server = in_time(InProcess::new(
            ground::config(folder),
            Arc::<Gate>::clone(&gate),
            Arc::<VirtualClock>::clone(&self.clock),
            Arc::<std::sync::Mutex<ChaCha20Rng>>::clone(&self.rng),
        ))?;
        self.open = Some(Open {
            reader: projection::Reader::open(&path)?,
            server,
            gate,
            path,
        });
        Ok(())
    }

    fn opened(&self) -> Result<&Open> {
        self.open.as_ref().context("the real server is not open")
    }

    /// Begins a call, and follows it to its first stop.
    pub(super) fn start(&mut self, call: &Call) -> Result<Stop> {
        let future = self.future_of(call)?;
        self.follow(future)
    }

    /// Follows a call whose write was carried out, failed, or is held back no longer.
    pub(super) fn go_on(&mut self, number: u64) -> Result<Stop> {
        let future = self.calls.remove(&number).context("no call waits for this write")?;
        self.follow(future)
    }

    fn follow(&mut self, mut future: Later<Heard>) -> Result<Stop> {
        let gate = Arc::clone(&self.opened()?.gate);
        let stop = ground::until(&mut future, || gate.take_fresh());
        Ok(match stop {
            Ok(heard) => Stop::Answered(heard),
            Err(waiting) => {
                self.numbers += 1;
                let what = waiting.what.clone();
                self.waiting.insert(self.numbers, waiting);
                self.calls.insert(self.numbers, future);
                Stop::Waits(self.numbers, what)
            }
        })
    }

    /// The storage carries a write out.
    pub(super) fn commit(&mut self, number: u64) -> Result<()> {
        if self.fault == Some(Fault::RealRestartsOlder) {
            self.older = Some(self.copy("older")?);
        }
        let waiting = self.waiting.remove(&number).context("no such write")?;
        let told = matches!(waiting.what, What::Disclose(_));
        let open = self.opened()?;
        in_time(waiting.carry_out(Arc::clone(&open.gate.inner)));
        if told && self.fault == Some(Fault::RealAuditRewritten) {
            careless::rewrite_the_audit(&open.path)?;
        }
        Ok(())
    }

    /// The storage does not; it may yet be found after a crash.
    pub(super) fn fail(&mut self, number: u64, error: StoreError) {
        if let Some(waiting) = self.waiting.get_mut(&number) {
            waiting.fail(error);
        }
    }

    /// What runs beside requests.
    pub(super) fn tend(&self) -> Result<()> {
        let server = &self.opened()?.server;
        in_time(server.tend()).map_err(|error| anyhow::anyhow!("{error}"))
    }

    /// Server and machine are gone; the files are as they were, or as a replica had them. Who waited is answered no more.
    pub(super) fn crash(&mut self, from_replica: bool) -> Result<()> {
        self.calls.clear();
        self.opened += 1;
        let next = match (from_replica, self.older.take()) {
            (true, _) => ground::copy_folder(
                self.snapshot.as_deref().context("no snapshot")?,
                &self.folder.path().join(self.opened.to_string()),
            )?,
            (false, Some(older)) => older,
            (false, None) => self.copy(&self.opened.to_string())?,
        };
        let old = self.open.take();
        drop(old);
        self.open(&next)
    }

    /// What the replica has from now on.
    pub(super) fn take_snapshot(&mut self) -> Result<()> {
        self.snapshot = Some(self.copy("replica")?);
        Ok(())
    }

    /// Copies the database as it is on the disk: nobody writes just now.
    fn copy(&self, name: &str) -> Result<PathBuf> {
        let from = self.opened()?.path.parent().context("no folder")?;
        ground::copy_folder(from, &self.folder.path().join(name))
    }

    /// Writes that waited when the server died, and that nobody will carry out.
    pub(super) fn forget_waiting(&mut self) {
        self.waiting.clear();
    }

    /// What the database holds is what the model holds. Otherwise: where they differ.
    pub(super) fn compare(&mut self, model: &State) -> Result<Option<String>> {
        let open = self.open.as_mut().context("the real server is not open")?;
        open.reader.compare(model, &self.digests, &self.sealed)
    }

    /// The number of the last check-in that is stored of each device.
    pub(super) fn numbers(&self) -> Result<Vec<(DeviceId, u64)>> {
        self.opened()?.reader.numbers()
    }

    /// The whole chain with its checkpoints, as an auditor verifies it.
    pub(super) fn verify(&self) -> Result<Option<String>> {
        let open = self.opened()?;
        let key = open.server.state().keys.audit_key().public_hex();
        Ok(server::services::audit::verify(&open.path, &key)
            .err()
            .map(|fault| fault.to_string()))
    }

    /// A policy's digest, as devices compare it; remembered, to be recognised in answers.
    pub(super) fn digest_of(&mut self, policy: PolicyChoice) -> Result<String> {
        if let Some((digest, _)) = self.digests.iter().find(|(_, known)| **known == policy) {
            return Ok(digest.clone());
        }
        let digest = domain::digest::digest(&policy.policy())?;
        self.digests.insert(digest.clone(), policy);
        Ok(digest)
    }
}
