//! The cryptography of the format (BitLocker format notes §7).

mod cbc;
pub(crate) mod ccm;
mod elephant;
pub(crate) mod sector;
pub(crate) mod stretch;
mod xts;
