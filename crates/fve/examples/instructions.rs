//! Work whose instructions are counted: `instructions NAME`. `scripts/instruction-counts` runs each under
//! callgrind, which counts inside `measured` only, and compares with the committed counts.

use std::hint::black_box;

use fve::format::read::{read_boot_sector, read_metadata};
use fve::io::{MemoryDevice, ReadAt};
use fve::ntfs::Regions;
use fve::{
    Context, ConversionMode, CreateOptions, Credential, EncryptionMethod, FileTime, Guid, InitOptions, NewProtector,
    Placement, UnlockedVolume, Volume, create, initialise,
};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

const SIZE: usize = 4 << 20;
const NOW: FileTime = FileTime(133_500_000_000_000_000);

/// What is counted. Not inlined, so that callgrind finds it by name.
#[inline(never)]
fn measured<T>(work: impl FnOnce() -> T) -> T {
    black_box(work())
}

fn main() {
    let name = std::env::args().nth(1).unwrap_or_default();
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let ctx = &mut Context {
        now: NOW,
        rng: &mut rng,
    };
    match name.as_str() {
        "boot-sector-read" => {
            let volume = volume(ctx, EncryptionMethod::AesXts128);
            let mut sector = [0; 512];
            volume.device().read_at(0, &mut sector).expect("reads");
            measured(|| read_boot_sector(&sector).expect("sound"));
        }
        "metadata-read" => {
            let area = volume(ctx, EncryptionMethod::AesXts128).metadata_bytes();
            measured(|| read_metadata(&area).expect("sound"));
        }
        "metadata-change" => {
            let volume = volume(ctx, EncryptionMethod::AesXts128);
            measured(|| volume.set_description(ctx, "another").expect("changes"));
        }
        "open-and-unlock" => {
            let volume = volume(ctx, EncryptionMethod::AesXts128);
            let device = volume.into_device();
            measured(|| {
                Volume::open(&device)
                    .and_then(|v| v.unlock(&Credential::ClearKey))
                    .expect("opens")
            });
        }
        "read-xts-128-1-mib" => read(ctx, EncryptionMethod::AesXts128),
        "read-xts-256-1-mib" => read(ctx, EncryptionMethod::AesXts256),
        "read-cbc-128-1-mib" => read(ctx, EncryptionMethod::AesCbc128),
        "encrypt-in-place-4-mib" => {
            let options = InitOptions {
                placement: placement(),
                ..InitOptions::default()
            };
            let volume = initialise(MemoryDevice::new(vec![7; SIZE]), &options, ctx).expect("initialises");
            measured(|| {
                volume.begin_encryption(ctx, ConversionMode::Full).expect("begins");
                while !volume.convert_step(ctx).expect("converts").finished {}
            });
        }
        "guid-text" => {
            let id = Guid::random(ctx.rng);
            measured(|| id.to_string().parse::<Guid>().expect("reads back"));
        }
        other => panic!("no such work: {other}"),
    }
}

fn read(ctx: &mut Context<'_>, method: EncryptionMethod) {
    let volume = volume(ctx, method);
    let mut buffer = vec![0; 1 << 20];
    measured(|| volume.read_at(1 << 20, &mut buffer).expect("reads"));
}

fn volume(ctx: &mut Context<'_>, method: EncryptionMethod) -> UnlockedVolume<MemoryDevice> {
    let options = CreateOptions {
        method,
        description: Some("counted"),
        protectors: &[NewProtector::ClearKey],
        placement: placement(),
        ..CreateOptions::default()
    };
    create(
        MemoryDevice::new(vec![0; SIZE]),
        &MemoryDevice::new(vec![7; SIZE]),
        &options,
        ctx,
    )
    .expect("creates")
}

fn placement() -> Placement {
    let regions = Regions {
        metadata: [0x2_0000, 0x6_0000, 0xA_0000],
        header: 0x8_0000,
        ice: 0x8_2000,
        log: 0x30_0000,
    };
    Placement::At {
        regions,
        sector_size: 512,
        log_len: 0x4_0000,
    }
}
