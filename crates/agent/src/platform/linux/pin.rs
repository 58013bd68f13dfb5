//! Which PINs are allowed.

use crate::provider::{Code, Result};

/// Longest PIN of the protocol.
const LONGEST: usize = 20;
const SHORTEST: u8 = 4;

/// Digits only, 4 to 20 of them, and not fewer than policy says.
pub(super) struct PinRules {
    minimum: usize,
}

impl PinRules {
    /// `minimum` outside of 4 to 20 is moved to the nearer end.
    pub(super) fn new(minimum: u8) -> Self {
        Self {
            minimum: usize::from(minimum.max(SHORTEST)).min(LONGEST),
        }
    }

    pub(super) fn check(&self, pin: &str) -> Result<()> {
        if !pin.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Code::InvalidPinChars.into());
        }
        if (self.minimum..=LONGEST).contains(&pin.len()) {
            Ok(())
        } else {
            Err(Code::PolicyInvalidPinLength.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(minimum: u8, pin: &str) -> Option<Code> {
        PinRules::new(minimum).check(pin).err().map(|error| error.code)
    }

    #[test]
    fn a_pin_has_four_to_twenty_digits_and_as_many_as_policy_says() {
        assert_eq!(code(6, "123456"), None);
        assert_eq!(code(6, "12345"), Some(Code::PolicyInvalidPinLength));
        assert_eq!(code(0, "1234"), None);
        assert_eq!(code(0, "123"), Some(Code::PolicyInvalidPinLength));
        assert_eq!(code(200, "12345678901234567890"), None);
        assert_eq!(code(4, "123456789012345678901"), Some(Code::PolicyInvalidPinLength));
        assert_eq!(code(4, "12a4"), Some(Code::InvalidPinChars));
        assert_eq!(code(4, "１２３４５６"), Some(Code::InvalidPinChars));
        assert_eq!(code(4, ""), Some(Code::PolicyInvalidPinLength));
    }
}
