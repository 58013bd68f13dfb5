//! Everything that can go wrong in the agent, in words for an administrator and without secrets.

use std::path::PathBuf;
use std::time::Duration;

use crate::client::ClientError;
use crate::config::ConfigError;
use crate::execute::ExecuteError;
use crate::identity::IdentityError;
use crate::provider::ProviderError;

/// A failure of the agent.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The configuration cannot work.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// There is no usable identity and none could be had.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The server did not answer, refused, or answered nonsense.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The volumes could not be observed.
    #[error("the volumes could not be observed: {0}")]
    Observe(ProviderError),
    /// A step of the plan failed.
    #[error(transparent)]
    Execute(#[from] ExecuteError),
    /// The plan would break a promise and was not carried out.
    #[error("the plan was refused because it would break a promise: {0}")]
    UnsafePlan(String),
    /// Observing, planning and acting again and again came to no end.
    #[error("still not settled after {0} rounds of observing, planning and acting; trying again later")]
    DoesNotConverge(usize),
    /// A file of the state directory cannot be read or written.
    #[error("{path}: {source}")]
    State {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another agent works with the same state directory.
    #[error("another agent already works with {0}")]
    AlreadyRunning(PathBuf),
    /// Nothing has been written down yet.
    #[error("no status yet: the agent has not run with this state directory ({0})")]
    NoStatus(PathBuf),
    /// A background task ended in a way it never should.
    #[error("internal error: {0}")]
    Internal(String),
}

impl AgentError {
    /// How long the server asked to be left alone, when it did.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Client(error) => error.retry_after(),
            Self::Execute(error) => error.retry_after(),
            Self::Identity(error) => error.retry_after(),
            _ => None,
        }
    }

    /// Exit code for the command line: 5 when the server could not be reached or asked to come later, else 1.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        let client = match self {
            Self::Client(error) | Self::Execute(ExecuteError::Server { source: error, .. }) => Some(error),
            Self::Identity(IdentityError::Client(error)) => Some(error),
            _ => None,
        };
        match client {
            Some(ClientError::Unreachable { .. } | ClientError::Later { .. }) => 5,
            _ => 1,
        }
    }
}
