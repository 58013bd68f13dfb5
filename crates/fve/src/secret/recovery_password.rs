//! The 48-digit recovery password (BitLocker format notes §7.2).

use rand_core::CryptoRng;
use zeroize::Zeroizing;

/// Sixteen random bytes, written for people as eight groups of six digits.
#[derive(Clone)]
pub struct RecoveryPassword(Zeroizing<[u8; 16]>);

/// Why a text is not a recovery password. Never contains a digit of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecoveryPasswordError {
    /// Something other than digits, hyphens and spaces.
    #[error("character {position} is not a digit, a hyphen or a space")]
    Character {
        /// Counted from 1.
        position: usize,
    },
    /// Not 48 digits.
    #[error("a recovery password has 48 digits, this has {digits}")]
    Length {
        /// How many digits there are.
        digits: usize,
    },
    /// A group that no recovery password contains: a mistyped digit.
    #[error("group {group} of 8 is mistyped: it fails its own check digit")]
    Checksum {
        /// Counted from 1.
        group: usize,
    },
    /// A group above the largest possible.
    #[error("group {group} of 8 is mistyped: it is larger than 720885")]
    TooLarge {
        /// Counted from 1.
        group: usize,
    },
}

const GROUPS: usize = 8;
const GROUP_DIGITS: usize = 6;
const DIVISOR: u32 = 11;

impl RecoveryPassword {
    /// Draws a new password.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        let mut bytes = Zeroizing::new([0; 16]);
        rng.fill_bytes(bytes.as_mut_slice());
        Self(bytes)
    }

    /// Reads 48 digits, grouped by hyphens or spaces or not at all.
    pub fn parse(text: &str) -> Result<Self, RecoveryPasswordError> {
        let mut digits = Zeroizing::new(Vec::with_capacity(GROUPS * GROUP_DIGITS));
        let mut count = 0;
        for (index, character) in text.trim().chars().enumerate() {
            match character.to_digit(10) {
                Some(digit) => {
                    count += 1;
                    if count <= GROUPS * GROUP_DIGITS {
                        digits.push(digit);
                    }
                }
                None if character == '-' || character.is_whitespace() => {}
                None => return Err(RecoveryPasswordError::Character { position: index + 1 }),
            }
        }
        if count != GROUPS * GROUP_DIGITS {
            return Err(RecoveryPasswordError::Length { digits: count });
        }
        let mut bytes = Zeroizing::new([0; 16]);
        for (index, group) in digits.chunks(GROUP_DIGITS).enumerate() {
            let value = group.iter().fold(0, |value, digit| value * 10 + digit);
            let short = u16::try_from(value / DIVISOR);
            match short {
                Ok(_) if value % DIVISOR != 0 => return Err(RecoveryPasswordError::Checksum { group: index + 1 }),
                Ok(short) => bytes[2 * index..][..2].copy_from_slice(&short.to_le_bytes()),
                Err(_) => return Err(RecoveryPasswordError::TooLarge { group: index + 1 }),
            }
        }
        Ok(Self(bytes))
    }

    /// Takes the sixteen raw bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The sixteen raw bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The text for people: eight groups of six digits joined by hyphens.
    #[must_use]
    pub fn expose(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(GROUPS * (GROUP_DIGITS + 1)));
        for (index, pair) in self.0.as_chunks::<2>().0.iter().enumerate() {
            if index > 0 {
                text.push('-');
            }
            let mut value = u32::from(u16::from_le_bytes(*pair)) * DIVISOR;
            let mut group = [b'0'; GROUP_DIGITS];
            for digit in group.iter_mut().rev() {
                *digit = b'0' + (value % 10).to_le_bytes()[0];
                value /= 10;
            }
            text.extend(group.iter().map(|&digit| char::from(digit)));
        }
        text
    }
}

super::redacted!(RecoveryPassword);

impl std::str::FromStr for RecoveryPassword {
    type Err = RecoveryPasswordError;

    fn from_str(text: &str) -> Result<Self, RecoveryPasswordError> {
        Self::parse(text)
    }
}

/// Compares in constant time.
impl PartialEq for RecoveryPassword {
    fn eq(&self, other: &Self) -> bool {
        subtle::ConstantTimeEq::ct_eq(self.0.as_slice(), other.0.as_slice()).into()
    }
}

impl Eq for RecoveryPassword {}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "000011-000022-720885-000000-000011-000022-000033-000044";

    #[test]
    fn hyphens_spaces_and_no_separator_read_the_same() {
        let password = RecoveryPassword::parse(TEXT).unwrap();
        assert_eq!(password.as_bytes()[..6], [1, 0, 2, 0, 0xFF, 0xFF]);
        assert_eq!(password.expose().as_str(), TEXT);
        for separator in ["", " "] {
            assert_eq!(
                RecoveryPassword::parse(&TEXT.replace('-', separator)),
                Ok(password.clone())
            );
        }
    }

    #[test]
    fn the_error_names_the_bad_group() {
        let wrong = |text: String| RecoveryPassword::parse(&text).unwrap_err();
        assert_eq!(
            wrong(TEXT.replace("000033", "000034")),
            RecoveryPasswordError::Checksum { group: 7 }
        );
        assert_eq!(
            wrong(TEXT.replace("720885", "720896")),
            RecoveryPasswordError::TooLarge { group: 3 }
        );
        assert_eq!(
            wrong(TEXT[1..].to_owned()),
            RecoveryPasswordError::Length { digits: 47 }
        );
        assert_eq!(wrong(format!("{TEXT}0")), RecoveryPasswordError::Length { digits: 49 });
        assert_eq!(
            wrong(TEXT.replace("000033", "00O033")),
            RecoveryPasswordError::Character { position: 45 }
        );
    }

    #[test]
    fn debug_tells_nothing() {
        assert_eq!(format!("{:?}", RecoveryPassword::from_bytes([7; 16])), "[redacted]");
    }
}
