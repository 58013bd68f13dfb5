//! The ways in.

use std::os::unix::fs::PermissionsExt;

use super::ground::{Ground, PASSPHRASE};
use super::judges::{assert_opens, cryptsetup, libbde};

#[test]
fn the_list_names_every_protector() {
    let ground = Ground::new();
    let list = ground.done("protectors list drive.img");
    for kind in ["recovery password", "external key", "passphrase"] {
        assert!(list.contains(kind), "{list}");
    }
    let json = ground.done("protectors list drive.img --json");
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&json).unwrap(),
        ground.info("drive.img")["protectors"]
    );
}

#[test]
fn added_protectors_open_the_volume_and_their_files_are_private() {
    let ground = Ground::new();
    ground.folder.put("new.txt", "four plain words here\n");
    ground.done(
        "protectors add drive.img --recovery-password-file recovery.txt --recovery-password-out second.txt \
         --startup-key-out usb --new-passphrase-file new.txt",
    );
    let id = ground.info("drive.img")["protectors"]
        .as_array()
        .unwrap()
        .iter()
        .rev()
        .find_map(|p| {
            (p["kind"] == "external-key").then(|| p["id"].as_str().unwrap().trim_matches(['{', '}']).to_owned())
        });
    let key = format!("usb/{}.BEK", id.unwrap());
    for name in ["second.txt", &key] {
        assert_eq!(
            ground.path(name).metadata().unwrap().permissions().mode() & 0o777,
            0o600,
            "{name}"
        );
    }
    // dislocker looks at the first recovery password only.
    assert!(cryptsetup(&ground.path("drive.img"), &ground.password("second.txt")));
    assert_opens(&ground.path("drive.img"), &ground.password("recovery.txt"));
    assert!(cryptsetup(&ground.path("drive.img"), "four plain words here"));
    ground.done(&format!("export drive.img --startup-key {key} --output out.img"));
}

#[test]
fn the_last_recovery_password_and_the_last_protector_are_not_removed_unasked() {
    let ground = Ground::new();
    let unlock = "--passphrase-file passphrase.txt";
    let recovery = ground.id("drive.img", "recovery-password");
    let before = ground.bytes("drive.img");
    let remove = format!("protectors remove drive.img --protector {recovery} {unlock}");
    ground.refused(&remove, "is the last recovery password");
    assert!(ground.bytes("drive.img") == before);
    ground.done(&format!("{remove} --yes"));
    // The beginning of a GUID, in lower case and without brackets, will do.
    let key = ground.id("drive.img", "external-key")[1..14].to_lowercase();
    ground.done(&format!("protectors remove drive.img --protector {key} {unlock}"));
    assert_eq!(ground.kinds("drive.img"), ["passphrase"]);
    let last = ground.id("drive.img", "passphrase");
    let remove = format!("protectors remove drive.img --protector {last} {unlock} --yes");
    ground.refused(&remove, "the last protector cannot be removed");
    assert!(cryptsetup(&ground.path("drive.img"), PASSPHRASE));
}

#[test]
fn a_rotated_password_is_replaced() {
    let ground = Ground::new();
    let old = ground.password("recovery.txt");
    ground.done(
        "protectors rotate-password drive.img --recovery-password-file recovery.txt --recovery-password-out new.txt",
    );
    assert_opens(&ground.path("drive.img"), &ground.password("new.txt"));
    assert!(!cryptsetup(&ground.path("drive.img"), &old));
    ground.refused(
        "export drive.img --recovery-password-file recovery.txt",
        "does not open",
    );
}

#[test]
fn a_changed_passphrase_keeps_its_protector() {
    let ground = Ground::new();
    let id = ground.id("drive.img", "passphrase");
    let change = "protectors change-passphrase drive.img --passphrase-file passphrase.txt --new-passphrase-file";
    ground.folder.put("short.txt", "seven77");
    ground.refused(&format!("{change} short.txt"), "7 characters; 8 to 256 are allowed");
    ground.folder.put("new.txt", "neuer Schlüsselsatz");
    ground.done(&format!("{change} new.txt"));
    assert_eq!(ground.id("drive.img", "passphrase"), id);
    // cryptsetup 2.6 takes ASCII only.
    assert!(libbde(&ground.path("drive.img"), "neuer Schlüsselsatz"));
    assert!(!cryptsetup(&ground.path("drive.img"), PASSPHRASE));
}

#[test]
fn a_suspended_volume_opens_without_a_secret_until_protection_resumes() {
    let ground = Ground::new();
    ground.refused("export drive.img --clear-key", "no protector of this kind");
    ground.done("protectors suspend drive.img --recovery-password-file recovery.txt --reboots 3");
    assert!(ground.done("info drive.img").contains("clear key, 3 restarts"));
    ground.done("export drive.img --clear-key --output out.img");
    ground.done("protectors resume drive.img --clear-key");
    ground.refused("export drive.img --clear-key", "no protector of this kind");
    assert_opens(&ground.path("drive.img"), &ground.password("recovery.txt"));
}
