//! Volumes to test with, and the independent readers that judge them. The readers
//! have to be installed (`./test` sees to it); a missing one fails the test.

pub(crate) mod oracle;

use std::path::{Path, PathBuf};
use std::process::Command;

use fve::io::{MemoryDevice, ReadAt};
use fve::ntfs::Regions;
use fve::{Context, FileTime, Placement};
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha20Rng;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

pub(crate) const NOW: FileTime = FileTime(133_500_000_000_000_000);
const MIB: u64 = 1 << 20;

/// Time and seeded randomness.
pub(crate) struct World {
    pub(crate) rng: ChaCha20Rng,
    pub(crate) dir: TempDir,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            rng: ChaCha20Rng::seed_from_u64(seed),
            dir: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn ctx(&mut self) -> Context<'_> {
        Context {
            now: NOW,
            rng: &mut self.rng,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A real, freshly made NTFS of `mib` MiB whose free space holds noise, so that sums notice everything.
    pub(crate) fn ntfs(&mut self, name: &str, mib: u64, sector_size: u32) -> PathBuf {
        let path = self.path(name);
        std::fs::File::create(&path).unwrap().set_len(mib * MIB).unwrap();
        let sector = sector_size.to_string();
        run(Command::new("mkntfs")
            .args([
                "-F", "-Q", "-q", "-s", &sector, "-c", "4096", "-p", "0", "-H", "0", "-S", "0", "-L", "TEST",
            ])
            .arg(&path));
        path
    }

    /// Overwrites parts of the free space of an image from [`ntfs`](Self::ntfs) with noise.
    pub(crate) fn sprinkle(&mut self, path: &Path) {
        use std::os::unix::fs::FileExt;
        let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
        let mut noise = vec![0; MIB as usize];
        for mib in [3, 4, 7, 9, 11] {
            self.rng.fill_bytes(&mut noise);
            file.write_all_at(&noise, mib * MIB - 700_000).unwrap();
        }
    }
}

/// Regions in the free space of a freshly made NTFS of 12 MiB or more.
pub(crate) fn free_regions(sector_size: u32) -> Placement {
    let regions = Regions {
        metadata: [5 * MIB, 7 * MIB + 8192, 9 * MIB],
        header: 8 * MIB,
        ice: 8 * MIB + 8192,
        log: 10 * MIB,
    };
    Placement::At {
        regions,
        sector_size,
        log_len: LOG_LEN,
    }
}

pub(crate) const LOG_LEN: u32 = 320 << 10;

/// What a volume with [`free_regions`] shows of the image `plain`: regions read as zeros. The log's own page is left out.
pub(crate) fn expected_view(plain: &[u8]) -> Vec<u8> {
    let mut view = plain.to_vec();
    let Placement::At { regions, .. } = free_regions(512) else {
        unreachable!("free_regions gives places")
    };
    let mut clear = |start: u64, len: u64| view[start as usize..(start + len) as usize].fill(0);
    regions.metadata.iter().for_each(|&start| clear(start, 65536));
    clear(regions.header, 8192);
    clear(regions.log, LOG_LEN.into());
    view
}

/// The whole view of a volume, with the log's page made zeros.
pub(crate) fn view_of(volume: &dyn ReadAt) -> Vec<u8> {
    let mut view = all_of(volume);
    let Placement::At { regions, .. } = free_regions(512) else {
        unreachable!("free_regions gives places")
    };
    view[regions.log as usize..][..4096].fill(0);
    view
}

pub(crate) fn all_of(device: &dyn ReadAt) -> Vec<u8> {
    let mut bytes = vec![0; device.size() as usize];
    device.read_at(0, &mut bytes).unwrap();
    bytes
}

pub(crate) fn sum_of(device: &dyn ReadAt) -> String {
    hex::encode(Sha256::digest(all_of(device)))
}

/// A copy in memory of an image file.
pub(crate) fn load(path: &Path) -> MemoryDevice {
    MemoryDevice::new(std::fs::read(path).unwrap())
}

/// Runs a command that has to succeed; its standard output.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?} does not run: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}
