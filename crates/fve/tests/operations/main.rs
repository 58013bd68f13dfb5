//! Operations on protectors, keys and metadata, on volumes of ours and on volumes that Windows made.

#![expect(clippy::unwrap_used, reason = "a test that cannot prepare its volume has to fail")]

mod backup;
mod changes;
mod overlay;
mod rotation;
mod sequences;
mod windows;
