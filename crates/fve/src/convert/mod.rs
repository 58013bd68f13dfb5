//! Encrypting and decrypting in place, front to back, safe against a crash at any write.
//!
//! A watermark in the metadata divides the volume: sectors below it are
//! encrypted, the others are plain (BitLocker format notes §12). AES-XTS in place cannot be
//! told from plain text, so each chunk passes through a redo log: its
//! **ciphertext** goes to the log and is made durable, then the chunk is written and
//! made durable, then the watermark moves in all three metadata copies. Whatever
//! instant the power fails at, the log and the watermark together say what every sector holds.
//!
//! The log lies in a file of the inner file system, whose place the extended
//! information names. Its layout is this project's own ([`log`]); while a
//! volume is paused or finished it holds nothing but its first page, so other
//! readers see an ordinary file.

mod control;
pub(crate) mod log;
mod plan;
mod step;

pub use log::ConversionMode;
pub use step::Progress;
