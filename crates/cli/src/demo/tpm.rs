//! A software TPM 2.0 for one simulated device.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

/// A running `swtpm`; stopped when dropped. Its state stays in its directory, as a chip's does.
#[derive(Debug)]
pub struct SoftwareTpm {
    child: Child,
    socket: PathBuf,
}

impl SoftwareTpm {
    /// Makes the chip when it is new, and powers it on. `directory` must have a short path: it holds a socket.
    ///
    /// # Errors
    /// When `swtpm` is missing or does not start.
    pub fn start(directory: &Path) -> Result<Self> {
        std::fs::create_dir_all(directory)?;
        let state = directory.canonicalize()?;
        if !state.join("tpm2-00.permall").exists() {
            let output = Command::new("swtpm_setup")
                .args([
                    "--tpm2",
                    "--overwrite",
                    "--pcr-banks",
                    "sha1,sha256,sha384",
                    "--tpmstate",
                ])
                .arg(&state)
                .output()
                .context("starting swtpm_setup")?;
            if !output.status.success() {
                bail!("swtpm_setup failed: {}", String::from_utf8_lossy(&output.stderr).trim());
            }
        }
        let socket = state.join("sock");
        for stale in [&socket, &state.join("ctrl")] {
            if stale.exists() {
                std::fs::remove_file(stale)?;
            }
        }
        let mut child = Command::new("swtpm")
            .args([
                "socket",
                "--tpm2",
                "--flags",
                "not-need-init,startup-clear",
                "--tpmstate",
            ])
            .arg(format!("dir={}", state.display()))
            .arg("--server")
            .arg(format!("type=unixio,path={}", socket.display()))
            .arg("--ctrl")
            .arg(format!("type=unixio,path={}", state.join("ctrl").display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("starting swtpm")?;
        while !socket.exists() {
            if let Some(status) = child.try_wait()? {
                bail!("swtpm ended at once: {status}");
            }
            std::thread::yield_now();
        }
        Ok(Self { child, socket })
    }

    /// Where it listens.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }
}

impl Drop for SoftwareTpm {
    fn drop(&mut self) {
        // It may have ended by itself; there is nobody to tell.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
