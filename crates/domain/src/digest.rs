//! One short text for a whole value.

use serde::Serialize;
use sha2::{Digest, Sha256};

/// SHA-256 of a value's JSON as serde writes it, in lower-case hexadecimal: what devices and server compare policies and
/// inventories by.
///
/// # Errors
/// When the value cannot be written as JSON, which does not happen for the types here.
pub fn digest<T: Serialize>(value: &T) -> Result<String, serde_json::Error> {
    Ok(hex::encode(Sha256::digest(serde_json::to_vec(value)?)))
}
