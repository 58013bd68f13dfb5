//! Between the domain's values and SQLite's.

use domain::ids::{DeviceId, ProtectorId, RequestId, VolumeId};
use domain::time::Timestamp;
use rusqlite::Row;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

use crate::{Result, StoreError};

/// An enumeration by the name that it has in JSON.
pub(super) fn name<T: Serialize>(value: &T) -> Result<String> {
    match serde_json::to_value(value)? {
        Value::String(name) => Ok(name),
        _ => Err(StoreError::Internal("an enumeration has no plain name".into())),
    }
}

/// An enumeration from the name that it has in JSON.
pub(super) fn named<T: DeserializeOwned>(row: &Row<'_>, column: &str) -> Result<T> {
    Ok(serde_json::from_value(Value::String(row.get(column)?))?)
}

/// A value kept as JSON.
pub(super) fn json<T: DeserializeOwned>(row: &Row<'_>, column: &str) -> Result<T> {
    Ok(serde_json::from_str(row.get_ref(column)?.as_str()?)?)
}

/// A value kept as JSON, or none.
pub(super) fn json_option<T: DeserializeOwned>(row: &Row<'_>, column: &str) -> Result<Option<T>> {
    match row.get_ref(column)?.as_str_or_null()? {
        Some(text) => Ok(Some(serde_json::from_str(text)?)),
        None => Ok(None),
    }
}

/// A moment.
pub(super) fn time(row: &Row<'_>, column: &str) -> Result<Timestamp> {
    Ok(Timestamp(row.get(column)?))
}

/// A moment, or none.
pub(super) fn time_option(row: &Row<'_>, column: &str) -> Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(Timestamp))
}

/// A hash of 32 bytes.
pub(super) fn hash(row: &Row<'_>, column: &str) -> Result<[u8; 32]> {
    Ok(row.get(column)?)
}

/// SQLite's integers are signed; counts and sequences here never come near their end.
pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A count read back.
pub(super) fn count(row: &Row<'_>, column: &str) -> Result<u64> {
    Ok(unsigned(row.get(column)?))
}

/// A count is never negative.
pub(super) fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// Ids that are kept as 16 bytes.
pub(super) trait Id: Sized {
    /// From the bytes.
    fn from_uuid(uuid: Uuid) -> Self;
    /// The bytes.
    fn blob(&self) -> &[u8; 16];
}

macro_rules! id {
    ($($name:ident),*) => {$(
        impl Id for $name {
            fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }
            fn blob(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }
    )*};
}
id!(DeviceId, VolumeId, ProtectorId, RequestId);

/// An id.
pub(super) fn id<T: Id>(row: &Row<'_>, column: &str) -> Result<T> {
    let bytes: [u8; 16] = row.get(column)?;
    Ok(T::from_uuid(Uuid::from_bytes(bytes)))
}
