//! The device's side: observe, check in, plan, act, observe again.
//!
//! [`run`] goes on until it is cancelled; [`once`] converges and returns; [`status`] reads what the last of them wrote
//! down. All decisions are made by `domain::plan`; this crate looks, asks, carries out and looks again. It keeps no
//! journal: what must survive lives in the volumes and on the server.

pub mod client;
pub mod config;
pub mod error;
pub mod execute;
pub mod hooks;
pub mod identity;
pub mod observe;
pub mod platform;
pub mod provider;

mod answers;
mod cycle;
mod files;
mod idle;
mod pace;
mod run;
mod sequence;
mod shared;
mod status;

pub use answers::{Answer, Reply};
#[cfg(unix)]
pub use answers::{AnswerError, answer};
pub use error::AgentError;
pub use run::{Deps, OnceOptions, Outcome, once, run};
pub use shared::SharedProvider;
pub use status::{Status, VolumeStatus, status};
