//! The virtual fleet, fault injection, independent readers and the whole story. Never part of a shipped program.

pub mod kills;
pub mod leaks;
pub mod ntfs;
pub mod oracle;
pub mod person;
pub mod poll;
pub mod process;
pub mod sim;
pub mod story;
pub mod watch;
