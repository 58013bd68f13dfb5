//! Making, encrypting, decrypting, re-encrypting.

use super::ground::{Ground, PASSPHRASE, assert_plain_is_right};
use super::judges::{assert_opens, cryptsetup};
use crate::program::names;

#[test]
fn a_volume_made_from_an_image_opens_elsewhere_by_every_protector() {
    let ground = Ground::new();
    let drive = ground.path("drive.img");
    assert_opens(&drive, &ground.password("recovery.txt"));
    assert!(cryptsetup(&drive, PASSPHRASE));
    assert_eq!(
        ground.kinds("drive.img"),
        ["recovery-password", "external-key", "passphrase"]
    );
    assert_plain_is_right(&ground.path("plain.img"));
    ground.done("export drive.img --startup-key usb/key.BEK --output out.img");
    assert_plain_is_right(&ground.path("out.img"));
}

#[test]
fn every_method_is_made_full_and_of_used_space_only() {
    let ground = Ground::new();
    for method in ["aes-xts-128", "aes-xts-256", "aes-cbc-128", "aes-cbc-256"] {
        for mode in ["", "--used-space-only"] {
            let name = format!("{method}{mode}.img");
            let secret = format!("{method}{mode}.txt");
            ground.done(&format!(
                "new {name} --from plain.img --method {method} --recovery-password-out {secret} {mode}"
            ));
            assert_eq!(ground.info(&name)["method"], method);
            assert_opens(&ground.path(&name), &ground.password(&secret));
        }
    }
}

#[test]
fn an_image_is_encrypted_in_place_protected_and_decrypted_again() {
    let ground = Ground::new();
    let said = ground.done("encrypt plain.img --recovery-password-out new.txt --description PC-7");
    assert_eq!(said, "plain.img is fully encrypted and protected\n");
    let info = ground.info("plain.img");
    assert_eq!(
        (&info["status"], &info["description"]),
        (&"fully-encrypted".into(), &"PC-7".into())
    );
    assert_eq!(
        ground.kinds("plain.img"),
        ["recovery-password"],
        "the clear key is gone"
    );
    assert_opens(&ground.path("plain.img"), &ground.password("new.txt"));
    ground.done("wipe-free-space plain.img --recovery-password-file new.txt");
    assert_opens(&ground.path("plain.img"), &ground.password("new.txt"));
    let said = ground.done("decrypt plain.img --recovery-password-file new.txt --yes");
    assert_eq!(said, "plain.img is plain\n");
    assert_plain_is_right(&ground.path("plain.img"));
    ground.refused("info plain.img", "not a BitLocker volume");
}

#[test]
fn wiping_free_space_leaves_nothing_of_what_was_deleted() {
    let ground = Ground::new();
    // Old plain text in free space: the last clusters before the end are never used by a fresh file system.
    let mut image = ground.bytes("plain.img");
    let at = image.len() - (1 << 20);
    image[at..][..1000].fill(0x55);
    ground.folder.put("plain.img", &image);
    ground.done("encrypt plain.img --used-space-only --recovery-password-out new.txt");
    let is_old = |image: &[u8]| image[at..][..1000] == [0x55; 1000];
    assert!(is_old(&ground.bytes("plain.img")), "used space only leaves it there");
    ground.done("wipe-free-space plain.img --recovery-password-file new.txt");
    assert!(!is_old(&ground.bytes("plain.img")));
    assert_opens(&ground.path("plain.img"), &ground.password("new.txt"));
}

#[test]
fn re_encryption_changes_method_and_keys_and_keeps_protectors() {
    let ground = Ground::new();
    ground.done("metadata backup drive.img --output old.metadata");
    let before = (ground.bytes("drive.img"), ground.kinds("drive.img"));
    ground.done("reencrypt drive.img --passphrase-file passphrase.txt --method aes-xts-256 --new-master-key --yes");
    assert_eq!(ground.info("drive.img")["method"], "aes-xts-256");
    assert_eq!(ground.kinds("drive.img"), before.1);
    assert_opens(&ground.path("drive.img"), &ground.password("recovery.txt"));
    assert!(cryptsetup(&ground.path("drive.img"), PASSPHRASE));
    let restore = "metadata restore drive.img --metadata old.metadata --passphrase-file passphrase.txt --yes";
    ground.refused(restore, "not restored");
}

#[test]
fn a_new_master_key_leaves_every_protector_working() {
    let ground = Ground::new();
    ground.done("rotate-master-key drive.img --recovery-password-file recovery.txt");
    assert_opens(&ground.path("drive.img"), &ground.password("recovery.txt"));
    assert!(cryptsetup(&ground.path("drive.img"), PASSPHRASE));
    ground.done("export drive.img --startup-key usb/key.BEK --output out.img");
}

#[test]
fn a_paused_conversion_is_read_by_others_and_resumed() {
    let ground = Ground::new();
    super::interruption::interrupt(&ground, "encrypt plain.img --recovery-password-out new.txt", 1);
    ground.refused(
        "resume drive.img --recovery-password-file recovery.txt",
        "no conversion is paused",
    );
    let said = ground.done("pause plain.img --recovery-password-file new.txt");
    assert_eq!(said, "paused; claviger volume resume goes on\n");
    assert_eq!(ground.info("plain.img")["status"], "encryption-paused");
    ground.refused("pause plain.img --recovery-password-file new.txt", "no conversion runs");
    ground.done("resume plain.img --recovery-password-file new.txt");
    assert_eq!(ground.info("plain.img")["status"], "fully-encrypted");
    assert_opens(&ground.path("plain.img"), &ground.password("new.txt"));
}

#[test]
fn a_created_volume_that_cannot_be_made_leaves_nothing() {
    let ground = Ground::new();
    ground.folder.put("noise.img", vec![0x5A; 1 << 20]);
    let before = names(ground.folder.path());
    ground.refused(
        "create new.img --from noise.img --recovery-password-out new.txt",
        "noise.img cannot become",
    );
    assert_eq!(names(ground.folder.path()), before);
}
