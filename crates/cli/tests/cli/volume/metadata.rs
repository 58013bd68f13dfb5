//! Backups of the metadata.

use std::os::unix::fs::PermissionsExt;

use super::ground::Ground;
use super::judges::assert_opens;

#[test]
fn lost_metadata_comes_back_from_a_backup() {
    let ground = Ground::new();
    ground.done("metadata backup drive.img --output drive.metadata");
    assert_eq!(
        ground.path("drive.metadata").metadata().unwrap().permissions().mode() & 0o777,
        0o600
    );
    let mut image = ground.bytes("drive.img");
    for copy in ground.info("drive.img")["copies"].as_array().unwrap() {
        let at = copy["offset"].as_u64().unwrap() as usize;
        image[at..at + 65536].fill(0);
    }
    ground.folder.put("drive.img", &image);
    ground.refused("info drive.img", "no sound metadata copy");
    let restore = "metadata restore drive.img --metadata drive.metadata --recovery-password-file recovery.txt";
    ground.refused(restore, "say --yes");
    assert!(ground.bytes("drive.img") == image);
    ground.done(&format!("{restore} --yes"));
    assert_opens(&ground.path("drive.img"), &ground.password("recovery.txt"));
}

#[test]
fn a_backup_of_another_volume_is_refused() {
    let ground = Ground::new();
    ground.done("create other.img --from plain.img --recovery-password-out other.txt");
    ground.done("metadata backup other.img --output other.metadata");
    let before = ground.bytes("drive.img");
    let restore = "metadata restore drive.img --metadata other.metadata --yes --recovery-password-file";
    ground.refused(&format!("{restore} other.txt"), "the disk holds volume");
    ground.refused(&format!("{restore} recovery.txt"), "does not open");
    ground.folder.put("other.metadata", "no backup at all");
    ground.refused(
        &format!("{restore} other.txt"),
        "neither a metadata backup nor a metadata area",
    );
    assert!(ground.bytes("drive.img") == before);
}
