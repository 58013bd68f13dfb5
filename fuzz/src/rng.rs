//! Randomness that begins with the master key known to all targets, so that a volume
//! made with it has that key.

use rand_chacha::ChaCha8Rng;
use rand_core::{CryptoRng, RngCore, SeedableRng};

/// The first 32 bytes are [`MASTER_KEY`](crate::MASTER_KEY), the rest is a seeded stream.
pub struct Seeded {
    left: usize,
    then: ChaCha8Rng,
}

impl Seeded {
    /// From the beginning.
    #[expect(
        clippy::new_without_default,
        reason = "there is nothing default about a stream's beginning"
    )]
    pub fn new() -> Self {
        Self {
            left: crate::MASTER_KEY.len(),
            then: ChaCha8Rng::seed_from_u64(1),
        }
    }
}

impl RngCore for Seeded {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill_bytes(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        let known = self.left.min(bytes.len());
        bytes[..known].fill(crate::MASTER_KEY[0]);
        self.left -= known;
        self.then.fill_bytes(&mut bytes[known..]);
    }
}

impl CryptoRng for Seeded {}
