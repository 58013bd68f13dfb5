//! Real NTFS volumes in files, and what ntfs-3g's tools say about them.

#![expect(dead_code, reason = "each test file uses its own part of it")]

pub(crate) mod check;

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};

use fve::io::{FileDevice, MemoryDevice, ReadAt, WriteAt};
use fve::ntfs::{RegionRequest, Regions};
use fve::time::FileTime;
use sha2::{Digest, Sha256};

pub(crate) const NOW: FileTime = FileTime(133_000_000_000_000_000);
pub(crate) const REQUEST: RegionRequest = RegionRequest {
    metadata_len: 65536,
    header_len: 8192,
    ice_len: 65536,
    log_len: (1 << 20) + 65536,
};

pub(crate) struct Volume {
    dir: tempfile::TempDir,
    cluster: u64,
}

impl Volume {
    pub(crate) fn make(mib: u64, sector: u32, cluster: u64) -> Self {
        let volume = Self {
            dir: tempfile::tempdir().unwrap(),
            cluster,
        };
        File::create(volume.path()).unwrap().set_len(mib << 20).unwrap();
        let (sector, cluster) = (sector.to_string(), cluster.to_string());
        run(Command::new("mkntfs")
            .args([
                "-F", "-q", "-Q", "-L", "test", "-s", &sector, "-c", &cluster, "-p", "0", "-H", "0", "-S", "0",
            ])
            .arg(volume.path()));
        volume
    }

    pub(crate) fn from_bytes(bytes: &[u8], cluster: u64) -> Self {
        let volume = Self {
            dir: tempfile::tempdir().unwrap(),
            cluster,
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

    /// Mounts with ntfs-3g, does `work`, unmounts.
    pub(crate) fn mounted<T>(&self, work: impl FnOnce(&Path) -> T) -> T {
        let mount = self.dir.path().join("mount");
        fs::create_dir_all(&mount).unwrap();
        mounted(&self.path(), &mount, work)
    }

    /// Nothing to complain about for ntfsfix, ntfsresize and ntfscluster.
    pub(crate) fn check_clean(&self) {
        let fix = output(Command::new("ntfsfix").arg("-n").arg(self.path()));
        assert!(
            fix.status.success() && !text(&fix).to_lowercase().contains("error") && !text(&fix).contains("differ"),
            "{}",
            text(&fix)
        );
        let resize = output(
            Command::new("ntfsresize")
                .args(["--info", "--force", "--no-progress-bar"])
                .arg(self.path()),
        );
        let said = text(&resize);
        assert!(resize.status.success() || said.contains("Volume is full"), "{said}");
        assert!(
            !said.contains("inconsistent") && !said.contains("mismatch") && !said.contains("multiply"),
            "{said}"
        );
    }

    /// Nothing to complain about for our own checker, which is exact.
    pub(crate) fn check_exact(&self) {
        let wrong = check::complaints(&fs::read(self.path()).unwrap());
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    /// Our files as ntfsinfo shows them: size, one run, the region's clusters.
    pub(crate) fn check_files(&self, regions: &Regions) {
        let mut expected = vec![
            (
                "FVE2.{e40ad34d-dae9-4bc7-95bd-b16218c10f72}.1",
                REQUEST.metadata_len,
                regions.metadata[0],
            ),
            (
                "FVE2.{e40ad34d-dae9-4bc7-95bd-b16218c10f72}.2",
                REQUEST.metadata_len,
                regions.metadata[1],
            ),
            (
                "FVE2.{e40ad34d-dae9-4bc7-95bd-b16218c10f72}.3",
                REQUEST.metadata_len,
                regions.metadata[2],
            ),
            (
                "FVE2.{5b0f3c1e-9d0a-4b57-8c66-2f7e41a9d5b3}",
                REQUEST.log_len,
                regions.log,
            ),
        ];
        let header = "FVE2.{24e6f0ae-6a00-4f73-984b-75ce9942852d}";
        if REQUEST.header_len.is_multiple_of(self.cluster) {
            expected.push((header, REQUEST.header_len, regions.header));
            expected.push((
                "FVE2.{da392a22-cae0-4f0f-9a30-b8830385d046}",
                REQUEST.ice_len,
                regions.ice,
            ));
        } else {
            expected.push((header, REQUEST.header_len + REQUEST.ice_len, regions.header));
        }
        let mut names = self.system_files();
        names.retain(|name| name.starts_with("FVE2."));
        assert_eq!(names.len(), expected.len(), "{names:?}");
        assert_eq!(regions.ice, regions.header + REQUEST.header_len);
        for (name, size, offset) in expected {
            let path = format!("System Volume Information/{name}");
            let info = text(&output(
                Command::new("ntfsinfo")
                    .args(["-v", "-f", "-F", &path])
                    .arg(self.path()),
            ));
            let data = info
                .split("Dumping attribute $DATA")
                .nth(1)
                .unwrap_or_else(|| panic!("{name}: {info}"));
            assert!(data.contains(&format!("Data size:\t\t {size} (")), "{name}: {data}");
            assert!(
                data.contains(&format!("Initialized size:\t {size} (")),
                "{name}: {data}"
            );
            let start = offset / self.cluster;
            let run = format!("0x0\t\t\t{:#x}\t\t{:#x}", start, size.div_ceil(self.cluster));
            let squeezed: String = data.split_whitespace().collect::<Vec<_>>().join(" ");
            let wanted = run.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(squeezed.contains(&wanted), "{name}: wanted {wanted} in {squeezed}");
            assert!(offset.is_multiple_of(self.cluster) || name.contains("da392a22"));
        }
    }

    /// What ntfsinfo says.
    pub(crate) fn info(&self, args: &[&str]) -> String {
        text(&output(Command::new("ntfsinfo").arg("-f").args(args).arg(self.path())))
    }

    pub(crate) fn system_files(&self) -> Vec<String> {
        self.mounted(|root| list(&root.join("System Volume Information")))
    }

    pub(crate) fn free_clusters(&self) -> i64 {
        let info = text(&output(Command::new("ntfscluster").args(["-f", "-i"]).arg(self.path())));
        let line = info
            .lines()
            .find(|line| line.starts_with("clusters of free space"))
            .unwrap();
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }
}

/// Mounts `image` on `mount` with ntfs-3g, does `work`, unmounts.
pub(crate) fn mounted<T>(image: &Path, mount: &Path, work: impl FnOnce(&Path) -> T) -> T {
    use std::os::unix::fs::MetadataExt;
    // In the foreground it ends when all is written; the child must be awaited.
    let own = fs::metadata(mount).unwrap().dev();
    let mut child = Command::new("ntfs-3g")
        .stderr(std::process::Stdio::null())
        .args(["-o", "no_detach"])
        .arg(image)
        .arg(mount)
        .spawn()
        .unwrap();
    while fs::metadata(mount).unwrap().dev() == own {
        assert!(child.try_wait().unwrap().is_none(), "ntfs-3g does not mount it");
        std::thread::yield_now();
    }
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(mount)));
    // Lazily: a child of another test may hold a descriptor for a moment.
    run(Command::new("umount").arg("-l").arg(mount));
    assert!(child.wait().unwrap().success());
    result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn list(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn run(command: &mut Command) {
    let done = output(command);
    assert!(done.status.success(), "{command:?}: {}", text(&done));
}

fn output(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

fn text(done: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    )
}

/// Writes `count` files of various sizes into `dir`, gives their hashes.
pub(crate) fn populate(dir: &Path, count: usize) -> Vec<(String, String)> {
    for number in 0..count {
        // Names before and after "System Volume Information".
        let name = format!(
            "{}{number:05} a name of some length.txt",
            ["a", "S", "t", "SYSTEM", "Ü"][number % 5]
        );
        let content = format!("{number} ").repeat(if count > 1000 { 10 } else { number * 37 % 5000 });
        fs::write(dir.join(name), content).unwrap();
    }
    hashes(dir)
}

/// Path and SHA-256 of all files but those in `System Volume Information`.
pub(crate) fn hashes(root: &Path) -> Vec<(String, String)> {
    let mut all = hashes_of_all(root);
    all.retain(|(path, _)| !path.starts_with("/System Volume Information"));
    all
}

pub(crate) fn hashes_of_all(root: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut dirs = vec![root.to_path_buf()];
    while let Some(dir) = dirs.pop() {
        for name in list(&dir) {
            let path = dir.join(name);
            if path.is_dir() {
                dirs.push(path);
            } else {
                let hash = Sha256::digest(fs::read(&path).unwrap());
                found.push((
                    path.to_str().unwrap()[root.to_str().unwrap().len()..].to_owned(),
                    format!("{hash:x}"),
                ));
            }
        }
    }
    found.sort();
    found
}

/// Fills the volume until not one byte more is taken.
pub(crate) fn fill(root: &Path) {
    for (number, size) in [1 << 20, 65536, 4096, 512, 1].into_iter().enumerate() {
        for piece in 0.. {
            let Ok(mut file) = File::create(root.join(format!("fill {number} {piece}"))) else {
                break;
            };
            let mut written = 0;
            while written < 16 << 20 && file.write_all(&vec![0xEE; size]).is_ok() {
                written += size;
            }
            if written < 16 << 20 {
                break;
            }
        }
    }
}

/// Fills the volume, then frees single clusters all over it.
pub(crate) fn fragment(root: &Path) {
    let mut number = 0;
    while fs::write(root.join(format!("piece {number:05}")), [0xEE; 4096]).is_ok() {
        number += 1;
    }
    for even in (0..number).step_by(2) {
        fs::remove_file(root.join(format!("piece {even:05}"))).unwrap();
    }
}

/// Breaks $MFT into so many pieces that it needs an attribute list; with `room`
/// there is free space and unused records afterwards.
pub(crate) fn fragment_mft(root: &Path, room: bool) {
    fs::write(root.join("piece of some size"), vec![0; 4 << 20]).unwrap();
    fragment(root);
    let mut number = 0;
    while fs::write(root.join(format!("small {number:05}")), [0xDD; 100]).is_ok() {
        number += 1;
    }
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name == "piece of some size" || (room && name.starts_with("small") && name.ends_with('7')) {
            fs::remove_file(path).unwrap();
        }
    }
}

const METADATA_PATTERN: u8 = 0xA5;

fn ranges(regions: &Regions) -> Vec<(u64, u64)> {
    let mut ranges: Vec<_> = regions
        .metadata
        .iter()
        .map(|&start| (start, REQUEST.metadata_len))
        .collect();
    ranges.extend([
        (regions.header, REQUEST.header_len),
        (regions.ice, REQUEST.ice_len),
        (regions.log, REQUEST.log_len),
    ]);
    ranges
}

pub(crate) fn plant_patterns(volume: &Volume, regions: &Regions) {
    let file = File::options().write(true).open(volume.path()).unwrap();
    for (number, (start, len)) in ranges(regions).into_iter().enumerate() {
        file.write_all_at(&vec![METADATA_PATTERN ^ number as u8; len as usize], start)
            .unwrap();
    }
}

pub(crate) fn assert_regions_untouched(volume: &Volume, regions: &Regions) {
    let file = File::open(volume.path()).unwrap();
    for (number, (start, len)) in ranges(regions).into_iter().enumerate() {
        let mut content = vec![0; len as usize];
        file.read_exact_at(&mut content, start).unwrap();
        assert!(
            content.iter().all(|&byte| byte == METADATA_PATTERN ^ number as u8),
            "region at {start} was written to"
        );
    }
}

/// Gives a file on a mounted volume a short name besides its long one.
pub(crate) fn set_short_name(path: &Path, name: &str) {
    let set = "import os, sys; os.setxattr(sys.argv[1], b'system.ntfs_dos_name', sys.argv[2].encode())";
    run(Command::new("python3").args(["-c", set]).arg(path).arg(name));
}

/// Whether ntfs-3g mounts a volume for writing when it may not empty an open journal first.
pub(crate) fn mounts(volume: &Volume) -> bool {
    let mount = volume.dir.path().join("mount");
    fs::create_dir_all(&mount).unwrap();
    let tried = output(
        Command::new("ntfs-3g")
            .args(["-o", "rw,norecover"])
            .arg(volume.path())
            .arg(&mount),
    );
    if !tried.status.success() {
        return false;
    }
    let writable = fs::write(mount.join("probe"), "x").is_ok();
    run(Command::new("umount").arg(&mount));
    writable
}

/// Sets the dirty flag in `$Volume`.
pub(crate) fn set_dirty(volume: &Volume) {
    let mut image = fs::read(volume.path()).unwrap();
    // $VOLUME_INFORMATION: 8 zero bytes, version 3.1, flags; its header says type 0x70.
    let head = [0x70, 0, 0, 0, 0x28, 0, 0, 0];
    let places: Vec<usize> = image
        .windows(8)
        .enumerate()
        .filter(|(_, window)| *window == head)
        .map(|(at, _)| at)
        .collect();
    assert!(!places.is_empty());
    for at in places {
        image[at + 24 + 10] |= 1;
    }
    fs::write(volume.path(), image).unwrap();
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

    pub(crate) fn left(&self) -> usize {
        self.left.load(Ordering::SeqCst)
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
        if self
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
            .is_err()
        {
            return Err(io::Error::other("the power failed"));
        }
        self.inner.write_at(offset, data)
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Lets a directory compress what is put into it. Returns silently where the driver was built without.
pub(crate) fn compress(folder: &Path) {
    let set = "import os, sys, struct; os.setxattr(sys.argv[1], b'system.ntfs_attrib', struct.pack('<I', 0x810))";
    run(Command::new("python3").args(["-c", set]).arg(folder));
}

/// A named stream, as an extended attribute of the driver.
pub(crate) fn add_stream(file: &Path, name: &str, content: &[u8]) {
    let source = file.with_extension("stream");
    fs::write(&source, content).unwrap();
    let set =
        "import os, sys; os.setxattr(sys.argv[1], b'user.' + sys.argv[2].encode(), open(sys.argv[3], 'rb').read())";
    run(Command::new("python3")
        .args(["-c", set])
        .arg(file)
        .arg(name)
        .arg(&source));
    fs::remove_file(&source).unwrap();
}

/// Fills with pieces of various sizes that are full of themselves, and deletes every second one of those that
/// follow each other on the volume. Gives the hashes of what stays.
pub(crate) fn shred(volume: &Volume, sizes: &[usize]) -> Vec<(String, String)> {
    volume.mounted(|root| {
        let pieces = root.join("pieces");
        fs::create_dir(&pieces).unwrap();
        let mut rest = File::create(root.join("rest")).unwrap();
        let mut number = 0_usize;
        loop {
            let content: Vec<u8> = (0..sizes[number % sizes.len()])
                .map(|at| (at * 7 + number * 13) as u8)
                .collect();
            if fs::write(pieces.join(format!("piece {number:05}")), content).is_err() {
                break;
            }
            number += 1;
        }
        while rest.write_all(&[0x55; 4096]).is_ok() {}
    });
    let mut names = check::by_place(&fs::read(volume.path()).unwrap());
    names.retain(|name| name.starts_with("piece "));
    volume.mounted(|root| {
        for name in names.iter().step_by(2) {
            fs::remove_file(root.join("pieces").join(name)).unwrap();
        }
        hashes(root)
    })
}
