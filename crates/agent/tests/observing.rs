//! What is seen, and what is said of what cannot be seen.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall panic")]

mod support;

use agent::observe::{Facts, observe};
use agent::provider::Code;
use domain::volume::{LockStatus, ProtectionStatus, VolumeKind};
use support::ledger::Book;
use support::volumes::Volumes;

#[test]
fn an_unreadable_volume_is_reported_as_locked_and_unknown_and_hides_no_other() {
    let mut volumes = Volumes::new(Book::new(), &[("c", VolumeKind::Os), ("d", VolumeKind::Fixed)]);
    volumes.change("c", |disk| disk.failing = Some(Code::ReadFault));
    let seen = observe(&mut volumes, &Facts::default()).unwrap();
    let [c, d] = &seen.inventory.volumes[..] else { panic!() };
    assert_eq!(
        (c.lock, c.protection, c.volume),
        (LockStatus::Locked, ProtectionStatus::Unknown, None)
    );
    assert!(c.is_encrypted_at_all(), "never taken for decrypted");
    assert_eq!(d.lock, LockStatus::Unlocked);
    assert_eq!(seen.unreadable.len(), 1);
    assert!(seen.unreadable[0].reason.contains("ERROR_READ_FAULT"));
}

#[test]
fn a_locked_volume_is_reported_with_its_protectors() {
    use agent::provider::Provider;
    let mut volumes = Volumes::new(Book::new(), &[("d", VolumeKind::Fixed)]);
    let mut other = volumes.clone();
    other
        .volume("d")
        .unwrap()
        .protect_key_with_numerical_password(None, None)
        .unwrap();
    volumes.change("d", |disk| disk.locked = true);
    let seen = observe(&mut volumes, &Facts::default()).unwrap();
    let [d] = &seen.inventory.volumes[..] else { panic!() };
    assert_eq!(
        (d.lock, d.protectors.len(), d.volume.is_some()),
        (LockStatus::Locked, 1, true)
    );
    assert!(seen.unreadable.is_empty());
}

#[test]
fn the_digest_is_the_inventorys_and_changes_with_it() {
    let mut volumes = Volumes::new(Book::new(), &[("d", VolumeKind::Fixed)]);
    let first = observe(&mut volumes, &Facts::default()).unwrap();
    assert_eq!(first.digest, protocol::messages::digest(&first.inventory).unwrap());
    assert_eq!(observe(&mut volumes, &Facts::default()).unwrap(), first);
    volumes.change("d", |disk| disk.done = 1);
    assert_ne!(observe(&mut volumes, &Facts::default()).unwrap().digest, first.digest);
}

const NOW: domain::time::Timestamp = domain::time::Timestamp(1_800_000_000_000);

#[test]
fn facts_come_from_the_firmware_and_the_system_and_overrides_win() {
    let root = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write(
        "etc/os-release",
        "NAME=Debian\nPRETTY_NAME=\"Debian GNU/Linux 12\"\nVERSION_ID=\"12\"\n",
    );
    write("proc/sys/kernel/hostname", "pc-7\n");
    write("sys/class/dmi/id/sys_vendor", "LENOVO\n");
    write("sys/class/dmi/id/product_name", "21CB\n");
    write("sys/class/dmi/id/product_serial", "Default string\n");
    write("sys/class/dmi/id/product_uuid", "4c4c4544\n");
    write("sys/class/dmi/id/chassis_type", "10\n");
    write(
        "etc/passwd",
        "root:x:0:0:root:/root:/bin/sh\nada:x:1000:1000::/home/ada:/bin/sh\nbob:x:1001:1001::/home/bob:/bin/sh\nbroken\n",
    );
    std::fs::create_dir_all(root.path().join("home/ada")).unwrap();

    let overrides = agent::config::FactOverrides {
        model: Some("ThinkPad".to_owned()),
        ..Default::default()
    };
    let facts = Facts::read(root.path(), NOW, &overrides);
    assert_eq!(facts.hostname, "pc-7");
    assert_eq!(
        (facts.os.as_str(), facts.os_version.as_str()),
        ("Debian GNU/Linux 12", "12")
    );
    assert_eq!(
        (facts.manufacturer.as_str(), facts.model.as_str()),
        ("LENOVO", "ThinkPad")
    );
    assert_eq!(facts.hardware_id, "4c4c4544", "a placeholder is no serial number");
    assert_eq!(facts.users, ["ada"], "who never signed in has no home");
    assert!(facts.portable && !facts.virtual_machine);

    let bare = Facts::read(&root.path().join("home"), NOW, &Default::default());
    assert_eq!(
        (bare.hostname.as_str(), bare.hardware_id.as_str()),
        ("localhost", "unknown")
    );

    write("sys/class/dmi/id/sys_vendor", "QEMU\n");
    assert!(Facts::read(root.path(), NOW, &overrides).virtual_machine);
    assert_eq!(
        Facts::read(&root.path().join("nothing"), NOW, &Default::default()).users,
        [""; 0]
    );
}

#[test]
fn the_offset_from_utc_follows_the_time_zone_over_the_year() {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(root.path().join("etc")).unwrap();
    let offset = |time: &str| {
        let facts = Facts::read(root.path(), time.parse().unwrap(), &Default::default());
        facts.utc_offset.0
    };
    assert_eq!(offset("2026-01-15T12:00Z"), 0, "without a zone it is UTC");
    std::fs::write(root.path().join("etc/localtime"), zone("CET-1CEST,M3.5.0,M10.5.0/3")).unwrap();
    assert_eq!(offset("2026-01-15T12:00Z"), 60);
    assert_eq!(offset("2026-07-15T12:00Z"), 120);
    std::fs::write(root.path().join("etc/localtime"), zone("<-0330>3:30")).unwrap();
    assert_eq!(offset("2026-07-15T12:00Z"), -210);
    std::fs::write(root.path().join("etc/localtime"), b"TZif, but cut").unwrap();
    assert_eq!(offset("2026-07-15T12:00Z"), 0);
    let said = agent::config::FactOverrides {
        utc_offset_minutes: Some(-300),
        ..Default::default()
    };
    assert_eq!(Facts::read(root.path(), NOW, &said).utc_offset.0, -300);
}

/// A time zone file (RFC 8536, version 2) with one local time type and this rule for all moments.
fn zone(rule: &str) -> Vec<u8> {
    let block = |version: u8| {
        let mut bytes = b"TZif".to_vec();
        bytes.push(version);
        bytes.extend([0; 15]);
        // Counts: no UT or standard indicators, no leap seconds, no transitions, one type, four letters.
        for count in [0u32, 0, 0, 0, 1, 4] {
            bytes.extend(count.to_be_bytes());
        }
        bytes.extend([0, 0, 0, 0, 0, 0]);
        bytes.extend(b"UTC\0");
        bytes
    };
    [block(b'2'), block(b'2'), format!("\n{rule}\n").into_bytes()].concat()
}
