//! What is right: policy, inventory, planning, compliance, the key ledger, access rules and the audit chain.
//!
//! Everything here is pure: no clock, no randomness, no input or output, no async. Time and random bytes are arguments,
//! so the same function gives the same answer on a device, on the server and in a simulation.

pub mod access;
pub mod audit;
pub mod compliance;
pub mod digest;
pub mod exemption;
pub mod ids;
pub mod inventory;
pub mod ledger;
pub mod plan;
pub mod policy;
pub mod preview;
pub mod time;
pub mod volume;
