//! External key files, `.BEK` (BitLocker format notes §10).

use zeroize::Zeroizing;

use super::ExternalKey;
use crate::format::constants::{key_type, kind, role};
use crate::format::read::{self, Bytes, FormatError, nested};
use crate::format::write;
use crate::format::{DatasetHeader, Datum};
use crate::guid::Guid;
use crate::time::FileTime;

/// The content of a `.BEK` file.
#[derive(Clone, Debug)]
pub struct Bek {
    /// The protector it belongs to.
    pub protector: Guid,
    /// When it was made.
    pub created: FileTime,
    /// The volume it opens; Windows 11 writes it, earlier ones do not.
    pub volume: Option<Guid>,
    /// The key.
    pub key: ExternalKey,
}

/// The bytes are not a `.BEK` file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an external key file: {0}")]
pub struct BekError(#[from] FormatError);

const NAME: &str = "ExternalKey";

impl Bek {
    /// Reads a `.BEK` file.
    pub fn parse(bytes: &[u8]) -> Result<Self, BekError> {
        let (_, datums) = read::read_dataset(bytes)?;
        let datums = read::parse_all(datums)?;
        let missing = FormatError::Missing {
            what: "the external key",
        };
        let info = datums
            .iter()
            .find(|d| d.role == role::EXTERNAL_INFO && d.kind == kind::EXTERNAL_INFO)
            .ok_or_else(|| missing.clone())?;
        let fixed = Bytes::new(&info.body, "the external key");
        let inner = nested(info)?;
        let key = inner
            .iter()
            .filter_map(|d| read::key_of(d).ok())
            .find(|key| key.key_type == key_type::EXTERNAL_KEY);
        let key = key
            .and_then(|key| <[u8; 32]>::try_from(key.key.as_slice()).ok())
            .ok_or(missing)?;
        let volume = inner
            .iter()
            .find(|d| d.role == role::VOLUME_GUID && d.kind == kind::GUID);
        Ok(Self {
            protector: fixed.guid(0)?,
            created: FileTime(fixed.u64(16)?),
            volume: volume
                .map(|d| Bytes::new(&d.body, "the volume GUID").guid(0))
                .transpose()?,
            key: ExternalKey::from_bytes(key),
        })
    }

    /// The file's content. The form without volume GUID (156 bytes) is the one every reader takes.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut fixed = self.protector.as_bytes().to_vec();
        fixed.extend_from_slice(&self.created.0.to_le_bytes());
        let mut inner = vec![write::unicode(role::PROPERTY, NAME)];
        if let Some(volume) = self.volume {
            inner.push(Datum::new(role::VOLUME_GUID, kind::GUID, volume.as_bytes().to_vec()));
        }
        inner.push(write::key(role::PROPERTY, key_type::EXTERNAL_KEY, self.key.as_bytes()));
        let info = write::nesting(role::EXTERNAL_INFO, kind::EXTERNAL_INFO, &fixed, &inner);
        let header = DatasetHeader {
            volume: self.protector,
            next_nonce: 1,
            method: 0,
            preferred_method: 0,
            created: self.created,
        };
        write::dataset_bytes(&header, &[info])
    }

    /// The name Windows gives the file: the protector's GUID in upper case, and `.BEK`.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{}.BEK", self.protector.to_plain_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(volume: Option<Guid>) -> Bek {
        Bek {
            protector: Guid::from_bytes_le([1; 16]),
            created: FileTime(9),
            volume,
            key: ExternalKey::from_bytes([3; 32]),
        }
    }

    #[test]
    fn both_forms_have_their_known_length_and_read_back() {
        for (volume, len) in [(None, 156), (Some(Guid::from_bytes_le([2; 16])), 180)] {
            let bytes = sample(volume).to_bytes();
            assert_eq!(bytes.len(), len);
            let read = Bek::parse(&bytes).unwrap();
            assert_eq!(
                (read.protector, read.created, read.volume),
                (Guid::from_bytes_le([1; 16]), FileTime(9), volume)
            );
            assert_eq!(read.key.as_bytes(), &[3; 32]);
        }
    }

    #[test]
    fn every_truncation_is_refused() {
        let bytes = sample(None).to_bytes();
        for len in 0..bytes.len() {
            assert!(Bek::parse(&bytes[..len]).is_err(), "{len}");
        }
    }
}
