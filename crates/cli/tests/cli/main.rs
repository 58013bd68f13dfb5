//! The built programs from outside: what they answer, what they refuse, what they leave alone.

#![expect(clippy::unwrap_used, reason = "a test whose ground is missing fails")]

mod access;
mod agent;
mod audit;
mod bad_secrets;
mod bad_volumes;
mod decide;
mod export;
mod export_resumed;
mod help;
mod hostile_volumes;
mod mount_refused;
mod output;
mod policy;
mod policy_preview;
mod program;
mod sample;
mod serve;
mod volume;
mod windows;
