//! The volume that is measured, and running programs.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fve::io::FileDevice;
use fve::{Context, CreateOptions, FileTime, NewProtector, Passphrase, create};
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};
use tempfile::TempDir;

pub(crate) const PASSPHRASE: &str = "one two three four";
pub(crate) const NOW: FileTime = FileTime(133_500_000_000_000_000);
const MIB: u64 = 1 << 20;

/// An encrypted volume in a folder that goes away at the end.
pub(crate) struct Ground {
    folder: TempDir,
    pub(crate) bytes: u64,
}

impl Ground {
    pub(crate) fn new(mib: u64) -> Self {
        let bytes = mib * MIB;
        let ground = Self {
            folder: folder_in_memory(bytes),
            bytes,
        };
        eprintln!("Making a volume of {mib} MiB in {}", ground.folder.path().display());
        fs::write(ground.path("passphrase"), PASSPHRASE).unwrap();
        let inner = ground.path("inner.img");
        plain_ntfs(&inner, mib);
        File::create(ground.image()).unwrap().set_len(ground.bytes).unwrap();
        let passphrase = Passphrase::new(PASSPHRASE);
        let options = CreateOptions {
            protectors: &[NewProtector::Passphrase(&passphrase)],
            ..CreateOptions::default()
        };
        let mut ctx = Context {
            now: NOW,
            rng: &mut ChaCha8Rng::seed_from_u64(1),
        };
        let device = FileDevice::open_write(ground.image()).unwrap();
        create(device, &FileDevice::open_read(&inner).unwrap(), &options, &mut ctx).unwrap();
        fs::remove_file(inner).unwrap();
        ground
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn image(&self) -> PathBuf {
        self.path("volume.img")
    }

    /// Brings the volume into the page cache, everything dirty out of it, and makes the memory of an output of the same
    /// size ready: what a virtual machine has not used for a while its host has to find again, at the cost of whoever comes
    /// first.
    pub(crate) fn warm(&self) {
        settle();
        read_through(&self.image());
        let ballast = self.path("ballast");
        let mut file = File::create(&ballast).unwrap();
        let piece = vec![1; MIB as usize];
        for _ in 0..self.bytes / MIB {
            file.write_all(&piece).unwrap();
        }
        fs::remove_file(ballast).unwrap();
    }
}

/// A folder whose files are page cache and nothing else, when the system has one with room for the volume, an output and
/// some more. On a disk, writing out dirty pages would slow whoever comes when the limit is reached.
fn folder_in_memory(bytes: u64) -> TempDir {
    let memory = Path::new("/dev/shm");
    let room = rustix::fs::statvfs(memory).map_or(0, |fs| fs.f_bavail * fs.f_frsize);
    // Pages of the shared memory file system count as used memory, not as available.
    let available = fs::read_to_string("/proc/meminfo").map_or(0, |text| available(&text));
    if room.min(available) > 3 * bytes {
        return tempfile::tempdir_in(memory).unwrap();
    }
    eprintln!("No memory for {bytes} bytes three times over: measuring on the disk, which writes out at its own pace");
    folder()
}

fn available(meminfo: &str) -> u64 {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// A folder beside what is built.
pub(crate) fn folder() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// A plain NTFS, full of files that do not compress but for the room that BitLocker needs.
pub(crate) fn plain_ntfs(path: &Path, mib: u64) {
    File::create(path).unwrap().set_len(mib * MIB).unwrap();
    let mkntfs = [
        "-F", "-Q", "-q", "-s", "512", "-c", "4096", "-p", "0", "-H", "0", "-S", "0",
    ];
    run(Command::new("mkntfs").args(mkntfs).arg(path));
    let mounted = folder();
    run(Command::new("ntfs-3g").arg(path).arg(mounted.path()));
    let mut rng = ChaCha8Rng::seed_from_u64(mib);
    let mut piece = vec![0; MIB as usize];
    let room = mib * MIB / 64 + 16 * MIB;
    'full: for number in 0.. {
        let mut file = File::create(mounted.path().join(format!("{number}.bin"))).unwrap();
        for _ in 0..64 {
            let left = rustix::fs::statvfs(mounted.path()).unwrap();
            if left.f_bavail * left.f_frsize < room {
                break 'full;
            }
            rng.fill_bytes(&mut piece);
            match file.write_all(&piece) {
                Err(error) if error.kind() == ErrorKind::StorageFull => break 'full,
                result => result.unwrap(),
            }
        }
    }
    unmount(mounted.path());
}

/// Unmounts; a program that is just being closed may hold it for a moment.
pub(crate) fn unmount(folder: &Path) {
    for _ in 0..1000 {
        if Command::new("umount")
            .arg(folder)
            .stderr(Stdio::null())
            .status()
            .unwrap()
            .success()
        {
            return;
        }
    }
    run(Command::new("umount").arg(folder));
}

/// Runs a program that has to succeed.
pub(crate) fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {output:?}");
}

/// Writes out what is dirty, so that one run does not pay for the one before.
pub(crate) fn settle() {
    run(&mut Command::new("sync"));
}

/// Reads a file from its start to its end; the number of bytes.
pub(crate) fn read_through(path: &Path) -> u64 {
    let mut file = File::open(path).unwrap();
    let mut buffer = vec![0; MIB as usize];
    let mut bytes = 0;
    loop {
        match file.read(&mut buffer).unwrap() {
            0 => return bytes,
            len => bytes += len as u64,
        }
    }
}
