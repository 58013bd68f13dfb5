//! Encrypting and decrypting in place, front to back, safe against a crash at any write.
//!
//! A watermark in the metadata divides the volume: sectors below it are
//! encrypted, the others are plain (BitLocker format notes §12); or, while a volume is re-encrypted, encrypted
//! with the new and with the old key. Ciphertext cannot be told from plain text in place, so each chunk passes
//! through a redo log, a ring of records: its **ciphertext** goes to the log and is made durable together with
//! the chunk before it; then the chunk is written. Once in a lap of the ring the watermark moves in all three
//! metadata copies ([`lap`]). Whatever instant the power fails at, the log and the watermark together say what
//! every sector holds.
//!
//! The log lies in a file of the inner file system, whose place the extended
//! information names. Its layout is this project's own ([`log`], [`record`]); while a
//! volume is paused or finished it holds nothing but its first page, so other
//! readers see an ordinary file.

mod adopt;
mod control;
mod lap;
pub(crate) mod log;
mod plan;
mod plans;
pub(crate) mod record;
mod reencrypt;
mod step;
mod wipe;

pub use adopt::{AdoptionPlan, LogPlace};
pub use log::ConversionMode;
pub use plans::{ConversionOperation, ConversionPlan};
pub use reencrypt::{ReencryptOptions, Reencryption};
pub use step::Progress;
pub use wipe::WipeProgress;
