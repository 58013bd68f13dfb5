//! For benchmarks: the kernels one by one. Not part of the interface that programs build on.

pub use crate::crypto::kernels::Kernel;
use crate::crypto::sector::SectorCipher;
pub use crate::crypto::stretch::Engine;
use crate::crypto::stretch::{self, Job};
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

/// Stretches so many first hashes with salts, all different, for so many rounds; the first bytes of the results, so that
/// nothing is optimised away. `None` for the engine is whatever is fastest.
#[must_use]
pub fn stretch(engine: Option<Engine>, count: u8, rounds: u32) -> Option<Vec<u32>> {
    let jobs: Vec<Job> = (0..count)
        .map(|number| Job::new(&[number; 32], &[number ^ 0xA5; 16]))
        .collect();
    let results = match engine {
        Some(engine) => engine.run(&jobs, rounds)?,
        None => stretch::run(&jobs, rounds),
    };
    Some(results.iter().map(|words| words[0]).collect())
}
