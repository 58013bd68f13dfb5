//! A whole server in this process: ephemeral port, clock and randomness of the tests' own, real TLS, real certificates,
//! real SQLite, real volume metadata. Modules mirror what they test.

#![expect(clippy::unwrap_used, reason = "a helper that cannot help ends the test")]

mod access;
mod agent_v1;
mod api;
mod audit;
mod forms;
mod health;
mod proofs;
mod recovery;
mod sign_in;
mod sites;
mod start;
mod streams;
mod support;
mod tls;
