//! The crate as its users see it: real volumes, independent readers, hostile input.

#![expect(clippy::unwrap_used, reason = "a test that cannot prepare its volume has to fail")]
#![expect(
    clippy::disallowed_macros,
    reason = "a failing test prints its seed and what the readers said"
)]

mod common;
mod conversion;
mod created;
#[path = "../fat/support.rs"]
#[expect(dead_code, reason = "the tests of FAT use the rest")]
mod fat_support;
mod hostile;
mod inner_fat;
mod inner_in_use;
mod inner_ntfs;
mod journal;
mod many_proofs;
#[path = "../ntfs_support/mod.rs"]
mod ntfs_support;
mod reencryption;
mod windows_images;
mod wiping;
