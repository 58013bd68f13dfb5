//! Every kernel that this processor runs, against the portable one and against the standards' vectors.

use aes::cipher::{BlockEncrypt, KeyInit};
use proptest::prelude::*;

use super::Kernel;
use crate::crypto::sector::SectorCipher;
use crate::format::EncryptionMethod;

const METHODS: [EncryptionMethod; 6] = [
    EncryptionMethod::AesXts128,
    EncryptionMethod::AesXts256,
    EncryptionMethod::AesCbc128,
    EncryptionMethod::AesCbc256,
    EncryptionMethod::AesCbc128Elephant,
    EncryptionMethod::AesCbc256Elephant,
];

fn available() -> Vec<Kernel> {
    Kernel::ALL.into_iter().filter(|kernel| kernel.is_available()).collect()
}

fn cipher(kernel: Kernel, method: EncryptionMethod, fvek: &[u8], size: u32) -> SectorCipher {
    SectorCipher::with_kernel(kernel, method, fvek, size).unwrap()
}

/// Bytes that repeat nowhere soon, so that a lane in the wrong place shows.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed | 1;
    (0..len)
        .map(|_| {
            state = state
                .wrapping_mul(0x5851_F42D_4C95_7F2D)
                .wrapping_add(0x1405_7B7E_F767_814F);
            state.to_le_bytes()[7]
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_kernel_gives_the_bytes_of_the_portable_one(
        method in proptest::sample::select(METHODS.to_vec()),
        size in proptest::sample::select(vec![512_u32, 4096]),
        key in any::<[u8; 64]>(),
        first in prop_oneof![0..1_u64 << 20, (1_u64 << 40)..(1 << 43), Just(u64::MAX / 4096 - 100)],
        sectors in 0..75_usize,
        seed in any::<u64>(),
    ) {
        let fvek = &key[..method.key_len()];
        let offset = first * u64::from(size);
        let original = noise(seed, sectors * size as usize);
        let portable = cipher(Kernel::Portable, method, fvek, size);
        let (mut up, mut down) = (original.clone(), original.clone());
        portable.encrypt(offset, &mut up);
        portable.decrypt(offset, &mut down);
        for kernel in available() {
            let other = cipher(kernel, method, fvek, size);
            let mut data = original.clone();
            other.encrypt(offset, &mut data);
            prop_assert!(data == up, "{kernel:?} encrypts {method:?} differently");
            other.decrypt(offset, &mut data);
            prop_assert!(data == original, "{kernel:?} does not undo {method:?}");
            other.decrypt(offset, &mut data);
            prop_assert!(data == down, "{kernel:?} decrypts {method:?} differently");
        }
    }
}

#[test]
fn a_sector_comes_out_the_same_alone_and_among_others() {
    for (method, size) in METHODS.into_iter().flat_map(|method| [(method, 512), (method, 4096)]) {
        let fvek = noise(3, method.key_len());
        for kernel in available() {
            let cipher = cipher(kernel, method, &fvek, size);
            let mut together = noise(5, 70 * size as usize);
            let mut alone = together.clone();
            cipher.encrypt(7 * u64::from(size), &mut together);
            for (number, sector) in (7..).zip(alone.chunks_mut(size as usize)) {
                cipher.encrypt(number * u64::from(size), sector);
            }
            assert!(together == alone, "{kernel:?} {method:?} {size}");
        }
    }
}

/// IEEE 1619-2007, annex B: key, second key, number of the data unit, its length, how the ciphertext begins and ends.
const XTS_VECTORS: [(&str, &str, u64, Plain, &str, &str); 6] = [
    (
        "00000000000000000000000000000000",
        "00000000000000000000000000000000",
        0,
        Plain::Repeated(0, 32),
        "917cf69ebd68b2ec9b9fe9a3eadda692cd43d2f59598ed858c02c2652fbf922e",
        "",
    ),
    (
        "11111111111111111111111111111111",
        "22222222222222222222222222222222",
        0x33_3333_3333,
        Plain::Repeated(0x44, 32),
        "c454185e6a16936e39334038acef838bfb186fff7480adc4289382ecd6d394f0",
        "",
    ),
    (
        "fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0",
        "22222222222222222222222222222222",
        0x33_3333_3333,
        Plain::Repeated(0x44, 32),
        "af85336b597afc1a900b2eb21ec949d292df4c047e0b21532186a5971a227a89",
        "",
    ),
    (
        "27182818284590452353602874713526",
        "31415926535897932384626433832795",
        0,
        Plain::Counting,
        "27a7479befa1d476489f308cd4cfa6e2a96e4bbe3208ff25287dd3819616e89c",
        "3ff262735779a418f20a282df920147beabe421ee5319d0568",
    ),
    (
        "2718281828459045235360287471352662497757247093699959574966967627",
        "3141592653589793238462643383279502884197169399375105820974944592",
        0xFF,
        Plain::Counting,
        "1c3b3a102f770386e4836c99e370cf9bea00803f5e482357a4ae12d414a3e63b",
        "",
    ),
    (
        "2718281828459045235360287471352662497757247093699959574966967627",
        "3141592653589793238462643383279502884197169399375105820974944592",
        0xFFFF,
        Plain::Counting,
        "77a31251618a15e6b92d1d66dffe7b50b50bad552305ba0217a610688eff7e11",
        "",
    ),
];

#[derive(Clone, Copy)]
enum Plain {
    Repeated(u8, usize),
    /// 512 bytes: 0 to 255, twice.
    Counting,
}

#[test]
fn every_kernel_gives_the_vectors_of_ieee_1619() {
    for (key, second, number, plain, begins, ends) in XTS_VECTORS {
        let fvek = hex::decode(format!("{key}{second}")).unwrap();
        let method = if fvek.len() == 32 {
            EncryptionMethod::AesXts128
        } else {
            EncryptionMethod::AesXts256
        };
        let plain: Vec<u8> = match plain {
            Plain::Repeated(byte, len) => vec![byte; len],
            Plain::Counting => (0..512_u16).map(|i| i.to_le_bytes()[0]).collect(),
        };
        let size = u32::try_from(plain.len()).unwrap();
        for kernel in available() {
            let cipher = cipher(kernel, method, &fvek, size);
            let mut data = plain.clone();
            cipher.encrypt(number * u64::from(size), &mut data);
            let text = hex::encode(&data);
            assert!(
                text.starts_with(begins) && text.ends_with(ends),
                "{kernel:?} {number} {text}"
            );
            cipher.decrypt(number * u64::from(size), &mut data);
            assert_eq!(data, plain, "{kernel:?}");
        }
    }
}

/// SP 800-38A, F.2.1 and F.2.5.
const CBC_VECTORS: [(&str, &str); 2] = [
    (
        "2b7e151628aed2a6abf7158809cf4f3c",
        "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2\
         73bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7",
    ),
    (
        "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
        "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d\
         39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b",
    ),
];
const CBC_PLAIN: &str = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51\
                         30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710";
const CBC_START: u128 = 0x0001_0203_0405_0607_0809_0a0b_0c0d_0e0f;

#[test]
fn every_kernel_gives_the_vectors_of_sp_800_38a() {
    let offset = 64 * 5_u64;
    for (key, ciphertext) in CBC_VECTORS {
        let key = hex::decode(key).unwrap();
        let method = if key.len() == 16 {
            EncryptionMethod::AesCbc128
        } else {
            EncryptionMethod::AesCbc256
        };
        // Our sectors begin with the encrypted offset where the vectors begin with a given block: XORing both in exchanges them.
        let mut own = aes::Block::from(u128::from(offset).to_le_bytes());
        match key.len() {
            16 => aes::Aes128::new_from_slice(&key).unwrap().encrypt_block(&mut own),
            _ => aes::Aes256::new_from_slice(&key).unwrap().encrypt_block(&mut own),
        }
        let mut plain = hex::decode(CBC_PLAIN).unwrap();
        for ((byte, own), given) in plain.iter_mut().zip(own).zip(CBC_START.to_be_bytes()) {
            *byte ^= own ^ given;
        }
        for kernel in available() {
            let cipher = cipher(kernel, method, &key, 64);
            let mut data = plain.clone();
            cipher.encrypt(offset, &mut data);
            assert_eq!(hex::encode(&data), ciphertext, "{kernel:?}");
            cipher.decrypt(offset, &mut data);
            assert_eq!(data, plain, "{kernel:?}");
        }
    }
}

#[test]
fn a_key_of_the_wrong_length_is_no_key() {
    for (kernel, method) in available().into_iter().flat_map(|k| METHODS.map(|m| (k, m))) {
        for len in (0..80).filter(|&len| len != method.key_len()) {
            assert!(SectorCipher::with_kernel(kernel, method, &vec![0; len], 512).is_none());
        }
    }
}
