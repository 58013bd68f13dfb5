//! The kernel for any processor, over the `aes` crate; the others are measured against it.

pub(crate) mod cbc;
pub(crate) mod xts;

use aes::{Aes128, Aes256};
use cipher::KeyInit;

use self::xts::Xts;
use super::elephant;
use crate::format::EncryptionMethod;

/// The keys of a volume.
pub(crate) struct PortableCipher {
    inner: Inner,
    sector_size: usize,
}

enum Inner {
    Xts128(Xts<Aes128>),
    Xts256(Xts<Aes256>),
    Cbc128(Aes128),
    Cbc256(Aes256),
    Elephant128 { data: Aes128, tweak: Aes128 },
    Elephant256 { data: Aes256, tweak: Aes256 },
}

impl PortableCipher {
    /// Takes the full volume encryption key; `None` when its length does not fit the method.
    pub(crate) fn new(method: EncryptionMethod, fvek: &[u8], sector_size: usize) -> Option<Self> {
        if fvek.len() != method.key_len() || sector_size == 0 {
            return None;
        }
        let (low, high) = fvek.split_at(fvek.len() / 2);
        let inner = match method {
            EncryptionMethod::AesXts128 => Inner::Xts128(Xts::new(aes(low)?, aes(high)?)),
            EncryptionMethod::AesXts256 => Inner::Xts256(Xts::new(aes(low)?, aes(high)?)),
            EncryptionMethod::AesCbc128 => Inner::Cbc128(aes(fvek)?),
            EncryptionMethod::AesCbc256 => Inner::Cbc256(aes(fvek)?),
            EncryptionMethod::AesCbc128Elephant => Inner::Elephant128 {
                data: aes(&low[..16])?,
                tweak: aes(&high[..16])?,
            },
            EncryptionMethod::AesCbc256Elephant => Inner::Elephant256 {
                data: aes(low)?,
                tweak: aes(high)?,
            },
        };
        Some(Self { inner, sector_size })
    }

    /// Decrypts whole sectors of which the first lies at byte `offset` of the device.
    pub(crate) fn decrypt(&self, offset: u64, data: &mut [u8]) {
        let size = self.sector_size;
        let sector = offset / size as u64;
        match &self.inner {
            Inner::Xts128(xts) => xts.decrypt(sector, size, data),
            Inner::Xts256(xts) => xts.decrypt(sector, size, data),
            Inner::Cbc128(aes) => cbc::decrypt(aes, offset, size, data),
            Inner::Cbc256(aes) => cbc::decrypt(aes, offset, size, data),
            Inner::Elephant128 { data: aes, tweak } => elephant_decrypt(aes, tweak, offset, size, data),
            Inner::Elephant256 { data: aes, tweak } => elephant_decrypt(aes, tweak, offset, size, data),
        }
    }

    /// Encrypts whole sectors of which the first lies at byte `offset` of the device.
    pub(crate) fn encrypt(&self, offset: u64, data: &mut [u8]) {
        let size = self.sector_size;
        let sector = offset / size as u64;
        match &self.inner {
            Inner::Xts128(xts) => xts.encrypt(sector, size, data),
            Inner::Xts256(xts) => xts.encrypt(sector, size, data),
            Inner::Cbc128(aes) => cbc::encrypt(aes, offset, size, data),
            Inner::Cbc256(aes) => cbc::encrypt(aes, offset, size, data),
            Inner::Elephant128 { data: aes, tweak } => elephant_encrypt(aes, tweak, offset, size, data),
            Inner::Elephant256 { data: aes, tweak } => elephant_encrypt(aes, tweak, offset, size, data),
        }
    }
}

fn aes<C: KeyInit>(key: &[u8]) -> Option<C> {
    C::new_from_slice(key).ok()
}

fn elephant_decrypt<C: cbc::Aes>(aes: &C, tweak: &C, offset: u64, size: usize, data: &mut [u8]) {
    cbc::decrypt(aes, offset, size, data);
    for (at, sector) in (offset..).step_by(size).zip(data.chunks_mut(size)) {
        elephant::undo(sector);
        xor_sector_key(tweak, at, sector);
    }
}

fn elephant_encrypt<C: cbc::Aes>(aes: &C, tweak: &C, offset: u64, size: usize, data: &mut [u8]) {
    for (at, sector) in (offset..).step_by(size).zip(data.chunks_mut(size)) {
        xor_sector_key(tweak, at, sector);
        elephant::apply(sector);
    }
    cbc::encrypt(aes, offset, size, data);
}

fn xor_sector_key(tweak: &impl cbc::Aes, offset: u64, sector: &mut [u8]) {
    let halves = elephant::sector_key_input(offset).map(|block| cbc::encrypted(tweak, block));
    elephant::xor_repeated(&halves, sector);
}
