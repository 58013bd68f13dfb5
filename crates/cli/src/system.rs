//! The system's clock and randomness: the only place where the shipped programs take them from.

use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use domain::time::{Clock, Timestamp};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use rustix::process::{Resource, Rlimit, setrlimit};

/// The machine's wall clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the clock; all else takes a Clock"
    )]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// The time in the volume format's own ticks.
#[must_use]
pub fn file_time() -> fve::FileTime {
    fve::FileTime::from_unix_millis(SystemClock.now().0)
}

/// What the volume library takes from the system.
pub(crate) struct Fresh(ChaCha20Rng);

impl Fresh {
    pub(crate) fn new() -> Self {
        Self(system_rng())
    }

    /// The time is that of the call.
    pub(crate) fn context(&mut self) -> fve::Context<'_> {
        fve::Context {
            now: file_time(),
            rng: &mut self.0,
        }
    }
}

/// Secrets must not end in a core dump: none is written for this process or its children.
///
/// # Errors
/// When the system refuses the limit.
pub fn forbid_core_dumps() -> std::io::Result<()> {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    Ok(setrlimit(Resource::Core, none)?)
}

/// A generator seeded by the operating system.
#[must_use]
pub fn system_rng() -> ChaCha20Rng {
    ChaCha20Rng::from_os_rng()
}

/// The same, to be shared.
#[must_use]
pub fn shared_rng() -> Arc<Mutex<ChaCha20Rng>> {
    Arc::new(Mutex::new(system_rng()))
}
