//! The virtual store: exact about what is durable when. A batch is written, then synced, then answered; a crash between
//! the two may keep the whole batch or nothing of it; a failed sync leaves a batch that nobody was told of and that may
//! yet come back; a replica follows, or is waited for.

use domain::ids::DeviceId;
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

/// A transaction, with the moment that the server's clock showed when it was asked for.
#[derive(Clone, Debug)]
pub(super) struct Work {
    pub(super) job: Job,
    pub(super) at: Timestamp,
    /// The write of the real server that stands at the gate for it.
    pub(super) real: Option<u64>,
}

/// A transaction that was carried out, with the numbers of check-ins that it took along.
struct Logged {
    job: Job,
    at: Timestamp,
    gathered: Vec<(DeviceId, u64)>,
}

/// What became of a transaction.
#[derive(Debug)]
pub(super) struct Outcome<T> {
    pub(super) to: T,
    pub(super) answer: Answer,
    pub(super) real: Option<u64>,
}

/// A batch's answers, each for whom.
pub(super) type Answers<T> = Vec<Outcome<T>>;

/// What the real store has to be put through, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    CarriedOut(u64),
    Failed(u64, Mishap),
    /// What the replica has not got is gone.
    Cut,
}

pub(super) struct Store<T> {
    /// As readers see it.
    pub(super) state: State,
    start: PolicyChoice,
    log: Vec<Logged>,
    /// Numbers of check-ins that the server's process has in memory.
    gathered: Vec<(DeviceId, u64)>,
    /// Length of the log that survives a power loss.
    pub(super) synced: usize,
    /// Length of the log that the replica has.
    pub(super) shipped: usize,
    pub(super) replica: Replica,
    queue: Vec<(Work, T)>,
    written: Option<Vec<(Work, T)>>,
    /// Synced here, not yet at the synchronous replica, so not yet visible.
    awaited: Vec<(Work, T)>,
    ghost: Vec<Work>,
    pub(super) mishap: Option<Mishap>,
    /// Since they were last taken.
    pub(super) effects: Vec<Effect>,
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
            gathered: Vec::new(),
            synced: 0,
            shipped: 0,
            replica,
            queue: Vec::new(),
            written: None,
            awaited: Vec::new(),
            ghost: Vec::new(),
            mishap: None,
            effects: Vec::new(),
            fault,
        }
    }

    /// Queues a transaction. True: the writer stood still and has to be set going.
    pub(super) fn submit(&mut self, work: Work, to: T) -> bool {
        self.queue.push((work, to));
        self.queue.len() == 1 && self.written.is_none()
    }

    /// The writer takes what waits and writes it. The returned answers are those of a faulty order only.
    pub(super) fn write(&mut self) -> Answers<T> {
        if self.written.is_some() || self.queue.is_empty() {
            return Vec::new();
        }
        let batch = std::mem::take(&mut self.queue);
        if self.mishap == Some(Mishap::WriteFails) {
            self.mishap = None;
            return self.fail(batch, Mishap::WriteFails);
        }
        if self.fault == Some(Fault::AcknowledgedBeforeSync) {
            let answers = self.apply(batch);
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
    pub(super) fn sync(&mut self) -> Answers<T> {
        let Some(batch) = self.written.take() else {
            return Vec::new();
        };
        if self.mishap == Some(Mishap::SyncFails) {
            self.mishap = None;
            if self.fault == Some(Fault::FailedSyncIgnored) {
                let durable = self.synced;
                let answers = self.apply(batch);
                self.synced = durable;
                return answers;
            }
            self.ghost = batch.iter().map(|(work, _)| work.clone()).collect();
            return self.fail(batch, Mishap::SyncFails);
        }
        self.ghost.clear();
        if self.replica == Replica::Synchronous && self.fault != Some(Fault::ReplicaNotWaitedFor) {
            self.awaited.extend(batch);
            return Vec::new();
        }
        let answers = self.apply(batch);
        if self.fault != Some(Fault::StartsWithoutSync) || self.synced + answers.len() >= self.log.len() {
            self.synced = self.log.len();
        }
        answers
    }

    /// The replica catches up; what waited for it becomes visible and is answered.
    pub(super) fn ship(&mut self) -> Answers<T> {
        let awaited = std::mem::take(&mut self.awaited);
        let answers = self.apply(awaited);
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

    fn fail(&mut self, batch: Vec<(Work, T)>, mishap: Mishap) -> Answers<T> {
        let failed = batch.iter().filter_map(|(work, _)| work.real);
        self.effects.extend(failed.map(|real| Effect::Failed(real, mishap)));
        let outcomes = batch.into_iter().map(|(work, to)| Outcome {
            to,
            answer: Answer::Failed,
            real: work.real,
        });
        outcomes.collect()
    }

    fn apply(&mut self, batch: Vec<(Work, T)>) -> Answers<T> {
        let mut answers = Vec::with_capacity(batch.len());
        for (work, to) in batch {
            let real = work.real;
            let answer = self.carry_out(work);
            answers.push(Outcome { to, answer, real });
        }
        answers
    }

    fn carry_out(&mut self, work: Work) -> Answer {
        self.effects.extend(work.real.map(Effect::CarriedOut));
        let gathered = std::mem::take(&mut self.gathered);
        self.state.gathered(&gathered);
        let Work { job, at, .. } = work;
        let answer = self.state.apply(&job, at, self.fault);
        self.log.push(Logged { job, at, gathered });
        answer
    }

    /// A check-in with this number came.
    pub(super) fn gather(&mut self, device: DeviceId, sequence: u64) {
        match self.gathered.iter_mut().find(|(id, _)| *id == device) {
            Some((_, newest)) => *newest = sequence.max(*newest),
            None => self.gathered.push((device, sequence)),
        }
    }

    /// That number of every device.
    pub(super) fn numbers(&self) -> Vec<(DeviceId, u64)> {
        let devices = self.state.devices.iter();
        devices.map(|d| (d.id, self.newest(d.id))).collect()
    }

    /// The highest number of a device's check-ins that the server knows of.
    pub(super) fn newest(&self, device: DeviceId) -> u64 {
        let stored = self.state.device(device).map_or(0, |d| d.sequence);
        let gathered = self.gathered.iter().find(|(id, _)| *id == device);
        stored.max(gathered.map_or(0, |(_, number)| *number))
    }

    /// A crash; `keep`: what chance decides for the batch in flight. Nobody is answered any more. Returns whether
    /// anything that was visible is gone.
    pub(super) fn crash(&mut self, crash: Crash, keep: bool) -> bool {
        let before = self.log.len();
        self.gathered.clear();
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

    fn come_back(&mut self, ghost: Vec<Work>, written: Option<Vec<(Work, T)>>) {
        let written = written.into_iter().flatten().map(|(work, _)| work);
        let mut torn = self.fault == Some(Fault::TornCommitAccepted);
        for work in ghost.into_iter().chain(written) {
            self.carry_out(work);
            if std::mem::take(&mut torn) {
                self.state.audit.pop();
            }
        }
    }

    fn cut(&mut self, length: usize) {
        self.effects.push(Effect::Cut);
        self.log.truncate(length);
        self.state = State::new(self.start);
        for logged in &self.log {
            self.state.gathered(&logged.gathered);
            self.state.apply(&logged.job, logged.at, self.fault);
        }
    }
}
