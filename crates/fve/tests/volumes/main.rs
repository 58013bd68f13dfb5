//! The crate as its users see it: real volumes, independent readers, crashes, hostile input.

#![expect(clippy::unwrap_used, reason = "a test that cannot prepare its volume has to fail")]
#![expect(
    clippy::disallowed_macros,
    reason = "a failing test prints its seed and what the readers said"
)]

mod common;
mod conversion;
mod crash;
mod created;
mod hostile;
mod inner_ntfs;
mod journal;
mod many_proofs;
mod reencryption;
mod windows_images;
mod wiping;
