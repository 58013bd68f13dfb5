//! When a drive will not open.

use super::ground::{Ground, assert_plain_is_right};
use super::judges::assert_opens;

const UNLOCK: &str = "--recovery-password-file recovery.txt";

/// Boot sector and two copies of the metadata are lost.
fn damaged() -> Ground {
    let ground = Ground::new();
    let mut image = ground.bytes("drive.img");
    let info = ground.info("drive.img");
    for copy in &info["copies"].as_array().unwrap()[..2] {
        let at = copy["offset"].as_u64().unwrap() as usize;
        image[at..at + 4096].fill(0xFF);
    }
    image[..512].fill(0);
    ground.folder.put("drive.img", &image);
    ground
}

#[test]
fn a_sound_volume_has_nothing_to_mend() {
    let ground = Ground::new();
    let said = ground.done("repair examine drive.img");
    assert!(said.contains("boot sector and all metadata copies are sound"), "{said}");
    let before = ground.bytes("drive.img");
    let said = ground.done(&format!("repair mend drive.img --undo-file undo.bin --yes {UNLOCK}"));
    assert_eq!(said, "there is nothing to mend\n");
    assert!(!ground.path("undo.bin").exists());
    assert!(ground.bytes("drive.img") == before);
}

#[test]
fn a_lost_boot_sector_and_lost_copies_are_found_mended_and_taken_back() {
    let ground = damaged();
    ground.refused("info drive.img", "not a BitLocker volume");
    let said = ground.done("repair examine drive.img");
    assert!(said.contains("the boot sector is lost"), "{said}");
    let before = ground.bytes("drive.img");
    let mend = format!("repair mend drive.img --undo-file undo.bin {UNLOCK}");
    ground.refused(&mend, "say --yes");
    assert!(ground.bytes("drive.img") == before && !ground.path("undo.bin").exists());
    assert_eq!(ground.done(&format!("{mend} --yes")), "drive.img is mended\n");
    assert_opens(&ground.path("drive.img"), &ground.password("recovery.txt"));
    ground.done("repair undo drive.img --undo-file undo.bin --yes");
    assert!(ground.bytes("drive.img") == before);
}

#[test]
fn a_damaged_drive_is_copied_out_in_plain_text() {
    let ground = damaged();
    let before = ground.bytes("drive.img");
    ground.done(&format!("repair image drive.img --output plain-copy.img {UNLOCK}"));
    assert_plain_is_right(&ground.path("plain-copy.img"));
    assert!(ground.bytes("drive.img") == before, "the drive is only read");
    let again = format!("repair image drive.img --output plain.img {UNLOCK}");
    ground.refused(&again, "plain.img exists already and has no map");
}

#[test]
fn what_is_no_volume_at_all_is_said() {
    let ground = Ground::new();
    let said = ground.done("repair examine plain.img --json");
    let findings: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(findings["boot"]["condition"], "not-bit-locker");
    let mend = format!("repair mend plain.img --undo-file undo.bin --yes {UNLOCK}");
    ground.refused(&mend, "nothing of a BitLocker volume was found");
}
