//! What mending overwrote, so that it can be taken back.

use sha2::{Digest, Sha256};

use crate::Error;
use crate::format::read::{Bytes, FormatError};
use crate::io::WriteAt;

/// The bytes that lay on the device before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Undo {
    /// Where, and what lay there. Sectors that could not be read are left out.
    pub patches: Vec<(u64, Vec<u8>)>,
}

const MAGIC: &[u8; 8] = b"CLAVUNDO";
const HASH_LEN: usize = 32;

impl Undo {
    /// As a file: magic, count, then offset, length and bytes of each patch, SHA-256 of all that.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&(self.patches.len() as u64).to_le_bytes());
        for (offset, patch) in &self.patches {
            bytes.extend_from_slice(&offset.to_le_bytes());
            bytes.extend_from_slice(&(patch.len() as u64).to_le_bytes());
            bytes.extend_from_slice(patch);
        }
        let hash = Sha256::digest(&bytes);
        bytes.extend_from_slice(&hash);
        bytes
    }

    /// Reads such a file.
    ///
    /// # Errors
    /// [`Error::Format`] when it is none or was damaged.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        const WHAT: &str = "the undo file";
        let body = bytes
            .len()
            .checked_sub(HASH_LEN)
            .and_then(|len| bytes.split_at_checked(len));
        let (body, hash) = body.ok_or(FormatError::Truncated { what: WHAT })?;
        if !body.starts_with(MAGIC) {
            return Err(FormatError::Signature { what: WHAT }.into());
        }
        if Sha256::digest(body).as_slice() != hash {
            return Err(FormatError::Checksum { what: WHAT }.into());
        }
        let reader = Bytes::new(body, WHAT);
        let mut at = 16;
        let mut patches = Vec::new();
        for _ in 0..reader.u64(8)? {
            let (offset, len) = (reader.u64(at)?, reader.u64(at + 8)?);
            let len = usize::try_from(len).map_err(|_| FormatError::Truncated { what: WHAT })?;
            patches.push((offset, reader.slice(at + 16, len)?.to_vec()));
            at += 16 + len;
        }
        if at != body.len() {
            let (what, value) = ("the length of the undo file", bytes.len() as u64);
            return Err(FormatError::Range { what, value }.into());
        }
        Ok(Self { patches })
    }

    /// Puts everything back, in reverse order.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn revert(&self, device: &dyn WriteAt) -> Result<(), Error> {
        for (offset, patch) in self.patches.iter().rev() {
            device.write_at(*offset, patch)?;
            device.flush()?;
        }
        Ok(())
    }
}
