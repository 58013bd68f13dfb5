//! Behaviour of the pure middle: planning, checking, compliance, keys, access, audit.

mod access;
mod agreement;
mod audit;
mod build;
mod checking;
mod circumstances;
mod compliance;
mod decisions;
mod ledger;
mod planning;
mod policy;
mod previewing;
mod resolving;
mod simulation;
mod targeting;
