//! Encrypting in place, journal included, against reading and rewriting the same file in place in the same pieces, with as
//! many syncs.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fve::io::{FileDevice, ReadAt, WriteAt};
use fve::{Context, ConversionMode, InitOptions, initialise};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use crate::clock::{in_turns, time};
use crate::ground::{NOW, folder, plain_ntfs, read_through, settle};
use crate::table::{Row, Target};

/// A file that counts.
struct Counting {
    inner: FileDevice,
    syncs: AtomicU64,
    largest: AtomicU64,
}

impl ReadAt for Counting {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.inner.read_at(offset, buf)
    }

    fn size(&self) -> u64 {
        self.inner.size()
    }
}

impl WriteAt for Counting {
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.largest.fetch_max(data.len() as u64, Ordering::Relaxed);
        self.inner.write_at(offset, data)
    }

    fn flush(&self) -> io::Result<()> {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        self.inner.flush()
    }
}

pub(crate) fn rows(mib: u64, runs: usize) -> Vec<Row> {
    eprintln!("Encrypting {mib} MiB in place");
    let folder = folder();
    let (plain, image) = (folder.path().join("plain.img"), folder.path().join("volume.img"));
    plain_ntfs(&plain, mib);
    // What the last run of ours did; the peer comes after it.
    let (syncs, piece) = (AtomicU64::new(0), AtomicU64::new(0));
    let ours = || {
        fresh(&plain, &image);
        let (taken, counted) = encrypt(&image);
        syncs.store(counted.0, Ordering::Relaxed);
        piece.store(counted.1, Ordering::Relaxed);
        taken
    };
    let peer = || {
        fresh(&plain, &image);
        rewrite(&image, syncs.load(Ordering::Relaxed), piece.load(Ordering::Relaxed))
    };
    let both = in_turns(runs, ours, peer);
    let name = format!(
        "encryption in place / rewriting in place ({} syncs, pieces of {} KiB)",
        syncs.load(Ordering::Relaxed),
        piece.load(Ordering::Relaxed) >> 10
    );
    vec![Row::speeds(&name, mib << 20, both, Target::AtLeast(0.5))]
}

/// The plain volume once more, every block of it allocated, on the disk and in the page cache.
fn fresh(plain: &Path, image: &Path) {
    let (from, to) = (File::open(plain).unwrap(), File::create(image).unwrap());
    let size = from.metadata().unwrap().len();
    let mut buffer = vec![0; 1 << 20];
    for offset in (0..size).step_by(buffer.len()) {
        from.read_exact_at(&mut buffer, offset).unwrap();
        to.write_all_at(&buffer, offset).unwrap();
    }
    to.sync_all().unwrap();
    settle();
    read_through(image);
}

/// The time of the conversion itself, and its syncs and largest piece.
fn encrypt(image: &Path) -> (Duration, (u64, u64)) {
    let mut ctx = Context {
        now: NOW,
        rng: &mut ChaCha8Rng::seed_from_u64(2),
    };
    let device = Counting {
        inner: FileDevice::open_write(image).unwrap(),
        syncs: AtomicU64::new(0),
        largest: AtomicU64::new(0),
    };
    let volume = initialise(device, &InitOptions::default(), &mut ctx).unwrap();
    volume.device().flush().unwrap();
    volume.device().syncs.store(0, Ordering::Relaxed);
    let taken = time(|| {
        volume.begin_encryption(&mut ctx, ConversionMode::Full).unwrap();
        while !volume.convert_step(&mut ctx).unwrap().finished {}
    });
    let device = volume.device();
    (
        taken,
        (
            device.syncs.load(Ordering::Relaxed),
            device.largest.load(Ordering::Relaxed),
        ),
    )
}

fn rewrite(image: &Path, syncs: u64, piece: u64) -> Duration {
    let file = File::options().read(true).write(true).open(image).unwrap();
    let size = file.metadata().unwrap().len();
    let mut buffer = vec![0; usize::try_from(piece).unwrap()];
    let pieces = size.div_ceil(piece);
    time(|| {
        let mut synced = 0;
        for index in 0..pieces {
            let offset = index * piece;
            let len = usize::try_from(piece.min(size - offset)).unwrap();
            file.read_exact_at(&mut buffer[..len], offset).unwrap();
            file.write_all_at(&buffer[..len], offset).unwrap();
            while synced < syncs * (index + 1) / pieces {
                file.sync_data().unwrap();
                synced += 1;
            }
        }
    })
}
