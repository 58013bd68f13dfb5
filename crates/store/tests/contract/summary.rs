//! The dashboard's counts.

use std::collections::BTreeMap;

use domain::compliance::Verdict;
use domain::ledger::ProofState;
use domain::volume::VolumeKind;
use store::Store;
use store::model::{KeyTally, NewRequest, Report, RequestKind, Summary, Within};

use super::make::*;

pub(crate) async fn counts_follow_every_change(store: &dyn Store) {
    assert_eq!(store.summary(&Within::default()).await, Ok(Summary::default()));
    let id = enrolled_as(store, 1, "PC-1", "clash").await;
    let second = enrolled_as(store, 2, "PC-2", "clash").await;
    let summary = async || store.summary(&Within::default()).await.unwrap();
    assert_eq!(summary().await.devices[&Verdict::Unknown], 2);
    assert_eq!(summary().await.duplicate_hardware, 2);

    let (old, new) = (name(id, 1, 0xA), name(id, 1, 0xB));
    escrowed(store, old, 1).await;
    escrowed(store, new, 2).await;
    let tally = KeyTally {
        live: 2,
        not_proven: 2,
        ..KeyTally::default()
    };
    assert_eq!(summary().await.keys, tally);
    store
        .record_proof(proof(old, 1, ProofState::Proven), Vec::new())
        .await
        .unwrap();
    store
        .record_proof(proof(new, 1, ProofState::Failed), Vec::new())
        .await
        .unwrap();
    store
        .disclose(old, &Within::default(), at(3), event("key.disclosed", ""))
        .await
        .unwrap();
    let tally = KeyTally {
        live: 1,
        disclosed: 1,
        proven: 1,
        failed: 1,
        ..KeyTally::default()
    };
    assert_eq!(summary().await.keys, tally);
    store
        .record_proof(proof(new, 1, ProofState::Proven), Vec::new())
        .await
        .unwrap();
    let mut report = inventory("PC-1", &[], vec![volume_report(1, &[0xB])]);
    report.hardware_id = "clash".into();
    reported(store, id, report, 4).await;
    let tally = KeyTally {
        live: 1,
        superseded: 1,
        proven: 1,
        ..KeyTally::default()
    };
    assert_eq!(summary().await.keys, tally);
    assert_eq!(summary().await.devices[&Verdict::NotEnforced], 1);
    store.escrow(escrow(new, b"again", 5), Vec::new()).await.unwrap();
    assert_eq!((summary().await.keys.proven, summary().await.keys.not_proven), (0, 1));

    for number in [1, 2] {
        let wish = NewRequest {
            id: request(number),
            device: id,
            kind: RequestKind::Report,
            at: at(3000),
            by: "user:anna".into(),
        };
        store.add_request(wish, Vec::new()).await.unwrap();
    }
    assert_eq!(summary().await.pending_requests, 2);
    let done = Report {
        done: vec![request(1)],
        ..Report::default()
    };
    store.record_report(id, 0, done, at(6), Vec::new()).await.unwrap();
    assert_eq!(summary().await.pending_requests, 1);

    store.set_retired(second, Some(at(7)), Vec::new()).await.unwrap();
    let now = summary().await;
    assert_eq!((now.retired, now.duplicate_hardware, now.devices_total()), (1, 0, 1));
    store.set_retired(second, Some(at(8)), Vec::new()).await.unwrap();
    assert_eq!(summary().await.retired, 1);
    store.set_retired(second, None, Vec::new()).await.unwrap();
    let now = summary().await;
    assert_eq!((now.retired, now.duplicate_hardware, now.devices_total()), (0, 2, 2));
}

pub(crate) async fn drives_are_counted_by_kind_and_verdict(store: &dyn Store) {
    let id = enrolled_as(store, 1, "PC-1", "one").await;
    let drives = async || store.summary(&Within::default()).await.unwrap().drives;
    assert!(drives().await.is_empty());

    let mut second = volume_report(2, &[]);
    second.kind = VolumeKind::Fixed;
    let report = inventory("PC-1", &[], vec![volume_report(1, &[0xA]), second.clone()]);
    let kind = report.volumes[0].kind;
    assert_ne!(kind, VolumeKind::Fixed);
    reported(store, id, report, 1).await;
    let both = BTreeMap::from([
        ((kind, Verdict::NotEnforced), 1),
        ((VolumeKind::Fixed, Verdict::NotEnforced), 1),
    ]);
    assert_eq!(drives().await, both);

    reported(store, id, inventory("PC-1", &[], vec![second]), 2).await;
    let one = BTreeMap::from([((VolumeKind::Fixed, Verdict::NotEnforced), 1)]);
    assert_eq!(drives().await, one);

    store.set_retired(id, Some(at(3)), Vec::new()).await.unwrap();
    assert!(drives().await.is_empty());
    store.set_retired(id, None, Vec::new()).await.unwrap();
    assert_eq!(drives().await, one);
}
