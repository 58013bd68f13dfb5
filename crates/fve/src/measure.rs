//! For benchmarks: the kernels one by one. Not part of the interface that programs build on.

pub use crate::crypto::kernels::Kernel;
use crate::crypto::sector::SectorCipher;
use crate::format::EncryptionMethod;

/// The sectors of a volume, encrypted by a kernel of the caller's choice.
pub struct Sectors(SectorCipher);

impl Sectors {
    /// `None` when the key has not the length of the method, or the processor does not run the kernel.
    #[must_use]
    pub fn new(kernel: Kernel, method: EncryptionMethod, fvek: &[u8], sector_size: u32) -> Option<Self> {
        SectorCipher::with_kernel(kernel, method, fvek, sector_size).map(Self)
    }

    /// Encrypts whole sectors of which the first lies at byte `offset`.
    pub fn encrypt(&self, offset: u64, data: &mut [u8]) {
        self.0.encrypt(offset, data);
    }

    /// Decrypts whole sectors of which the first lies at byte `offset`.
    pub fn decrypt(&self, offset: u64, data: &mut [u8]) {
        self.0.decrypt(offset, data);
    }
}
