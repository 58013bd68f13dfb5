//! The endless run: called by the server in the middle of a conversion, left alone by it, sent away, stopped.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall panic")]

mod support;

use std::sync::Arc;

use agent::hooks::{ConversionProgress, Hooks, Progress};
use agent::provider::Code;
use agent::{AgentError, OnceOptions};
use domain::ledger::KeyState;
use domain::volume::{ConversionStatus, VolumeKind};
use support::bench::Bench;
use support::https::{Reply, TestServer};
use support::ledger::{Book, Server};
use support::volumes::Volumes;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

struct Scene {
    server: Arc<Server>,
    listening: TestServer,
    bench: Bench,
    cancel: CancellationToken,
}

async fn scene() -> Scene {
    let book = Book::new();
    let server = Server::new(&book);
    let listening = TestServer::start(&server.authority, server.handler()).await;
    let volumes = Volumes::new(book, &[("c", VolumeKind::Os)]);
    let bench = Bench::new(&listening.address, &server.authority, volumes);
    Scene {
        server,
        listening,
        bench,
        cancel: CancellationToken::new(),
    }
}

/// Passes on what the agent shows.
struct Shown(mpsc::UnboundedSender<ConversionProgress>);

impl Progress for Shown {
    fn conversion(&mut self, progress: &ConversionProgress) {
        let _ = self.0.send(progress.clone());
    }
    fn message(&mut self, _text: &str) {}
}

impl Scene {
    fn run(&self) -> JoinHandle<Result<(), AgentError>> {
        self.run_with(Hooks::default())
    }

    fn run_with(&self, hooks: Hooks) -> JoinHandle<Result<(), AgentError>> {
        let run = agent::run(self.bench.config.clone(), self.bench.deps(), hooks, self.cancel.clone());
        tokio::spawn(run)
    }

    fn run_shown(
        &self,
    ) -> (
        JoinHandle<Result<(), AgentError>>,
        mpsc::UnboundedReceiver<ConversionProgress>,
    ) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let hooks = Hooks {
            progress: Box::new(Shown(sender)),
            ..Hooks::default()
        };
        (self.run_with(hooks), receiver)
    }

    async fn stop(&self, run: JoinHandle<Result<(), AgentError>>) {
        self.cancel.cancel();
        run.await.unwrap().unwrap();
    }
}

fn count(book: &Book, path: &str) -> usize {
    book.paths.iter().filter(|p| *p == path).count()
}

fn reported(book: &Book, status: ConversionStatus) -> bool {
    let volumes = book.inventory.iter().flat_map(|i| &i.volumes);
    volumes.into_iter().any(|v| v.conversion == status)
}

#[tokio::test]
async fn a_call_in_the_middle_of_a_conversion_rotates_at_once_while_the_conversion_goes_on() {
    let scene = scene().await;
    // A conversion that never ends: what is done, is done in its middle.
    scene.bench.volumes.change("c", |disk| disk.step = 0);
    let run = scene.run();
    scene
        .server
        .until("the held request", |book| count(book, "wait") == 1)
        .await;
    let pieces = |scene: &Scene| {
        scene
            .bench
            .volumes
            .disk("c")
            .log
            .iter()
            .filter(|l| **l == "convert")
            .count()
    };
    let volume = scene.bench.volumes.disk("c").volume.unwrap();
    let told = tokio::time::Instant::now();
    scene.server.book.lock().unwrap().disclose(volume);
    scene.server.call.notify_one();
    scene
        .server
        .until("the rotation", |book| {
            let states: Vec<_> = book.entries.iter().map(|e| e.state).collect();
            states == [KeyState::Superseded, KeyState::Live] && book.requests.is_empty()
        })
        .await;
    assert!(told.elapsed().as_secs() < 5, "{:?}", told.elapsed());
    let before = pieces(&scene);
    scene
        .server
        .until("the next held request", |book| count(book, "wait") == 2)
        .await;
    scene.server.call.notify_one();
    scene
        .server
        .until("another check-in", |book| count(book, "wait") == 3)
        .await;
    assert!(pieces(&scene) > before, "it still converts");
    assert_eq!(
        scene.bench.volumes.disk("c").conversion,
        ConversionStatus::EncryptionInProgress
    );
    scene.stop(run).await;
}

#[tokio::test]
async fn the_end_of_a_conversion_is_reported_at_once() {
    let scene = scene().await;
    let run = scene.run();
    scene
        .server
        .until("the report", |book| reported(book, ConversionStatus::FullyEncrypted))
        .await;
    scene.stop(run).await;
    let status = agent::status(&scene.bench.config).unwrap();
    assert_eq!(status.volumes[0].conversion, ConversionStatus::FullyEncrypted);
    assert_eq!(status.volumes[0].encrypted_basis_points, 10_000);
}

#[tokio::test]
async fn a_conversion_goes_on_while_the_server_is_away_even_through_a_restart() {
    let scene = scene().await;
    scene.bench.volumes.change("c", |disk| disk.step = 0);
    let (run, mut shown) = scene.run_shown();
    shown.recv().await.unwrap();
    run.abort();
    let _ = run.await;
    let Scene {
        listening,
        bench,
        server,
        ..
    } = scene;
    drop(listening);
    bench.volumes.change("c", |disk| disk.step = 500);
    let (sender, mut shown) = mpsc::unbounded_channel();
    let hooks = Hooks {
        progress: Box::new(Shown(sender)),
        ..Hooks::default()
    };
    let cancel = CancellationToken::new();
    let run = tokio::spawn(agent::run(bench.config.clone(), bench.deps(), hooks, cancel.clone()));
    while shown.recv().await.unwrap().status != ConversionStatus::FullyEncrypted {}
    cancel.cancel();
    run.await.unwrap().unwrap();
    assert!(!reported(
        &server.book.lock().unwrap(),
        ConversionStatus::FullyEncrypted
    ));
    let status = agent::status(&bench.config).unwrap();
    assert!(status.last_error.unwrap().contains("cannot be reached"));
}

#[tokio::test]
async fn a_server_that_comes_back_is_found_again() {
    let scene = scene().await;
    let bad = ["check-in", "escrow", "check-in"].map(|path| (path, Reply::Hang));
    scene.server.book.lock().unwrap().bad.extend(bad);
    let run = scene.run();
    scene
        .server
        .until("the report", |book| reported(book, ConversionStatus::FullyEncrypted))
        .await;
    assert_eq!(
        scene.bench.volumes.disk("c").recovery_passwords().len(),
        1,
        "not one for each attempt"
    );
    scene.stop(run).await;
}

#[tokio::test]
async fn a_device_that_is_sent_away_does_not_come_back_before_its_time() {
    let scene = scene().await;
    let later = b"HTTP/1.1 429 X\r\nretry-after: 2\r\ncontent-length: 0\r\n\r\n".to_vec();
    scene
        .server
        .book
        .lock()
        .unwrap()
        .bad
        .push(("check-in", Reply::Raw(later)));
    let run = scene.run();
    scene
        .server
        .until("two check-ins", |book| count(book, "check-in") >= 2)
        .await;
    scene.stop(run).await;
    let book = scene.server.book.lock().unwrap();
    assert_eq!(book.paths[..3], ["enrol", "check-in", "check-in"]);
    let gap = book.moments[2] - book.moments[1];
    assert!((2000..4000).contains(&gap.as_millis()), "{gap:?}");
}

#[tokio::test]
async fn a_server_that_calls_for_nothing_is_answered_more_and_more_slowly() {
    let scene = scene().await;
    scene.bench.once().await.unwrap();
    let run = scene.run();
    scene.server.book.lock().unwrap().moments.clear();
    scene.server.book.lock().unwrap().paths.clear();
    for calls in 1..=3 {
        scene
            .server
            .until("a held request", |book| count(book, "wait") == calls)
            .await;
        scene.server.call.notify_one();
    }
    scene.server.until("another", |book| count(book, "wait") == 4).await;
    scene.stop(run).await;
    let book = scene.server.book.lock().unwrap();
    let waits: Vec<_> = book
        .paths
        .iter()
        .zip(&book.moments)
        .filter(|(p, _)| *p == "wait")
        .map(|(_, m)| *m)
        .collect();
    assert!(waits[1] - waits[0] >= std::time::Duration::from_millis(500));
    assert!(waits[2] - waits[1] >= std::time::Duration::from_millis(1000));
    assert!(waits[3] - waits[2] >= std::time::Duration::from_millis(2000));
}

#[tokio::test]
async fn a_report_that_the_server_asks_for_comes_with_the_inventory_once() {
    let scene = scene().await;
    scene.bench.once().await.unwrap();
    let request = protocol::messages::Request {
        id: domain::ids::RequestId(uuid::Uuid::from_u128(5)),
        kind: protocol::messages::RequestKind::Report,
    };
    {
        let mut book = scene.server.book.lock().unwrap();
        book.requests.push(request);
        book.check_ins.clear();
    }
    scene.bench.once().await.unwrap();
    let book = scene.server.book.lock().unwrap();
    let with: Vec<_> = book
        .check_ins
        .iter()
        .map(|c| (c.inventory.is_some(), c.done.len()))
        .collect();
    assert_eq!(with, [(false, 0), (true, 1)]);
    assert!(book.requests.is_empty());
}

#[tokio::test]
async fn a_rotation_of_a_locked_volume_is_not_called_done() {
    let scene = scene().await;
    scene.bench.once().await.unwrap();
    let volume = scene.bench.volumes.disk("c").volume.unwrap();
    scene.server.book.lock().unwrap().disclose(volume);
    scene.bench.volumes.change("c", |disk| disk.locked = true);
    let outcome = scene.bench.once().await.unwrap();
    assert_eq!(outcome.exit_code(), 4);
    let told = scene
        .server
        .book
        .lock()
        .unwrap()
        .check_ins
        .last()
        .unwrap()
        .blocked
        .clone();
    assert_eq!(told, outcome.blocked, "administrators see why");
    assert_eq!(scene.server.book.lock().unwrap().requests.len(), 1);

    scene.bench.volumes.change("c", |disk| disk.locked = false);
    scene.bench.once().await.unwrap();
    assert!(scene.server.book.lock().unwrap().requests.is_empty());
}

#[tokio::test]
async fn a_conversion_that_fails_is_reported_and_tried_again() {
    let scene = scene().await;
    scene.bench.volumes.change("c", |disk| disk.step = 0);
    let (run, mut shown) = scene.run_shown();
    shown.recv().await.unwrap();
    scene
        .bench
        .volumes
        .change("c", |disk| disk.failing = Some(Code::ReadFault));
    scene
        .server
        .until("the failure's report", |book| {
            let errors = book.check_ins.iter().filter_map(|c| c.last_error.as_deref());
            errors
                .into_iter()
                .any(|e| e.contains("conversion") && e.contains("ERROR_READ_FAULT"))
        })
        .await;
    scene.bench.volumes.change("c", |disk| {
        disk.failing = None;
        disk.step = 5000;
    });
    scene.server.call.notify_one();
    scene
        .server
        .until("the end", |book| {
            reported(book, ConversionStatus::FullyEncrypted) && count(book, "wait") > 1
        })
        .await;
    scene.stop(run).await;
}

#[tokio::test]
async fn a_second_agent_is_kept_out_of_the_state_directory() {
    let scene = scene().await;
    let run = scene.run();
    scene
        .server
        .until("the first check-in", |book| count(book, "check-in") >= 1)
        .await;
    let error = scene.bench.once().await.unwrap_err();
    assert!(matches!(error, AgentError::AlreadyRunning(_)), "{error:?}");
    scene.stop(run).await;
    scene.bench.once().await.unwrap();
}

#[tokio::test]
async fn once_without_waiting_says_that_a_conversion_still_goes_on() {
    let scene = scene().await;
    let options = OnceOptions { wait: false };
    let outcome = agent::once(
        scene.bench.config.clone(),
        scene.bench.deps(),
        Hooks::default(),
        options,
        CancellationToken::new(),
    )
    .await
    .unwrap();
    assert_eq!((outcome.exit_code(), outcome.converting), (3, vec!["c".to_owned()]));
}

#[tokio::test]
async fn a_policy_that_is_named_and_not_sent_is_asked_for_again() {
    let scene = scene().await;
    let answer = serde_json::json!({
        "send_inventory": false, "policy": null, "policy_digest": "ff", "ledger": [], "requests": [],
        "recovery_key": scene.server.recovery_key.public(), "next_check_in_seconds": 60,
    });
    scene
        .server
        .book
        .lock()
        .unwrap()
        .bad
        .push(("check-in", Reply::Json(200, answer)));
    let error = scene.bench.once().await.unwrap_err();
    assert!(error.to_string().contains("policy"), "{error}");
    assert!(scene.bench.volumes.disk("c").log.is_empty());
    scene.bench.once().await.unwrap();
}
