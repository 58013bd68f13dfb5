//! The kernels compiled for each set of instructions, and the choice between them.

use std::arch::x86_64::{__m128i, __m256i, __m512i};

use super::keys::Schedule;
use super::{aes, cbc, diffuser, has_aes_ni, has_vaes256, has_vaes512, xts};
use crate::crypto::elephant;
use crate::crypto::kernels::Kernel;
use crate::format::EncryptionMethod;

/// The keys of a volume and the kernel that uses them.
pub(crate) struct X86Cipher {
    code: Code,
    mode: Mode,
    data: Schedule,
    /// The second key of XTS and of the diffuser; with plain CBC the first one again.
    tweak: Schedule,
    sector_size: usize,
}

/// Exists only where the processor has the instructions: [`X86Cipher::new`] looks.
#[derive(Clone, Copy)]
enum Code {
    Vaes512,
    Vaes256,
    AesNi,
}

#[derive(Clone, Copy)]
enum Mode {
    Xts,
    Cbc,
    Elephant,
}

#[derive(Clone, Copy)]
enum Direction {
    Encrypt,
    Decrypt,
}

impl X86Cipher {
    /// `None` when the processor does not have the kernel's instructions or the key does not fit the method.
    pub(crate) fn new(kernel: Kernel, method: EncryptionMethod, fvek: &[u8], sector_size: usize) -> Option<Self> {
        let code = match kernel {
            Kernel::Vaes512 => has_vaes512().then_some(Code::Vaes512),
            Kernel::Vaes256 => has_vaes256().then_some(Code::Vaes256),
            Kernel::AesNi => has_aes_ni().then_some(Code::AesNi),
            Kernel::Portable => None,
        }?;
        if fvek.len() != method.key_len() || sector_size == 0 {
            return None;
        }
        let (low, high) = fvek.split_at(fvek.len() / 2);
        let (mode, data, tweak) = match method {
            EncryptionMethod::AesXts128 | EncryptionMethod::AesXts256 => (Mode::Xts, low, high),
            EncryptionMethod::AesCbc128 | EncryptionMethod::AesCbc256 => (Mode::Cbc, fvek, fvek),
            EncryptionMethod::AesCbc128Elephant => (Mode::Elephant, &low[..16], &high[..16]),
            EncryptionMethod::AesCbc256Elephant => (Mode::Elephant, low, high),
        };
        // SAFETY: whichever kernel it is, the processor was found to have AES-NI.
        let (data, tweak) = unsafe { (Schedule::new(data)?, Schedule::new(tweak)?) };
        Some(Self {
            code,
            mode,
            data,
            tweak,
            sector_size,
        })
    }

    /// Decrypts whole sectors of which the first lies at byte `offset` of the device.
    pub(crate) fn decrypt(&self, offset: u64, data: &mut [u8]) {
        self.run(Direction::Decrypt, offset, data);
    }

    /// Encrypts whole sectors of which the first lies at byte `offset` of the device.
    pub(crate) fn encrypt(&self, offset: u64, data: &mut [u8]) {
        self.run(Direction::Encrypt, offset, data);
    }

    fn run(&self, direction: Direction, offset: u64, data: &mut [u8]) {
        // SAFETY: a `Code` exists only where the processor has its instructions.
        unsafe {
            match self.code {
                Code::Vaes512 => vaes512(self, direction, offset, data),
                Code::Vaes256 => vaes256(self, direction, offset, data),
                Code::AesNi => aes_ni(self, direction, offset, data),
            }
        }
    }
}

/// One entry for each set of instructions: all that is below is inlined into it.
macro_rules! entry {
    ($name:ident, $features:literal, $vector:ty) => {
        #[target_feature(enable = $features)]
        fn $name(cipher: &X86Cipher, direction: Direction, offset: u64, data: &mut [u8]) {
            // SAFETY: this function runs only where the features are, and they are those of the vector.
            unsafe {
                if cipher.data.rounds == 10 {
                    dispatch::<$vector, 10>(cipher, direction, offset, data);
                } else {
                    dispatch::<$vector, 14>(cipher, direction, offset, data);
                }
            }
        }
    };
}

entry!(
    vaes512,
    "avx512f,avx512bw,avx512vl,avx2,vaes,vpclmulqdq,aes,pclmulqdq,ssse3",
    __m512i
);
entry!(vaes256, "avx2,vaes,vpclmulqdq,aes,pclmulqdq,ssse3", __m256i);
entry!(aes_ni, "aes,pclmulqdq,ssse3", __m128i);

/// # Safety
/// As [`super::vector::Vector`]: the processor has the instructions of `V`.
#[inline(always)]
unsafe fn dispatch<V: super::vector::Vector, const ROUNDS: usize>(
    cipher: &X86Cipher,
    direction: Direction,
    offset: u64,
    data: &mut [u8],
) {
    let (key, size) = (&cipher.data, cipher.sector_size);
    let number = offset / size as u64;
    // SAFETY: the caller vouches for the instructions.
    unsafe {
        match (cipher.mode, direction) {
            (Mode::Xts, Direction::Encrypt) => xts::run::<V, ROUNDS, false>((key, &cipher.tweak), number, size, data),
            (Mode::Xts, Direction::Decrypt) => xts::run::<V, ROUNDS, true>((key, &cipher.tweak), number, size, data),
            (Mode::Cbc, Direction::Encrypt) => cbc::encrypt::<V, ROUNDS>(key, offset, size, data),
            (Mode::Cbc, Direction::Decrypt) => cbc::decrypt::<V, ROUNDS>(key, offset, size, data),
            (Mode::Elephant, Direction::Encrypt) => {
                xor_sector_keys::<V, ROUNDS>(cipher, offset, data);
                diffuser::apply(size, data);
                cbc::encrypt::<V, ROUNDS>(key, offset, size, data);
            }
            (Mode::Elephant, Direction::Decrypt) => {
                cbc::decrypt::<V, ROUNDS>(key, offset, size, data);
                diffuser::undo(size, data);
                xor_sector_keys::<V, ROUNDS>(cipher, offset, data);
            }
        }
    }
}

/// # Safety
/// As [`dispatch`].
#[inline(always)]
unsafe fn xor_sector_keys<V: super::vector::Vector, const ROUNDS: usize>(
    cipher: &X86Cipher,
    offset: u64,
    data: &mut [u8],
) {
    let mut at = offset;
    for sector in data.chunks_mut(cipher.sector_size) {
        let mut halves = elephant::sector_key_input(at);
        // SAFETY: the caller vouches for the instructions.
        unsafe { aes::encrypt_each::<V, ROUNDS>(&cipher.tweak.encrypt, &mut halves) };
        elephant::xor_repeated(&halves, sector);
        at = at.wrapping_add(cipher.sector_size as u64);
    }
}
