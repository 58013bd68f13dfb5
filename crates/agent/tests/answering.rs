//! What the user is asked stands in the status, and what they answer reaches the running agent.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall panic")]
#![cfg(unix)]

mod support;

use std::sync::Arc;

use agent::hooks::{Given, Hooks};
use agent::{AgentError, Answer, AnswerError, Reply};
use domain::inventory::Inventory;
use domain::plan::Question;
use domain::policy::{AutoUnlock, OsProtector, TriState};
use domain::volume::{ConversionStatus, ProtectorType, VolumeKind};
use protocol::messages::ExemptionWish;
use support::bench::Bench;
use support::https::TestServer;
use support::ledger::{Book, Server};
use support::volumes::Volumes;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

struct Scene {
    server: Arc<Server>,
    _listening: TestServer,
    bench: Bench,
}

async fn scene(change: impl FnOnce(&mut Book)) -> Scene {
    let book = Book::new();
    change(&mut book.lock().unwrap());
    let server = Server::new(&book);
    let listening = TestServer::start(&server.authority, server.handler()).await;
    let volumes = Volumes::new(book, &[("c", VolumeKind::Os), ("d", VolumeKind::Fixed)]);
    let bench = Bench::new(&listening.address, &server.authority, volumes);
    Scene {
        server,
        _listening: listening,
        bench,
    }
}

struct Running {
    run: JoinHandle<Result<(), AgentError>>,
    cancel: CancellationToken,
}

impl Running {
    async fn stop(self) {
        self.cancel.cancel();
        self.run.await.unwrap().unwrap();
    }
}

impl Scene {
    /// Runs an agent until it has settled.
    async fn run(&self) -> Running {
        let waits = self.waits();
        let cancel = CancellationToken::new();
        let run = agent::run(
            self.bench.config.clone(),
            self.bench.deps(),
            Hooks::default(),
            cancel.clone(),
        );
        let run = tokio::spawn(run);
        self.settled_since(waits).await;
        Running { run, cancel }
    }

    fn waits(&self) -> usize {
        count(&self.server.book.lock().unwrap())
    }

    /// The status is written before the held request is opened.
    async fn settled_since(&self, waits: usize) {
        self.server.until("the held request", |book| count(book) > waits).await;
    }

    fn question(&self) -> Option<Question> {
        agent::status(&self.bench.config).unwrap().prompt.map(|p| p.question)
    }

    async fn answer(&self, answer: Answer) -> Result<Reply, AnswerError> {
        let config = self.bench.config.clone();
        tokio::task::spawn_blocking(move || agent::answer(&config, &answer))
            .await
            .unwrap()
    }

    async fn refused(&self, answer: Answer) -> String {
        match self.answer(answer).await.unwrap() {
            Reply::Refused { reason } => reason,
            Reply::Taken => panic!("taken"),
        }
    }

    async fn takes(&self, answer: Answer) {
        let waits = self.waits();
        assert_eq!(self.answer(answer).await.unwrap(), Reply::Taken);
        self.settled_since(waits).await;
    }

    async fn until_encrypted(&self, device: &'static str) {
        let encrypted = |inventory: &Inventory| {
            let done = ConversionStatus::FullyEncrypted;
            inventory
                .volumes
                .iter()
                .any(|v| v.device == device && v.conversion == done)
        };
        self.server
            .until("encryption", |book| book.inventory.as_ref().is_some_and(encrypted))
            .await;
    }

    fn kinds(&self, device: &str) -> Vec<ProtectorType> {
        self.bench
            .volumes
            .disk(device)
            .protectors
            .iter()
            .map(|p| p.kind)
            .collect()
    }

    fn assert_nowhere_on_disk(&self, secret: &str) {
        for file in std::fs::read_dir(&self.bench.config.state_dir).unwrap() {
            let file = file.unwrap();
            if file.file_type().unwrap().is_file() {
                let content = std::fs::read_to_string(file.path()).unwrap();
                assert!(!content.contains(secret), "{}", file.path().display());
            }
        }
    }
}

fn count(book: &Book) -> usize {
    book.paths.iter().filter(|path| *path == "wait").count()
}

fn pin(pin: &str) -> Answer {
    Answer::Pin {
        pin: Zeroizing::new(pin.to_owned()),
    }
}

fn password(password: &str) -> Answer {
    Answer::Password {
        password: Zeroizing::new(password.to_owned()),
    }
}

#[tokio::test]
async fn a_pin_is_asked_for_checked_used_and_forgotten() {
    let scene = scene(|book| book.policy.os.protector = OsProtector::TpmPin).await;
    let running = scene.run().await;
    assert!(matches!(scene.question(), Some(Question::Pin { .. })));
    assert_eq!(
        scene.bench.volumes.disk("c").conversion,
        ConversionStatus::FullyDecrypted
    );
    assert!(scene.refused(pin("12345x")).await.contains("digits"));
    assert!(scene.refused(pin("123")).await.contains("characters"));
    assert!(
        scene
            .refused(password("long enough"))
            .await
            .contains("something else is asked")
    );
    scene.takes(pin("748291")).await;
    scene.until_encrypted("c").await;
    assert!(scene.kinds("c").contains(&ProtectorType::TpmPin));
    let issued = scene.bench.volumes.disk("c").protectors;
    assert!(issued.iter().any(|p| p.password == "748291"));
    assert_eq!(scene.question(), None);
    assert!(scene.refused(pin("748291")).await.contains("nothing is asked"));
    scene.assert_nowhere_on_disk("748291");
    running.stop().await;
    assert!(matches!(
        scene.answer(Answer::Agree).await,
        Err(AnswerError::NotRunning(_))
    ));
}

#[tokio::test]
async fn a_data_drive_that_cannot_unlock_automatically_gets_the_password_that_the_user_chose() {
    let scene = scene(|book| book.policy.fixed.auto_unlock = AutoUnlock::Prohibit).await;
    let running = scene.run().await;
    scene.until_encrypted("c").await;
    assert!(matches!(scene.question(), Some(Question::Password { device, .. }) if device == "d"));
    scene.takes(password("Correct horse")).await;
    scene.until_encrypted("d").await;
    assert!(scene.kinds("d").contains(&ProtectorType::Passphrase));
    scene.assert_nowhere_on_disk("Correct horse");
    running.stop().await;
}

#[tokio::test]
async fn encryption_waits_for_the_users_word_which_outlasts_a_restart() {
    let mut scene = scene(|_| {}).await;
    scene.bench.config.ask_user = true;
    let running = scene.run().await;
    let Some(Question::Encryption { device }) = scene.question() else {
        panic!("{:?}", scene.question())
    };
    assert_eq!(device, "c");
    let plain = || scene.bench.volumes.disk("c").conversion == ConversionStatus::FullyDecrypted;
    assert!(plain());
    assert_eq!(scene.server.book.lock().unwrap().entries.len(), 2, "keys never wait");

    let latest = agent::status(&scene.bench.config)
        .unwrap()
        .prompt
        .unwrap()
        .may_postpone_until;
    let too_late = latest.map(|t| t.after(std::time::Duration::from_secs(1)));
    assert!(
        scene
            .refused(Answer::Postpone { until: too_late })
            .await
            .contains("at most")
    );
    scene.takes(Answer::Postpone { until: None }).await;
    running.stop().await;
    let running = scene.run().await;
    assert!(plain());
    let blocked = agent::status(&scene.bench.config).unwrap().blocked;
    assert!(
        blocked.iter().any(|b| b.reason.contains("put encryption off")),
        "{blocked:?}"
    );

    // They change their mind.
    scene.takes(Answer::Agree).await;
    scene.until_encrypted("c").await;
    running.stop().await;
}

#[tokio::test]
async fn a_wish_to_be_exempt_reaches_the_server_once() {
    let mut scene = scene(|book| book.policy.client.user_exemption = TriState::Enabled).await;
    scene.bench.config.ask_user = true;
    let running = scene.run().await;
    let wish = |user: &str, reason: &str| Answer::Exemption {
        user: user.to_owned(),
        reason: reason.to_owned(),
    };
    assert!(scene.refused(wish("mallory", "no")).await.contains("ada"));
    assert!(scene.refused(wish("ada", " ")).await.contains("reason"));
    scene.takes(wish("ADA", "a drive for a customer")).await;
    running.stop().await;
    let running = scene.run().await;
    running.stop().await;
    let book = scene.server.book.lock().unwrap();
    let wishes: Vec<_> = book.check_ins.iter().flat_map(|c| &c.exemption_wishes).collect();
    let expected = ExemptionWish {
        user: "ada".to_owned(),
        reason: "a drive for a customer".to_owned(),
    };
    assert_eq!(wishes, [&expected]);
}

#[tokio::test]
async fn secrets_that_are_given_along_need_no_answer() {
    let scene = scene(|book| {
        book.policy.os.protector = OsProtector::TpmPin;
        book.policy.fixed.auto_unlock = AutoUnlock::Prohibit;
    })
    .await;
    let mut deps = scene.bench.deps();
    deps.pin = Box::new(Given {
        pin: Some(Zeroizing::new("748291".to_owned())),
        password: Some(Zeroizing::new("Correct horse".to_owned())),
    });
    let options = agent::OnceOptions { wait: true };
    let config = scene.bench.config.clone();
    let outcome = agent::once(config, deps, Hooks::default(), options, CancellationToken::new())
        .await
        .unwrap();
    assert_eq!(outcome.exit_code(), 0, "{outcome:?}");
    assert!(scene.kinds("c").contains(&ProtectorType::TpmPin));
    assert!(scene.kinds("d").contains(&ProtectorType::Passphrase));
}
