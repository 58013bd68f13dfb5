//! Behaviour of the pure middle: planning, checking, compliance, keys, access, audit.

mod access;
mod agreement;
mod audit;
mod build;
mod checking;
mod circumstances;
mod compliance;
mod decisions;
mod explanations;
mod ledger;
mod planning;
mod policy;
#[expect(clippy::unwrap_used, reason = "a test whose ground is missing fails")]
mod previewing;
#[expect(clippy::unwrap_used, reason = "a test whose ground is missing fails")]
mod resolving;
mod simulation;
#[expect(clippy::unwrap_used, reason = "a test whose ground is missing fails")]
mod targeting;
