//! The audit, streamed to other systems as it is written.
//!
//! Entries are sent in order, each at least once: the place reached is stored when the receiver has taken what was sent. Each
//! carries its sequence and hash, so that a receiver drops what it has and sees what it misses. A receiver that fails
//! holds up nobody but itself.

mod send;
mod target;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use store::{Store, StoreError};

pub use send::SendError;
use send::Sender;
pub use target::{Form, Target, Transport, Way, parse};

use crate::jobs::pause;
use crate::state::{AppState, Shared};

const AT_ONCE: u32 = 200;
const LOOK_EVERY: Duration = Duration::from_secs(2);
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);

/// How each stream stands, by name.
#[derive(Debug, Default)]
pub struct Standings(Mutex<BTreeMap<String, Standing>>);

/// How one stream stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Sequence of the last entry that the receiver took.
    pub reached: u64,
    /// Why the last attempt failed; `None`: it did not.
    pub failure: Option<String>,
}

impl Standings {
    /// All of them now.
    #[must_use]
    pub fn all(&self) -> BTreeMap<String, Standing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, name: &str, standing: Standing) -> Option<Standing> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(name.to_owned(), standing)
    }
}

/// A target whose certificates are read: it can be sent to.
#[derive(Debug)]
pub(crate) struct Stream {
    name: String,
    way: String,
    sender: Sender,
}

/// Makes the targets ready.
///
/// # Errors
/// When certificates cannot be read; with the stream's name.
pub(crate) fn prepare(targets: &[Target]) -> Result<Vec<Stream>, String> {
    let ready = |target: &Target| {
        let sender = Sender::new(target).map_err(|error| format!("audit stream {}: {error}", target.name))?;
        Ok(Stream {
            name: target.name.clone(),
            way: target.way.to_string(),
            sender,
        })
    };
    targets.iter().map(ready).collect()
}

/// Reads a file of targets; see [`parse`].
///
/// # Errors
/// With the file's name.
pub fn read(path: &Path) -> Result<Vec<Target>, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    parse(&text).map_err(|words| format!("{}: {words}", path.display()))
}

/// Sends until the server stops.
pub(crate) async fn run(state: AppState, mut stream: Stream) {
    let mut wait = FIRST_PAUSE;
    let mut reached = None;
    loop {
        let attempt = advance(&state, &mut stream, &mut reached).await;
        let reached = reached.unwrap_or_default();
        let pausing = match attempt {
            Ok(0) => LOOK_EVERY,
            Ok(_) => Duration::ZERO,
            Err(_) => wait,
        };
        wait = if attempt.is_ok() {
            FIRST_PAUSE
        } else {
            (wait * 2).min(LONGEST_PAUSE)
        };
        note(&state, &stream, reached, attempt.err());
        if pause(&state, pausing).await {
            return;
        }
    }
}

/// Sends what is next, and remembers that it did. How many entries that were.
async fn advance(state: &Shared, stream: &mut Stream, reached: &mut Option<u64>) -> Result<usize, StreamError> {
    let from = match *reached {
        Some(from) => from,
        None => *reached.insert(start(&*state.store, &stream.name).await?),
    };
    let entries = state.store.audit_entries(from.saturating_add(1), AT_ONCE).await?;
    let Some(last) = entries.last() else { return Ok(0) };
    stream.sender.send(&entries, state).await?;
    let place = last.sequence;
    let value = place.to_be_bytes().to_vec();
    *reached = Some(place);
    state
        .store
        .set_setting(&setting(&stream.name), value, Vec::new())
        .await?;
    Ok(entries.len())
}

/// Where to go on. A stream that is new begins with what comes next: what lies before stays in the audit.
async fn start(store: &dyn Store, name: &str) -> Result<u64, StreamError> {
    let stored = store.setting(&setting(name)).await?;
    if let Some(place) = stored.and_then(|bytes| bytes.try_into().ok()) {
        return Ok(u64::from_be_bytes(place));
    }
    let head = store.audit_head().await?.sequence;
    store
        .set_setting(&setting(name), head.to_be_bytes().to_vec(), Vec::new())
        .await?;
    Ok(head)
}

fn setting(name: &str) -> String {
    format!("audit_stream/{name}")
}

/// Keeps how it stands, and says it when that changed.
fn note(state: &Shared, stream: &Stream, reached: u64, failure: Option<StreamError>) {
    let failure = failure.map(|error| error.to_string());
    let before = state.streams.set(
        &stream.name,
        Standing {
            reached,
            failure: failure.clone(),
        },
    );
    let (name, to) = (&stream.name, &stream.way);
    match (before.and_then(|standing| standing.failure), failure) {
        (before, Some(error)) if before.as_ref() != Some(&error) => {
            tracing::warn!(stream = name, to, error, "the audit cannot be sent; it is tried again");
        }
        (Some(_), None) => tracing::info!(stream = name, to, "the audit is sent again"),
        _ => {}
    }
}

/// Why nothing was sent.
#[derive(Debug, thiserror::Error)]
enum StreamError {
    #[error(transparent)]
    Send(#[from] SendError),
    #[error("the audit cannot be read: {0}")]
    Store(#[from] StoreError),
}
