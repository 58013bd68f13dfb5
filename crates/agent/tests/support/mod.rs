//! What the agent's tests share: a certificate authority, an HTTPS server that says what it is told to, a server that
//! keeps a ledger, and volumes in memory.
#![expect(
    dead_code,
    unreachable_pub,
    reason = "each test program uses its own part of this, as a module of its own"
)]

pub mod authority;
pub mod bench;
pub mod https;
pub mod ledger;
pub mod volumes;
