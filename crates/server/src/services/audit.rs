//! Reading, signing and verifying the audit.

use std::cell::RefCell;
use std::path::Path;

use domain::access::Permission;
use domain::audit::{AuditEntry, ChainFault, ChainHead, Checkpoint, verify_end_with_checkpoints};
use domain::time::Timestamp;
use store::model::{AuditQuery, Page};
use store::{OfflineAudit, Store, StoreError};

use crate::error::Result;
use crate::sealing::{AuditKey, verify_signature};
use crate::session::CurrentUser;
use crate::state::AppState;

const AT_ONCE: u32 = 1000;

/// Entries by condition, of devices in the scope. Needs [`Permission::ReadAudit`].
///
/// # Errors
/// 403; when the store fails.
pub async fn search(state: &AppState, user: &CurrentUser, query: AuditQuery) -> Result<Page<AuditEntry>> {
    user.demand(Permission::ReadAudit)?;
    let query = AuditQuery {
        within: user.within(),
        ..query
    };
    Ok(state.store.search_audit(query).await?)
}

/// What a verification found: the chain is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The end of the chain.
    pub head: ChainHead,
    /// Checkpoints with a right signature, all on the chain.
    pub checkpoints: u64,
    /// The last signed entry and when it was signed; what follows is chained but not signed yet.
    pub signed: Option<(u64, Timestamp)>,
}

/// What is wrong with the audit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuditFault {
    /// Something was changed, removed, moved or replaced.
    #[error(transparent)]
    Chain(#[from] ChainFault),
    /// It cannot be read.
    #[error("the audit cannot be read: {0}")]
    Store(#[from] StoreError),
}

/// Verifies the whole chain and all checkpoints of a database file, which a server may have open, or of a backup.
/// `public_key`: the audit key in hexadecimal, as the server writes it to `audit.pub` in its data directory; an auditor
/// keeps a copy elsewhere.
///
/// # Errors
/// [`AuditFault`] with the first thing that is wrong.
pub fn verify(database: &Path, public_key: &str) -> Result<Verified, AuditFault> {
    let audit = OfflineAudit::open_read_only(database)?;
    // Checkpoints first: entries that a running server adds meanwhile lie behind all of them.
    let checkpoints = audit.checkpoints()?;
    let recorded = audit.head()?;
    let failure = RefCell::new(None);
    let verdict = judge(ChainHead::default(), pages(&audit, &failure), &checkpoints, public_key);
    if let Some(error) = failure.into_inner() {
        return Err(error.into());
    }
    Ok(Verified {
        head: reaches(verdict?, recorded)?,
        checkpoints: checkpoints.len() as u64,
        signed: checkpoints.last().map(|last| (last.head.sequence, last.at)),
    })
}

/// The one verification: what follows `before`, against the checkpoints and the audit key.
fn judge(
    before: ChainHead,
    entries: impl IntoIterator<Item = AuditEntry>,
    checkpoints: &[Checkpoint],
    public_key: &str,
) -> Result<ChainHead, ChainFault> {
    verify_end_with_checkpoints(before, entries, checkpoints, |bytes, signature| {
        verify_signature(public_key, bytes, signature)
    })
}

/// The chain must not end before the end that was recorded.
fn reaches(head: ChainHead, recorded: ChainHead) -> Result<ChainHead, ChainFault> {
    if head.sequence < recorded.sequence || (head.sequence == recorded.sequence && head.hash != recorded.hash) {
        return Err(ChainFault::HeadMismatch {
            recorded: recorded.sequence,
            found: head.sequence,
        });
    }
    Ok(head)
}

/// All entries, read in parts. A failure ends them and is left in `failure`.
fn pages<'a>(
    audit: &'a OfflineAudit,
    failure: &'a RefCell<Option<StoreError>>,
) -> impl Iterator<Item = AuditEntry> + 'a {
    let mut next = Some(1);
    std::iter::from_fn(move || {
        let entries = audit.entries(next?, AT_ONCE).unwrap_or_else(|error| {
            failure.replace(Some(error));
            Vec::new()
        });
        next = entries.last().map(|last| last.sequence.saturating_add(1));
        (!entries.is_empty()).then_some(entries)
    })
    .flatten()
}

/// How much of the audit [`standing`] reads.
const LOOKED_AT: u64 = 20_000;

/// How the audit stands, as far as it can be told while a page is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// All of it was verified, with the checkpoints.
    Whole(ChainHead),
    /// It is long: only what begins with this entry was verified, with all checkpoints that lie in it.
    End(u64, ChainHead),
    /// Something is wrong.
    Broken(ChainFault),
}

/// Verifies the audit of the running server: all of it, or, of a long one, its end. Needs [`Permission::ReadAudit`].
/// [`verify`] does it in full and against a key that the auditor keeps.
///
/// # Errors
/// 403; when the store fails.
pub async fn standing(state: &AppState, user: &CurrentUser) -> Result<Standing> {
    user.demand(Permission::ReadAudit)?;
    let checkpoints = state.store.checkpoints().await?;
    let recorded = state.store.audit_head().await?;
    let from = recorded.sequence.saturating_sub(LOOKED_AT) + 1;
    let mut entries = Vec::new();
    let mut next = from;
    loop {
        let part = state.store.audit_entries(next, AT_ONCE).await?;
        let Some(last) = part.last() else { break };
        next = last.sequence.saturating_add(1);
        entries.extend(part);
    }
    let before = match entries.first() {
        Some(first) if from > 1 => ChainHead {
            sequence: from - 1,
            hash: first.previous,
        },
        _ => ChainHead::default(),
    };
    let key = state.keys.audit_key().public_hex();
    let verdict = judge(before, entries, &checkpoints, &key).and_then(|head| reaches(head, recorded));
    Ok(match verdict {
        Ok(head) if from > 1 => Standing::End(from, head),
        Ok(head) => Standing::Whole(head),
        Err(fault) => Standing::Broken(fault),
    })
}

/// Signs the present end of the chain, unless it is signed already. False: there was nothing to sign.
pub(crate) async fn add_checkpoint(store: &dyn Store, key: &AuditKey, at: Timestamp) -> Result<bool> {
    let head = store.audit_head().await?;
    if head.sequence == store.signed_up_to().await? {
        return Ok(false);
    }
    let signature = key.sign(&Checkpoint::signed_bytes(head, at));
    store.add_checkpoint(Checkpoint { head, at, signature }).await?;
    Ok(true)
}
