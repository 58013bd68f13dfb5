//! The server's own settings, and care of the store.

use std::path::Path;

use async_trait::async_trait;
use domain::audit::AuditEvent;

use crate::Result;

/// Named values that a server keeps for itself: public halves of recovery keys, certificates. Never a private key in the
/// clear (P7).
#[async_trait]
pub trait Settings {
    /// A value.
    async fn setting(&self, name: &str) -> Result<Option<Vec<u8>>>;

    /// All values whose names begin so, by name.
    async fn settings(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>>;

    /// Sets a value.
    async fn set_setting(&self, name: &str, value: Vec<u8>, audit: Vec<AuditEvent>) -> Result<()>;

    /// Sets a value unless there is one. Returns the one that is there afterwards.
    async fn set_setting_once(&self, name: &str, value: Vec<u8>, audit: Vec<AuditEvent>) -> Result<Vec<u8>>;
}

/// Care of the store.
#[async_trait]
pub trait Maintenance {
    /// Stores gathered last contacts and last uses now. Call it every few seconds.
    async fn flush(&self) -> Result<()>;

    /// Writes a consistent copy to a new file while work goes on; durable when it comes back. Mode 0600.
    ///
    /// # Errors
    /// `Exists` when the file is there.
    async fn backup(&self, to: &Path) -> Result<()>;
}
