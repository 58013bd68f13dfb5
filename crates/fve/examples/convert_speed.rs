//! In-place encryption against rewriting the same file in place with the same number of syncs.
//!
//! `convert_speed FILE MIB`: makes FILE, encrypts it, rewrites it, and prints both rates and their ratio.

#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
#![expect(clippy::disallowed_macros, reason = "a measurement prints what it found")]

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use fve::inner::Regions;
use fve::io::{FileDevice, ReadAt, WriteAt};
use fve::{Context, ConversionMode, FileTime, InitOptions, Placement, initialise};
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha20Rng;

const MIB: u64 = 1 << 20;

/// Counts syncs.
struct Counting {
    file: FileDevice,
    syncs: AtomicU64,
}

impl ReadAt for Counting {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.file.read_at(offset, buf)
    }
    fn size(&self) -> u64 {
        self.file.size()
    }
}

impl WriteAt for Counting {
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write_at(offset, data)
    }
    fn flush(&self) -> io::Result<()> {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        self.file.flush()
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let path = args.next().ok_or("usage: convert_speed FILE MIB")?;
    let mib: u64 = args.next().unwrap_or_else(|| "1024".to_owned()).parse()?;
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    std::fs::File::create(&path)?.set_len(mib * MIB)?;
    let file = FileDevice::open_write(&path)?;
    let mut piece = vec![0; MIB as usize];
    for at in 0..mib {
        rng.fill_bytes(&mut piece);
        file.write_at(at * MIB, &piece)?;
    }
    file.flush()?;
    let device = Counting {
        file,
        syncs: AtomicU64::new(0),
    };
    let regions = Regions {
        metadata: [5 * MIB, 7 * MIB, 9 * MIB],
        header: 8 * MIB,
        ice: 8 * MIB + 8192,
        log: 10 * MIB,
    };
    let options = InitOptions {
        placement: Placement::At {
            regions,
            sector_size: 512,
            log_len: 4096 + 16 * (4096 + (2 << 20)),
        },
        ..InitOptions::default()
    };
    let mut ctx = Context {
        now: FileTime(133_500_000_000_000_000),
        rng: &mut rng,
    };
    let volume = initialise(device, &options, &mut ctx)?;
    for round in 0..2 {
        volume.device().syncs.store(0, Ordering::Relaxed);
        let start = Instant::now();
        if round == 0 {
            volume.begin_encryption(&mut ctx, ConversionMode::Full)?;
        } else {
            volume.begin_decryption(&mut ctx)?;
        }
        while !volume.convert_step(&mut ctx)?.finished {}
        let convert = start.elapsed().as_secs_f64();
        let syncs = volume.device().syncs.load(Ordering::Relaxed);
        let rewrite = rewrite(&volume.device().file, syncs)?;
        let rate = |seconds: f64| mib as f64 * 1.048_576 / seconds;
        println!(
            "{} {:.0} MB/s, rewriting {:.0} MB/s, {syncs} syncs each, ratio {:.2}",
            ["encrypting", "decrypting"][round],
            rate(convert),
            rate(rewrite),
            rewrite / convert
        );
    }
    std::fs::remove_file(&path)?;
    Ok(())
}

/// Reads and writes back every chunk, with `syncs` syncs on the way. Seconds.
fn rewrite(file: &FileDevice, syncs: u64) -> io::Result<f64> {
    let size = file.size();
    let chunk = size.div_ceil(syncs).next_multiple_of(4096);
    let mut buffer = vec![0; usize::try_from(chunk).map_err(io::Error::other)?];
    let start = Instant::now();
    let mut at = 0;
    while at < size {
        let len = usize::try_from(chunk.min(size - at)).map_err(io::Error::other)?;
        file.read_at(at, &mut buffer[..len])?;
        file.write_at(at, &buffer[..len])?;
        file.flush()?;
        at += chunk;
    }
    Ok(start.elapsed().as_secs_f64())
}
