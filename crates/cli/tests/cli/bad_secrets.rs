//! Secrets that are malformed: which part is wrong is said, the secret itself never.

use crate::program::{Ended, Run, claviger, names};
use crate::sample::{Folder, PASSPHRASE, sample};

fn by_password(image: &std::path::Path, password: &str) -> Ended {
    let export = claviger(["volume", "export", "--recovery-password-file", "-"]).arg(image);
    export.stdin(password).end()
}

/// The groups of the right password.
fn groups() -> Vec<String> {
    sample().password.expose().split('-').map(str::to_owned).collect()
}

#[test]
fn the_mistyped_group_of_a_recovery_password_is_named_and_not_repeated() {
    let (_folder, image) = Folder::with_sample();
    for wrong in 0..8 {
        for bad in ["000001", "720896", "999999"] {
            let mut groups = groups();
            bad.clone_into(&mut groups[wrong]);
            let ended = by_password(&image, &groups.join("-"));
            ended.refused_with(&[&format!("group {} of 8", wrong + 1)]);
            for group in groups {
                assert!(!ended.stderr.contains(&group), "{}", ended.stderr);
            }
        }
    }
}

#[test]
fn a_recovery_password_of_another_length_or_alphabet_says_what_is_needed() {
    let (_folder, image) = Folder::with_sample();
    let right = groups().join("-");
    by_password(&image, &right[..right.len() - 1]).refused_with(&["48 digits", "47"]);
    by_password(&image, &format!("{right}0")).refused_with(&["48 digits", "49"]);
    by_password(&image, &groups()[..7].join("-")).refused_with(&["48 digits", "42"]);
    by_password(&image, &right.replacen(&right[..1], "O", 1)).refused_with(&["1"]);
    by_password(&image, &format!("{right}\nanother line")).refused();
    by_password(&image, "   \n").refused();
    by_password(&image, "٠٠٠٠٠٠-000000").refused();
}

#[test]
fn secret_files_that_are_empty_too_long_no_text_or_not_there_are_refused() {
    let (folder, image) = Folder::with_sample();
    let missing = folder.join("missing");
    let cases = [
        (folder.put("empty", ""), "is empty"),
        (folder.put("line", "\n"), "is empty"),
        (folder.put("long", "a".repeat(4097)), "longer than 4096 bytes"),
        (folder.put("latin", b"gr\xFCn"), "not UTF-8"),
        ("/dev/zero".into(), "longer than 4096 bytes"),
        (folder.path().to_owned(), "reading the"),
        (missing, "reading the"),
    ];
    for (file, words) in cases {
        for option in ["--passphrase-file", "--recovery-password-file"] {
            let export = claviger(["volume", "export", "--output"])
                .arg(folder.join("plain"))
                .arg(&image);
            export.arg(option).arg(&file).end().refused_with(&[words]);
        }
    }
    let piped = claviger(["volume", "export", "--passphrase-file", "-"]).arg(&image);
    piped.end().refused_with(&["the passphrase is empty"]);
    assert!(!names(folder.path()).contains(&"plain".to_owned()));
}

#[test]
fn a_wrong_passphrase_is_refused_and_not_repeated() {
    let (_folder, image) = Folder::with_sample();
    let export = claviger(["volume", "export", "--passphrase-file", "-"]).arg(&image);
    let wrong = PASSPHRASE.to_uppercase();
    let ended = export.stdin(&wrong).end();
    ended.refused_with(&["the credential does not open this volume"]);
    assert!(!ended.stderr.contains(&wrong));
}

fn by_key(folder: &Folder, image: &std::path::Path, bek: &[u8]) -> Ended {
    let file = folder.put("key.BEK", bek);
    let run: Run = claviger(["volume", "export", "--startup-key"]).arg(file).arg(image);
    run.end()
}

#[test]
fn a_startup_key_cut_off_anywhere_is_refused_by_name() {
    let (folder, image) = Folder::with_sample();
    let bek = &sample().bek;
    assert_eq!(bek.len(), 156);
    for len in (0..bek.len()).step_by(5).chain([155]) {
        by_key(&folder, &image, &bek[..len]).refused_with(&["key.BEK: not an external key file"]);
    }
    by_key(&folder, &image, &[0; 156]).refused_with(&["key.BEK: not an external key file"]);
    by_key(&folder, &image, &bek.repeat(100)).refused_with(&["longer than 4096 bytes"]);
}

#[test]
fn a_flipped_bit_in_a_startup_key_gives_the_plain_text_or_a_refusal() {
    let (folder, image) = Folder::with_sample();
    let mut opened = 0;
    for at in 0..sample().bek.len() {
        let mut bek = sample().bek.clone();
        bek[at] ^= 1 << (at % 8);
        let ended = by_key(&folder, &image, &bek);
        if ended.code == 0 {
            // Names and times are no part of the key.
            assert!(ended.stdout == sample().plain, "byte {at}");
            opened += 1;
        } else {
            ended.refused();
        }
        // The key's own bytes are the last ones.
        assert!(ended.code == 1 || at < sample().bek.len() - 32, "byte {at}");
    }
    assert!(opened > 0);
}
