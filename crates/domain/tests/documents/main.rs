//! Policies as documents, and to and from other formats.

#![expect(clippy::unwrap_used, reason = "a test whose ground is missing fails")]

mod any;
mod cmdlets;
mod csp;
mod reference;
mod registry;
mod text;
