//! The writing half: trusted values in, bytes out.

mod boot;
mod datum;
mod metadata;

pub use boot::boot_sector;
pub(crate) use datum::{
    dataset_bytes, key, nesting, rewrapped, serialise, unicode, virtualization, with_nested, wrapped,
};
pub(crate) use metadata::{MetadataFull, metadata_area};
