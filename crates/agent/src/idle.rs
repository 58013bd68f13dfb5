//! Between cycles: conversions go on piece by piece on a thread of their own, the held request is open at the same time,
//! and whatever comes first ends the pause. So a wish of the server waits for one piece at most.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use domain::inventory::VolumeReport;
use domain::time::Clock;
use domain::volume::{ConversionStatus, LockStatus};
use protocol::limits::MAX_WAIT_SECONDS;
use protocol::messages::{WaitRequest, WaitResponse};
use tokio_util::sync::CancellationToken;

use crate::client::ClientError;
use crate::cycle::Agent;
use crate::hooks::ConversionProgress;
use crate::pace::{Backoff, jitter};
use crate::provider::{Provider, ProviderError, Result as ProviderResult};

/// How long one batch of pieces may take, so that a held request that came back is not kept waiting.
const BATCH: Duration = Duration::from_millis(200);
/// Most pieces of one volume in a batch, whatever the clock says.
const MAX_PIECES: usize = 64;
/// How often to look when the conversion is the driver's work.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// Progress is reported to the server each time this much was done (hundredths of a percent), …
const REPORT_STEP: u16 = 1000;
/// … but not more often than this.
const REPORT_PAUSE: Duration = Duration::from_secs(2);
/// Devices whose held request ended together do not come back together.
const WAIT_JITTER: Duration = Duration::from_millis(500);

/// What ended a pause.
#[derive(Debug)]
pub(crate) enum Woke {
    /// The agent shall stop.
    Cancelled,
    /// The time is over.
    Time,
    /// The server wants to see us now.
    Asked,
    /// The user answered.
    Answered,
    /// A conversion ended, or went on so far that the server should know.
    Converted,
    /// A conversion failed.
    ConversionFailed(ProviderError),
}

/// What to do in a pause.
#[derive(Clone, Copy)]
pub(crate) struct Idle {
    /// How long it lasts.
    pub(crate) pause: Duration,
    /// The server is there: keep a held request open, and come back when there is progress to report.
    pub(crate) online: bool,
}

type Held = Pin<Box<dyn Future<Output = Result<WaitResponse, ClientError>> + Send>>;
type Batch = Pin<Box<dyn Future<Output = Result<Vec<Piece>, String>> + Send>>;

/// What a batch did to one volume.
struct Piece {
    progress: ConversionProgress,
    outcome: ProviderResult<Going>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Going {
    /// More pieces are to be done here.
    On,
    /// It goes on without us (Windows).
    Elsewhere,
    /// It has ended.
    Ended,
}

impl Agent {
    /// Pauses.
    pub(crate) async fn idle(&mut self, idle: Idle, cancel: &CancellationToken) -> Woke {
        let mut volumes = self.converting();
        let started = self.clock.now();
        let mut reported = (
            started,
            volumes.iter().map(|v| v.encrypted_basis_points).collect::<Vec<_>>(),
        );
        let mut backoff = Backoff::default();
        let mut held = idle.online.then(|| self.hold(Duration::ZERO));
        let mut batch = self.next_batch(&volumes, Duration::ZERO);
        let end = tokio::time::sleep(idle.pause);
        tokio::pin!(end);
        let answers = Arc::clone(&self.answers);
        let woke = loop {
            tokio::select! {
                biased;
                () = cancel.cancelled() => break Woke::Cancelled,
                () = answers.news.notified() => break Woke::Answered,
                answer = pending_or(&mut held) => {
                    self.hooks.after("wait");
                    if matches!(&answer, Ok(answer) if answer.check_in_now) {
                        break Woke::Asked;
                    }
                    // A laptop that slept notices here that it is late: timers stand still during sleep, clocks do not.
                    if self.clock.now().since(started) >= idle.pause {
                        break Woke::Time;
                    }
                    let pause = self.pause_before_wait(&answer, &mut backoff);
                    held = Some(self.hold(pause));
                }
                () = &mut end => break Woke::Time,
                done = pending_or(&mut batch) => {
                    batch = None;
                    let pieces = match done {
                        Ok(pieces) => pieces,
                        Err(problem) => {
                            break Woke::ConversionFailed(ProviderError::new(crate::provider::Code::ReadFault, problem));
                        }
                    };
                    match self.after_batch(pieces, &mut volumes, &mut reported, idle.online) {
                        Ok(pause) => batch = self.next_batch(&volumes, pause),
                        Err(woke) => break woke,
                    }
                }
            }
        };
        // A batch that has begun goes on by itself; it is finished before anything else is done to the volumes.
        drop(batch);
        self.settle_provider().await;
        woke
    }

    /// Waits until no work on the volumes is under way.
    pub(crate) async fn settle_provider(&mut self) {
        let provider = self.provider.clone();
        if let Err(problem) = provider.with(|_| ()).await {
            tracing::error!(problem, "the volume provider");
        }
    }

    /// Volumes whose conversion is under way, as last seen.
    pub(crate) fn converting(&self) -> Vec<VolumeReport> {
        let seen = self.memory.seen.iter().flat_map(|seen| &seen.inventory.volumes);
        seen.filter(|v| v.lock == LockStatus::Unlocked && under_way(v.conversion))
            .cloned()
            .collect()
    }

    fn hold(&mut self, pause: Duration) -> Held {
        self.hooks.before("wait");
        let client = self.client();
        let request = WaitRequest {
            policy_digest: self.memory.policy.as_ref().map(|(digest, _)| digest.clone()),
            seconds: MAX_WAIT_SECONDS,
        };
        Box::pin(async move {
            tokio::time::sleep(pause).await;
            match client {
                Ok(client) => client.wait(&request).await,
                Err(_) => std::future::pending().await,
            }
        })
    }

    fn pause_before_wait(&mut self, answer: &Result<WaitResponse, ClientError>, backoff: &mut Backoff) -> Duration {
        match answer {
            Ok(_) => {
                backoff.reset();
                jitter(WAIT_JITTER, &mut *self.rng)
            }
            Err(error) => {
                tracing::debug!(%error, "held request");
                let own = backoff.next(&mut *self.rng);
                error.retry_after().unwrap_or(Duration::ZERO) + own
            }
        }
    }

    fn next_batch(&mut self, volumes: &[VolumeReport], pause: Duration) -> Option<Batch> {
        if volumes.is_empty() {
            return None;
        }
        self.hooks.before("convert");
        let names: Vec<_> = volumes.iter().map(|v| (v.device.clone(), v.letter.clone())).collect();
        let clock = Arc::clone(&self.clock);
        let provider = self.provider.clone();
        Some(Box::pin(async move {
            tokio::time::sleep(pause).await;
            provider.with(move |provider| convert(provider, &names, &*clock)).await
        }))
    }

    /// How long to pause before the next batch, or what ends the pause.
    fn after_batch(
        &mut self,
        pieces: Vec<Piece>,
        volumes: &mut Vec<VolumeReport>,
        reported: &mut (domain::time::Timestamp, Vec<u16>),
        online: bool,
    ) -> Result<Duration, Woke> {
        self.hooks.after("convert");
        let mut ended = false;
        let mut all_elsewhere = true;
        let mut whole_percent = false;
        for piece in pieces {
            self.hooks.progress.conversion(&piece.progress);
            let going = piece.outcome.map_err(Woke::ConversionFailed)?;
            ended |= going == Going::Ended;
            all_elsewhere &= going == Going::Elsewhere;
            for volume in volumes.iter_mut().filter(|v| v.device == piece.progress.device) {
                let now = piece.progress.encrypted_basis_points;
                whole_percent |= volume.encrypted_basis_points / 100 != now / 100;
                volume.encrypted_basis_points = now;
                volume.conversion = piece.progress.status;
            }
        }
        self.memory.conversion_error = None;
        self.remember(volumes, whole_percent || ended);
        let far = volumes
            .iter()
            .zip(&reported.1)
            .any(|(v, then)| v.encrypted_basis_points.abs_diff(*then) >= REPORT_STEP);
        let rested = self.clock.now().since(reported.0) >= REPORT_PAUSE;
        if online && (ended || (far && rested)) {
            return Err(Woke::Converted);
        }
        volumes.retain(|v| under_way(v.conversion));
        reported.1.resize(volumes.len(), 0);
        Ok(if all_elsewhere { LOOK_AGAIN } else { Duration::ZERO })
    }

    /// Keeps the last look, and with it the status, up to date.
    fn remember(&mut self, volumes: &[VolumeReport], write: bool) {
        for seen in self.memory.seen.iter_mut().flat_map(|seen| &mut seen.inventory.volumes) {
            if let Some(now) = volumes.iter().find(|v| v.device == seen.device) {
                seen.conversion = now.conversion;
                seen.encrypted_basis_points = now.encrypted_basis_points;
            }
        }
        if write {
            self.write_status();
        }
    }
}

fn under_way(status: ConversionStatus) -> bool {
    matches!(
        status,
        ConversionStatus::EncryptionInProgress | ConversionStatus::DecryptionInProgress
    )
}

/// Does a batch of pieces on each volume in turn.
fn convert(provider: &mut dyn Provider, volumes: &[(String, Option<String>)], clock: &dyn Clock) -> Vec<Piece> {
    let share = BATCH / u32::try_from(volumes.len()).unwrap_or(u32::MAX).max(1);
    let mut pieces = Vec::new();
    for (device, letter) in volumes {
        let mut progress = ConversionProgress {
            device: device.clone(),
            letter: letter.clone(),
            status: ConversionStatus::EncryptionInProgress,
            encrypted_basis_points: 0,
        };
        let outcome = convert_one(provider, &mut progress, share, clock);
        pieces.push(Piece { progress, outcome });
    }
    pieces
}

fn convert_one(
    provider: &mut dyn Provider,
    progress: &mut ConversionProgress,
    share: Duration,
    clock: &dyn Clock,
) -> ProviderResult<Going> {
    let mut volume = provider.volume(&progress.device)?;
    let started = clock.now();
    let mut nothing_more = false;
    for _ in 0..MAX_PIECES {
        nothing_more = volume.convert_some()?;
        if nothing_more || clock.now().since(started) >= share {
            break;
        }
    }
    let now = volume.conversion_status()?;
    progress.status = now.status;
    progress.encrypted_basis_points = now.encrypted_basis_points;
    Ok(match (under_way(now.status), nothing_more) {
        (false, _) => Going::Ended,
        (true, true) => Going::Elsewhere,
        (true, false) => Going::On,
    })
}

/// The future's answer, or never when there is none.
async fn pending_or<T, F: Future<Output = T> + Unpin>(future: &mut Option<F>) -> T {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}
