//! The whole cycle against a server with a ledger: it converges, from anywhere, and keeps its promises on the way.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall panic")]

mod support;

use std::sync::atomic::Ordering;

use domain::ledger::KeyState;
use domain::volume::{ConversionStatus, VolumeKind};
use support::bench::Bench;
use support::https::TestServer;
use support::ledger::{Book, Server};
use support::volumes::Volumes;

struct Scene {
    server: std::sync::Arc<Server>,
    _listening: TestServer,
    bench: Bench,
}

async fn scene() -> Scene {
    let book = Book::new();
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

impl Scene {
    fn assert_settled(&self, what: &str) {
        let book = self.server.book.lock().unwrap();
        for device in ["c", "d"] {
            let disk = self.bench.volumes.disk(device);
            assert_eq!(disk.conversion, ConversionStatus::FullyEncrypted, "{what}: {device}");
            let [password] = disk.recovery_passwords()[..] else {
                panic!("{what}: {device} has {:?}", disk.recovery_passwords());
            };
            let entry = book.entries.iter().find(|e| e.protector == password).unwrap();
            assert_eq!(entry.state, KeyState::Live, "{what}: {device}");
            let stored = &book.passwords.iter().find(|(p, _)| *p == password).unwrap().1;
            let carried = disk.protectors.iter().find(|p| p.id == password).unwrap();
            assert_eq!(*stored, carried.password, "{what}: {device}");
        }
        assert!(self.bench.volumes.disk("d").auto_unlock.is_some(), "{what}");
        assert!(book.requests.is_empty(), "{what}: {:?}", book.requests);
    }

    fn disclose(&self) {
        let ids = ["c", "d"].map(|device| self.bench.volumes.disk(device).volume.unwrap());
        let mut book = self.server.book.lock().unwrap();
        for id in ids {
            book.disclose(id);
        }
    }
}

#[tokio::test]
async fn a_new_device_ends_encrypted_escrowed_and_reported_and_a_second_cycle_changes_nothing() {
    let scene = scene().await;
    let outcome = scene.bench.once().await.unwrap();
    assert_eq!(outcome.exit_code(), 0, "{outcome:?}");
    scene.assert_settled("first");
    let log = scene.bench.volumes.disk("c").log.clone();

    scene.server.book.lock().unwrap().check_ins.clear();
    scene.bench.once().await.unwrap();
    scene.assert_settled("second");
    assert_eq!(scene.bench.volumes.disk("c").log, log);
    let book = scene.server.book.lock().unwrap();
    assert_eq!(book.check_ins.len(), 1);
    assert!(book.check_ins[0].inventory.is_none(), "the digest was enough");
    assert_eq!(book.enrolled, 1);
}

#[tokio::test]
async fn cut_off_at_any_boundary_of_the_first_encryption_it_converges_after_a_restart() {
    for boundary in 0.. {
        let scene = scene().await;
        let cut = scene.bench.once_cut_off_at(boundary).await;
        scene.bench.once().await.unwrap();
        scene.assert_settled(&format!("cut at {boundary}"));
        if !cut {
            assert!(boundary > 40, "only {boundary} boundaries");
            break;
        }
    }
}

#[tokio::test]
async fn cut_off_at_any_boundary_of_a_rotation_it_converges_after_a_restart() {
    for boundary in 0.. {
        let scene = scene().await;
        scene.bench.once().await.unwrap();
        scene.disclose();
        let cut = scene.bench.once_cut_off_at(boundary).await;
        scene.bench.once().await.unwrap();
        scene.assert_settled(&format!("cut at {boundary}"));
        let book = scene.server.book.lock().unwrap();
        let superseded = book.entries.iter().filter(|e| e.state == KeyState::Superseded);
        assert_eq!(superseded.count(), 2, "cut at {boundary}");
        if !cut {
            assert!(boundary > 15, "only {boundary} boundaries");
            break;
        }
    }
}

#[tokio::test]
async fn cut_off_again_and_again_it_still_converges() {
    for stride in 1..8 {
        let scene = scene().await;
        // Each life gets a little further than the one before, so it must end.
        let mut boundary = stride;
        while scene.bench.once_cut_off_at(boundary).await {
            boundary += stride;
        }
        scene.assert_settled(&format!("stride {stride}"));
    }
}

#[tokio::test]
async fn check_ins_are_counted_upwards_over_restarts_and_clocks_that_go_back() {
    let scene = scene().await;
    for boundary in [3, 9, 0, 20] {
        scene.bench.once_cut_off_at(boundary).await;
        scene.bench.clock.0.fetch_sub(1_000_000_000, Ordering::SeqCst);
    }
    scene.bench.once().await.unwrap();
    let book = scene.server.book.lock().unwrap();
    let numbers: Vec<u64> = book.check_ins.iter().map(|c| c.sequence).collect();
    assert!(numbers.len() > 4 && numbers[0] > 0, "{numbers:?}");
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
}

#[tokio::test]
async fn a_device_whose_state_was_restored_or_lost_reports_all_the_same() {
    let scene = scene().await;
    scene.bench.once().await.unwrap();
    let file = scene.bench.state("sequence.json");
    let copy = std::fs::read(&file).unwrap();
    for restored in [Some(copy), None, Some(b"not a count".to_vec())] {
        scene.server.book.lock().unwrap().sequence += 1000;
        match restored {
            Some(content) => std::fs::write(&file, content).unwrap(),
            None => std::fs::remove_file(&file).unwrap(),
        }
        scene.bench.once().await.unwrap();
        let last = scene.server.book.lock().unwrap().check_ins.last().cloned().unwrap();
        assert_eq!(
            last.sequence,
            scene.server.book.lock().unwrap().sequence,
            "it says all again"
        );
        scene.disclose();
        scene.bench.once().await.unwrap();
        scene.assert_settled("restored");
    }
}

#[tokio::test]
async fn no_issued_password_and_no_token_is_found_in_the_state_directory() {
    let scene = scene().await;
    scene.bench.once().await.unwrap();
    scene.disclose();
    scene.bench.once().await.unwrap();
    let issued = scene.bench.volumes.0.lock().unwrap().issued.clone();
    assert_eq!(issued.len(), 4);
    for file in std::fs::read_dir(&scene.bench.config.state_dir).unwrap() {
        let content = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for secret in issued.iter().map(String::as_str).chain([support::ledger::TOKEN]) {
            assert!(!content.contains(secret));
        }
    }
    let status = agent::status(&scene.bench.config).unwrap();
    assert_eq!(status.volumes.len(), 2);
    assert_eq!(status.volumes[0].recovery_keys[0].state, Some(KeyState::Live));
    assert_eq!(status.last_error, None);
}

#[tokio::test]
async fn a_maintenance_window_in_the_devices_time_is_kept_by_its_offset_from_utc() {
    // The bench's clock says 08:00 UTC. In one place the window from 22:00 is open, in the other it is not.
    for (offset, open) in [(-600, true), (0, false)] {
        let mut scene = scene().await;
        scene.bench.config.facts.utc_offset_minutes = Some(offset);
        let window = serde_json::json!({ "start": "22:00", "minutes": 60 });
        let maintenance = serde_json::json!({ "windows": [window], "outside_allowed": false });
        scene.server.book.lock().unwrap().maintenance = serde_json::from_value(maintenance).unwrap();
        scene.bench.once().await.unwrap();
        let encrypted = scene.bench.volumes.disk("c").conversion == ConversionStatus::FullyEncrypted;
        assert_eq!(encrypted, open, "{offset}");
        let book = scene.server.book.lock().unwrap();
        assert_eq!(book.entries.len(), 2, "keys never wait");
        assert_eq!(book.inventory.as_ref().unwrap().utc_offset_minutes.unwrap().0, offset);
    }
}
