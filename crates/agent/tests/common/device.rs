//! A device under test: a software TPM and three real NTFS volumes, in a directory of its own.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use agent::platform::linux::{LinuxConfig, LinuxProvider, VolumeConfig};
use agent::provider::{EncryptableVolume, Provider};
use domain::time::{Clock, Timestamp};
use domain::volume::{EncryptionExtent, EncryptionMethod, VolumeKind};
use fve::io::{FileDevice, ReadAt};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::swtpm::Swtpm;

pub(crate) const OS: &str = "os.img";
pub(crate) const FIXED: &str = "fixed.img";
pub(crate) const REMOVABLE: &str = "removable.img";

const MIB: u64 = 48;
/// Where in each volume random bytes lie, in clusters that are not in use.
const NOISE: u64 = 20 << 20;

struct NoClock;

impl Clock for NoClock {
    fn now(&self) -> Timestamp {
        Timestamp(1_790_000_000_000)
    }
}

pub(crate) struct Device {
    pub(crate) dir: TempDir,
    pub(crate) tpm: Swtpm,
    pub(crate) boot: u32,
    pub(crate) pin: Option<&'static str>,
    with_tpm: bool,
}

impl Device {
    pub(crate) fn new() -> Self {
        let dir = TempDir::new().unwrap();
        for (name, label) in [(OS, "Windows"), (FIXED, "Data"), (REMOVABLE, "Stick")] {
            make_ntfs(&dir.path().join(name), label);
        }
        Self {
            dir,
            tpm: Swtpm::start(),
            boot: 1,
            pin: None,
            with_tpm: true,
        }
    }

    pub(crate) fn without_tpm() -> Self {
        Self {
            with_tpm: false,
            ..Self::new()
        }
    }

    /// The agent starts: everything that the one before remembered is gone.
    pub(crate) fn provider(&self) -> LinuxProvider {
        LinuxProvider::new(self.config(), Arc::new(NoClock), Box::new(rng())).unwrap()
    }

    pub(crate) fn config(&self) -> LinuxConfig {
        let volume = |name: &str, letter: &str, kind| VolumeConfig {
            path: self.dir.path().join(name),
            letter: Some(letter.to_owned()),
            kind,
        };
        LinuxConfig {
            volumes: vec![
                volume(REMOVABLE, "E:", VolumeKind::Removable),
                volume(FIXED, "D:", VolumeKind::Fixed),
                volume(OS, "C:", VolumeKind::Os),
            ],
            tpm: self.with_tpm.then(|| self.tpm.address()),
            state_dir: self.dir.path().join("state"),
            minimum_pin: 6,
            boot_id: self.boot.to_string(),
            pin: self.pin.map(|pin| pin.to_owned().into()),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The `DeviceID` of a volume.
    pub(crate) fn id(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    pub(crate) fn volume<'a>(&self, provider: &'a mut LinuxProvider, name: &str) -> Box<dyn EncryptableVolume + 'a> {
        provider.volume(&self.id(name)).unwrap()
    }

    /// Turns the machine off and on again.
    pub(crate) fn reboot(&mut self) {
        self.tpm.restart();
        self.boot += 1;
    }

    /// Encrypts the OS volume with a TPM protector and a recovery password.
    pub(crate) fn encrypt_os(&self, provider: &mut LinuxProvider) {
        let mut volume = self.volume(provider, OS);
        volume.protect_key_with_numerical_password(None, None).unwrap();
        volume.protect_key_with_tpm(None).unwrap();
        encrypt(&mut *volume);
    }

    /// Whether another independent program reads a volume with this recovery password, also while a clear key lies on
    /// it, which cryptsetup refuses.
    pub(crate) fn dislocker_opens(&self, name: &str, password: &str) -> bool {
        let plain = self.path("plain.img");
        let read = Command::new("dislocker-file")
            .arg("-V")
            .arg(self.path(name))
            .arg(format!("-p{password}"))
            .args(["-r", "--"])
            .arg(&plain)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .expect("dislocker is installed");
        read.success() && fve::ntfs::probe(&FileDevice::open_read(plain).unwrap()).is_ok()
    }

    /// Whether an independent program opens a volume with this recovery password or passphrase.
    pub(crate) fn cryptsetup_opens(&self, name: &str, secret: &str) -> bool {
        use std::io::Write;
        let mut child = Command::new("cryptsetup")
            .args(["open", "--type", "bitlk", "-r", "--test-passphrase"])
            .arg(self.path(name))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("cryptsetup is installed");
        child.stdin.take().unwrap().write_all(secret.as_bytes()).unwrap();
        child.wait().unwrap().success()
    }

    /// What was written in the middle of each volume, as it is on disk now.
    pub(crate) fn noise(&self, name: &str) -> Vec<u8> {
        let mut noise = vec![0; 1 << 16];
        let device = FileDevice::open_read(self.path(name)).unwrap();
        device.read_at(NOISE, &mut noise).unwrap();
        noise
    }

    /// SHA-256 of a file's bytes on disk.
    pub(crate) fn hash(&self, name: &str) -> [u8; 32] {
        hash(&FileDevice::open_read(self.path(name)).unwrap())
    }
}

pub(crate) fn hash(device: &dyn ReadAt) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    for offset in (0..device.size()).step_by(1 << 20) {
        let len = usize::try_from((device.size() - offset).min(1 << 20)).unwrap();
        device.read_at(offset, &mut buffer[..len]).unwrap();
        hash.update(&buffer[..len]);
    }
    hash.finalize().into()
}

pub(crate) fn rng() -> ChaCha20Rng {
    // Other keys for each provider, as in life; nothing in the tests depends on their values.
    static NEXT: AtomicU64 = AtomicU64::new(0);
    ChaCha20Rng::seed_from_u64(NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Encrypts to the end.
pub(crate) fn encrypt(volume: &mut (dyn EncryptableVolume + '_)) {
    volume
        .encrypt(EncryptionMethod::XtsAes128, EncryptionExtent::UsedSpaceOnly)
        .unwrap();
    while !volume.convert_some().unwrap() {}
}

fn make_ntfs(path: &std::path::Path, label: &str) {
    let file = std::fs::File::create(path).unwrap();
    file.set_len(MIB << 20).unwrap();
    let made = Command::new("mkntfs")
        .args([
            "-F", "-Q", "-q", "-s", "512", "-p", "0", "-H", "0", "-S", "0", "-L", label,
        ])
        .arg(path)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("mkntfs is installed");
    assert!(made.success());
    // Something to tell encrypted from plain.
    let mut noise = vec![0; 1 << 16];
    rng().fill_bytes(&mut noise);
    std::os::unix::fs::FileExt::write_all_at(
        &std::fs::OpenOptions::new().write(true).open(path).unwrap(),
        &noise,
        NOISE,
    )
    .unwrap();
}
