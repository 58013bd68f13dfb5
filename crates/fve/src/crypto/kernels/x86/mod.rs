//! AES and SHA-256 with the instructions of x86-64 processors.
#![expect(unsafe_code, reason = "vector instructions; each block says why it is sound")]
#![expect(
    clippy::needless_range_loop,
    reason = "counted loops over arrays of registers are unrolled, and the arrays stay in registers"
)]

mod aes;
mod cbc;
mod diffuser;
mod entry;
mod keys;
mod sha_mixed;
mod sha_ni;
mod vector;
mod wide;
mod xts;

pub(crate) use entry::X86Cipher;
pub(crate) use sha_mixed::{stretch_mixed_8, stretch_mixed_16};
pub(crate) use sha_ni::stretch_sha_ni;

/// Whether the instructions of [`Kernel::AesNi`](super::Kernel::AesNi) are there.
pub(crate) fn has_aes_ni() -> bool {
    is_x86_feature_detected!("aes") && is_x86_feature_detected!("pclmulqdq") && is_x86_feature_detected!("ssse3")
}

/// Whether the instructions of [`Kernel::Vaes256`](super::Kernel::Vaes256) are there.
pub(crate) fn has_vaes256() -> bool {
    has_aes_ni() && has_avx2() && is_x86_feature_detected!("vaes") && is_x86_feature_detected!("vpclmulqdq")
}

/// Whether the instructions of [`Kernel::Vaes512`](super::Kernel::Vaes512) are there.
pub(crate) fn has_vaes512() -> bool {
    has_vaes256() && has_avx512()
}

/// Whether the processor has AVX-512 in all register sizes.
pub(crate) fn has_avx512() -> bool {
    is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vl")
}

/// Whether the processor has the SHA instructions.
pub(crate) fn has_sha_ni() -> bool {
    is_x86_feature_detected!("sha") && is_x86_feature_detected!("sse4.1") && is_x86_feature_detected!("ssse3")
}

/// Whether the processor has AVX2.
pub(crate) fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2")
}
