//! The virtual store: exact about what is durable when. A batch is written, then synced, then answered; a crash between
//! the two may keep the whole batch or nothing of it; a failed sync leaves a batch that nobody was told of and that may
//! yet come back; a replica follows, or is waited for.

use domain::time::Timestamp;

use super::choice::PolicyChoice;
use super::faults::Fault;
use super::state::{Answer, Job, State};

/// How a replica follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Replica {
    /// Some time later: what was acknowledged may be missing after a fail-over, and no promise says otherwise.
    Asynchronous,
    /// Nothing is answered before the replica has it (P3).
    Synchronous,
}

/// What the storage does to the next batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mishap {
    /// Disk full, or a failed write: nothing of the batch is kept.
    WriteFails,
    /// The sync fails: nobody is told, and the batch may yet be found after a crash.
    SyncFails,
}

/// A batch's answers, each for whom.
pub(super) type Answers<T> = Vec<(T, Answer)>;

pub(super) struct Store<T> {
    /// As readers see it.
    pub(super) state: State,
    start: PolicyChoice,
    log: Vec<(Job, Timestamp)>,
    /// Length of the log that survives a power loss.
    pub(super) synced: usize,
    /// Length of the log that the replica has.
    pub(super) shipped: usize,
    pub(super) replica: Replica,
    queue: Vec<(Job, T)>,
    written: Option<Vec<(Job, T)>>,
    /// Synced here, not yet at the synchronous replica, so not yet visible.
    awaited: Vec<(Job, T)>,
    ghost: Vec<(Job, Timestamp)>,
    pub(super) mishap: Option<Mishap>,
    fault: Option<Fault>,
}

/// What a crash did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Crash {
    /// The process ends; the operating system still writes what it was given.
    Kill,
    /// So does the machine.
    PowerLoss,
    /// The machine is gone for good, and its replica takes over.
    FailOver,
}

impl<T: Clone> Store<T> {
    pub(super) fn new(policy: PolicyChoice, replica: Replica, fault: Option<Fault>) -> Self {
        Self {
            state: State::new(policy),
            start: policy,
            log: Vec::new(),
            synced: 0,
            shipped: 0,
            replica,
            queue: Vec::new(),
            written: None,
            awaited: Vec::new(),
            ghost: Vec::new(),
            mishap: None,
            fault,
        }
    }

    /// Queues a transaction. True: the writer stood still and has to be set going.
    pub(super) fn submit(&mut self, job: Job, to: T) -> bool {
        self.queue.push((job, to));
        self.queue.len() == 1 && self.written.is_none()
    }

    /// The writer takes what waits and writes it. The returned answers are those of a faulty order only.
    pub(super) fn write(&mut self, now: Timestamp) -> Answers<T> {
        if self.written.is_some() || self.queue.is_empty() {
            return Vec::new();
        }
        let batch = std::mem::take(&mut self.queue);
        if self.mishap == Some(Mishap::WriteFails) {
            self.mishap = None;
            return batch.into_iter().map(|(_, to)| (to, Answer::Failed)).collect();
        }
        if self.fault == Some(Fault::AcknowledgedBeforeSync) {
            let answers = self.apply(batch, now);
            // The sync follows with the next batch.
            self.synced = self.synced.max(self.log.len().saturating_sub(answers.len()));
            return answers;
        }
        self.written = Some(batch);
        Vec::new()
    }

    pub(super) fn is_written(&self) -> bool {
        self.written.is_some()
    }

    pub(super) fn has_queue(&self) -> bool {
        !self.queue.is_empty()
    }

    /// What was written is synced; it becomes visible, and is answered unless the replica is waited for.
    pub(super) fn sync(&mut self, now: Timestamp) -> Answers<T> {
        let Some(batch) = self.written.take() else {
            return Vec::new();
        };
        if self.mishap == Some(Mishap::SyncFails) {
            self.mishap = None;
            if self.fault == Some(Fault::FailedSyncIgnored) {
                let durable = self.synced;
                let answers = self.apply(batch, now);
                self.synced = durable;
                return answers;
            }
            self.ghost = batch.iter().map(|(job, _)| (job.clone(), now)).collect();
            return batch.into_iter().map(|(_, to)| (to, Answer::Failed)).collect();
        }
        self.ghost.clear();
        if self.replica == Replica::Synchronous && self.fault != Some(Fault::ReplicaNotWaitedFor) {
            self.awaited.extend(batch);
            return Vec::new();
        }
        let answers = self.apply(batch, now);
        if self.fault != Some(Fault::StartsWithoutSync) || self.synced + answers.len() >= self.log.len() {
            self.synced = self.log.len();
        }
        answers
    }

    /// The replica catches up; what waited for it becomes visible and is answered.
    pub(super) fn ship(&mut self, now: Timestamp) -> Answers<T> {
        let awaited = std::mem::take(&mut self.awaited);
        let answers = self.apply(awaited, now);
        if self.replica == Replica::Synchronous && self.fault != Some(Fault::AcknowledgedBeforeSync) {
            self.synced = self.log.len();
        }
        self.shipped = self.log.len();
        answers
    }

    /// What survives whatever may happen next.
    pub(super) fn durable(&self) -> usize {
        match self.replica {
            Replica::Asynchronous => self.synced,
            Replica::Synchronous => self.synced.min(self.shipped),
        }
    }

    /// Transactions so far.
    pub(super) fn len(&self) -> usize {
        self.log.len()
    }

    fn apply(&mut self, batch: Vec<(Job, T)>, now: Timestamp) -> Answers<T> {
        let mut answers = Vec::with_capacity(batch.len());
        for (job, to) in batch {
            let answer = self.state.apply(&job, now, self.fault);
            self.log.push((job, now));
            answers.push((to, answer));
        }
        answers
    }

    /// A crash; `keep`: what chance decides for the batch in flight. Nobody is answered any more. Returns whether
    /// anything that was visible is gone.
    pub(super) fn crash(&mut self, crash: Crash, keep: bool) -> bool {
        let before = self.log.len();
        let written = self.written.take();
        let ghost = std::mem::take(&mut self.ghost);
        self.queue.clear();
        let awaited = std::mem::take(&mut self.awaited);
        self.mishap = None;
        match crash {
            Crash::Kill => {
                self.come_back(Vec::new(), Some(awaited));
                if keep {
                    self.come_back(ghost, written);
                }
                // A server that starts waits for its synchronous replica before it answers.
                if self.replica == Replica::Synchronous && self.fault != Some(Fault::ReplicaNotWaitedFor) {
                    self.shipped = self.log.len();
                }
                if self.fault != Some(Fault::StartsWithoutSync) {
                    self.synced = self.log.len();
                }
                false
            }
            Crash::PowerLoss => {
                let lost = self.synced < before;
                if lost {
                    self.cut(self.synced);
                }
                if !lost {
                    self.come_back(Vec::new(), Some(awaited));
                }
                if keep && !lost {
                    self.come_back(ghost, written);
                }
                self.synced = self.log.len();
                self.shipped = self.shipped.min(self.log.len());
                if self.replica == Replica::Synchronous && self.fault != Some(Fault::ReplicaNotWaitedFor) {
                    self.shipped = self.log.len();
                }
                lost
            }
            Crash::FailOver => {
                let lost = self.shipped < before;
                if lost {
                    self.cut(self.shipped);
                }
                self.synced = self.log.len();
                lost
            }
        }
    }

    fn come_back(&mut self, ghost: Vec<(Job, Timestamp)>, written: Option<Vec<(Job, T)>>) {
        let now = self.log.last().map_or(Timestamp(0), |(_, at)| *at);
        let written = written.into_iter().flatten().map(|(job, _)| (job, now));
        let mut torn = self.fault == Some(Fault::TornCommitAccepted);
        for (job, at) in ghost.into_iter().chain(written) {
            self.state.apply(&job, at, self.fault);
            self.log.push((job, at));
            if std::mem::take(&mut torn) {
                self.state.audit.pop();
            }
        }
    }

    fn cut(&mut self, length: usize) {
        self.log.truncate(length);
        self.state = State::new(self.start);
        for (job, at) in &self.log {
            self.state.apply(job, *at, self.fault);
        }
    }
}
