//! Volumes as others make them: the layouts of Windows 7 to 11 built from parts by a builder that shares no code with the
//! crate, further volumes that Windows made, and what is left of volumes that were damaged.

#![expect(clippy::unwrap_used, reason = "a test that cannot prepare its volume has to fail")]

mod builder;
mod cipher;
mod eow;
mod fields;
mod foreign;
mod hostile;
mod images;
mod memory;
mod readers;
mod repair;
mod salvage;
