//! `POST /agent/v1/escrow`.

use domain::ids::{ProtectorId, VolumeId};
use protocol::messages::EscrowResponse;
use server::services::recovery::{self, Why};
use store::model::KeyName;
use uuid::Uuid;

use crate::support::{Device, Harness, Volume};

fn name(device: &Device, volume: &Volume) -> KeyName {
    KeyName {
        device: device.id,
        volume: volume.id,
        protector: volume.protector,
    }
}

#[tokio::test]
async fn an_acknowledged_escrow_is_in_the_database_file_and_survives_a_restart() {
    let harness = Harness::start().await;
    let device = Device::enrol(&harness, "HW-1").await;
    let volume = Volume::new(1);
    let acknowledged = device.escrow(&volume).await.unwrap();
    assert_eq!(acknowledged.protector, volume.protector);
    // Another connection, which sees only what was committed.
    let file = rusqlite::Connection::open(harness.database()).unwrap();
    let rows: i64 = file
        .query_row("SELECT count(*) FROM key_versions", [], |row| row.get(0))
        .unwrap();
    assert_eq!(rows, 1);
    let harness = harness.restart().await;
    let key = harness
        .state()
        .store
        .key(name(&device, &volume))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(key.first_escrowed_at, acknowledged.escrowed_at);
}

#[tokio::test]
async fn an_escrow_that_the_store_cannot_commit_is_not_acknowledged() {
    let harness = Harness::start().await;
    let device = Device::enrol(&harness, "HW-1").await;
    let file = rusqlite::Connection::open(harness.database()).unwrap();
    file.execute_batch(
        "CREATE TRIGGER no_audit BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'broken on purpose'); END",
    )
    .unwrap();
    let (status, problem) = device.escrow(&Volume::new(1)).await.unwrap_err();
    assert!(status.is_server_error());
    assert!(!problem.detail.contains("purpose"), "{}", problem.detail);
    let rows: i64 = file
        .query_row("SELECT count(*) FROM key_versions", [], |row| row.get(0))
        .unwrap();
    assert_eq!(rows, 0);
}

#[tokio::test]
async fn the_same_escrow_sent_again_is_acknowledged_with_its_first_moment() {
    let harness = Harness::start().await;
    let device = Device::enrol(&harness, "HW-1").await;
    let request = device.escrow_of(&Volume::new(1));
    let first: EscrowResponse = device.post("escrow", &request).await.unwrap();
    harness.clock.advance(std::time::Duration::from_secs(100));
    let second: EscrowResponse = device.post("escrow", &request).await.unwrap();
    assert_eq!(first, second);
    assert_eq!(harness.audit_count("key.escrowed").await, 1);
}

#[tokio::test]
async fn a_device_that_escrows_anothers_volume_changes_nothing_of_the_others() {
    let harness = Harness::start().await;
    let victim = Device::enrol(&harness, "HW-1").await;
    let attacker = Device::enrol(&harness, "HW-2").await;
    let volume = Volume::new(1);
    victim.escrow(&volume).await.unwrap();
    // Under its own identity it may store what it likes, also sealed as if by the victim.
    for sealed_for in [attacker.id, victim.id] {
        let request = attacker.escrow_with(&volume, sealed_for, "000000-000000");
        attacker.post::<EscrowResponse>("escrow", &request).await.unwrap();
    }
    let why = Why {
        reason: "test".to_owned(),
        ..Why::default()
    };
    let admin = harness.admin().await;
    let told = recovery::disclose(harness.state(), &admin, name(&victim, &volume), &why)
        .await
        .unwrap();
    assert_eq!(*told.password, *volume.password.expose());
    // And it sees nothing of the victim's.
    let seen = attacker.check_in(None).await.unwrap().ledger;
    assert_eq!(seen.0.len(), 1);
    harness.all_tried().await;
    let own = harness
        .state()
        .store
        .key(name(&attacker, &volume))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(own.proof, domain::ledger::ProofState::Failed);
}

#[tokio::test]
async fn evidence_that_does_not_fit_is_refused_with_its_reason_and_stores_nothing() {
    let harness = Harness::start().await;
    let device = Device::enrol(&harness, "HW-1").await;
    let volume = Volume::new(1);
    let good = device.escrow_of(&volume);
    let mut cases = Vec::new();
    let mut request = good.clone();
    request.volume = VolumeId(Uuid::from_u128(1));
    cases.push((request, "metadata", "metadata: is of another volume than the one named"));
    let mut request = good.clone();
    request.protector = ProtectorId(Uuid::from_u128(1));
    cases.push((
        request,
        "metadata",
        "metadata: has no recovery password with the protector named",
    ));
    let mut request = good.clone();
    request.metadata = Volume::new(2).metadata_base64();
    cases.push((request, "metadata", "metadata: is of another volume than the one named"));
    let mut request = good.clone();
    request.metadata.replace_range(..1, "*");
    cases.push((request, "metadata", "metadata: must be base64"));
    let mut request = good.clone();
    request.metadata.truncate(1000);
    cases.push((
        request,
        "invalid_message",
        "metadata: one copy of 65536 bytes in base64",
    ));
    let mut request = good.clone();
    request.sealed_password.key_version = 2;
    cases.push((request, "recovery_key", "sealed_password.key_version: 1 is in use"));
    let mut request = good;
    request.sealed_password.ciphertext.push('0');
    cases.push((
        request,
        "invalid_message",
        "sealed_password.ciphertext: 17 to 256 bytes",
    ));
    for (request, code, detail) in cases {
        let (status, problem) = device.post::<EscrowResponse>("escrow", &request).await.unwrap_err();
        assert_eq!((status.as_u16(), problem.code.as_str()), (422, code));
        assert!(problem.detail.starts_with(detail), "{}", problem.detail);
    }
    assert!(
        harness
            .state()
            .store
            .keys_of_device(device.id)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn flipped_bits_in_the_metadata_never_bring_the_server_down() {
    use base64::Engine as _;
    let harness = Harness::start().await;
    let device = Device::enrol(&harness, "HW-1").await;
    let volume = Volume::new(1);
    for at in (0..4096).step_by(61) {
        let mut request = device.escrow_of(&volume);
        let mut metadata = volume.metadata.clone();
        metadata[at] ^= 0x55;
        request.metadata = base64::engine::general_purpose::STANDARD.encode(metadata);
        if let Err((status, problem)) = device.post::<EscrowResponse>("escrow", &request).await {
            assert_eq!((status.as_u16(), problem.code.as_str()), (422, "metadata"), "byte {at}");
        }
    }
    device.escrow(&volume).await.unwrap();
}
