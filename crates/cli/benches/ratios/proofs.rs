//! One unlock, and many proofs at once, against the SHA-256 that each of them cannot do without, in one lane.

use std::time::Duration;

use fve::io::MemoryDevice;
use fve::ntfs::Regions;
use fve::{Context, CreateOptions, Credential, NewProtector, Placement, RecoveryPassword, Volume, create, verify_many};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use sha2::digest::generic_array::GenericArray;

use crate::clock::{in_turns, median, time};
use crate::ground::NOW;
use crate::table::{Row, Target};

const ROUNDS: u64 = 1 << 20;
const TOGETHER: usize = 16;
const SIZE: usize = 1 << 20;

pub(crate) fn rows(runs: usize) -> Vec<Row> {
    eprintln!("Unlocking");
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let password = RecoveryPassword::generate(&mut rng);
    let image = volume(&password, &mut rng);
    let metadata = Volume::open(MemoryDevice::new(image.clone())).unwrap().metadata_bytes();
    let unlock = || {
        let device = MemoryDevice::new(image.clone());
        time(|| {
            let volume = Volume::open(device).unwrap();
            volume.unlock(&Credential::RecoveryPassword(&password)).unwrap();
        })
    };
    let (one, hashes) = in_turns(runs.max(5), unlock, sha256);
    let proofs = vec![(metadata.as_slice(), &password); TOGETHER];
    let many = median(
        (0..runs.max(5))
            .map(|_| time(|| assert!(verify_many(&proofs).iter().all(Result::is_ok))))
            .collect(),
    );
    let rate = TOGETHER as f64 / many.as_secs_f64();
    vec![
        Row::times(
            "one unlock / 2^20 SHA-256 in one lane",
            (one, hashes),
            Target::AtMost(1.1),
        ),
        Row::rates(
            &format!("{TOGETHER} proofs at once, each second and core / the same, one by one"),
            (rate, 1.0 / hashes.as_secs_f64()),
            Target::AtLeast(3.0),
        ),
    ]
}

/// The chain of a stretch, by the fastest compression function of the `sha2` crate: two blocks a round.
fn sha256() -> Duration {
    const INITIAL: [u32; 8] = [
        0x6a09_e667,
        0xbb67_ae85,
        0x3c6e_f372,
        0xa54f_f53a,
        0x510e_527f,
        0x9b05_688c,
        0x1f83_d9ab,
        0x5be0_cd19,
    ];
    let mut input = [0_u8; 128];
    input[88] = 0x80;
    input[120..].copy_from_slice(&(88_u64 * 8).to_be_bytes());
    time(|| {
        for round in 0..ROUNDS {
            input[80..88].copy_from_slice(&round.to_le_bytes());
            let (first, second) = input.split_at(64);
            let blocks = [*GenericArray::from_slice(first), *GenericArray::from_slice(second)];
            let mut state = INITIAL;
            sha2::compress256(&mut state, &blocks);
            for (bytes, word) in input.chunks_exact_mut(4).zip(state) {
                bytes.copy_from_slice(&word.to_be_bytes());
            }
        }
        std::hint::black_box(&input);
    })
}

fn volume(password: &RecoveryPassword, rng: &mut ChaCha8Rng) -> Vec<u8> {
    let regions = Regions {
        metadata: [0x1_0000, 0x4_0000, 0x8_0000],
        header: 0x2_0000,
        ice: 0xA_0000,
        log: 0,
    };
    let options = CreateOptions {
        protectors: &[NewProtector::RecoveryPassword(password)],
        placement: Placement::At {
            regions,
            sector_size: 512,
            log_len: 0,
        },
        ..CreateOptions::default()
    };
    let empty = MemoryDevice::new(vec![0; SIZE]);
    let mut ctx = Context { now: NOW, rng };
    create(MemoryDevice::new(vec![0; SIZE]), &empty, &options, &mut ctx)
        .unwrap()
        .into_device()
        .to_vec()
}
