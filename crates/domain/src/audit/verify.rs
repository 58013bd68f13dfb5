//! Reading the chain from its beginning, without keeping it in memory.

use thiserror::Error;

use super::{AuditEntry, ChainHead, entry_hash};

/// What is wrong with a chain, at its first fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ChainFault {
    /// An entry is not what it was when it was written.
    #[error("entry {sequence} was changed")]
    Changed {
        /// The entry.
        sequence: u64,
    },
    /// An entry is sound in itself, but does not continue the one before it: one of the two was put in its place later.
    #[error("entry {sequence} does not continue the one before it")]
    Unlinked {
        /// The entry.
        sequence: u64,
    },
    /// Entries are missing.
    #[error("entries from {missing} on are missing, before entry {found}")]
    Gap {
        /// The first missing one.
        missing: u64,
        /// The one that was there instead.
        found: u64,
    },
    /// An entry stands in the wrong place, or twice.
    #[error("entry {sequence} stands in the wrong place")]
    Reordered {
        /// The entry.
        sequence: u64,
    },
    /// The chain does not agree with a head that was recorded elsewhere: it was cut off or replaced.
    #[error("the chain does not agree with the head recorded at entry {recorded} (it ends at entry {found})")]
    HeadMismatch {
        /// Sequence of the recorded head.
        recorded: u64,
        /// Last entry of the chain, or the entry where they differ.
        found: u64,
    },
    /// A checkpoint's signature is not right.
    #[error("the checkpoint at entry {sequence} has a wrong signature")]
    BadSignature {
        /// Entry up to which the checkpoint vouches.
        sequence: u64,
    },
}

/// Verifies a chain from its first entry and returns its head. That nothing was cut off at the end shows only against a
/// head that was recorded elsewhere: see [`verify_up_to`] and [`super::verify_with_checkpoints`].
///
/// # Errors
/// The first fault.
pub fn verify(entries: impl IntoIterator<Item = AuditEntry>) -> Result<ChainHead, ChainFault> {
    walk(ChainHead::default(), entries, |_| Ok(()))
}

/// Verifies a chain and that it ends at `recorded`, the head as it was kept elsewhere.
///
/// # Errors
/// The first fault; [`ChainFault::HeadMismatch`] when the chain is sound in itself but ends elsewhere.
pub fn verify_up_to(
    entries: impl IntoIterator<Item = AuditEntry>,
    recorded: ChainHead,
) -> Result<ChainHead, ChainFault> {
    let head = verify(entries)?;
    if head == recorded {
        Ok(head)
    } else {
        Err(ChainFault::HeadMismatch {
            recorded: recorded.sequence,
            found: head.sequence,
        })
    }
}

/// Walks the chain from what follows `before`, and shows each head to `inspect`.
pub(super) fn walk(
    before: ChainHead,
    entries: impl IntoIterator<Item = AuditEntry>,
    mut inspect: impl FnMut(ChainHead) -> Result<(), ChainFault>,
) -> Result<ChainHead, ChainFault> {
    let mut entries = entries.into_iter();
    let mut head = before;
    while let Some(entry) = entries.next() {
        let expected = head.sequence.saturating_add(1);
        if entry.sequence != expected {
            return Err(misplaced(&entry, expected, entries));
        }
        if entry.hash != entry_hash(entry.sequence, &entry.previous, &entry.event) {
            return Err(ChainFault::Changed {
                sequence: entry.sequence,
            });
        }
        if entry.previous != head.hash {
            return Err(ChainFault::Unlinked {
                sequence: entry.sequence,
            });
        }
        head = ChainHead {
            sequence: entry.sequence,
            hash: entry.hash,
        };
        inspect(head)?;
    }
    Ok(head)
}

/// Missing, or merely elsewhere? Reads on to find out.
fn misplaced(entry: &AuditEntry, expected: u64, mut rest: impl Iterator<Item = AuditEntry>) -> ChainFault {
    if entry.sequence < expected || rest.any(|e| e.sequence == expected) {
        ChainFault::Reordered {
            sequence: entry.sequence,
        }
    } else {
        ChainFault::Gap {
            missing: expected,
            found: entry.sequence,
        }
    }
}
