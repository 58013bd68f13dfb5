//! The kernels against the best code at hand, in the same process: OpenSSL's AES, and one lane of SHA-256.
//!
//! `cargo bench -p fve --bench kernels` prints a line `ratio <name> <value> (<figures>; target <at least>)` for each. A figure is
//! the best of many short runs, so that other work on the machine disturbs it little.

#![expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
#![expect(clippy::disallowed_macros, reason = "a benchmark prints what it measured")]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot prepare has to fail")]

use std::hint::black_box;
use std::time::Instant;

use fve::EncryptionMethod::{self, AesCbc128, AesCbc256, AesXts128, AesXts256};
use fve::measure::{Engine, Kernel, Sectors, stretch};
use openssl::symm::{Cipher, Mode};
use sha2::{Digest, Sha256};

/// Bytes that one run works on: they stay in the cache, so that the kernel is measured and not the memory.
const LEN: usize = 1 << 16;
const RUNS: usize = 300;
/// Rounds of a stretch that one run does; the whole has 2^20, but a short run is disturbed less.
const ROUNDS: u32 = 1 << 11;

fn main() {
    // `cargo test --benches` and `cargo bench` pass arguments of their own; only the latter asks for figures.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    println!("kernels of this processor, fastest first:");
    for method in [AesXts128, AesXts256, AesCbc128, AesCbc256] {
        for size in [512, 4096] {
            for mode in [Mode::Encrypt, Mode::Decrypt] {
                sectors(method, size, mode);
            }
        }
    }
    stretches();
}

fn best(mut run: impl FnMut()) -> f64 {
    let time = |_| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64()
    };
    (0..RUNS).map(time).fold(f64::INFINITY, f64::min)
}

fn sectors(method: EncryptionMethod, size: u32, mode: Mode) {
    let key: Vec<u8> = (0..64)
        .map(|i: u8| i.wrapping_mul(37) ^ 0x5A)
        .take(method.key_len())
        .collect();
    let encrypts = matches!(mode, Mode::Encrypt);
    let direction = if encrypts { "encrypt" } else { "decrypt" };
    // OpenSSL wants room for a block more than it writes.
    let mut data = vec![7; LEN + 16];
    let (mut ours_result, mut theirs_result) = (vec![7; LEN], data.clone());
    let mut library = OpenSsl::new(method, mode, &key);
    library.run(size, &mut theirs_result);
    let theirs = best(|| library.run(size, black_box(&mut data)));
    for kernel in Kernel::ALL {
        let Some(sectors) = Sectors::new(kernel, method, &key, size) else {
            continue;
        };
        let run = |data: &mut [u8]| match encrypts {
            true => sectors.encrypt(0, data),
            false => sectors.decrypt(0, data),
        };
        ours_result.fill(7);
        run(&mut ours_result);
        assert!(
            ours_result == theirs_result[..LEN],
            "{kernel:?} {method:?} differs from OpenSSL"
        );
        let ours = best(|| run(black_box(&mut data[..LEN])));
        let rate = |time: f64| LEN as f64 / time / 1e9;
        println!(
            "ratio {method:?}-{size}-{direction}-{kernel:?} {:.2} ({:.2} of OpenSSL's {:.2} GB/s)",
            theirs / ours,
            rate(ours),
            rate(theirs)
        );
    }
}

/// The same sectors by OpenSSL: one context, reset to each sector's tweak or initialisation vector as its users do.
struct OpenSsl {
    data: openssl::cipher_ctx::CipherCtx,
    vectors: Option<openssl::cipher_ctx::CipherCtx>,
    encrypts: bool,
}

impl OpenSsl {
    fn new(method: EncryptionMethod, mode: Mode, key: &[u8]) -> Self {
        let (cipher, ecb) = match method {
            AesXts128 => (Cipher::aes_128_xts(), None),
            AesXts256 => (Cipher::aes_256_xts(), None),
            AesCbc128 => (Cipher::aes_128_cbc(), Some(Cipher::aes_128_ecb())),
            _ => (Cipher::aes_256_cbc(), Some(Cipher::aes_256_ecb())),
        };
        let kind = |cipher: Cipher| openssl::cipher::Cipher::from_nid(cipher.nid()).unwrap();
        let encrypts = matches!(mode, Mode::Encrypt);
        let mut data = openssl::cipher_ctx::CipherCtx::new().unwrap();
        match encrypts {
            true => data.encrypt_init(Some(kind(cipher)), Some(key), None).unwrap(),
            false => data.decrypt_init(Some(kind(cipher)), Some(key), None).unwrap(),
        }
        data.set_padding(false);
        let vectors = ecb.map(|cipher| {
            let mut context = openssl::cipher_ctx::CipherCtx::new().unwrap();
            context.encrypt_init(Some(kind(cipher)), Some(key), None).unwrap();
            context.set_padding(false);
            context
        });
        Self {
            data,
            vectors,
            encrypts,
        }
    }

    /// All sectors of the first `LEN` bytes.
    fn run(&mut self, size: u32, data: &mut [u8]) {
        let size = size as usize;
        for number in 0..LEN / size {
            self.sector(number as u64, size, &mut data[number * size..][..size + 16]);
        }
    }

    /// The first `size` bytes of `sector`.
    fn sector(&mut self, number: u64, size: usize, sector: &mut [u8]) {
        let mut start = [0; 32];
        match &mut self.vectors {
            None => start[..8].copy_from_slice(&number.to_le_bytes()),
            Some(vectors) => {
                let offset = u128::from(number * size as u64).to_le_bytes();
                vectors.cipher_update(&offset, Some(&mut start)).unwrap();
            }
        }
        let start = Some(&start[..16]);
        match self.encrypts {
            true => self.data.encrypt_init(None, None, start).unwrap(),
            false => self.data.decrypt_init(None, None, start).unwrap(),
        }
        self.data.cipher_update_inplace(sector, size).unwrap();
    }
}

fn stretches() {
    // One SHA-256 of 88 bytes after the other, each over the last: what 2^20 of them cost without any code of ours.
    let hashes = best(|| {
        let mut message = [3; 88];
        for _ in 0..ROUNDS {
            let hash = Sha256::digest(black_box(&message));
            message[..32].copy_from_slice(&hash);
        }
        black_box(message);
    });
    let single = best(|| {
        black_box(stretch(None, 1, ROUNDS));
    });
    let whole = |time: f64| time / f64::from(ROUNDS) * f64::from(1_u32 << 20);
    println!(
        "ratio unlock-cost {:.2} ({:.1} ms against {:.1} ms for 2^20 SHA-256; target at most 1.1)",
        single / hashes,
        1e3 * whole(single),
        1e3 * whole(hashes)
    );
    let fastest = single.min(hashes);
    for count in [2, 8, 16, 64] {
        let time = best(|| {
            black_box(stretch(None, count, ROUNDS));
        });
        report(&format!("proofs-{count}"), count, time, fastest);
    }
    for engine in Engine::ALL.into_iter().filter(|engine| engine.is_available()) {
        let time = best(|| {
            black_box(stretch(Some(engine), 16, ROUNDS));
        });
        report(&format!("proofs-16-{engine:?}"), 16, time, fastest);
    }
}

fn report(name: &str, count: u8, time: f64, single: f64) {
    let each = time / f64::from(count);
    println!(
        "ratio {name} {:.2} (times the rate of the best single lane, one core; target at least 3 from 8 on)",
        single / each
    );
}
