//! Which code encrypts sectors and stretches passwords: the fastest that this processor runs.
//!
//! Everything that is `unsafe` in this crate lies below this module. All kernels give the same bytes as the portable one.

#[cfg_attr(
    not(target_arch = "x86_64"),
    expect(dead_code, reason = "the portable engine leaves the rounds to the sha2 crate")
)]
pub(crate) mod sha;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
pub(crate) mod x86;

/// The ways to encrypt sectors, fastest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// Four blocks to an instruction: VAES with AVX-512.
    Vaes512,
    /// Two blocks to an instruction: VAES with AVX2.
    Vaes256,
    /// One block to an instruction: AES-NI.
    AesNi,
    /// The `aes` crate: any processor.
    Portable,
}

impl Kernel {
    /// All of them, fastest first.
    pub const ALL: [Self; 4] = [Self::Vaes512, Self::Vaes256, Self::AesNi, Self::Portable];

    /// Whether this processor can run it.
    #[must_use]
    pub fn is_available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Vaes512 => x86::has_vaes512(),
            #[cfg(target_arch = "x86_64")]
            Self::Vaes256 => x86::has_vaes256(),
            #[cfg(target_arch = "x86_64")]
            Self::AesNi => x86::has_aes_ni(),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Vaes512 | Self::Vaes256 | Self::AesNi => false,
            Self::Portable => true,
        }
    }

    /// The fastest that this processor can run.
    #[must_use]
    pub fn best() -> Self {
        Self::ALL
            .into_iter()
            .find(|kernel| kernel.is_available())
            .unwrap_or(Self::Portable)
    }
}
