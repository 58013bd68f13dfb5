//! The crate as its users see it: real volumes, independent readers, crashes, hostile input.

mod common;
mod conversion;
mod crash;
mod created;
mod hostile;
mod inner_ntfs;
mod windows_images;
