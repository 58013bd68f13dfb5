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
    let mut command = Command::new("cryptsetup");
    command.args(["open", "--type", "bitlk", "-r", "--test-passphrase"]);
    accepts(command.arg(image), secret)
}

const LIBBDE: &str = "\
import pybde, sys
volume = pybde.volume()
volume.set_password(sys.stdin.read())
volume.open(sys.argv[1])
sys.exit(1 if volume.is_locked() else 0)
";

/// Whether libbde accepts a passphrase.
pub(crate) fn libbde(image: &Path, passphrase: &str) -> bool {
    accepts(Command::new("python3").args(["-c", LIBBDE]).arg(image), passphrase)
}

fn accepts(command: &mut Command, secret: &str) -> bool {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the reader runs; ./test installs it");
    // It may refuse before it reads.
    let _ = child.stdin.take().unwrap().write_all(secret.as_bytes());
    child.wait().unwrap().success()
}
