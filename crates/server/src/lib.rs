//! Recovery service, policy service, portals, sign-in, jobs.
//!
//! [`Server::start`] runs everything: it opens the store and the sealed key file, listens on TLS 1.3, and serves the
//! device API ([`device_api`]) and the pages. Pages and interfaces hold no rules of their own: they call [`services`].
//! Only [`sealing`] opens secrets.

pub mod api;
pub mod authority;
pub mod config;
pub mod csrf;
pub mod device_api;
pub mod error;
pub mod headers;
mod health;
mod in_process;
mod jobs;
mod metrics;
mod router;
pub mod routes;
pub mod sealing;
mod server;
pub mod services;
pub mod session;
pub mod state;
pub mod stream;
pub mod tls;
mod wake;
pub mod web;

pub use config::{CertificateSource, Config, FirstAdministrator, Limits};
pub use error::AppError;
pub use in_process::{Answer, InProcess};
pub use server::{AUDIT_KEY, DATABASE, FirstRun, KEY_FILE, ROOT_CERTIFICATE, Running, Server, StartError, Stop};
pub use state::AppState;
