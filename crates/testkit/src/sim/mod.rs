//! The simulator: whole fleets under virtual time, through more misfortune than they will ever meet.
//!
//! Devices with several volumes follow the real planner, the real plan checker and the real steps of the agent; the
//! server's ledger, disclosure, access, audit and compliance rules are the real ones of `domain`. Between them lies a
//! network that loses, delays and doubles messages, and a store that is exact about what is durable when. After every
//! event the promises P1 to P6 are held against the world (`promises`); after every schedule everything has converged.

mod agent;
mod beside;
mod choice;
mod device;
mod event;
mod external;
mod faults;
mod generate;
mod play;
mod promises;
mod provider;
mod real;
mod run;
mod server;
mod shrink;
mod state;
mod store;
mod volume;
mod world;
mod wrong_plans;

pub use faults::Fault;
pub use promises::Violation;
pub use run::{Caught, Failure, Options, Summary, Watch, Way, catch, fault, replay, run};
