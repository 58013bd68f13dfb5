//! The device's side: observe, check in, plan, act, observe again.

pub mod provider;
