//! Encryption of sectors by any of the six methods (BitLocker format notes §7.5).

use super::kernels::Kernel;
#[cfg(target_arch = "x86_64")]
use super::kernels::x86::X86Cipher;
use super::portable::PortableCipher;
use crate::format::EncryptionMethod;

/// Encrypts and decrypts the sectors of one volume, by the fastest kernel that this processor runs.
pub(crate) struct SectorCipher(Inner);

enum Inner {
    #[cfg(target_arch = "x86_64")]
    X86(Box<X86Cipher>),
    Portable(Box<PortableCipher>),
}

impl SectorCipher {
    /// Takes the full volume encryption key; `None` when its length does not fit the method.
    pub(crate) fn new(method: EncryptionMethod, fvek: &[u8], sector_size: u32) -> Option<Self> {
        Self::with_kernel(Kernel::best(), method, fvek, sector_size)
    }

    /// With a kernel of the caller's choice; `None` also when this processor does not run it.
    pub(crate) fn with_kernel(kernel: Kernel, method: EncryptionMethod, fvek: &[u8], sector_size: u32) -> Option<Self> {
        let size = sector_size as usize;
        let inner = match kernel {
            Kernel::Portable => Inner::Portable(Box::new(PortableCipher::new(method, fvek, size)?)),
            #[cfg(target_arch = "x86_64")]
            fast => Inner::X86(Box::new(X86Cipher::new(fast, method, fvek, size)?)),
            #[cfg(not(target_arch = "x86_64"))]
            _ => return None,
        };
        Some(Self(inner))
    }

    /// Decrypts whole sectors of which the first lies at byte `offset` of the device.
    pub(crate) fn decrypt(&self, offset: u64, data: &mut [u8]) {
        match &self.0 {
            #[cfg(target_arch = "x86_64")]
            Inner::X86(cipher) => cipher.decrypt(offset, data),
            Inner::Portable(cipher) => cipher.decrypt(offset, data),
        }
    }

    /// Encrypts whole sectors of which the first lies at byte `offset` of the device.
    pub(crate) fn encrypt(&self, offset: u64, data: &mut [u8]) {
        match &self.0 {
            #[cfg(target_arch = "x86_64")]
            Inner::X86(cipher) => cipher.encrypt(offset, data),
            Inner::Portable(cipher) => cipher.encrypt(offset, data),
        }
    }
}
