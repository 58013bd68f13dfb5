//! The cryptography of the format (BitLocker format notes §7).

pub(crate) mod ccm;
mod elephant;
pub(crate) mod kernels;
mod portable;
pub(crate) mod sector;
pub(crate) mod stretch;
