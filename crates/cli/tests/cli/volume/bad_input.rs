//! Each wrong word is answered exactly, and nothing is changed by it.

use std::fs::File;

use super::ground::Ground;
use crate::program::tree;

const UNLOCK: &str = "--recovery-password-file recovery.txt";

/// Commands that are refused, and the whole reason.
fn refusals() -> Vec<(String, &'static str)> {
    let with = |command: &str| format!("{command} {UNLOCK}");
    vec![
        (
            "encrypt plain.img".to_owned(),
            "a protector is needed: --recovery-password-out, --new-passphrase-file or --startup-key-out; nothing was changed",
        ),
        (
            with("encrypt plain.img --recovery-password-out new.txt"),
            "plain.img is a plain volume: there is nothing that a credential opens",
        ),
        (
            "encrypt plain.img --recovery-password-out recovery.txt".to_owned(),
            "recovery.txt exists already; nothing was changed",
        ),
        (
            "encrypt plain.img --recovery-password-out no/new.txt".to_owned(),
            "creating no/new.txt: there is no folder no",
        ),
        (
            "encrypt plain.img --startup-key-out recovery.txt".to_owned(),
            "recovery.txt is not a folder",
        ),
        (
            "encrypt plain.img --new-passphrase-file short.txt".to_owned(),
            "the new passphrase has 5 characters; 8 to 256 are allowed",
        ),
        (
            "encrypt drive.img --recovery-password-out new.txt".to_owned(),
            "drive.img is a protected BitLocker volume (fully encrypted): a credential is needed to go on",
        ),
        (
            with("encrypt drive.img --method aes-xts-256"),
            "the volume is encrypted by XTS-AES 128; claviger volume reencrypt changes that; nothing was changed",
        ),
        (
            with("decrypt drive.img"),
            "everything on drive.img will be in plain text, and its keys and protectors will be gone; say --yes if that \
             is wanted; nothing was changed",
        ),
        (
            with("decrypt plain.img --yes"),
            "plain.img cannot be read as BitLocker: not a BitLocker volume: the boot sector has no BitLocker signature",
        ),
        (with("pause drive.img"), "not possible now: no conversion runs"),
        (with("resume drive.img"), "not possible now: no conversion is paused"),
        (
            with("reencrypt drive.img"),
            "until it is done, drive.img can be read by claviger only; say --yes if that is wanted; nothing was changed",
        ),
        (
            with("protectors add drive.img"),
            "nothing to add: name --recovery-password-out, --startup-key-out or --new-passphrase-file",
        ),
        (
            with("protectors remove drive.img --protector xyz"),
            "\"xyz\" is not a protector's GUID, nor the beginning of one",
        ),
        (
            with("protectors remove drive.img --protector 00000000-0000"),
            "the volume has no protector 00000000-0000",
        ),
        (
            with("protectors rotate-password drive.img --recovery-password-out passphrase.txt"),
            "passphrase.txt exists already; nothing was changed",
        ),
        (
            "create drive.img --from plain.img --recovery-password-out new.txt".to_owned(),
            "drive.img exists already; nothing was changed",
        ),
        (
            "create new.img --from missing.img --recovery-password-out new.txt".to_owned(),
            "opening missing.img: No such file or directory (os error 2)",
        ),
        (
            "create new.img --from plain.img".to_owned(),
            "a protector is needed: --recovery-password-out, --new-passphrase-file or --startup-key-out",
        ),
        (
            with("rotate-master-key usb"),
            "usb is neither a file nor a block device",
        ),
        (
            "metadata backup drive.img --output recovery.txt".to_owned(),
            "recovery.txt exists already; nothing was changed",
        ),
        (
            "export drive.img --recovery-password-file many.txt".to_owned(),
            "none of the 2 recovery passwords opens the volume",
        ),
        (
            "export drive.img --recovery-password-file mistyped.txt".to_owned(),
            "line 2 of the recovery passwords: a recovery password has 48 digits, this has 3",
        ),
        (
            "export drive.img --master-key-file short.txt".to_owned(),
            "a volume master key has 64 hexadecimal digits or 32 bytes, this has 5 bytes",
        ),
        (
            "export drive.img --master-key-file hex.txt".to_owned(),
            "the volume master key: digits 63 and 64 are not hexadecimal",
        ),
        (
            with("repair mend drive.img --undo-file recovery.txt --yes"),
            "recovery.txt exists already; nothing was changed",
        ),
        (
            "repair undo drive.img --undo-file recovery.txt --yes".to_owned(),
            "recovery.txt: the metadata cannot be used: the undo file has no BitLocker signature",
        ),
    ]
}

#[test]
fn bad_input_gets_an_exact_answer_and_changes_nothing() {
    let ground = Ground::new();
    ground.folder.put("short.txt", "short");
    let zero = "000011-000022-720885-000000-000011-000022-000033-000044";
    ground
        .folder
        .put("many.txt", format!("{zero}\n\n{}\n", zero.replace("000044", "000055")));
    ground.folder.put("mistyped.txt", format!("{zero}\n123\n"));
    ground.folder.put("hex.txt", format!("{}0g\n", "0".repeat(62)));
    let before = tree(ground.folder.path());
    for (command, reason) in refusals() {
        assert_eq!(ground.volume(&command).end().refused(), reason, "{command}");
        assert!(tree(ground.folder.path()) == before, "{command} changed something");
    }
}

#[test]
fn wrong_options_name_what_is_allowed() {
    let ground = Ground::new();
    let before = tree(ground.folder.path());
    for (command, words) in [
        (
            "encrypt plain.img --method aes-cbc-128-elephant",
            "[possible values: aes-xts-128, aes-xts-256, aes-cbc-128, aes-cbc-256]",
        ),
        (
            "protectors suspend drive.img --clear-key --reboots 16",
            "16 is not in 1..=15",
        ),
        ("decrypt drive.img --yes", "--recovery-password-file <FILE>"),
        (
            "decrypt drive.img --clear-key --passphrase-file passphrase.txt",
            "cannot be used with",
        ),
        ("repair mend drive.img --clear-key", "--undo-file <FILE>"),
        (
            "repair image drive.img --output x --clear-key --sector-size 1024",
            "[possible values: 512, 4096]",
        ),
        (
            "repair image drive.img --output x --clear-key --encrypted some",
            "all, none or a number of bytes is allowed",
        ),
        ("create new.img", "--from <IMAGE>"),
    ] {
        let ended = ground.volume(command).end();
        assert!(ended.misused().contains(words), "{command}: {}", ended.stderr);
    }
    assert!(tree(ground.folder.path()) == before);
}

#[test]
fn a_volume_that_another_program_works_on_is_left_alone() {
    let ground = Ground::new();
    let file = File::open(ground.path("drive.img")).unwrap();
    file.lock().unwrap();
    let before = tree(ground.folder.path());
    for command in [
        "protectors suspend drive.img",
        "decrypt drive.img --yes",
        "rotate-master-key drive.img --plan",
    ] {
        let ended = ground.volume(&format!("{command} {UNLOCK}")).end();
        assert_eq!(
            ended.refused(),
            "another program works on drive.img at present",
            "{command}"
        );
    }
    assert!(tree(ground.folder.path()) == before);
    // To look at it is allowed.
    ground.done("info drive.img");
    drop(file);
    ground.done(&format!("protectors suspend drive.img {UNLOCK}"));
}
