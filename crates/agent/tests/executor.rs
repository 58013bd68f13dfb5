//! Carrying out: the order, the guards, what happens after a failure.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall panic")]

mod support;

use agent::SharedProvider;
use agent::client::{Client, Endpoint, Timeouts};
use agent::execute::{Acknowledged, ExecuteError, Executor};
use agent::hooks::{Hooks, PinSource};
use agent::provider::{Code, Provider};
use domain::ids::{DeviceId, ProtectorId, VolumeId};
use domain::ledger::{KeyState, Ledger, LedgerEntry, ProofState};
use domain::plan::{Action, Plan};
use domain::time::Timestamp;
use domain::volume::{ConversionStatus, EncryptionExtent, EncryptionMethod, ProtectorType, VolumeKind};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use support::https::{Reply, TestServer};
use support::ledger::{Book, Server};
use support::volumes::{Disk, Volumes};
use uuid::Uuid;
use zeroize::Zeroizing;

struct Scene {
    server: std::sync::Arc<Server>,
    _listening: TestServer,
    volumes: Volumes,
    client: Client,
    pin: Option<&'static str>,
}

async fn scene() -> Scene {
    let book = Book::new();
    let server = Server::new(&book);
    let listening = TestServer::start(&server.authority, server.handler()).await;
    let volumes = Volumes::new(book, &[("c", VolumeKind::Os), ("d", VolumeKind::Fixed)]);
    let bench = support::bench::Bench::new(&listening.address, &server.authority, volumes.clone());
    let endpoint = Endpoint::new(&listening.address, &bench.config.ca_file, Timeouts::default()).unwrap();
    let token = agent::identity::EnrolmentToken::read(bench.config.enrolment_token_file.as_ref().unwrap()).unwrap();
    let identity = agent::identity::Identity::enrol(&endpoint, &token, "PC-1", "1")
        .await
        .unwrap();
    Scene {
        client: Client::with_identity(&endpoint, &identity).unwrap(),
        server,
        _listening: listening,
        volumes,
        pin: None,
    }
}

struct Pin(Option<&'static str>);

impl PinSource for Pin {
    fn available(&self) -> bool {
        self.0.is_some()
    }
    fn pin(&mut self) -> Option<Zeroizing<String>> {
        self.0.map(|pin| Zeroizing::new(pin.to_owned()))
    }
}

impl Scene {
    async fn execute(&self, actions: &[Action], ledger: &Ledger) -> Result<(), ExecuteError> {
        let plan = Plan {
            actions: actions.to_vec(),
            ..Plan::default()
        };
        Executor {
            provider: &SharedProvider::new(Box::new(self.volumes.clone())),
            client: &self.client,
            device: DeviceId(Uuid::from_u128(1)),
            recovery_key: &self.server.recovery_key.public(),
            acknowledged: &mut Acknowledged::from_ledger(ledger),
            rng: &mut ChaCha20Rng::from_seed([1; 32]),
            pin: &mut Pin(self.pin),
            hooks: &mut Hooks::default(),
        }
        .execute(&plan)
        .await
    }

    fn add_password(&self, device: &str) -> ProtectorId {
        let mut volumes = self.volumes.clone();
        let mut volume = volumes.volume(device).unwrap();
        volume.protect_key_with_numerical_password(None, None).unwrap()
    }

    fn disk(&self, device: &str) -> Disk {
        self.volumes.disk(device)
    }

    fn entry(&self, device: &str, protector: ProtectorId, proof: ProofState) -> Ledger {
        Ledger(vec![LedgerEntry {
            volume: self.disk(device).volume.unwrap(),
            protector,
            state: KeyState::Live,
            proof,
            escrowed_at: Timestamp(1),
        }])
    }
}

fn encrypt(device: &str) -> Action {
    Action::Encrypt {
        device: device.to_owned(),
        method: EncryptionMethod::XtsAes128,
        extent: EncryptionExtent::Full,
        after_escrow: true,
    }
}

fn delete(device: &str, protector: ProtectorId) -> Action {
    Action::DeleteProtector {
        device: device.to_owned(),
        protector,
        replaced: true,
    }
}

fn add(device: &str) -> Action {
    Action::AddRecoveryPassword {
        device: device.to_owned(),
    }
}

fn escrow(device: &str) -> Action {
    Action::Escrow {
        device: device.to_owned(),
        protector: None,
    }
}

fn is_refusal(result: &Result<(), ExecuteError>) -> bool {
    matches!(result, Err(ExecuteError::Refused { .. }))
}

#[tokio::test]
async fn nothing_is_encrypted_before_the_server_acknowledged_a_password_that_is_on_the_volume_now() {
    let scene = scene().await;
    assert!(
        is_refusal(&scene.execute(&[encrypt("c")], &Ledger::default()).await),
        "no password at all"
    );
    let protector = scene.add_password("c");
    assert!(
        is_refusal(&scene.execute(&[encrypt("c")], &Ledger::default()).await),
        "not acknowledged"
    );

    let mut other_volume = scene.entry("c", protector, ProofState::Proven);
    other_volume.0[0].volume = VolumeId(Uuid::from_u128(77));
    assert!(is_refusal(&scene.execute(&[encrypt("c")], &other_volume).await));
    let gone = scene.entry("c", ProtectorId(Uuid::from_u128(77)), ProofState::Proven);
    assert!(is_refusal(&scene.execute(&[encrypt("c")], &gone).await));
    let failed = scene.entry("c", protector, ProofState::Failed);
    assert!(is_refusal(&scene.execute(&[encrypt("c")], &failed).await));
    assert_eq!(scene.disk("c").log, ["add"]);

    scene
        .execute(&[escrow("c"), encrypt("c")], &Ledger::default())
        .await
        .unwrap();
    assert_eq!(scene.disk("c").log, ["add", "encrypt"]);
}

#[tokio::test]
async fn a_suspension_is_not_ended_before_an_acknowledgement() {
    let scene = scene().await;
    scene.add_password("c");
    scene.volumes.change("c", |disk| disk.suspended = true);
    let enable = Action::EnableProtectors {
        device: "c".to_owned(),
        after_escrow: true,
    };
    assert!(is_refusal(
        &scene.execute(std::slice::from_ref(&enable), &Ledger::default()).await
    ));
    assert!(scene.disk("c").suspended);
    scene.execute(&[escrow("c"), enable], &Ledger::default()).await.unwrap();
    assert!(!scene.disk("c").suspended);
}

#[tokio::test]
async fn a_replaced_password_goes_only_when_another_one_is_acknowledged() {
    let scene = scene().await;
    let old = scene.add_password("c");
    let ledger = scene.entry("c", old, ProofState::Proven);
    assert!(
        is_refusal(&scene.execute(&[delete("c", old)], &ledger).await),
        "itself does not count"
    );
    let new = scene.add_password("c");
    assert!(
        is_refusal(&scene.execute(&[delete("c", old)], &ledger).await),
        "the new one is not stored yet"
    );
    scene.execute(&[escrow("c"), delete("c", old)], &ledger).await.unwrap();
    assert_eq!(scene.disk("c").recovery_passwords(), [new]);
    let held = scene.entry("c", new, ProofState::NotProven);
    scene.execute(&[delete("c", old)], &held).await.unwrap();
    assert_eq!(
        scene.disk("c").log.iter().filter(|l| **l == "delete").count(),
        1,
        "once is enough"
    );
}

#[tokio::test]
async fn a_plan_that_does_not_say_that_it_deletes_a_recovery_password_is_guarded_all_the_same() {
    let scene = scene().await;
    scene.add_password("c");
    let only = scene.add_password("c");
    let action = Action::DeleteProtector {
        device: "c".to_owned(),
        protector: only,
        replaced: false,
    };
    let result = scene.execute(&[action], &Ledger::default()).await;
    assert!(is_refusal(&result), "{result:?}");
    assert!(scene.disk("c").recovery_passwords().contains(&only));
}

#[tokio::test]
async fn an_escrow_takes_what_the_server_has_never_seen_and_nothing_else() {
    let scene = scene().await;
    let failed = scene.add_password("c");
    let ledger = scene.entry("c", failed, ProofState::Failed);
    let fresh = scene.add_password("c");
    scene.execute(&[escrow("c")], &ledger).await.unwrap();
    let book = scene.server.book.lock().unwrap();
    let disk = scene.disk("c");
    let password = &disk.protectors.iter().find(|p| p.id == fresh).unwrap().password;
    assert_eq!(book.passwords, [(fresh, password.clone())]);
}

#[tokio::test]
async fn a_paused_encryption_does_not_go_on_when_its_acknowledged_password_is_gone() {
    let scene = scene().await;
    scene.add_password("d");
    scene
        .volumes
        .change("d", |disk| disk.conversion = ConversionStatus::EncryptionPaused);
    let resume = Action::ResumeConversion {
        device: "d".to_owned(),
        after_escrow: true,
    };
    let error = scene.execute(&[resume], &Ledger::default()).await.unwrap_err();
    assert!(error.to_string().contains("was refused"), "{error}");
    assert!(!scene.disk("d").log.contains(&"resume"));
}

#[tokio::test]
async fn after_a_failed_step_the_volumes_later_steps_are_left_and_other_volumes_go_on() {
    let scene = scene().await;
    scene.volumes.change("c", |disk| disk.failing = Some(Code::ReadFault));
    let error = scene
        .execute(
            &[add("c"), add("d"), escrow("c"), escrow("d"), encrypt("d")],
            &Ledger::default(),
        )
        .await
        .unwrap_err();
    assert!(error.to_string().contains("add_recovery_password on c"), "{error}");
    assert!(error.to_string().contains("ERROR_READ_FAULT"), "{error}");
    assert_eq!(scene.disk("d").log, ["add", "encrypt"]);
}

#[tokio::test]
async fn when_the_server_fails_everything_stops_and_its_time_is_kept() {
    let scene = scene().await;
    let later = b"HTTP/1.1 429 X\r\nretry-after: 9\r\ncontent-length: 0\r\n\r\n".to_vec();
    scene
        .server
        .book
        .lock()
        .unwrap()
        .bad
        .push(("escrow", Reply::Raw(later)));
    let error = scene
        .execute(&[add("c"), escrow("c"), encrypt("c"), add("d")], &Ledger::default())
        .await
        .unwrap_err();
    assert_eq!(error.retry_after().unwrap().as_secs(), 9);
    assert_eq!(scene.disk("c").log, ["add"]);
    assert!(scene.disk("d").log.is_empty());
}

#[tokio::test]
async fn steps_that_are_done_already_succeed_again() {
    let scene = scene().await;
    let on = Action::AddAutoUnlock { device: "d".to_owned() };
    let off = Action::RemoveAutoUnlock { device: "d".to_owned() };
    let tpm = Action::AddTpm { device: "c".to_owned() };
    let resume = Action::ResumeConversion {
        device: "d".to_owned(),
        after_escrow: true,
    };
    scene.add_password("d");
    for action in [&on, &tpm, &off, &resume] {
        for _ in 0..2 {
            scene
                .execute(std::slice::from_ref(action), &Ledger::default())
                .await
                .unwrap();
        }
        let keys = |kind| scene.disk("d").protectors.iter().filter(|p| p.kind == kind).count();
        let expected = usize::from(std::ptr::eq(action, &on) || std::ptr::eq(action, &tpm));
        assert_eq!(keys(ProtectorType::ExternalKey), expected, "{action:?}");
    }
    assert_eq!(scene.disk("c").protectors.len(), 1);
    assert!(!scene.disk("d").log.contains(&"resume"));
}

#[tokio::test]
async fn a_half_done_automatic_unlocking_is_finished_with_the_same_key() {
    let scene = scene().await;
    let on = Action::AddAutoUnlock { device: "d".to_owned() };
    scene
        .execute(std::slice::from_ref(&on), &Ledger::default())
        .await
        .unwrap();
    let key = scene.disk("d").auto_unlock;
    scene.volumes.change("d", |disk| disk.auto_unlock = None);
    scene.execute(&[on], &Ledger::default()).await.unwrap();
    assert_eq!(scene.disk("d").auto_unlock, key);
    assert_eq!(scene.disk("d").protectors.len(), 1);
}

#[tokio::test]
async fn a_pin_is_used_when_it_is_at_hand_and_its_lack_is_said() {
    let mut scene = scene().await;
    let action = [Action::AddTpmPin { device: "c".to_owned() }];
    assert!(is_refusal(&scene.execute(&action, &Ledger::default()).await));
    scene.pin = Some("246810");
    scene.execute(&action, &Ledger::default()).await.unwrap();
    assert_eq!(scene.disk("c").protectors[0].kind, ProtectorType::TpmPin);
}
