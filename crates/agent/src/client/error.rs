//! What can go wrong between device and server. No message holds what was sent.

use std::error::Error;
use std::fmt::Write;
use std::path::PathBuf;
use std::time::Duration;

use protocol::messages::Problem;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};

/// When a server says "later" without saying when.
const DEFAULT_LATER: Duration = Duration::from_secs(60);
/// The longest "later" that is believed.
const LONGEST_LATER: Duration = Duration::from_secs(24 * 60 * 60);
/// Longest text of a server that is repeated, in characters.
const LONGEST_QUOTE: usize = 300;

/// A failed exchange.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No answer: not reached, broken off, in time-out, or not the pinned authority's server.
    #[error("the server cannot be reached: {reason}")]
    Unreachable {
        /// Why, as far as it is known.
        reason: String,
    },
    /// The server asked to come back later (429 or 503).
    #[error("the server asks to come back in {} seconds", after.as_secs())]
    Later {
        /// After how long.
        after: Duration,
    },
    /// The server refused, and says why.
    #[error("the server refused ({status}, {code}): {detail}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// Stable code.
        code: String,
        /// A sentence.
        detail: String,
    },
    /// The answer is not what the protocol allows.
    #[error("the server's answer cannot be used: {0}")]
    Answer(String),
    /// The pinned authority cannot be used.
    #[error("the authority in {file} cannot be used: {problem}")]
    Authority {
        /// Its file.
        file: PathBuf,
        /// Why.
        problem: String,
    },
    /// TLS cannot be set up on this side.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

impl ClientError {
    /// How long the server asked to be left alone, when it did.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Later { after } => Some(*after),
            _ => None,
        }
    }

    pub(super) fn unreachable(error: reqwest::Error) -> Self {
        let reason = if error.is_timeout() {
            "no answer in time".to_owned()
        } else {
            chain(&error.without_url())
        };
        Self::Unreachable { reason }
    }

    pub(super) fn later(headers: &HeaderMap) -> Self {
        let after = headers
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .and_then(|text| text.trim().parse().ok())
            .map_or(DEFAULT_LATER, Duration::from_secs);
        Self::Later {
            after: after.min(LONGEST_LATER),
        }
    }

    pub(super) fn answer(error: &serde_json::Error) -> Self {
        Self::Answer(quote(&error.to_string()))
    }

    pub(super) fn refused(status: StatusCode, body: &[u8]) -> Self {
        let (code, detail) = match serde_json::from_slice::<Problem>(body) {
            Ok(problem) => (quote(&problem.code), quote(&problem.detail)),
            Err(_) => ("unknown".to_owned(), "it gave no reason".to_owned()),
        };
        Self::Refused {
            status: status.as_u16(),
            code,
            detail,
        }
    }
}

/// An error and its causes, in one line.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !text.contains(&message) {
            // Writing to a string does not fail.
            let _ = write!(text, ": {message}");
        }
        cause = error.source();
    }
    text
}

/// A foreign text, made harmless for a log: bounded, in one line.
fn quote(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(LONGEST_QUOTE)
        .collect()
}
