//! What the provider's tests share.

#![expect(dead_code, reason = "each test file uses a part")]
#![expect(clippy::unwrap_used, reason = "a test that cannot set up its parts fails")]

pub(crate) mod device;
pub(crate) mod swtpm;

use agent::provider::{Code, Result};

/// The code of a failure.
#[track_caller]
pub(crate) fn code<T: std::fmt::Debug>(outcome: Result<T>) -> Code {
    outcome.unwrap_err().code
}
