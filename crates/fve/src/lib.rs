//! BitLocker volumes: read, create, convert in place, protectors, rotation

pub mod io;
pub mod ntfs;
pub mod time;
