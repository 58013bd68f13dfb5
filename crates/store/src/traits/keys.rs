//! Escrowed recovery passwords.

use async_trait::async_trait;
use domain::audit::AuditEvent;
use domain::ids::DeviceId;
use domain::ledger::Ledger;
use domain::time::Timestamp;

use crate::Result;
use crate::model::{
    Disclosed, Escrowed, FoundKey, KeyName, KeyRecord, KeySearch, NewEscrow, ProofJob, ProofResult, Within,
};

/// Keys: stored, proven, told, replaced; never deleted and never overwritten (P6).
#[async_trait]
pub trait Keys {
    /// Stores an escrow; comes back when it is durable (P3). The same escrow sent again is acknowledged with its first
    /// moment. Another sealed secret for the same protector is kept beside the earlier ones, as a further version, and
    /// has still to be proven. A key that the volume no longer carried in the device's last inventory, and for which this
    /// one is the replacement, is superseded in the same transaction (with an audit event `key.superseded`).
    ///
    /// # Errors
    /// `NotFound` when there is no such device; `Refused` when it is retired.
    async fn escrow(&self, escrow: NewEscrow, audit: Vec<AuditEvent>) -> Result<Escrowed>;

    /// Marks a key as told to somebody and appends the record of it; hands the sealed secret out after both are
    /// durable (P4). Nothing happens unless the device is one of these, as seen in the same transaction. A key that was replaced can be told too (an old image, a drive from the shelf) and stays superseded.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` when `audit` is empty: nothing is told without a record.
    async fn disclose(
        &self,
        name: KeyName,
        within: &Within,
        at: Timestamp,
        audit: Vec<AuditEvent>,
    ) -> Result<Disclosed>;

    /// A key.
    async fn key(&self, name: KeyName) -> Result<Option<KeyRecord>>;

    /// A device's keys with their history: those in use first, then the newest first.
    async fn keys_of_device(&self, device: DeviceId) -> Result<Vec<KeyRecord>>;

    /// Keys by recovery key ID, on these devices, retired ones too. More than one when first digits, or a volume's
    /// copies on several devices, coincide. Those in use first, then the newest first.
    async fn find_keys(&self, search: KeySearch, within: &Within) -> Result<Vec<FoundKey>>;

    /// The server's view of a device's keys.
    async fn ledger(&self, device: DeviceId) -> Result<Ledger>;

    /// Newest versions that were not tried yet, the oldest keys first.
    async fn unproven(&self, limit: u32) -> Result<Vec<ProofJob>>;

    /// Stores the outcome of a proof. False: the version had this outcome already, and nothing was changed.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` when the outcome is `NotProven`.
    async fn record_proof(&self, result: ProofResult, audit: Vec<AuditEvent>) -> Result<bool>;

    /// The volume's metadata that came with a version.
    async fn evidence(&self, name: KeyName, version: u32) -> Result<Option<Vec<u8>>>;
}
