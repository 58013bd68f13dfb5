//! `claviger volume`, every command: done, planned, interrupted, refused. Other programs judge what comes out.

mod bad_input;
mod conversions;
pub(crate) mod documentation;
mod ground;
pub(crate) mod interruption;
mod judges;
mod metadata;
mod pages;
mod plans;
mod protectors;
mod repair;
mod secrets;
