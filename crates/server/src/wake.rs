//! Held requests: who waits, and how to wake them.
//!
//! Each device has a count of the wakes that it was given and one of those it has come in for. A wake that arrives
//! between a check-in and the next held request is therefore not lost, and one that was answered is not repeated.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::ids::DeviceId;
use tokio::sync::watch;

/// All devices of which this server knows anything to wait for.
#[derive(Default)]
pub(crate) struct Hub {
    devices: Mutex<HashMap<DeviceId, Entry>>,
    everybody: watch::Sender<u64>,
}

struct Entry {
    /// Wakes given.
    given: u64,
    /// Wakes that were known when the device last came in.
    answered: u64,
    /// Counts held requests and wakes; the one that waits compares what it sees.
    signal: watch::Sender<Signal>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Signal {
    given: u64,
    /// Number of the newest held request: an older one of the same device ends when it sees a newer.
    holder: u64,
}

/// Why a held request ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    /// There is something for the device.
    Device,
    /// Something changed for everybody: the policy.
    Everybody,
    /// The device holds a newer request.
    Replaced,
}

/// One held request.
pub(crate) struct Held {
    holder: u64,
    answered: u64,
    signal: watch::Receiver<Signal>,
    everybody: watch::Receiver<u64>,
}

impl Hub {
    /// There is something for this device.
    pub(crate) fn wake(&self, device: DeviceId) {
        let mut devices = self.lock();
        let entry = devices.entry(device).or_insert_with(Entry::new);
        entry.given += 1;
        let given = entry.given;
        entry.signal.send_modify(|signal| signal.given = given);
    }

    /// There is something for every device.
    pub(crate) fn wake_everybody(&self) {
        self.everybody.send_modify(|count| *count += 1);
    }

    /// The device comes in: it will be told all that it was woken for until now. Call it before reading the store.
    pub(crate) fn comes_in(&self, device: DeviceId) {
        let mut devices = self.lock();
        let entry = devices.entry(device).or_insert_with(Entry::new);
        entry.answered = entry.given;
    }

    /// Whether this device came in since the server started.
    pub(crate) fn knows(&self, device: DeviceId) -> bool {
        self.lock().contains_key(&device)
    }

    /// Begins to hold a request; an older one of the same device ends.
    pub(crate) fn hold(&self, device: DeviceId) -> Held {
        let mut devices = self.lock();
        let entry = devices.entry(device).or_insert_with(Entry::new);
        entry.signal.send_modify(|signal| signal.holder += 1);
        let signal = entry.signal.subscribe();
        let holder = signal.borrow().holder;
        Held {
            holder,
            answered: entry.answered,
            signal,
            everybody: self.everybody.subscribe(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<DeviceId, Entry>> {
        self.devices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn new() -> Self {
        Self {
            given: 0,
            answered: 0,
            signal: watch::Sender::new(Signal::default()),
        }
    }
}

impl Held {
    /// Waits until there is a reason to answer.
    pub(crate) async fn woken(&mut self) -> Woken {
        let (holder, answered) = (self.holder, self.answered);
        tokio::select! {
            seen = self.signal.wait_for(|signal| signal.holder != holder || signal.given != answered) => {
                match seen {
                    Ok(signal) if signal.given != answered => Woken::Device,
                    _ => Woken::Replaced,
                }
            }
            _ = self.everybody.changed() => Woken::Everybody,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn device(n: u128) -> DeviceId {
        DeviceId(Uuid::from_u128(n))
    }

    #[tokio::test]
    async fn a_wake_between_check_in_and_held_request_is_not_lost() {
        let hub = Hub::default();
        hub.comes_in(device(1));
        hub.wake(device(1));
        assert_eq!(hub.hold(device(1)).woken().await, Woken::Device);
    }

    #[tokio::test]
    async fn a_wake_that_was_answered_is_not_repeated() {
        let hub = Hub::default();
        hub.wake(device(1));
        hub.comes_in(device(1));
        let mut first = hub.hold(device(1));
        let _second = hub.hold(device(1));
        assert_eq!(first.woken().await, Woken::Replaced);
    }

    #[tokio::test]
    async fn another_devices_wake_leaves_a_held_request_alone() {
        let hub = Hub::default();
        let mut held = hub.hold(device(1));
        hub.wake(device(2));
        hub.wake_everybody();
        assert_eq!(held.woken().await, Woken::Everybody);
    }
}
