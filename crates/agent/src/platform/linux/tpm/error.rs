//! What can go wrong with a TPM.

use std::fmt;

use super::wire::Cc;
use crate::provider::{Code, ProviderError};

/// A failure of the TPM or of the way to it.
#[derive(Debug)]
pub enum TpmError {
    /// There is no TPM at the address, or it does not answer.
    Unavailable(std::io::Error),
    /// The answer makes no sense.
    Malformed(&'static str),
    /// The TPM's proof is wrong: somebody changes what is said on the bus.
    Forged,
    /// The stored object is not one of ours.
    BadBlob,
    /// The object was sealed by another TPM, or this one was cleared since.
    OtherTpm,
    /// A PIN is needed and was not given, or the reverse.
    WrongPin,
    /// The TPM refused; [`TpmError::cause`] says why.
    #[expect(private_interfaces, reason = "the command is for Display only")]
    Refused {
        /// The response code (Part 2, 6.6).
        rc: u32,
        /// The command.
        command: Cc,
    },
}

/// Why a TPM refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Measurements differ from those at sealing.
    PcrChanged,
    /// The PIN is wrong.
    WrongPin,
    /// Too many wrong PINs.
    LockedOut,
    /// Anything else.
    Other,
}

impl TpmError {
    /// Why, when it is one of the expected reasons.
    #[must_use]
    pub fn cause(&self) -> Cause {
        match self {
            Self::WrongPin => Cause::WrongPin,
            Self::Refused { rc, command } => match (*command, base(*rc)) {
                (_, 0x921) => Cause::LockedOut,
                // VALUE: the registers differ from the digest given. POLICY_FAIL, PCR_CHANGED: they changed in between.
                (Cc::PolicyPcr, 0x084) | (Cc::Unseal, 0x09D) | (_, 0x128) => Cause::PcrChanged,
                // AUTH_FAIL, BAD_AUTH.
                (Cc::Unseal, 0x08E | 0x0A2) => Cause::WrongPin,
                _ => Cause::Other,
            },
            _ => Cause::Other,
        }
    }
}

/// The response code without the number of the parameter, handle or session (format 1, bit 7 set).
fn base(rc: u32) -> u32 {
    if rc & 0x80 != 0 { rc & 0xBF } else { rc }
}

impl fmt::Display for TpmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(error) => write!(f, "the TPM does not answer: {error}"),
            Self::Malformed(what) => write!(f, "the TPM's answer makes no sense: {what}"),
            Self::Forged => f.write_str("the TPM's proof is wrong"),
            Self::BadBlob => f.write_str("the stored TPM object is of an unknown form"),
            Self::OtherTpm => f.write_str("sealed by another TPM, or this TPM was cleared since"),
            Self::WrongPin => f.write_str("wrong or missing PIN"),
            Self::Refused { rc, command } => match self.cause() {
                Cause::PcrChanged => f.write_str("measurements have changed since the key was sealed"),
                Cause::WrongPin => f.write_str("wrong PIN"),
                Cause::LockedOut => f.write_str("locked out after too many wrong PINs"),
                Cause::Other => write!(f, "the TPM refused {command:?} with 0x{rc:X}"),
            },
        }
    }
}

impl std::error::Error for TpmError {}

impl From<TpmError> for ProviderError {
    fn from(error: TpmError) -> Self {
        let code = match error.cause() {
            Cause::PcrChanged | Cause::WrongPin => Code::TpmAuthFail,
            Cause::LockedOut => Code::TpmDefendLockRunning,
            Cause::Other => match error {
                TpmError::OtherTpm | TpmError::Forged | TpmError::BadBlob => Code::TpmAuthFail,
                _ => Code::TpmServiceNotRunning,
            },
        };
        Self::new(code, error.to_string())
    }
}
