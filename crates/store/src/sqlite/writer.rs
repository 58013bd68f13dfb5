//! The one writer: a thread that gathers all requests that wait into one transaction and answers each after the commit.
//!
//! While a commit waits for the disk, the next requests queue up, so batches grow with the load and a lone request waits
//! for nobody. Each request runs in its own savepoint: one that fails leaves the others alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use domain::audit::{AuditEvent, ChainHead};
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::audit;
use super::gathered::Gathered;
use super::resolved::Cache;
use crate::{Result, StoreError};

/// Most requests in one transaction, so that nobody waits for long.
const MAX_BATCH: usize = 512;
/// Most requests that wait; more wait at the door.
const QUEUE: usize = 4096;

/// How much the writer did since the store was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriterStats {
    /// Requests that were carried out.
    pub requests: u64,
    /// Transactions that carried them.
    pub transactions: u64,
}

/// What a request may use: the transaction, and the end of the audit chain.
pub(super) struct Tx<'a> {
    /// The connection, within a transaction.
    pub(super) sql: &'a Connection,
    /// What is known of effective policies.
    pub(super) policies: &'a Cache,
    head: ChainHead,
}

impl Tx<'_> {
    /// Appends events to the chain.
    pub(super) fn append(&mut self, events: Vec<AuditEvent>) -> Result<()> {
        for event in events {
            let entry = domain::audit::append(self.head, event);
            audit::insert(self.sql, &entry)?;
            self.head = ChainHead {
                sequence: entry.sequence,
                hash: entry.hash,
            };
        }
        Ok(())
    }

    /// The end of the chain.
    pub(super) fn head(&self) -> ChainHead {
        self.head
    }
}

/// The handle of the writer's thread.
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
    counts: Arc<Counts>,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(connection: Connection, gathered: Arc<Gathered>) -> Result<Self> {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let counts = Arc::new(Counts::default());
        let worker = Worker {
            connection,
            gathered,
            policies: Cache::default(),
            counts: Arc::clone(&counts),
        };
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || worker.run(jobs))?;
        Ok(Self {
            queue: Some(queue),
            thread: Some(thread),
            counts,
        })
    }

    /// Carries a request out and comes back when it is durable.
    pub(super) async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Request {
            work: Some(work),
            result: None,
            reply,
        });
        let queue = self.queue.as_ref().ok_or(StoreError::Closed)?;
        queue.send(job).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    pub(super) fn stats(&self) -> WriterStats {
        WriterStats {
            requests: self.counts.requests.load(Ordering::Relaxed),
            transactions: self.counts.transactions.load(Ordering::Relaxed),
        }
    }
}

impl Drop for Writer {
    /// Everything that was queued is carried out first.
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the store's writer ended by a defect");
        }
    }
}

#[derive(Default)]
struct Counts {
    requests: AtomicU64,
    transactions: AtomicU64,
}

struct Worker {
    connection: Connection,
    gathered: Arc<Gathered>,
    policies: Cache,
    counts: Arc<Counts>,
}

impl Worker {
    fn run(self, mut jobs: mpsc::Receiver<Box<dyn Job>>) {
        while let Some(first) = jobs.blocking_recv() {
            let mut batch = vec![first];
            while batch.len() < MAX_BATCH {
                match jobs.try_recv() {
                    Ok(job) => batch.push(job),
                    Err(_) => break,
                }
            }
            self.counts.requests.fetch_add(batch.len() as u64, Ordering::Relaxed);
            self.counts.transactions.fetch_add(1, Ordering::Relaxed);
            let outcome = self.transact(&mut batch);
            if let Err(error) = &outcome {
                tracing::error!(%error, requests = batch.len(), "a transaction failed; nothing of it was kept");
            }
            for job in batch {
                job.answer(&outcome);
            }
        }
        if let Err(error) = self.transact(&mut []) {
            tracing::warn!(%error, "the last contacts of some devices were not stored");
        }
    }

    fn transact(&self, batch: &mut [Box<dyn Job>]) -> Result<()> {
        let gathered = self.gathered.take();
        let outcome = self.begin_to_commit(batch, &gathered);
        if outcome.is_err() {
            self.gathered.put_back(gathered);
            self.policies.forget();
            if !self.connection.is_autocommit()
                && let Err(error) = self.connection.execute_batch("ROLLBACK")
            {
                tracing::error!(%error, "a failed transaction could not be rolled back");
            }
        }
        outcome
    }

    fn begin_to_commit(&self, batch: &mut [Box<dyn Job>], gathered: &super::gathered::Contents) -> Result<()> {
        let sql = &self.connection;
        sql.execute_batch("BEGIN IMMEDIATE")?;
        // Read afresh for each transaction: an administrator's command may have written in between.
        let mut tx = Tx {
            sql,
            policies: &self.policies,
            head: audit::head(sql)?,
        };
        gathered.store(sql)?;
        for job in batch {
            sql.execute_batch("SAVEPOINT request")?;
            let head = tx.head;
            if let Err(error) = job.run(&mut tx) {
                // After a full disk or a failed read SQLite may have ended the whole transaction by itself.
                if sql.is_autocommit() {
                    return Err(error);
                }
                self.policies.forget();
                sql.execute_batch("ROLLBACK TO request")?;
                tx.head = head;
            }
            sql.execute_batch("RELEASE request")?;
        }
        sql.execute_batch("COMMIT")?;
        Ok(())
    }
}

trait Job: Send {
    /// Does the work within the transaction; keeps the result until the commit.
    fn run(&mut self, tx: &mut Tx<'_>) -> Result<()>;
    /// Answers, after the commit or its failure.
    fn answer(self: Box<Self>, transaction: &Result<()>);
}

struct Request<T, F> {
    work: Option<F>,
    result: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
}

impl<T, F> Job for Request<T, F>
where
    T: Send,
    F: FnOnce(&mut Tx<'_>) -> Result<T> + Send,
{
    fn run(&mut self, tx: &mut Tx<'_>) -> Result<()> {
        let Some(work) = self.work.take() else {
            return Ok(());
        };
        let result = work(tx);
        let outcome = result.as_ref().map(|_| ()).map_err(Clone::clone);
        self.result = Some(result);
        outcome
    }

    fn answer(self: Box<Self>, transaction: &Result<()>) {
        let result = match (self.result, transaction) {
            (Some(Err(error)), _) => Err(error),
            (_, Err(error)) => Err(error.clone()),
            (Some(result), Ok(())) => result,
            (None, Ok(())) => Err(StoreError::Closed),
        };
        // Nobody waits any more when the caller gave up; the work is done all the same.
        let _ = self.reply.send(result);
    }
}
