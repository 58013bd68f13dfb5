//! Independent readers.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use super::ground::{assert_plain_is_right, tool};

/// cryptsetup accepts the secret, dislocker decrypts, and the file system inside is right.
#[track_caller]
pub(crate) fn assert_opens(image: &Path, recovery_password: &str) {
    assert!(
        cryptsetup(image, recovery_password),
        "cryptsetup refuses {}",
        image.display()
    );
    let out = image.with_extension("judged");
    tool(
        Command::new("dislocker-file")
            .arg("-V")
            .arg(image)
            .arg(format!("-p{recovery_password}"))
            .args(["-r", "--"])
            .arg(&out),
    );
    assert_plain_is_right(&out);
    std::fs::remove_file(out).unwrap();
}

/// Whether cryptsetup accepts a recovery password or a passphrase.
pub(crate) fn cryptsetup(image: &Path, secret: &str) -> bool {
    let mut child = Command::new("cryptsetup")
        .args(["open", "--type", "bitlk", "-r", "--test-passphrase"])
        .arg(image)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("cryptsetup runs; ./test installs it");
    // It may refuse before it reads.
    let _ = child.stdin.take().unwrap().write_all(secret.as_bytes());
    child.wait().unwrap().success()
}
