//! A software TPM that lives as long as its value.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up its parts fails")]

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use agent::platform::linux::tpm::TpmAddress;
use tempfile::TempDir;

/// A running `swtpm`, freshly manufactured, killed when dropped.
pub(crate) struct Swtpm {
    dir: TempDir,
    child: Option<Child>,
}

impl Swtpm {
    pub(crate) fn start() -> Self {
        let dir = TempDir::new().unwrap();
        let setup = Command::new("swtpm_setup")
            .args([
                "--tpm2",
                "--lock-nvram",
                "--overwrite",
                "--pcr-banks",
                "sha256",
                "--tpmstate",
            ])
            .arg(dir.path())
            .stdout(Stdio::null())
            .status()
            .expect("swtpm_setup is installed");
        assert!(setup.success());
        let mut swtpm = Self { dir, child: None };
        swtpm.launch();
        swtpm
    }

    pub(crate) fn address(&self) -> TpmAddress {
        TpmAddress::Unix(self.socket())
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join("tpm.sock")
    }

    /// Power off in good order and on again: registers are reset, keys stay.
    pub(crate) fn restart(&mut self) {
        // TPM2_Shutdown(CLEAR): an unclean stop would count as a failed try against the PIN.
        self.command(&[0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x45, 0, 0]);
        self.stop();
        self.launch();
    }

    /// Extends a register of the SHA-256 bank, as changed firmware would.
    pub(crate) fn extend(&self, pcr: u32) {
        let mut frame = vec![0x80, 0x02, 0, 0, 0, 65, 0, 0, 0x01, 0x82];
        frame.extend_from_slice(&pcr.to_be_bytes());
        frame.extend_from_slice(&[0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 0, 0, 0]);
        frame.extend_from_slice(&[0, 0, 0, 1, 0, 0x0B]);
        frame.extend_from_slice(&[0x5A; 32]);
        self.command(&frame);
    }

    /// How many objects and sessions are loaded.
    pub(crate) fn loaded(&self) -> u32 {
        [0x80u8, 0x02, 0x03]
            .iter()
            .map(|kind| {
                let mut frame = vec![0x80, 0x01, 0, 0, 0, 22, 0, 0, 0x01, 0x7A, 0, 0, 0, 1, *kind, 0, 0, 0];
                frame.extend_from_slice(&[0, 0, 0, 64]);
                let response = self.command(&frame);
                u32::from_be_bytes(response[15..19].try_into().unwrap())
            })
            .sum()
    }

    /// Loads keys until there is no more room, as programs that were killed leave it.
    pub(crate) fn fill(&self) {
        // TPM2_CreatePrimary of an HMAC key in the null hierarchy.
        let template = [0, 0x08, 0, 0x0B, 0, 0x04, 0, 0x72, 0, 0, 0, 0x05, 0, 0x0B, 0, 0];
        let mut frame = vec![0x80, 0x02, 0, 0, 0, 0, 0, 0, 0x01, 0x31, 0x40, 0, 0, 0x07];
        frame.extend_from_slice(&[0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 0, 0, 0]);
        frame.extend_from_slice(&[0, 4, 0, 0, 0, 0, 0, template.len().try_into().unwrap()]);
        frame.extend_from_slice(&template);
        frame.extend_from_slice(&[0, 0, 0, 0, 0, 0]);
        frame[5] = frame.len().try_into().unwrap();
        for _ in 0..3 {
            self.command(&frame);
        }
    }

    /// A second socket through which everything passes and is recorded.
    ///
    /// `tamper` may change what the TPM says: it gets the command and the response.
    pub(crate) fn listen_in(&self, tamper: fn(&[u8], &mut [u8])) -> (PathBuf, Arc<Mutex<Vec<u8>>>) {
        let path = self.dir.path().join("bus.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (record, target) = (Arc::clone(&seen), self.socket());
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(mut client) = client else { return };
                let Ok(mut tpm) = UnixStream::connect(&target) else {
                    return;
                };
                let mut buffer = [0; 4096];
                // Strictly one after the other: a command, its response.
                while let Ok(len @ 1..) = client.read(&mut buffer) {
                    record.lock().unwrap().extend_from_slice(&buffer[..len]);
                    tpm.write_all(&buffer[..len]).unwrap();
                    let command = buffer[..len].to_vec();
                    let len = tpm.read(&mut buffer).unwrap();
                    tamper(&command, &mut buffer[..len]);
                    record.lock().unwrap().extend_from_slice(&buffer[..len]);
                    client.write_all(&buffer[..len]).unwrap();
                }
            }
        });
        (path, seen)
    }

    /// Stops it for good.
    pub(crate) fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        let _ = std::fs::remove_file(self.socket());
    }

    /// Sends one raw command that must succeed.
    fn command(&self, frame: &[u8]) -> Vec<u8> {
        let mut stream = UnixStream::connect(self.socket()).unwrap();
        stream.write_all(frame).unwrap();
        let mut response = vec![0; 10];
        stream.read_exact(&mut response).unwrap();
        let size = u32::from_be_bytes(response[2..6].try_into().unwrap());
        response.resize(usize::try_from(size).unwrap(), 0);
        stream.read_exact(&mut response[10..]).unwrap();
        assert_eq!(response[6..10], [0, 0, 0, 0], "the TPM refused {frame:02X?}");
        response
    }

    fn launch(&mut self) {
        let child = Command::new("swtpm")
            .args([
                "socket",
                "--tpm2",
                "--flags",
                "not-need-init,startup-clear",
                "--tpmstate",
            ])
            .arg(format!("dir={}", self.dir.path().display()))
            .arg("--server")
            .arg(format!("type=unixio,path={}", self.socket().display()))
            .arg("--ctrl")
            .arg(format!(
                "type=unixio,path={}",
                self.dir.path().join("ctrl.sock").display()
            ))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("swtpm is installed");
        let child = self.child.insert(child);
        while UnixStream::connect(self.dir.path().join("tpm.sock")).is_err() {
            assert!(child.try_wait().unwrap().is_none(), "swtpm ended");
            std::thread::yield_now();
        }
    }
}

impl Drop for Swtpm {
    fn drop(&mut self) {
        self.stop();
    }
}
