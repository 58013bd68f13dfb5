//! The independent readers: cryptsetup, dislocker, libbde, dissect.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};

/// A secret in the form the readers want it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Secret<'a> {
    Recovery(&'a str),
    Passphrase(&'a str),
    Bek(&'a Path),
    Clear,
}

/// Whether `cryptsetup` accepts the secret.
pub(crate) fn cryptsetup_opens(image: &Path, secret: Secret<'_>) -> bool {
    let mut command = Command::new("cryptsetup");
    command.args(["open", "--type", "bitlk", "-r", "--test-passphrase"]);
    let typed = match secret {
        Secret::Recovery(text) | Secret::Passphrase(text) => text,
        Secret::Bek(path) => {
            command.arg("--key-file").arg(path);
            ""
        }
        Secret::Clear => panic!("cryptsetup 2.6 does not open clear keys"),
    };
    feed(command.arg(image), typed).0
}

/// The whole plain text by `dislocker-file`: its SHA-256, and its length for volumes half encrypted.
pub(crate) fn dislocker(image: &Path, secret: Secret<'_>) -> Option<(String, Vec<u8>)> {
    let out = image.with_extension("dislocker");
    let mut command = Command::new("dislocker-file");
    command.arg("-V").arg(image);
    match secret {
        Secret::Recovery(text) => command.arg(format!("-p{text}")),
        Secret::Passphrase(text) => command.arg(format!("-u{text}")),
        Secret::Bek(path) => command.arg("-f").arg(path),
        Secret::Clear => command.arg("-c"),
    };
    command.args(["-r", "--"]).arg(&out);
    let (opened, _) = feed(&mut command, "");
    let plain = std::fs::read(&out).unwrap_or_default();
    let _ = std::fs::remove_file(&out);
    opened.then(|| (hex::encode(Sha256::digest(&plain)), plain))
}

const LIBBDE: &str = r#"
import hashlib, pybde, sys
image, kind, out = sys.argv[1:4]
secret = sys.stdin.read()
volume = pybde.volume()
if kind == "recovery": volume.set_recovery_password(secret)
if kind == "passphrase": volume.set_password(secret)
if kind == "bek": volume.read_startup_key(secret)
volume.open(image)
if volume.is_locked(): volume.unlock()
if volume.is_locked(): sys.exit("locked")
digest, left = hashlib.sha256(), volume.get_size()
with open(out, "wb") as file:
    while left:
        piece = volume.read_buffer(min(left, 1 << 20))
        if not piece: sys.exit("short")
        digest.update(piece)
        file.write(piece)
        left -= len(piece)
print(digest.hexdigest())
"#;

/// SHA-256 of the whole plain text by libbde 2026, and the plain text.
pub(crate) fn libbde(image: &Path, secret: Secret<'_>) -> Option<(String, Vec<u8>)> {
    let out = image.with_extension("libbde");
    let (opened, sum) = python(LIBBDE, image, secret, &out);
    let plain = std::fs::read(&out).unwrap_or_default();
    let _ = std::fs::remove_file(&out);
    opened.then(|| (sum.trim().to_owned(), plain))
}

const DISSECT: &str = r#"
import hashlib, sys
from dissect.fve.bde.bde import BDE
image, kind, out = sys.argv[1:4]
secret = sys.stdin.read()
bde = BDE(open(image, "rb"))
assert len(bde._valid_information) == 3, "not all copies are sound"
vmk = []
check = type(bde.information).check_integrity
def noted(self, key):
    vmk.append(key)
    return check(self, key)
type(bde.information).check_integrity = noted
if kind == "recovery": bde.unlock_with_recovery_password(secret)
if kind == "passphrase": bde.unlock_with_passphrase(secret)
if kind == "bek": bde.unlock_with_bek(open(secret, "rb"))
if kind == "clear": bde.unlock_with_clear_key()
for information in bde._valid_information:
    assert check(information, vmk[-1]), "integrity"
stream = bde.open()
size = 0
digest = hashlib.sha256()
with open(out, "wb") as file:
    while piece := stream.read(1 << 20):
        file.write(piece)
"#;

/// The plain text by dissect, after the integrity check of all three copies.
pub(crate) fn dissect(image: &Path, secret: Secret<'_>) -> Option<Vec<u8>> {
    let out = image.with_extension("dissect");
    let (opened, _) = python(DISSECT, image, secret, &out);
    let plain = std::fs::read(&out).unwrap_or_default();
    let _ = std::fs::remove_file(&out);
    opened.then_some(plain)
}

fn python(script: &str, image: &Path, secret: Secret<'_>, out: &Path) -> (bool, String) {
    let (kind, text) = match secret {
        Secret::Recovery(text) => ("recovery", text),
        Secret::Passphrase(text) => ("passphrase", text),
        Secret::Bek(path) => ("bek", path.to_str().unwrap()),
        Secret::Clear => ("clear", ""),
    };
    feed(
        Command::new("python3")
            .args(["-c", script])
            .arg(image)
            .arg(kind)
            .arg(out),
        text,
    )
}

/// Whether the command succeeds with `text` on its standard input, and what it prints.
fn feed(command: &mut Command, text: &str) -> (bool, String) {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?} does not run: {error}; ./test installs the readers"));
    // A reader that does not ask for the secret closes the pipe.
    let _ = child.stdin.take().unwrap().write_all(text.as_bytes());
    let output = child.wait_with_output().unwrap();
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(
            !stderr.contains("No module named") && !stderr.contains("SyntaxError"),
            "{stderr}; ./test installs the readers"
        );
        eprintln!(
            "{}: {stderr}{}",
            command.get_program().to_string_lossy(),
            String::from_utf8_lossy(&output.stdout)
        );
    }
    (
        output.status.success(),
        String::from_utf8_lossy(&output.stdout).into_owned(),
    )
}
