//! The two things every change needs from outside: the time and fresh randomness.

use rand_core::CryptoRng;

use crate::time::FileTime;

/// What an operation that writes needs from its caller.
pub struct Context<'a> {
    /// The present, for creation times and nonces.
    pub now: FileTime,
    /// Keys, salts and identifiers are drawn from here.
    pub rng: &'a mut dyn CryptoRng,
}

impl std::fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

impl Context<'_> {
    /// Draws `N` random bytes.
    pub(crate) fn random<const N: usize>(&mut self) -> zeroize::Zeroizing<[u8; N]> {
        let mut bytes = zeroize::Zeroizing::new([0; N]);
        self.rng.fill_bytes(bytes.as_mut_slice());
        bytes
    }
}
