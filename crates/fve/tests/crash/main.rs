//! Power cuts, failing devices, and what they must not cost: every operation runs over a model of a disk that
//! forgets, tears and reorders whatever was not flushed.
//!
//! [`disk`] holds content, [`recorder`] notes what an operation does to it, [`fates`] says what of that may reach the
//! medium, [`run`] walks through the cuts, and the other modules are the operations with what each of them promises.
//! `scripts/crash-schedules` runs as many random schedules as one likes.

#![expect(clippy::unwrap_used, reason = "a test that cannot prepare its volume has to fail")]
#![expect(
    clippy::disallowed_macros,
    reason = "a failing test prints its seed, a long run its progress"
)]

#[path = "../volumes/common/mod.rs"]
#[expect(dead_code, reason = "the crash tests use their own part of it")]
mod common;
#[path = "../ntfs_support/mod.rs"]
mod ntfs_support;

mod convert;
mod disk;
mod fates;
mod fresh;
mod mutations;
mod protect;
mod recorder;
mod reencrypt;
mod reserve;
mod run;
mod schedules;
mod secrets;
mod shape;
