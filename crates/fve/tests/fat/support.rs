//! Real volumes in files: dosfstools and exfatprogs make and check them, mtools and exfat-fuse use them.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use fve::fat;
use fve::inner::{RegionRequest, Regions};
use fve::io::{FileDevice, MemoryDevice, ReadAt, WriteAt};
use fve::time::FileTime;
use sha2::{Digest, Sha256};

pub(crate) const NOW: FileTime = FileTime(133_000_000_000_000_000);
pub(crate) const REQUEST: RegionRequest = RegionRequest {
    metadata_len: 65536,
    header_len: 8192,
    ice_len: 65536,
    log_len: (256 << 10) + 65536,
};
pub(crate) const SYSTEM: &str = "System Volume Information";
pub(crate) const FILES: [&str; 6] = [
    "FVE2.{e40ad34d-dae9-4bc7-95bd-b16218c10f72}.1",
    "FVE2.{e40ad34d-dae9-4bc7-95bd-b16218c10f72}.2",
    "FVE2.{e40ad34d-dae9-4bc7-95bd-b16218c10f72}.3",
    "FVE2.{24e6f0ae-6a00-4f73-984b-75ce9942852d}",
    "FVE2.{da392a22-cae0-4f0f-9a30-b8830385d046}",
    "FVE2.{5b0f3c1e-9d0a-4b57-8c66-2f7e41a9d5b3}",
];

/// How a volume is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Bits, bytes per sector, sectors per cluster, number of tables.
    Fat(u8, u32, u32, u32),
    /// Bytes per cluster.
    ExFat(u32),
}

pub(crate) struct Volume {
    dir: tempfile::TempDir,
    pub(crate) form: Form,
}

impl Volume {
    pub(crate) fn make(mib: u64, form: Form) -> Self {
        let volume = Self {
            dir: tempfile::tempdir().unwrap(),
            form,
        };
        File::create(volume.path()).unwrap().set_len(mib << 20).unwrap();
        match form {
            Form::Fat(bits, sector, per_cluster, tables) => run(Command::new("mkfs.fat")
                .args(["-F", &bits.to_string(), "-S", &sector.to_string()])
                .args(["-s", &per_cluster.to_string(), "-f", &tables.to_string(), "-n", "TEST"])
                .arg(volume.path())),
            Form::ExFat(cluster) => run(Command::new("mkfs.exfat")
                .args(["-c", &cluster.to_string(), "-L", "TEST"])
                .arg(volume.path())),
        }
        volume
    }

    pub(crate) fn from_bytes(bytes: &[u8], form: Form) -> Self {
        let volume = Self {
            dir: tempfile::tempdir().unwrap(),
            form,
        };
        fs::write(volume.path(), bytes).unwrap();
        volume
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("image")
    }

    pub(crate) fn device(&self) -> FileDevice {
        FileDevice::open_write(self.path()).unwrap()
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        fs::read(self.path()).unwrap()
    }

    pub(crate) fn reserve(&self) -> Regions {
        let device = self.device();
        let plan = fat::plan(&device, &REQUEST, NOW).unwrap();
        plan.apply(&device).unwrap();
        plan.regions()
    }

    /// Puts all files and directories below `source` into the root directory.
    pub(crate) fn copy_in(&self, source: &Path) {
        match self.form {
            Form::Fat(..) => {
                let mut entries: Vec<PathBuf> = fs::read_dir(source)
                    .unwrap()
                    .map(|entry| entry.unwrap().path())
                    .collect();
                entries.sort();
                run(mtools("mcopy", self).args(["-s", "-o"]).args(entries).arg("::/"));
            }
            Form::ExFat(_) => self.mounted(|root| run(Command::new("cp").arg("-r").arg(source.join(".")).arg(root))),
        }
    }

    /// Makes files until there is no room for one byte more.
    pub(crate) fn fill(&self) {
        let source = self.dir.path().join("filler");
        fs::create_dir_all(&source).unwrap();
        for (size, most) in [(4 << 20, 200), (64 << 10, 200), (4096, 200), (1, 200)] {
            match self.form {
                Form::Fat(..) => {
                    for number in 0..most {
                        let name = format!("fill {size} {number}");
                        fs::write(source.join(&name), vec![0xEE; size]).unwrap();
                        let done = output(mtools("mcopy", self).arg(source.join(&name)).arg("::/"));
                        if !done.status.success() {
                            break;
                        }
                    }
                }
                Form::ExFat(_) => self.mounted(|root| {
                    for number in 0..most {
                        let name = root.join(format!("fill {size} {number}"));
                        if fs::write(name, vec![0xEE; size]).is_err() {
                            break;
                        }
                    }
                }),
            }
        }
    }

    pub(crate) fn remove(&self, name: &str) {
        match self.form {
            Form::Fat(..) => run(mtools("mdel", self).arg(format!("::/{name}"))),
            Form::ExFat(_) => self.mounted(|root| fs::remove_file(root.join(name)).unwrap()),
        }
    }

    /// Everything on the volume, in a directory.
    pub(crate) fn copy_out(&self) -> tempfile::TempDir {
        let out = tempfile::tempdir().unwrap();
        match self.form {
            Form::Fat(..) => run(mtools("mcopy", self).args(["-s", "-n", "-m", "::/"]).arg(out.path())),
            Form::ExFat(_) => {
                self.mounted(|root| run(Command::new("cp").arg("-r").arg(root.join(".")).arg(out.path())));
            }
        }
        out
    }

    /// Path and SHA-256 of all files but those in `System Volume Information`.
    pub(crate) fn hashes(&self) -> Vec<(String, String)> {
        let mut all = hashes_below(self.copy_out().path());
        all.retain(|(path, _)| !path.contains(SYSTEM));
        all
    }

    /// Nothing to complain about.
    pub(crate) fn check_clean(&self) {
        let program = if matches!(self.form, Form::Fat(..)) {
            "fsck.fat"
        } else {
            "fsck.exfat"
        };
        let done = output(Command::new(program).arg("-n").arg(self.path()));
        let said = text(&done);
        // The one version that says this of exFAT says it of every volume.
        let complaint = [
            "Orphan", "orphan", "differ", "wrong", "Reclaim", "unused", "Bad", "corrupt", "irty",
        ]
        .iter()
        .find(|word| said.contains(**word));
        assert!(done.status.success() && complaint.is_none(), "{:?}: {said}", self.form);
    }

    /// The regions are the content of our files, and these are all there.
    pub(crate) fn check_regions(&self, regions: &Regions) {
        let out = self.copy_out();
        let image = self.bytes();
        for (name, start, len) in ranges(regions) {
            let content = fs::read(out.path().join(SYSTEM).join(name));
            let content = match content {
                Ok(content) => content,
                // With large clusters header and ICE area share a file.
                Err(_) if name == FILES[4] => continue,
                Err(error) => panic!("{name}: {error}"),
            };
            assert!(
                content.len() as u64 == len || (name == FILES[3] && content.len() == 73728),
                "{name}"
            );
            assert!(
                content == image[start as usize..][..content.len()],
                "{name} is elsewhere"
            );
        }
    }

    fn mounted<T>(&self, work: impl FnOnce(&Path) -> T) -> T {
        // Loop devices are few and their numbers are raced for.
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mount = self.dir.path().join("mount");
        fs::create_dir_all(&mount).unwrap();
        let device = output(Command::new("losetup").args(["-f", "--show"]).arg(self.path()));
        assert!(device.status.success(), "{}", text(&device));
        let device = String::from_utf8(device.stdout).unwrap().trim().to_owned();
        run(Command::new("mount.exfat-fuse").arg(&device).arg(&mount));
        let own = fs::metadata(self.dir.path()).unwrap().dev();
        while fs::metadata(&mount).unwrap().dev() == own {
            std::thread::yield_now();
        }
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(&mount)));
        run(Command::new("umount").arg(&mount));
        // The driver writes its last blocks after that, and lets the device go.
        loop {
            run(Command::new("losetup").arg("-d").arg(&device));
            let left = output(Command::new("losetup").args(["-j"]).arg(self.path()));
            if left.stdout.is_empty() {
                break;
            }
            std::thread::yield_now();
        }
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

fn ranges(regions: &Regions) -> [(&'static str, u64, u64); 6] {
    let [one, two, three] = regions.metadata;
    [
        (FILES[0], one, REQUEST.metadata_len),
        (FILES[1], two, REQUEST.metadata_len),
        (FILES[2], three, REQUEST.metadata_len),
        (FILES[3], regions.header, REQUEST.header_len),
        (FILES[4], regions.ice, REQUEST.ice_len),
        (FILES[5], regions.log, REQUEST.log_len),
    ]
}

/// Fills the regions with bytes that tell them apart.
pub(crate) fn plant(volume: &Volume, regions: &Regions) {
    let file = File::options().write(true).open(volume.path()).unwrap();
    for ((_, start, len), number) in ranges(regions).into_iter().zip(0_u8..) {
        file.write_all_at(&vec![0xA5 ^ number; len as usize], start).unwrap();
    }
}

pub(crate) fn assert_untouched(volume: &Volume, regions: &Regions) {
    let image = volume.bytes();
    for ((name, start, len), number) in ranges(regions).into_iter().zip(0_u8..) {
        let region = &image[start as usize..(start + len) as usize];
        assert!(
            region.iter().all(|&byte| byte == 0xA5 ^ number),
            "{name} was written to"
        );
    }
}

/// Files of various sizes, in two directories and at the top.
pub(crate) fn sample(count: usize) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for sub in ["a directory", "another/deeper"] {
        fs::create_dir_all(dir.path().join(sub)).unwrap();
    }
    for number in 0..count {
        let sub = ["", "a directory", "another/deeper"][number % 3];
        let content = format!("{number} ").repeat(number * 97 % 9000);
        fs::write(
            dir.path()
                .join(sub)
                .join(format!("a file with a long name {number}.txt")),
            content,
        )
        .unwrap();
    }
    dir
}

pub(crate) fn hashes_below(root: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut dirs = vec![root.to_path_buf()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else {
                let hash = Sha256::digest(fs::read(&path).unwrap());
                found.push((
                    path.strip_prefix(root).unwrap().display().to_string(),
                    format!("{hash:x}"),
                ));
            }
        }
    }
    found.sort();
    found
}

fn mtools(program: &str, volume: &Volume) -> Command {
    let mut command = Command::new(program);
    command.env("MTOOLS_SKIP_CHECK", "1").arg("-i").arg(volume.path());
    command
}

pub(crate) fn run(command: &mut Command) {
    let done = output(command);
    assert!(done.status.success(), "{command:?}: {}", text(&done));
}

fn output(command: &mut Command) -> Output {
    command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}; ./test installs it"))
}

fn text(done: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    )
}

/// A device that takes a number of writes and then fails.
pub(crate) struct Failing {
    pub(crate) inner: MemoryDevice,
    left: AtomicUsize,
}

impl Failing {
    pub(crate) fn new(image: &[u8], writes: usize) -> Self {
        Self {
            inner: MemoryDevice::new(image.to_vec()),
            left: AtomicUsize::new(writes),
        }
    }
}

impl ReadAt for Failing {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.inner.read_at(offset, buf)
    }

    fn size(&self) -> u64 {
        self.inner.size()
    }
}

impl WriteAt for Failing {
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let taken = self
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        taken.map_err(|_| io::Error::other("the power failed"))?;
        self.inner.write_at(offset, data)
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Sets bits of a byte of an image.
pub(crate) fn flip(volume: &Volume, at: u64, mask: u8) {
    let mut file = File::options().read(true).write(true).open(volume.path()).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ mask], at).unwrap();
    file.flush().unwrap();
}
