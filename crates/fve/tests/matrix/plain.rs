//! Plain NTFS volumes with known content.

use std::path::Path;
use std::process::Command;

use fve::Placement;
use fve::io::{FileDevice, MemoryDevice, ReadAt, WriteAt};
use fve::ntfs::{self, Regions};
use rand::RngCore;
use rand_chacha::ChaCha20Rng;

use crate::SIZE;

/// A real NTFS with files, by the tools of ntfs-3g.
pub(crate) fn ntfs_with_files(path: &Path, sector_size: u32, rng: &mut ChaCha20Rng) -> Vec<(String, Vec<u8>)> {
    std::fs::File::create(path).unwrap().set_len(SIZE).unwrap();
    let sector = sector_size.to_string();
    run(Command::new("mkntfs")
        .args([
            "-F", "-Q", "-q", "-s", &sector, "-c", "4096", "-p", "0", "-H", "0", "-S", "0", "-L", "TEST",
        ])
        .arg(path));
    let source = path.with_extension("file");
    [300, 70_000, 500_000]
        .into_iter()
        .map(|len| {
            let mut content = vec![0; len];
            rng.fill_bytes(&mut content);
            std::fs::write(&source, &content).unwrap();
            let name = format!("file {len}.bin");
            run(Command::new("ntfscp")
                .args(["-f", "-q"])
                .arg(path)
                .arg(&source)
                .arg(&name));
            (name, content)
        })
        .collect()
}

/// Fills what is free with noise; says where.
pub(crate) fn fill_free_space(plain: &Path, rng: &mut ChaCha20Rng) -> Vec<std::ops::Range<u64>> {
    let device = FileDevice::open_write(plain).unwrap();
    let free = gaps(&device);
    for range in &free {
        let mut noise = vec![0; (range.end - range.start) as usize];
        rng.fill_bytes(&mut noise);
        device.write_at(range.start, &noise).unwrap();
    }
    free
}

/// What the new device held before in the places that the file system calls free.
pub(crate) fn lay_old_content(image: &Path, free: &[std::ops::Range<u64>], inner: &MemoryDevice) {
    let device = FileDevice::open_write(image).unwrap();
    for range in free {
        let mut old = vec![0; (range.end - range.start) as usize];
        inner.read_at(range.start, &mut old).unwrap();
        device.write_at(range.start, &old).unwrap();
    }
}

/// Whole free clusters, the last sectors left alone: the file system's second boot sector is there.
fn gaps(device: &dyn ReadAt) -> Vec<std::ops::Range<u64>> {
    let mut used = ntfs::used_extents(device).unwrap();
    used.push(SIZE - 65536..SIZE);
    used.sort_by_key(|range| range.start);
    let mut at = 0;
    let mut gaps = Vec::new();
    for range in used {
        if range.start > at {
            gaps.push(at..range.start);
        }
        at = at.max(range.end);
    }
    gaps
}

/// Places for the regions in free space, one behind the other.
pub(crate) fn free_places(inner: &dyn ReadAt, sector_size: u32) -> Placement {
    const LEN: u64 = 65536 + 8192;
    let places: Vec<_> = gaps(inner)
        .into_iter()
        .flat_map(|gap| (gap.start..gap.end.saturating_sub(LEN)).step_by(LEN as usize))
        .take(4)
        .collect();
    let [first, second, third, header] = places.try_into().unwrap();
    Placement::At {
        regions: Regions {
            metadata: [first, second, third],
            header,
            ice: header + 8192,
            log: 0,
        },
        sector_size,
        log_len: 0,
    }
}

/// The files that went in come out of the plain text.
pub(crate) fn compare_files(plain: &[u8], directory: &Path, files: &[(String, Vec<u8>)]) {
    let image = directory.join("out.img");
    std::fs::write(&image, plain).unwrap();
    for (name, content) in files {
        let output = Command::new("ntfscat")
            .arg("-f")
            .arg(&image)
            .arg(name)
            .output()
            .unwrap();
        assert!(
            output.stdout == *content,
            "{name}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

fn run(command: &mut Command) {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?} does not run: {error}; ./test installs the tools"));
    assert!(
        output.status.success(),
        "{command:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
