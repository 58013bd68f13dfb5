//! `Registry.pol`, as Group Policy keeps it and backs it up.
//!
//! Layout (\[MS-GPREG\] 2.2.1): the bytes `PReg`, the version 1 as 32-bit number, then records
//! `[key;name;type;size;data]`, whose brackets and semicolons are UTF-16LE characters, key and name are UTF-16LE and end with
//! NUL, type and size are 32-bit numbers. All numbers are little-endian. Names that begin with `**` are orders: `**del.X` takes
//! the value X out, `**delvals.` all of a key.

use thiserror::Error;

use super::registry::{self, Data, Entry, terminated};
use super::{Exported, Imported, MAX_LEN};
use crate::policy::document::Document;

const SIGNATURE: &[u8] = b"PReg";
const VERSION: u32 = 1;

/// Why bytes are no `Registry.pol`. Offsets are bytes from the file's beginning.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// It begins otherwise.
    #[error("not a Registry.pol: it does not begin with \"PReg\"")]
    Signature,
    /// Another version.
    #[error("a Registry.pol of version {0}; only 1 is known")]
    Version(u32),
    /// It ends within a record.
    #[error("byte {0:#x}: the file ends within a record")]
    Truncated(usize),
    /// Something stands where a bracket or a semicolon belongs.
    #[error("byte {at:#x}: '{wanted}' expected")]
    Expected {
        /// Where.
        at: usize,
        /// What belongs there.
        wanted: char,
    },
    /// A key or name is not UTF-16.
    #[error("byte {0:#x}: not UTF-16")]
    NotText(usize),
    /// Too large.
    #[error("{0} bytes; at most {MAX_LEN} are read")]
    TooLarge(usize),
}

/// Reads the policy that a file holds.
///
/// # Errors
/// When it is no `Registry.pol`.
pub fn import(bytes: &[u8]) -> Result<Imported, Error> {
    Ok(registry::import(&read(bytes)?))
}

/// Writes a policy.
#[must_use]
pub fn export(document: &Document) -> Exported<Vec<u8>> {
    let (entries, inexpressible) = registry::export(document);
    Exported {
        output: write(&entries),
        inexpressible,
    }
}

/// Reads all values.
///
/// # Errors
/// When it is no `Registry.pol`.
pub fn read(bytes: &[u8]) -> Result<Vec<Entry>, Error> {
    if bytes.len() > MAX_LEN {
        return Err(Error::TooLarge(bytes.len()));
    }
    if bytes.get(..4) != Some(SIGNATURE) {
        return Err(Error::Signature);
    }
    let mut reader = Reader { bytes, at: 4 };
    let version = reader.number()?;
    if version != VERSION {
        return Err(Error::Version(version));
    }
    let mut entries = Vec::new();
    while reader.at < bytes.len() {
        entries.push(reader.record()?);
    }
    Ok(entries)
}

/// Writes values; those that are taken out as `**del.`.
#[must_use]
pub fn write(entries: &[Entry]) -> Vec<u8> {
    let mut bytes = [SIGNATURE, &VERSION.to_le_bytes()].concat();
    for entry in entries {
        let (kind, data, name) = match entry.data.to_bytes() {
            Some((kind, data)) => (kind, data, entry.name.clone()),
            None => (registry::kind::SZ, terminated(" "), format!("**del.{}", entry.name)),
        };
        // At most MAX_LEN of settings are ever written.
        let size = u32::try_from(data.len()).unwrap_or_default();
        let mut sign = |sign: char, rest: &[u8]| {
            bytes.extend((sign as u16).to_le_bytes());
            bytes.extend(rest);
        };
        sign('[', &terminated(&entry.key));
        sign(';', &terminated(&name));
        sign(';', &kind.to_le_bytes());
        sign(';', &size.to_le_bytes());
        sign(';', &data);
        sign(']', &[]);
    }
    bytes
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn record(&mut self) -> Result<Entry, Error> {
        self.sign('[')?;
        let key = self.text()?;
        self.sign(';')?;
        let name = self.text()?;
        self.sign(';')?;
        let kind = self.number()?;
        self.sign(';')?;
        let size = self.number()?;
        self.sign(';')?;
        let data = self.take(size as usize)?;
        self.sign(']')?;
        let order = name.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("**del."));
        Ok(if order {
            Entry {
                key,
                name: name[6..].to_owned(),
                data: Data::Removed,
            }
        } else {
            Entry {
                key,
                name,
                data: Data::from_bytes(kind, data),
            }
        })
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Error> {
        let end = self.at.checked_add(length);
        let part = end.and_then(|end| self.bytes.get(self.at..end));
        let part = part.ok_or(Error::Truncated(self.bytes.len()))?;
        self.at += length;
        Ok(part)
    }

    fn number(&mut self) -> Result<u32, Error> {
        let bytes = self.take(4)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn unit(&mut self) -> Result<u16, Error> {
        let bytes = self.take(2)?;
        Ok(u16::from_le_bytes([bytes[0], bytes[1]]))
    }

    fn sign(&mut self, wanted: char) -> Result<(), Error> {
        let at = self.at;
        if u32::from(self.unit()?) == u32::from(wanted) {
            Ok(())
        } else {
            Err(Error::Expected { at, wanted })
        }
    }

    fn text(&mut self) -> Result<String, Error> {
        let at = self.at;
        let mut units = Vec::new();
        loop {
            match self.unit()? {
                0 => return String::from_utf16(&units).map_err(|_| Error::NotText(at)),
                unit => units.push(unit),
            }
        }
    }
}
