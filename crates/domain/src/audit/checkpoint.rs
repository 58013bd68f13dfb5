//! Signed heads: whoever keeps one can show later that the chain up to it was not replaced or cut off.

use serde::{Deserialize, Serialize};

use super::verify::walk;
use super::{AuditEntry, ChainFault, ChainHead};
use crate::time::Timestamp;

/// A head, when it was taken, and the server's signature over both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// The chain's head at that moment.
    pub head: ChainHead,
    /// When.
    pub at: Timestamp,
    /// Signature over [`Checkpoint::signed_bytes`]; its kind is the business of who signs and checks.
    pub signature: Vec<u8>,
}

impl Checkpoint {
    /// The bytes that are signed: a fixed prefix, sequence and time (big-endian, 8 bytes each), hash.
    #[must_use]
    pub fn signed_bytes(head: ChainHead, at: Timestamp) -> Vec<u8> {
        let mut bytes = b"claviger audit checkpoint v1\0".to_vec();
        bytes.extend(head.sequence.to_be_bytes());
        bytes.extend(at.0.to_be_bytes());
        bytes.extend(head.hash);
        bytes
    }
}

/// Verifies a chain from its first entry against checkpoints, in any order. `signed` gets the signed bytes and the
/// signature of each, and says whether it is right.
///
/// # Errors
/// A wrong signature before anything else; then the first fault of the chain; [`ChainFault::HeadMismatch`] when the chain
/// is sound in itself but does not pass through a checkpoint, or ends before it.
pub fn verify_with_checkpoints(
    entries: impl IntoIterator<Item = AuditEntry>,
    checkpoints: &[Checkpoint],
    signed: impl Fn(&[u8], &[u8]) -> bool,
) -> Result<ChainHead, ChainFault> {
    verify_end_with_checkpoints(ChainHead::default(), entries, checkpoints, signed)
}

/// As [`verify_with_checkpoints`], but only what follows `before`, which is believed unless a checkpoint at it or behind it
/// says otherwise. Of checkpoints before it, only the signatures are looked at.
///
/// # Errors
/// As [`verify_with_checkpoints`].
pub fn verify_end_with_checkpoints(
    before: ChainHead,
    entries: impl IntoIterator<Item = AuditEntry>,
    checkpoints: &[Checkpoint],
    signed: impl Fn(&[u8], &[u8]) -> bool,
) -> Result<ChainHead, ChainFault> {
    if let Some(bad) = checkpoints
        .iter()
        .find(|c| !signed(&Checkpoint::signed_bytes(c.head, c.at), &c.signature))
    {
        return Err(ChainFault::BadSignature {
            sequence: bad.head.sequence,
        });
    }
    let mut heads: Vec<ChainHead> = checkpoints
        .iter()
        .map(|c| c.head)
        .filter(|h| h.sequence >= before.sequence)
        .collect();
    heads.sort_unstable_by_key(|h| h.sequence);
    let mut due = heads.into_iter().peekable();
    let agree = |due: &mut std::iter::Peekable<std::vec::IntoIter<ChainHead>>, head: ChainHead| {
        while let Some(recorded) = due.next_if(|d| d.sequence == head.sequence) {
            if recorded != head {
                return Err(mismatch(recorded, head));
            }
        }
        Ok(())
    };
    agree(&mut due, before)?;
    let head = walk(before, entries, |head| agree(&mut due, head))?;
    match due.next() {
        Some(recorded) => Err(mismatch(recorded, head)),
        None => Ok(head),
    }
}

fn mismatch(recorded: ChainHead, found: ChainHead) -> ChainFault {
    ChainFault::HeadMismatch {
        recorded: recorded.sequence,
        found: found.sequence,
    }
}
