//! The programs' commands. `main` functions are in `src/bin`; everything that talks to a terminal is in this crate.

pub mod demo;
pub mod logging;
pub mod program;
pub mod secret;
pub mod system;
pub mod terminal;
pub mod volume;
