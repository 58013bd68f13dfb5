//! Starting: key file, first administrator, what lies in the data directory.

use std::os::unix::fs::PermissionsExt as _;

use server::sealing::KeyFileError;
use server::{Config, KEY_FILE, Server, StartError};
use zeroize::Zeroizing;

use crate::support::{Device, Harness, PASSPHRASE, Volume, config, rng};

async fn start_error(harness: &Harness, config: Config) -> StartError {
    match Server::start(config, harness.clock.clone(), rng(4)).await {
        Ok(_) => panic!("it started"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn a_wrong_passphrase_is_said_exactly_and_changes_nothing() {
    let harness = Harness::start().await;
    let key_file = harness.directory.path().join(KEY_FILE);
    let before = std::fs::read(&key_file).unwrap();
    let wrong = Config {
        passphrase: Zeroizing::new(format!("{PASSPHRASE}!")),
        ..config(harness.directory.path())
    };
    let error = start_error(&harness, wrong).await;
    assert!(
        matches!(error, StartError::KeyFile(KeyFileError::WrongPassphrase(_))),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .starts_with("the passphrase does not open the key file"),
        "{error}"
    );
    assert!(!error.to_string().contains(PASSPHRASE));
    assert_eq!(std::fs::read(&key_file).unwrap(), before);
}

#[tokio::test]
async fn a_changed_key_file_is_refused() {
    let harness = Harness::start().await;
    let path = harness.directory.path().join(KEY_FILE);
    let good = std::fs::read_to_string(&path).unwrap();
    let cases = [
        good.replace("\"passes\": 1", "\"passes\": 2"),
        good.replace("\"version\": 1", "\"version\": 2"),
        good.replace("\"memory_kib\": 16", "\"memory_kib\": 4294967295"),
        good.replacen("\"sealed\": \"", "\"sealed\": \"00", 1),
        "{}".to_owned(),
        String::new(),
    ];
    for case in cases {
        assert_ne!(case, good);
        std::fs::write(&path, &case).unwrap();
        let error = start_error(&harness, config(harness.directory.path())).await;
        assert!(matches!(error, StartError::KeyFile(_)), "{error}");
    }
}

#[tokio::test]
async fn a_missing_key_file_beside_a_database_is_never_replaced() {
    let harness = Harness::start().await;
    harness.running.stop().await;
    let path = harness.directory.path().join(KEY_FILE);
    std::fs::remove_file(&path).unwrap();
    let config = config(harness.directory.path());
    let Err(error) = Server::start(config, harness.clock.clone(), rng(4)).await else {
        panic!("it started")
    };
    assert!(
        matches!(error, StartError::KeyFile(KeyFileError::Missing(_))),
        "{error}"
    );
    assert!(!path.exists());
}

#[tokio::test]
async fn the_first_administrators_password_is_given_out_once_and_must_be_changed() {
    let mut harness = Harness::start_with(|config| config.first_administrator = None).await;
    let first = harness.running.take_first_run().unwrap();
    assert!(harness.running.take_first_run().is_none());
    assert_eq!(first.administrator, "admin");
    let user = harness.sign_in("admin", &first.password).await;
    assert!(user.must_change_password);
    let mut harness = harness.restart().await;
    assert!(harness.running.take_first_run().is_none());
}

#[tokio::test]
async fn the_data_directory_is_private_and_holds_no_secret_in_the_clear() {
    let harness = Harness::start().await;
    let device = Device::enrol(&harness, "HW-1").await;
    let volume = Volume::new(1);
    device.escrow(&volume).await.unwrap();
    harness.all_tried().await;
    let harness = harness.restart().await;
    let directory = harness.directory.path();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory.join(KEY_FILE)), 0o600);
    assert_eq!(mode(&harness.database()), 0o600);
    let password = volume.password.expose();
    let needles = [
        password.as_bytes().to_vec(),
        password.replace('-', "").into_bytes(),
        volume.password.as_bytes().to_vec(),
        PASSPHRASE.as_bytes().to_vec(),
        crate::support::ADMIN_PASSWORD.as_bytes().to_vec(),
        b"PRIVATE KEY".to_vec(),
    ];
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        for needle in &needles {
            let found = bytes.windows(needle.len()).any(|window| window == needle);
            assert!(!found, "{}", path.display());
        }
    }
}

#[tokio::test]
async fn names_that_cannot_stand_in_a_certificate_are_refused() {
    let harness = Harness::start().await;
    for name in ["", "a b", "https://server", "x".repeat(64).as_str()] {
        let mut config = config(harness.directory.path());
        config.public_names.push(name.to_owned());
        let error = start_error(&harness, config).await;
        assert!(matches!(error, StartError::Authority(_)), "{name:?}: {error}");
    }
}
