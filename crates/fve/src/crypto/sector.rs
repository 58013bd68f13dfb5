//! Encryption of sectors by any of the six methods (BitLocker format notes §7.5).

use aes::{Aes128, Aes256};
use cipher::KeyInit;

use super::xts::Xts;
use super::{cbc, elephant};
use crate::format::EncryptionMethod;

/// Encrypts and decrypts the sectors of one volume.
pub(crate) struct SectorCipher {
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

impl SectorCipher {
    /// Takes the full volume encryption key; `None` when its length does not fit the method.
    pub(crate) fn new(method: EncryptionMethod, fvek: &[u8], sector_size: u32) -> Option<Self> {
        if fvek.len() != method.key_len() {
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
        Some(Self {
            inner,
            sector_size: sector_size as usize,
        })
    }

    /// Decrypts whole sectors of which the first lies at byte `offset` of the device.
    pub(crate) fn decrypt(&self, offset: u64, data: &mut [u8]) {
        let sector = offset / self.sector_size as u64;
        match &self.inner {
            Inner::Xts128(xts) => xts.decrypt(sector, self.sector_size, data),
            Inner::Xts256(xts) => xts.decrypt(sector, self.sector_size, data),
            Inner::Cbc128(aes) => self.each(offset, data, |at, sector| cbc::decrypt(aes, at, sector)),
            Inner::Cbc256(aes) => self.each(offset, data, |at, sector| cbc::decrypt(aes, at, sector)),
            Inner::Elephant128 { data: aes, tweak } => {
                self.each(offset, data, |at, s| elephant_decrypt(aes, tweak, at, s));
            }
            Inner::Elephant256 { data: aes, tweak } => {
                self.each(offset, data, |at, s| elephant_decrypt(aes, tweak, at, s));
            }
        }
    }

    /// Encrypts whole sectors of which the first lies at byte `offset` of the device.
    pub(crate) fn encrypt(&self, offset: u64, data: &mut [u8]) {
        let sector = offset / self.sector_size as u64;
        match &self.inner {
            Inner::Xts128(xts) => xts.encrypt(sector, self.sector_size, data),
            Inner::Xts256(xts) => xts.encrypt(sector, self.sector_size, data),
            Inner::Cbc128(aes) => self.each(offset, data, |at, sector| cbc::encrypt(aes, at, sector)),
            Inner::Cbc256(aes) => self.each(offset, data, |at, sector| cbc::encrypt(aes, at, sector)),
            Inner::Elephant128 { data: aes, tweak } => {
                self.each(offset, data, |at, s| elephant_encrypt(aes, tweak, at, s));
            }
            Inner::Elephant256 { data: aes, tweak } => {
                self.each(offset, data, |at, s| elephant_encrypt(aes, tweak, at, s));
            }
        }
    }

    fn each(&self, offset: u64, data: &mut [u8], change: impl Fn(u64, &mut [u8])) {
        for (at, sector) in (offset..)
            .step_by(self.sector_size)
            .zip(data.chunks_mut(self.sector_size))
        {
            change(at, sector);
        }
    }
}

fn aes<C: KeyInit>(key: &[u8]) -> Option<C> {
    C::new_from_slice(key).ok()
}

fn elephant_decrypt<C: cbc::Aes>(aes: &C, tweak: &C, offset: u64, sector: &mut [u8]) {
    cbc::decrypt(aes, offset, sector);
    elephant::undo(sector);
    elephant::xor_sector_key(tweak, offset, sector);
}

fn elephant_encrypt<C: cbc::Aes>(aes: &C, tweak: &C, offset: u64, sector: &mut [u8]) {
    elephant::xor_sector_key(tweak, offset, sector);
    elephant::apply(sector);
    cbc::encrypt(aes, offset, sector);
}
