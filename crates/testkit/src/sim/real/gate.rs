//! The real store behind a gate: what a schedule decides about (which write is carried out when, which fails, which is
//! found after a crash) stops here until the virtual storage says so. Everything else passes.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::ids::{DeviceId, RequestId};
use domain::ledger::ProofState;
use store::model::{KeyName, RequestKind};
use store::{Result, Store, StoreError};
use tokio::sync::oneshot;

use super::super::faults::Fault;
use super::careless::Careless;

/// A future that can be kept.
pub(super) type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A write that waits, as far as it can be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum What {
    Enrol(DeviceId),
    Inventory(DeviceId),
    Report(DeviceId),
    Retire(DeviceId, bool),
    Ask(RequestId, DeviceId, RequestKind),
    Escrow(KeyName),
    Disclose(KeyName),
    Proof(KeyName, u32, ProofState),
    Policy,
    Wish(String),
    Decide(u64, &'static str),
    /// Records in the audit: action and subject of each.
    Note(Vec<(String, String)>),
}

/// A write that waits. It can still be carried out after its caller was told that it failed, or has gone.
pub(super) struct Waiting {
    pub(super) what: What,
    run: Box<dyn FnOnce(Arc<dyn Store>) -> Later<()> + Send>,
    refuse: Box<dyn FnMut(StoreError) + Send>,
}

impl Waiting {
    /// Carries it out, and tells the caller if there still is one.
    pub(super) async fn carry_out(self, store: Arc<dyn Store>) {
        (self.run)(store).await;
    }

    /// Tells the caller that it failed.
    pub(super) fn fail(&mut self, error: StoreError) {
        (self.refuse)(error);
    }
}

/// The gate.
pub(super) struct Gate {
    pub(super) inner: Arc<dyn Store>,
    /// The write at which the call that runs now came to stand.
    fresh: Mutex<Option<Waiting>>,
    pub(super) fault: Option<Fault>,
    pub(super) careless: Mutex<Careless>,
}

impl Gate {
    pub(super) fn new(inner: Arc<dyn Store>, fault: Option<Fault>) -> Self {
        Self {
            inner,
            fresh: Mutex::default(),
            fault,
            careless: Mutex::default(),
        }
    }

    /// The number of a check-in, by a store that cares.
    pub(super) fn counted(&self, sequence: u64) -> u64 {
        match self.fault {
            Some(Fault::RealOvertakenStored) => 0,
            _ => sequence,
        }
    }

    pub(super) fn take_fresh(&self) -> Option<Waiting> {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn careless(&self) -> MutexGuard<'_, Careless> {
        self.careless.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops at the gate until `op` is carried out or refused.
    pub(super) async fn gated<T, F>(&self, what: What, op: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(Arc<dyn Store>) -> Later<Result<T>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let reply = Arc::new(Mutex::new(Some(reply)));
        let refused = Arc::clone(&reply);
        let tell = |to: &Mutex<Option<oneshot::Sender<Result<T>>>>, result| {
            let caller = to.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(caller) = caller {
                let _gone = caller.send(result);
            }
        };
        let waiting = Waiting {
            what,
            run: Box::new(move |store| {
                Box::pin(async move {
                    let result = op(store).await;
                    tell(&reply, result);
                })
            }),
            refuse: Box::new(move |error| tell(&refused, Err(error))),
        };
        *self.fresh.lock().unwrap_or_else(PoisonError::into_inner) = Some(waiting);
        answer.await.map_err(|_| StoreError::Closed)?
    }
}
