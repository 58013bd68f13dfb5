//! The fastest XTS kernel of this processor against OpenSSL's, in the same process, on 512-byte sectors.
//!
//! `cargo bench -p fve --bench kernels` measures every kernel, method and sector size.

use std::hint::black_box;
use std::time::Duration;

use fve::EncryptionMethod::{self, AesXts128, AesXts256};
use fve::measure::{Kernel, Sectors};
use openssl::cipher::{Cipher, CipherRef};
use openssl::cipher_ctx::CipherCtx;

use crate::clock::time;
use crate::table::{Row, Target};

/// Bytes that one run works on: they stay in the cache, so that the kernel is measured and not the memory.
const LEN: usize = 1 << 16;
const SECTOR: usize = 512;
/// Short runs, of which the best counts: other work on the machine disturbs few of them.
const RUNS: usize = 300;

pub(crate) fn rows() -> Vec<Row> {
    eprintln!("Kernels");
    let methods = [
        (AesXts128, "XTS-128", Cipher::aes_128_xts()),
        (AesXts256, "XTS-256", Cipher::aes_256_xts()),
    ];
    let directions = [(true, "encryption"), (false, "decryption")];
    methods
        .into_iter()
        .flat_map(|method| directions.map(|direction| row(method, direction)))
        .collect()
}

fn row((method, name, cipher): (EncryptionMethod, &str, &CipherRef), (encrypts, direction): (bool, &str)) -> Row {
    let key: Vec<u8> = (0..64_u8)
        .map(|i| i.wrapping_mul(37) ^ 0x5A)
        .take(method.key_len())
        .collect();
    let mut fastest = Kernel::ALL
        .into_iter()
        .filter_map(|kernel| Sectors::new(kernel, method, &key, SECTOR as u32));
    let sectors = fastest.next().unwrap();
    let ours = |data: &mut [u8]| match encrypts {
        true => sectors.encrypt(0, data),
        false => sectors.decrypt(0, data),
    };
    let mut context = CipherCtx::new().unwrap();
    match encrypts {
        true => context.encrypt_init(Some(cipher), Some(&key), None).unwrap(),
        false => context.decrypt_init(Some(cipher), Some(&key), None).unwrap(),
    }
    context.set_padding(false);
    let mut theirs = |data: &mut [u8]| {
        for number in 0..LEN / SECTOR {
            let tweak = (number as u128).to_le_bytes();
            match encrypts {
                true => context.encrypt_init(None, None, Some(&tweak)).unwrap(),
                false => context.decrypt_init(None, None, Some(&tweak)).unwrap(),
            }
            // OpenSSL wants room for a block more than it writes.
            let sector = &mut data[number * SECTOR..][..SECTOR + 16];
            context.cipher_update_inplace(sector, SECTOR).unwrap();
        }
    };
    let (mut our_data, mut their_data) = (vec![7; LEN], vec![7; LEN + 16]);
    ours(&mut our_data);
    theirs(&mut their_data);
    assert!(our_data == their_data[..LEN], "{method:?} differs from OpenSSL");
    let times = (
        best(|| ours(black_box(&mut our_data))),
        best(|| theirs(black_box(&mut their_data))),
    );
    let name = format!("{name} {direction}, 512-byte sectors / OpenSSL");
    Row::speeds(&name, LEN as u64, times, Target::AtLeast(1.0))
}

fn best(mut run: impl FnMut()) -> Duration {
    (0..RUNS).map(|_| time(&mut run)).min().unwrap_or_default()
}
