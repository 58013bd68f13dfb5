//! `claviger volume mount` for real: what is written through it is there for other readers, and nothing is lost by a kill.
//!
//! FUSE, ntfs-3g and the independent readers have to be installed; `./test` sees to it.

#![expect(clippy::unwrap_used, reason = "a test whose ground is missing fails")]

use std::fs::{self, File};
use std::io::{BufRead, BufReader, ErrorKind};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use fve::io::{FileDevice, ReadAt};
use fve::{
    Context, CreateOptions, Credential, FileTime, NewProtector, RecoveryPassword, UnlockedVolume, Volume, create,
};
use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rustix::process::{Pid, Signal, kill_process};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use testkit::ntfs::{Mounted, snapshot};
use testkit::oracle::{dislocker_export, libbde_sha256};
use testkit::process::Programs;

const MIB: u64 = 1 << 20;

/// An encrypted volume with an NTFS in it, its password, and a folder to mount it at.
struct Ground {
    directory: TempDir,
    password: RecoveryPassword,
}

impl Ground {
    fn new(mib: u64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(mib);
        let password = RecoveryPassword::generate(&mut rng);
        let ground = Self { directory, password };
        fs::create_dir(ground.folder()).unwrap();
        fs::write(ground.path("password"), ground.password.expose().as_bytes()).unwrap();
        let inner = ground.path("inner.img");
        File::create(&inner).unwrap().set_len(mib * MIB).unwrap();
        let made = Command::new("mkntfs")
            .args([
                "-F", "-Q", "-q", "-s", "512", "-c", "4096", "-p", "0", "-H", "0", "-S", "0",
            ])
            .arg(&inner)
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        File::create(ground.image()).unwrap().set_len(mib * MIB).unwrap();
        let options = CreateOptions {
            protectors: &[NewProtector::RecoveryPassword(&ground.password)],
            ..CreateOptions::default()
        };
        let mut ctx = Context {
            now: FileTime(133_500_000_000_000_000),
            rng: &mut rng,
        };
        let device = FileDevice::open_write(ground.image()).unwrap();
        create(device, &FileDevice::open_read(&inner).unwrap(), &options, &mut ctx).unwrap();
        fs::remove_file(inner).unwrap();
        ground
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn image(&self) -> PathBuf {
        self.path("volume.img")
    }

    fn folder(&self) -> PathBuf {
        self.path("mounted")
    }

    fn mount(&self, arguments: &[&str]) -> Mount {
        Mount::start(self, arguments).unwrap_or_else(|error| panic!("{error}"))
    }

    fn opened(&self) -> UnlockedVolume<FileDevice> {
        let volume = Volume::open(FileDevice::open_read(self.image()).unwrap()).unwrap();
        volume.unlock(&Credential::RecoveryPassword(&self.password)).unwrap()
    }

    fn plain(&self) -> Vec<u8> {
        let volume = self.opened();
        let mut bytes = vec![0; volume.size() as usize];
        volume.read_at(0, &mut bytes).unwrap();
        bytes
    }

    /// Another people's reader sees these bytes.
    fn libbde_sees(&self, bytes: &[u8]) {
        let sum = libbde_sha256(&self.image(), &self.password.expose()).unwrap();
        assert_eq!(sum, hex::encode(Sha256::digest(bytes)));
    }
}

/// A mount program that is running; killed and unmounted when dropped.
struct Mount {
    child: Child,
    folder: PathBuf,
    /// Held open: the program would complain that nobody listens.
    _stdout: BufReader<ChildStdout>,
}

impl Mount {
    /// Starts it; the error is what it said instead of mounting.
    fn start(ground: &Ground, arguments: &[&str]) -> Result<Self, String> {
        let program = Programs::beside_test().unwrap().0.join("claviger");
        let mut child = Command::new(program)
            .args(["volume", "mount"])
            .args(arguments)
            .arg("--recovery-password-file")
            .args([ground.path("password"), ground.image(), ground.folder()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        if line.contains("is the file system inside") {
            return Ok(Self {
                child,
                folder: ground.folder(),
                _stdout: stdout,
            });
        }
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }

    fn volume(&self) -> PathBuf {
        self.folder.join("volume")
    }

    fn open(&self) -> File {
        File::options().read(true).write(true).open(self.volume()).unwrap()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn wait(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    fn end(self) {
        self.signal(Signal::INT);
        let folder = self.folder.clone();
        assert!(self.wait().success());
        assert!(!folder.join("volume").exists(), "it is unmounted");
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = Command::new("umount")
            .arg("-l")
            .arg(&self.folder)
            .stderr(Stdio::null())
            .status();
    }
}

fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    ChaCha8Rng::seed_from_u64(seed).fill_bytes(&mut bytes);
    bytes
}

#[test]
fn files_written_through_ntfs_3g_are_there_for_dislocker() {
    let ground = Ground::new(48);
    let mount = ground.mount(&[]);
    let inner = Mounted::new(&mount.volume(), true).unwrap();
    fs::create_dir(inner.path().join("folder")).unwrap();
    for number in 0..60 {
        fs::write(
            inner.path().join(format!("folder/{number}")),
            noise(number, 20 + 997 * number as usize),
        )
        .unwrap();
    }
    fs::write(inner.path().join("large"), noise(99, 9_000_001)).unwrap();
    fs::remove_file(inner.path().join("folder/7")).unwrap();
    inner.unmount().unwrap();
    // Asked to end while nothing uses it any more.
    mount.end();
    let plain = ground.path("plain.img");
    dislocker_export(&ground.image(), &ground.password.expose(), &plain).unwrap();
    let found = snapshot(&plain).unwrap();
    assert_eq!(found.len(), 60);
    assert_eq!(
        found[Path::new("large")],
        <[u8; 32]>::from(Sha256::digest(noise(99, 9_000_001)))
    );
    for number in (0..60).filter(|&number| number != 7) {
        let wanted: [u8; 32] = Sha256::digest(noise(number, 20 + 997 * number as usize)).into();
        assert_eq!(found[Path::new(&format!("folder/{number}"))], wanted);
    }
    ground.libbde_sees(&ground.plain());
}

#[test]
fn random_reads_and_writes_agree_with_a_model() {
    let ground = Ground::new(24);
    let mut model = ground.plain();
    let size = model.len();
    let mount = ground.mount(&["--threads", "3"]);
    let info: serde_json::Value = serde_json::from_slice(&fs::read(mount.folder.join("info.json")).unwrap()).unwrap();
    let copies = info["copies"].as_array().unwrap().iter();
    let mut reserved: Vec<_> = copies
        .map(|copy| copy["offset"].as_u64().unwrap() as usize)
        .map(|at| at..at + 65536)
        .collect();
    let header = info["header_offset"].as_u64().unwrap() as usize;
    reserved.push(header..header + 8192);
    let file = mount.open();
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let (mut written, mut refused) = (0, 0);
    for round in 0..1500_u64 {
        let len = 1 << rng.random_range(0..=19);
        let len = rng.random_range(1..=len);
        let near = match round % 3 {
            0 => reserved[rng.random_range(0..4)].start.saturating_sub(len / 2),
            _ => rng.random_range(0..size),
        };
        let at = near.min(size - len);
        if round % 2 == 0 {
            let data = noise(round, len);
            let hit = reserved.iter().any(|range| at < range.end && range.start < at + len);
            // The kernel may hand over what is before the metadata, as a disk may write what is before a bad place.
            let mut done = 0;
            let outcome = loop {
                match file.write_at(&data[done..], (at + done) as u64) {
                    Ok(len) => done += len,
                    Err(error) => break Err(error),
                }
                if done == len {
                    break Ok(());
                }
            };
            assert!(done == 0 || reserved.iter().all(|range| at >= range.end || range.start >= at + done));
            model[at..at + done].copy_from_slice(&data[..done]);
            match outcome {
                Ok(()) => written += 1,
                Err(error) => {
                    assert!(
                        hit && error.kind() == ErrorKind::PermissionDenied,
                        "{len} at {at}: {error}"
                    );
                    refused += 1;
                }
            }
        }
        let mut read = vec![0; len];
        file.read_exact_at(&mut read, at as u64).unwrap();
        assert!(read == model[at..at + len], "round {round}: {len} bytes at {at}");
        if round % 100 == 0 {
            file.sync_all().unwrap();
        }
    }
    assert!(written > 300 && refused > 50, "{written} written, {refused} refused");
    drop(file);
    mount.end();
    assert!(ground.plain() == model);
    ground.libbde_sees(&model);
}

#[test]
fn a_kill_loses_nothing_that_was_synced_and_tears_no_sector() {
    let ground = Ground::new(64);
    // In front of everything that is reserved.
    let area = 18 * MIB as usize..22 * MIB as usize;
    let mut before = ground.plain();
    let mount = ground.mount(&[]);
    let file = mount.open();
    let synced = noise(1, area.len());
    file.write_all_at(&synced, area.start as u64).unwrap();
    file.sync_all().unwrap();
    before[area.clone()].copy_from_slice(&synced);
    let (tell, told) = std::sync::mpsc::channel();
    let later = noise(2, area.len());
    let writer = {
        let later = later.clone();
        std::thread::spawn(move || {
            for (index, piece) in later.chunks(100_000).enumerate() {
                if file.write_all_at(piece, 18 * MIB + 100_000 * index as u64).is_err() {
                    return;
                }
                let _ = tell.send(());
            }
        })
    };
    for _ in 0..5 {
        told.recv().unwrap();
    }
    mount.signal(Signal::KILL);
    writer.join().unwrap();
    // A new mount says what is in its way.
    let refusal = Mount::start(&ground, &[]).err().unwrap();
    assert!(
        refusal.contains("umount") && refusal.contains("was killed"),
        "{refusal}"
    );
    drop(mount);
    let after = ground.plain();
    for at in (0..after.len()).step_by(512) {
        let sector = at..at + 512;
        let old = after[sector.clone()] == before[sector.clone()];
        let new = area.contains(&at) && after[sector] == later[at - area.start..at - area.start + 512];
        // A piece ends inside a sector: there both meet.
        let seam = area.contains(&at) && (at - area.start) / 100_000 != (at - area.start + 511) / 100_000;
        assert!(old || new || seam, "the sector at {at}");
    }
    assert!(
        after[area.start..area.start + 99_840] == later[..99_840],
        "what was told is there"
    );
    ground.libbde_sees(&after);
    ground.mount(&[]).end();
}

#[test]
fn read_only_nothing_is_written() {
    let ground = Ground::new(24);
    let before = fs::read(ground.image()).unwrap();
    let mut permissions = ground.image().metadata().unwrap().permissions();
    permissions.set_mode(0o400);
    fs::set_permissions(ground.image(), permissions).unwrap();
    let mount = ground.mount(&["--read-only"]);
    let refused = File::options().write(true).open(mount.volume()).err().unwrap();
    assert_eq!(refused.kind(), ErrorKind::ReadOnlyFilesystem);
    let inner = Mounted::new(&mount.volume(), false).unwrap();
    assert!(fs::write(inner.path().join("new"), "new").is_err());
    inner.unmount().unwrap();
    // Two may read.
    assert!(fs::read(mount.volume()).unwrap() == ground.plain());
    mount.end();
    assert!(fs::read(ground.image()).unwrap() == before);
}

#[test]
fn the_files_are_what_they_are() {
    let ground = Ground::new(24);
    let mount = ground.mount(&[]);
    let file = mount.open();
    let size = file.metadata().unwrap().len();
    assert_eq!(size, 24 * MIB);
    for refused in [
        file.set_len(5),
        fs::write(mount.folder.join("new"), "new"),
        fs::remove_file(mount.volume()),
        fs::rename(mount.volume(), mount.folder.join("other")),
        fs::create_dir(mount.folder.join("folder")),
        fs::write(mount.folder.join("info.json"), "{}"),
    ] {
        assert_eq!(refused.err().unwrap().kind(), ErrorKind::PermissionDenied);
    }
    assert_eq!(
        file.write_at(&[1; 100], size).err().unwrap().kind(),
        ErrorKind::StorageFull
    );
    assert_eq!(file.write_at(&[1; 1000], size - 10).unwrap(), 10);
    let mut end = [0; 20];
    assert_eq!(file.read_at(&mut end, size - 10).unwrap(), 10);
    assert_eq!(end[..10], [1; 10]);
    let names: Vec<_> = fs::read_dir(&mount.folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["info.json", "volume"]);
    // Whoever changes a volume is its only user.
    let refusal = Mount::start(&ground, &["--read-only"]).err().unwrap();
    assert!(refusal.contains("another program works on"), "{refusal}");
    // In use: it stays, and goes when it is asked again.
    mount.signal(Signal::TERM);
    let mut said = String::new();
    let mut mount = mount;
    BufReader::new(mount.child.stderr.as_mut().unwrap())
        .read_line(&mut said)
        .unwrap();
    assert!(said.contains("cannot be unmounted yet"), "{said}");
    drop(file);
    mount.end();
}

#[test]
fn an_unmount_from_outside_ends_the_program_in_order() {
    let ground = Ground::new(24);
    let mount = ground.mount(&[]);
    mount.open().write_all_at(b"kept", 20 * MIB).unwrap();
    assert!(Command::new("umount").arg(ground.folder()).status().unwrap().success());
    assert!(mount.wait().success());
    assert_eq!(ground.plain()[20 * MIB as usize..][..4], *b"kept");
}
