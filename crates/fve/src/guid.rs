//! GUIDs in the mixed-endian byte order that Windows stores.

use std::fmt;
use std::str::FromStr;

use rand_core::CryptoRng;

/// A GUID, held in its on-disk byte order: the first three fields are little-endian.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Guid([u8; 16]);

/// Place in the on-disk bytes of each byte of the text form.
const TEXT_ORDER: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
/// Text bytes before which a hyphen stands.
const HYPHENS: [usize; 4] = [4, 6, 8, 10];

impl Guid {
    /// Takes the sixteen bytes as they lie on disk.
    #[must_use]
    pub const fn from_bytes_le(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The sixteen bytes as they lie on disk.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// A random (version 4) GUID.
    pub fn random(rng: &mut dyn CryptoRng) -> Self {
        let mut bytes = [0; 16];
        rng.fill_bytes(&mut bytes);
        bytes[7] = bytes[7] & 0x0F | 0x40;
        bytes[8] = bytes[8] & 0x3F | 0x80;
        Self(bytes)
    }

    /// `XXXXXXXX-XXXX-XXXX-XXXX-XXXXXXXXXXXX`, upper case, without braces.
    #[must_use]
    pub fn to_plain_string(&self) -> String {
        let mut text = String::with_capacity(36);
        for (index, &place) in TEXT_ORDER.iter().enumerate() {
            if HYPHENS.contains(&index) {
                text.push('-');
            }
            for nibble in [self.0[place] >> 4, self.0[place] & 15] {
                text.push(char::from(b"0123456789ABCDEF"[usize::from(nibble)]));
            }
        }
        text
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}", self.to_plain_string())
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not a GUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a GUID: expected 32 hexadecimal digits as 8-4-4-4-12, with or without braces")]
pub struct GuidError;

impl FromStr for Guid {
    type Err = GuidError;

    fn from_str(text: &str) -> Result<Self, GuidError> {
        let inner = match text.strip_prefix('{') {
            Some(rest) => rest.strip_suffix('}').ok_or(GuidError)?,
            None => text,
        };
        let mut bytes = [0; 16];
        let mut rest = inner.as_bytes();
        for (index, &place) in TEXT_ORDER.iter().enumerate() {
            if HYPHENS.contains(&index) {
                rest = rest.strip_prefix(b"-").ok_or(GuidError)?;
            }
            let [high, low, tail @ ..] = rest else {
                return Err(GuidError);
            };
            bytes[place] = hex_digit(*high)? << 4 | hex_digit(*low)?;
            rest = tail;
        }
        if rest.is_empty() {
            Ok(Self(bytes))
        } else {
            Err(GuidError)
        }
    }
}

fn hex_digit(byte: u8) -> Result<u8, GuidError> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
        .ok_or(GuidError)
}

impl serde::Serialize for Guid {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Guid {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NORMAL_LAYOUT: &str = "{4967D63B-2E29-4AD8-8399-F6A339E3D001}";

    #[test]
    fn text_and_disk_order_differ_in_the_first_three_fields() {
        let guid: Guid = NORMAL_LAYOUT.to_lowercase().parse().unwrap();
        assert_eq!(guid.as_bytes()[..8], [0x3B, 0xD6, 0x67, 0x49, 0x29, 0x2E, 0xD8, 0x4A]);
        assert_eq!(guid.to_string(), NORMAL_LAYOUT);
        assert_eq!(guid.to_plain_string().parse(), Ok(guid));
    }

    #[test]
    fn text_that_is_not_a_guid_is_refused() {
        for text in [
            "",
            "{",
            "{4967D63B-2E29-4AD8-8399-F6A339E3D001",
            "4967D63B2E294AD88399F6A339E3D001",
            "é967D63B-2E29-4AD8-8399-F6A339E3D001",
        ] {
            assert_eq!(text.parse::<Guid>(), Err(GuidError), "{text}");
        }
    }
}
