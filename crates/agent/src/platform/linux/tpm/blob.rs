//! What is stored in a volume's TPM datum. The layout is ours: Windows keeps an object of its own there, and neither can
//! use the other's.
//!
//! | offset | size | what |
//! |---|---|---|
//! | 0 | 4 | `CLVT` |
//! | 4 | 1 | version, 1 |
//! | 5 | 1 | bit 0: a PIN is needed |
//! | 6 | 2 | zero |
//! | 8 | 4 | registers of the SHA-256 bank, bit 0 = PCR 0; little-endian |
//! | 12 | 32 | SHA-256 over the registers when the key was sealed |
//! | 44 | 16 | salt of the PIN; zero without one |
//! | 60 | 34 | name of the storage key |
//! | 94 | 2 + n | public area, length first; little-endian |
//! | … | 2 + n | private area, length first; little-endian |

use super::{PcrSelection, TpmError};

const MAGIC: &[u8; 4] = b"CLVT";
const VERSION: u8 = 1;
const NEEDS_PIN: u8 = 1;

/// A sealed key. Holds nothing secret: only the TPM that made it can open it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedKey {
    pub(super) needs_pin: bool,
    pub(super) pcrs: PcrSelection,
    pub(super) pcr_digest: [u8; 32],
    pub(super) pin_salt: [u8; 16],
    pub(super) parent_name: [u8; 34],
    pub(super) public: Vec<u8>,
    pub(super) private: Vec<u8>,
}

impl SealedKey {
    /// Whether it opens only with a PIN.
    #[must_use]
    pub fn needs_pin(&self) -> bool {
        self.needs_pin
    }

    /// The measurements that it is bound to.
    #[must_use]
    pub fn pcrs(&self) -> PcrSelection {
        self.pcrs
    }

    /// The stored form.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(98 + self.public.len() + self.private.len());
        out.extend_from_slice(MAGIC);
        out.push(VERSION);
        out.push(if self.needs_pin { NEEDS_PIN } else { 0 });
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(&self.pcrs.bitmap().to_le_bytes());
        out.extend_from_slice(&self.pcr_digest);
        out.extend_from_slice(&self.pin_salt);
        out.extend_from_slice(&self.parent_name);
        for area in [&self.public, &self.private] {
            // A TPM's areas are at most a few hundred bytes; their own length fields have 16 bits.
            out.extend_from_slice(&u16::try_from(area.len()).unwrap_or(0).to_le_bytes());
            out.extend_from_slice(area);
        }
        out
    }

    /// Reads the stored form. Bytes after it are ignored: the volume pads.
    ///
    /// # Errors
    /// [`TpmError::BadBlob`] for anything else, such as the object of a Windows machine.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TpmError> {
        Self::parse(bytes).ok_or(TpmError::BadBlob)
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        if take::<4>(&mut rest)? != *MAGIC {
            return None;
        }
        let [version, flags, zero, zero2] = take::<4>(&mut rest)?;
        if version != VERSION || flags & !NEEDS_PIN != 0 || zero != 0 || zero2 != 0 {
            return None;
        }
        Some(Self {
            needs_pin: flags & NEEDS_PIN != 0,
            pcrs: PcrSelection::from_bitmap(u32::from_le_bytes(take(&mut rest)?))?,
            pcr_digest: take(&mut rest)?,
            pin_salt: take(&mut rest)?,
            parent_name: take(&mut rest)?,
            public: area(&mut rest)?,
            private: area(&mut rest)?,
        })
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}

fn area(rest: &mut &[u8]) -> Option<Vec<u8>> {
    let len = usize::from(u16::from_le_bytes(take(rest)?));
    let (head, tail) = rest.split_at_checked(len)?;
    *rest = tail;
    (!head.is_empty()).then(|| head.to_vec())
}
