//! The programs' commands. `main` functions are in `src/bin`; everything that talks to a terminal is in this crate.

mod admin;
pub mod agent_program;
mod completions;
pub mod decide;
pub mod demo;
pub mod logging;
mod man;
mod policy;
pub mod program;
pub mod secret;
mod serve;
pub mod system;
pub mod terminal;
mod volume;
