//! What the server proves about escrowed passwords (P8).

use domain::ledger::ProofState;
use fve::RecoveryPassword;
use protocol::messages::EscrowResponse;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use store::model::{KeyName, KeyRecord};

use crate::support::{Device, Harness, Volume};

async fn key(harness: &Harness, device: &Device, volume: &Volume) -> KeyRecord {
    let name = KeyName {
        device: device.id,
        volume: volume.id,
        protector: volume.protector,
    };
    harness.state().store.key(name).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_password_that_opens_the_volume_is_proven() {
    let harness = Harness::start().await;
    let device = Device::enrol(&harness, "HW-1").await;
    let volume = Volume::new(1);
    device.escrow(&volume).await.unwrap();
    harness.all_tried().await;
    assert_eq!(key(&harness, &device, &volume).await.proof, ProofState::Proven);
    assert_eq!(harness.audit_count("key.proven").await, 1);
}

#[tokio::test]
async fn anything_else_fails_with_a_reason_in_the_audit_and_no_secret_in_it() {
    let harness = Harness::start().await;
    let volume = Volume::new(1);
    let wrong = RecoveryPassword::generate(&mut ChaCha20Rng::from_seed([77; 32])).expose();
    let cases = [
        ("HW-1", wrong.as_str(), "the password opens no protector of this volume"),
        (
            "HW-2",
            "no password at all",
            "the sealed secret is not a recovery password",
        ),
        ("HW-3", "\u{fe}", "the sealed secret is not a recovery password"),
    ];
    for (hardware, text, reason) in cases {
        let device = Device::enrol(&harness, hardware).await;
        let request = device.escrow_with(&volume, device.id, text);
        device.post::<EscrowResponse>("escrow", &request).await.unwrap();
        harness.all_tried().await;
        let key = key(&harness, &device, &volume).await;
        assert_eq!(
            (key.proof, key.proof_reason.as_deref()),
            (ProofState::Failed, Some(reason))
        );
        // The device hears of it, so that it adds another.
        let ledger = device.check_in(None).await.unwrap().ledger;
        assert!(!ledger.holds(volume.id, volume.protector));
    }
    assert_eq!(harness.audit_count("key.proof_failed").await, 3);
    let audit = format!("{:?}", harness.audit().await);
    assert!(!audit.contains(wrong.as_str()) && !audit.contains("no password at all"));
}

#[tokio::test]
async fn a_password_that_opens_another_protector_is_not_the_one_that_was_named() {
    let harness = Harness::start().await;
    let device = Device::enrol(&harness, "HW-1").await;
    let [one, other] = Volume::with_passwords(1);
    let request = device.escrow_with(&one, device.id, &other.password.expose());
    device.post::<EscrowResponse>("escrow", &request).await.unwrap();
    harness.all_tried().await;
    let key = key(&harness, &device, &one).await;
    assert_eq!(key.proof, ProofState::Failed);
    assert!(key.proof_reason.unwrap().contains("another protector"));
}

#[tokio::test]
async fn what_was_not_tried_before_a_restart_is_tried_after_it() {
    let harness = Harness::start().await;
    let device = Device::enrol(&harness, "HW-1").await;
    let volumes = [Volume::new(1), Volume::new(2), Volume::new(3)];
    for volume in &volumes {
        device.escrow(volume).await.unwrap();
    }
    let harness = harness.restart().await;
    harness.all_tried().await;
    for volume in &volumes {
        assert_eq!(key(&harness, &device, volume).await.proof, ProofState::Proven);
    }
}

#[tokio::test]
async fn wrong_ones_among_many_tried_together_touch_no_other() {
    let harness = Harness::start().await;
    let device = Device::enrol(&harness, "HW-1").await;
    let volumes: Vec<Volume> = (1..=20).map(Volume::new).collect();
    let wrong = RecoveryPassword::generate(&mut ChaCha20Rng::from_seed([78; 32])).expose();
    for (index, volume) in volumes.iter().enumerate() {
        let own = volume.password.expose();
        let text = match index % 5 {
            1 => wrong.as_str(),
            3 => "no password at all",
            _ => own.as_str(),
        };
        let request = device.escrow_with(volume, device.id, text);
        device.post::<EscrowResponse>("escrow", &request).await.unwrap();
    }
    // The one that is being tried may have been escrowed alone; after the restart all that is left is tried together.
    let harness = harness.restart().await;
    harness.all_tried().await;
    for (index, volume) in volumes.iter().enumerate() {
        let key = key(&harness, &device, volume).await;
        let reason = match index % 5 {
            1 => Some("the password opens no protector of this volume"),
            3 => Some("the sealed secret is not a recovery password"),
            _ => None,
        };
        assert_eq!(key.proof_reason.as_deref(), reason, "{index}");
        let proof = if reason.is_some() {
            ProofState::Failed
        } else {
            ProofState::Proven
        };
        assert_eq!(key.proof, proof, "{index}");
    }
}
