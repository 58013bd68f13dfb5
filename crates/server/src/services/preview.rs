//! What a change of policies would do to the fleet, before it is made.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use domain::access::Permission;
use domain::policy::resolve::{PolicySource, Targeting};
use domain::policy::targeting::{CollectionId, Deployment, PolicyId};
use domain::preview::{Listing, Preview, Question, Run, Stopped};
use domain::time::Timestamp;
use store::model::{BUILT_IN, Document, StoredInventory, Within};
use tokio::sync::Semaphore;

use crate::error::{AppError, Result};
use crate::session::CurrentUser;
use crate::state::AppState;

/// Devices read at once.
const BATCH: u32 = 1000;
/// Lines of a listing that are kept of one answer.
const KEPT_LINES: u64 = 1000;
/// Answers that are kept.
const MOST_KEPT: usize = 4;
/// For how long further pages are of the same answer.
const KEPT_FOR: Duration = Duration::from_secs(5 * 60);

/// What a change would do: a policy with another text, or another deployment.
#[derive(Clone, Debug, PartialEq)]
pub enum Proposal {
    /// A document.
    Document(Document),
    /// A deployment.
    Deployment(Deployment),
}

/// The answer.
#[derive(Clone, Debug)]
pub struct Previewed {
    /// What happens.
    pub preview: Preview,
    /// When that begins which was looked at; none: now.
    pub begins: Option<Timestamp>,
}

/// The newest answers, so that looking through a listing does not look through the fleet again; and room for one at work.
pub(crate) struct Previews {
    kept: Mutex<VecDeque<Kept>>,
    room: Semaphore,
}

struct Kept {
    by: String,
    /// The devices that this person could see.
    within: Within,
    proposal: Proposal,
    made: Timestamp,
    /// Lines passed over before the first that is kept.
    offset: u64,
    answer: Previewed,
}

impl Default for Previews {
    fn default() -> Self {
        Self {
            kept: Mutex::default(),
            // It takes all processors: two at once would each take twice as long.
            room: Semaphore::new(1),
        }
    }
}

impl Previews {
    fn kept(&self) -> MutexGuard<'_, VecDeque<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(
        &self,
        user: &CurrentUser,
        proposal: &Proposal,
        now: Timestamp,
        offset: u64,
        limit: usize,
    ) -> Option<Previewed> {
        let kept = self.kept();
        let within = user.within();
        let holds = |kept: &&Kept| {
            kept.by == user.name
                && kept.within == within
                && kept.proposal == *proposal
                && now.since(kept.made) < KEPT_FOR
                && (kept.offset..kept.offset.saturating_add(KEPT_LINES)).contains(&offset)
        };
        kept.iter().rev().find(holds).map(|kept| kept.part(offset, limit))
    }

    fn keep(&self, kept: Kept) {
        let mut all = self.kept();
        all.retain(|other| other.by != kept.by || other.proposal != kept.proposal);
        if all.len() >= MOST_KEPT {
            all.pop_front();
        }
        all.push_back(kept);
    }
}

impl Kept {
    fn part(&self, offset: u64, limit: usize) -> Previewed {
        let skip = usize::try_from(offset.saturating_sub(self.offset)).unwrap_or(usize::MAX);
        let Preview { listing, .. } = &self.answer.preview;
        let listing = listing.iter().skip(skip).take(limit).cloned().collect();
        Previewed {
            preview: Preview {
                listing,
                ..self.answer.preview.clone()
            },
            begins: self.answer.begins,
        }
    }
}

/// What a change would do to the devices in the scope; of the devices to which something happens, `limit` after `offset` are listed. A
/// deployment that begins later is looked at as of then. The first page is always worked out anew; further ones are of the
/// same answer for some minutes. Needs [`Permission::ManagePolicy`].
///
/// # Errors
/// 403; 422 when it does not fit.
pub async fn preview(
    state: &AppState,
    user: &CurrentUser,
    proposal: Proposal,
    offset: u64,
    limit: usize,
) -> Result<Previewed> {
    user.demand(Permission::ManagePolicy)?;
    let now = state.now();
    if offset > 0
        && let Some(found) = state.previews.find(user, &proposal, now, offset, limit)
    {
        return Ok(found);
    }
    let present = state.store.resolver().await?;
    let proposed = proposed(&present, proposal.clone())?;
    let begins = match &proposal {
        Proposal::Document(_) => None,
        Proposal::Deployment(deployment) => deployment.not_before.filter(|begin| *begin > now),
    };
    let first = offset - offset % KEPT_LINES;
    let listing = Listing {
        effect: None,
        offset: first,
        limit: usize::try_from(KEPT_LINES).unwrap_or(limit),
    };
    let at = begins.unwrap_or(now);
    let _room = state.previews.room.acquire().await.map_err(AppError::internal)?;
    let kept = Kept {
        by: user.name.clone(),
        within: user.within(),
        proposal,
        made: now,
        offset: first,
        answer: Previewed {
            preview: over_the_fleet(state, &user.within(), present, proposed, at, listing).await?,
            begins,
        },
    };
    let answer = kept.part(offset, limit);
    state.previews.keep(kept);
    Ok(answer)
}

fn proposed(present: &Targeting, proposal: Proposal) -> Result<Targeting> {
    let present = present.clone();
    match proposal {
        Proposal::Document(document) => {
            let id = document.id.clone();
            let unused = id.as_str() == BUILT_IN && !present.deployments().any(|d| d.id.as_str() == BUILT_IN);
            let proposed = present.with_policy(PolicySource {
                id: document.id,
                name: document.name,
                assignments: document.assignments,
            });
            if unused {
                proposed
                    .with_deployment(built_in(id)?)
                    .map_err(|errors| rejected(&errors))
            } else {
                Ok(proposed)
            }
        }
        Proposal::Deployment(deployment) => present.with_deployment(deployment).map_err(|errors| rejected(&errors)),
    }
}

fn built_in(policy: PolicyId) -> Result<Deployment> {
    Ok(Deployment {
        id: BUILT_IN.parse().map_err(AppError::internal)?,
        policy,
        collection: CollectionId::all_devices(),
        priority: u32::MAX,
        not_before: None,
        windows: Vec::new(),
        outside_window_allowed: true,
    })
}

fn rejected<E: ToString>(errors: &[E]) -> AppError {
    AppError::invalid(
        "rejected",
        errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
    )
}

async fn over_the_fleet(
    state: &AppState,
    within: &Within,
    present: Targeting,
    proposed: Targeting,
    now: Timestamp,
    listing: Listing,
) -> Result<Preview> {
    // Few batches wait, however large the fleet is.
    let (send, receive) = mpsc::sync_channel::<Vec<StoredInventory>>(4);
    let work = tokio::task::spawn_blocking(move || {
        let question = Question {
            present: &present,
            proposed: &proposed,
            now,
            scope: None,
            listing,
        };
        let run = Run {
            question,
            threads: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            progress: &|_| ControlFlow::Continue(()),
        };
        run.run(receive.into_iter().flatten().map(Ok), StoredInventory::read)
    });
    let mut after = None;
    loop {
        let batch = state.store.stored_devices(within, after, BATCH).await?;
        let Some(last) = batch.last() else { break };
        after = Some(last.device);
        let send = send.clone();
        let sent = tokio::task::spawn_blocking(move || send.send(batch)).await;
        if !matches!(sent, Ok(Ok(()))) {
            break;
        }
    }
    drop(send);
    let preview = work.await.map_err(AppError::internal)?;
    Ok(preview.map_err(Stopped::into_inner)?)
}
