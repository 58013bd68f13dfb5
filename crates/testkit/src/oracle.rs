//! Independent readers of BitLocker volumes. Each is another people's program: what they all accept is proven.
//!
//! The credentials of test volumes appear on their command lines and in temporary files; they protect nothing.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail};

/// The readers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oracle {
    /// The Linux disk encryption tool.
    Cryptsetup,
    /// The FUSE driver's file exporter.
    Dislocker,
    /// The forensic library, by its Python binding.
    Libbde,
    /// The forensic library that also checks the metadata's integrity.
    Dissect,
}

/// All four.
pub const ALL: [Oracle; 4] = [Oracle::Cryptsetup, Oracle::Dislocker, Oracle::Libbde, Oracle::Dissect];

/// Opens with libbde and prints the SHA-256 of the plain text.
const LIBBDE: &str = r#"
import sys, hashlib, pybde
v = pybde.volume()
v.set_recovery_password(sys.stdin.readline().strip())
v.open(sys.argv[1])
if v.is_locked(): sys.exit("locked")
h = hashlib.sha256(); left = v.get_size()
while left > 0:
    b = v.read_buffer(min(left, 1 << 20)); h.update(b); left -= len(b)
print(h.hexdigest())
"#;

/// Opens with dissect, and checks checksum and integrity hash of each of the three metadata copies.
const DISSECT: &str = r#"
import sys
from dissect.fve.bde import BDE
class Keeping(BDE):
    def unlock(self, key):
        self.kept = key
        return super().unlock(key)
b = Keeping(open(sys.argv[1], "rb"))
b.unlock_with_recovery_password(sys.stdin.readline().strip())
copies = b._available_information
ok = len(copies) == 3 and all(i.is_valid() and i.check_integrity(b.kept) for i in copies)
print("integrity", ok)
"#;

/// Whether this reader opens the volume with this recovery password. Metadata integrity is part of it for dissect.
///
/// # Errors
/// When the reader is not installed.
pub fn opens(oracle: Oracle, image: &Path, recovery_password: &str) -> Result<bool> {
    let output = match oracle {
        Oracle::Cryptsetup => feed(
            Command::new(sbin("cryptsetup"))
                .args(["open", "--type", "bitlk", "-r", "--test-passphrase"])
                .arg(image),
            recovery_password,
        )?,
        Oracle::Dislocker => {
            let directory = tempfile::tempdir()?;
            return Ok(dislocker_export(image, recovery_password, &directory.path().join("plain")).is_ok());
        }
        Oracle::Libbde => feed(
            Command::new("python3").args(["-c", LIBBDE]).arg(image),
            &line(recovery_password),
        )?,
        Oracle::Dissect => feed(
            Command::new("python3").args(["-c", DISSECT]).arg(image),
            &line(recovery_password),
        )?,
    };
    let text = String::from_utf8_lossy(&output.stderr);
    if text.contains("ModuleNotFoundError") {
        bail!("{oracle:?} is not installed: {}", text.trim());
    }
    Ok(output.status.success() && (oracle != Oracle::Dissect || output.stdout.starts_with(b"integrity True")))
}

/// SHA-256 of the whole plain text as libbde reads it.
///
/// # Errors
/// When it does not open.
pub fn libbde_sha256(image: &Path, recovery_password: &str) -> Result<String> {
    let output = feed(
        Command::new("python3").args(["-c", LIBBDE]).arg(image),
        &line(recovery_password),
    )?;
    if !output.status.success() {
        bail!(
            "libbde does not open {}: {}",
            image.display(),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Writes the whole plain text to a file, with dislocker.
///
/// # Errors
/// When it does not open.
pub fn dislocker_export(image: &Path, recovery_password: &str, to: &Path) -> Result<()> {
    let output = Command::new("dislocker-file")
        .arg("-V")
        .arg(image)
        .arg(format!("-p{recovery_password}"))
        .args(["-r", "--"])
        .arg(to)
        .stdin(Stdio::null())
        .output()
        .context("starting dislocker-file")?;
    if !output.status.success() {
        bail!(
            "dislocker does not open {}: {}",
            image.display(),
            String::from_utf8_lossy(&output.stdout).trim()
        );
    }
    Ok(())
}

fn line(text: &str) -> String {
    format!("{text}\n")
}

fn feed(command: &mut Command, input: &str) -> Result<Output> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {name}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A reader that refuses at once closes its input; its exit code says so.
        let _ = stdin.write_all(input.as_bytes());
    }
    Ok(child.wait_with_output()?)
}

fn sbin(name: &str) -> String {
    let full = format!("/usr/sbin/{name}");
    if Path::new(&full).exists() {
        full
    } else {
        name.to_owned()
    }
}
