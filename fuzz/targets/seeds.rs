//! Makes the corpus from volumes of our own: `seeds CORPUS [TARGET:NAME:IMAGE...]`.

use std::path::Path;

use domain::policy::document::Document;
use domain::policy::interchange::{cmdlets, reg, registry_pol};
use fve::io::{ReadAt, WriteAt};
use fve::ntfs::Regions;
use fve::{ConversionMode, CreateOptions, EncryptionMethod, InitOptions, NewProtector, Placement, create, initialise};
use fve_fuzz::device::Sparse;
use fve_fuzz::with_context;
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};

const SIZE: u64 = 3 << 20;

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let corpus = arguments.next().expect("usage: seeds CORPUS [TARGET:NAME:IMAGE...]");
    let corpus = Path::new(&corpus);
    for (name, sector_size) in [("512", 512), ("4096", 4096)] {
        volumes(corpus, name, sector_size)?;
    }
    put(
        corpus,
        "secrets",
        "password",
        b"000011-000022-000033-000044-000055-000066-000077-000088",
    )?;
    put(corpus, "secrets", "guid", b"{5B0F3C1E-9D0A-4B57-8C66-2F7E41A9D5B3}")?;
    put(corpus, "encrypt_on_write", "info", &info())?;
    put(corpus, "encrypt_on_write", "bitmap", &bitmap())?;
    for seed in 0..4 {
        let mut bytes = vec![0; 1500];
        ChaCha8Rng::seed_from_u64(seed).fill_bytes(&mut bytes);
        put(corpus, "datums", &format!("noise-{seed}"), &bytes)?;
    }
    policies(corpus)?;
    for argument in arguments {
        let mut parts = argument.splitn(3, ':');
        let (Some(target), Some(name), Some(image)) = (parts.next(), parts.next(), parts.next()) else {
            panic!("{argument} is not TARGET:NAME:IMAGE");
        };
        let bytes = std::fs::read(image)?;
        let device = Sparse::new(bytes.len() as u64);
        device.write_at(0, &bytes)?;
        put(corpus, target, name, &device.to_patches())?;
    }
    Ok(())
}

/// One document in every format.
fn policies(corpus: &Path) -> std::io::Result<()> {
    let text = include_str!("../../crates/domain/tests/documents/everything.toml");
    let document = Document::read(text).expect("a document of the tests");
    put(corpus, "policy_document", "toml", text.as_bytes())?;
    put(corpus, "policy_document", "json", document.to_json().as_bytes())?;
    put(
        corpus,
        "policy_registry_pol",
        "everything",
        &registry_pol::export(&document).output,
    )?;
    put(corpus, "policy_reg", "everything", &reg::export(&document).output)?;
    put(
        corpus,
        "policy_cmdlets",
        "everything",
        cmdlets::export(&document).output.as_bytes(),
    )
}

/// Encrypt-on-write information for two regions (BitLocker format notes §11).
fn info() -> Vec<u8> {
    let mut bytes = b"FVE-EOW\0".to_vec();
    for field in [56_u16, 72] {
        bytes.extend_from_slice(&field.to_le_bytes());
    }
    for field in [512_u32, 512, 8 << 20, 527_360, 263_168, 2, 0] {
        bytes.extend_from_slice(&field.to_le_bytes());
    }
    for field in [0x1_0000_u64, 0x2_0000, 0x3_0000, 0x4_0000] {
        bytes.extend_from_slice(&field.to_le_bytes());
    }
    bytes
}

/// A bitmap and its two records; the target makes the checksums right.
fn bitmap() -> Vec<u8> {
    let mut bytes = b"FVE-EOWBM\0".to_vec();
    bytes.extend_from_slice(&60_u16.to_le_bytes());
    for field in [1536_u32, 0] {
        bytes.extend_from_slice(&field.to_le_bytes());
    }
    for field in [8192_u64, 1 << 30, 0x5_0000] {
        bytes.extend_from_slice(&field.to_le_bytes());
    }
    for field in [0x200_u32, 0x400, 0x200, 0] {
        bytes.extend_from_slice(&field.to_le_bytes());
    }
    for (end, sequence) in [(512, 1_u64), (1024, 2)] {
        bytes.resize(end, 0);
        bytes.extend_from_slice(b"FVE-EOWBR\0");
        bytes.extend_from_slice(&36_u16.to_le_bytes());
        for field in [512_u32, 128] {
            bytes.extend_from_slice(&field.to_le_bytes());
        }
        bytes.extend_from_slice(&sequence.to_le_bytes());
        bytes.extend_from_slice(&[2, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0x0F]);
    }
    bytes.resize(1536, 0);
    bytes
}

fn placement(sector_size: u32) -> Placement {
    let regions = Regions {
        metadata: [0x2_0000, 0x6_0000, 0xA_0000],
        header: 0x8_0000,
        ice: 0x8_2000,
        log: 0x10_0000,
    };
    Placement::At {
        regions,
        sector_size,
        log_len: 0x2_0000,
    }
}

fn volumes(corpus: &Path, name: &str, sector_size: u32) -> std::io::Result<()> {
    let plain = Sparse::new(SIZE);
    let mut key = None;
    for method in [EncryptionMethod::AesXts128, EncryptionMethod::AesXts256] {
        let options = CreateOptions {
            method,
            description: Some("seed"),
            protectors: &[NewProtector::ClearKey],
            placement: placement(sector_size),
            ..CreateOptions::default()
        };
        let volume = with_context(|ctx| create(Sparse::new(SIZE), &plain, &options, ctx)).expect("creates");
        with_context(|ctx| {
            let id = volume.add_external_key(ctx, None, Some("seed")).expect("adds");
            key = Some(volume.bek(id).expect("reads back").to_bytes());
            volume.add_recovery_password(ctx, None, None).expect("adds");
        });
        let area = volume.metadata_bytes();
        put(
            corpus,
            "metadata",
            &format!("{name}-{method:?}"),
            &area[..area.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1)],
        )?;
        let backup = volume.backup_metadata(fve_fuzz::NOW).expect("reads").to_bytes();
        put(
            corpus,
            "files",
            &format!("backup-{name}-{method:?}"),
            &backup[..backup.len() - 32],
        )?;
        let device = volume.into_device();
        lost(corpus, &format!("{name}-{method:?}"), &area, &device)?;
        whole(corpus, &format!("{name}-{method:?}"), &device)?;
        let mut boot = [0; 512];
        device.read_at(0, &mut boot)?;
        put(corpus, "boot_sector", name, &boot)?;
    }
    if let Some(key) = key {
        put(corpus, "secrets", "bek", &key)?;
    }
    let options = InitOptions {
        placement: placement(sector_size),
        ..InitOptions::default()
    };
    let half = with_context(|ctx| {
        let volume = initialise(Sparse::new(SIZE), &options, ctx).expect("initialises");
        volume.begin_encryption(ctx, ConversionMode::Full).expect("begins");
        volume.convert_step(ctx).expect("converts");
        volume.into_device()
    });
    whole(corpus, &format!("{name}-half"), &half)
}

/// Only the pages that parsers look at: the rest is noise to them.
fn whole(corpus: &Path, name: &str, device: &Sparse) -> std::io::Result<()> {
    let kept = Sparse::new(SIZE);
    for (start, len) in [
        (0, 512),
        (0x2_0000, 4096),
        (0x6_0000, 4096),
        (0xA_0000, 4096),
        (0x10_0000, 0x5000),
    ] {
        let mut bytes = vec![0; len];
        device.read_at(start, &mut bytes)?;
        kept.write_at(start, &bytes)?;
    }
    for (act, how) in [(0, "encrypt"), (2, "decrypt"), (5, "protector")] {
        let mut input = vec![act];
        input.extend(kept.to_patches());
        put(corpus, "volume", &format!("{name}-{how}"), &input)?;
    }
    Ok(())
}

/// A volume that lost its boot sector and two copies, with and without a backup.
fn lost(corpus: &Path, name: &str, area: &[u8], device: &Sparse) -> std::io::Result<()> {
    let kept = Sparse::new(SIZE);
    let mut bytes = vec![0; 4096];
    for start in [0x6_0000, 0x8_0000, 0x8_1000] {
        device.read_at(start, &mut bytes)?;
        kept.write_at(start, &bytes)?;
    }
    let used = area.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    for (how, backup) in [("copy", &area[..0]), ("backup", &area[..used])] {
        let mut input = vec![0];
        input.extend_from_slice(&u16::try_from(backup.len()).expect("fits").to_le_bytes());
        input.extend_from_slice(backup);
        input.extend(kept.to_patches());
        put(corpus, "repair", &format!("{name}-{how}"), &input)?;
    }
    Ok(())
}

fn put(corpus: &Path, target: &str, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    let folder = corpus.join(target);
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join(name), bytes)
}
