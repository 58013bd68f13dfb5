//! The audit chain: each entry carries the hash of the one before, so a change, a gap or a removal shows.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::time::Timestamp;

pub use checkpoint::{Checkpoint, verify_end_with_checkpoints, verify_with_checkpoints};
pub use verify::{ChainFault, verify, verify_up_to};

mod checkpoint;
pub mod stream;
mod verify;

/// What happened; never contains a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditEvent {
    /// When.
    pub at: Timestamp,
    /// Who: `user:NAME`, `device:ID`, `system`.
    pub actor: String,
    /// What: a dotted name, `key.disclosed`, `key.escrowed`, `sign_in.failed`.
    pub action: String,
    /// On what: device, volume, protector, account; empty when nothing in particular.
    pub subject: String,
    /// Why, and other facts, as the actor gave them.
    pub detail: String,
}

/// An event in its place in the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// 1, 2, 3, … without gaps.
    pub sequence: u64,
    /// The event.
    pub event: AuditEvent,
    /// Hash of the entry before (all zeros for the first).
    pub previous: [u8; 32],
    /// Hash of this entry.
    pub hash: [u8; 32],
}

/// The last entry's place: where the chain goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainHead {
    /// Sequence of the last entry; 0 for an empty chain.
    pub sequence: u64,
    /// Its hash.
    pub hash: [u8; 32],
}

/// Appends an event.
#[must_use]
pub fn append(head: ChainHead, event: AuditEvent) -> AuditEntry {
    let sequence = head.sequence.saturating_add(1);
    let hash = entry_hash(sequence, &head.hash, &event);
    AuditEntry {
        sequence,
        event,
        previous: head.hash,
        hash,
    }
}

/// Each field is preceded by its length, so no two different entries hash the same bytes.
fn entry_hash(sequence: u64, previous: &[u8; 32], event: &AuditEvent) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(b"claviger audit v1\0");
    hasher.update(sequence.to_be_bytes());
    hasher.update(previous);
    hasher.update(event.at.0.to_be_bytes());
    for field in [&event.actor, &event.action, &event.subject, &event.detail] {
        hasher.update((field.len() as u64).to_be_bytes());
        hasher.update(field.as_bytes());
    }
    hasher.finalize().into()
}
