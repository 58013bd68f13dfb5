//! `Registry.pol`, as a Group Policy backup has it: `PReg`, version 1, then entries `[key;value;type;size;data]` in UTF-16LE.

use super::{Collector, Data, Exported, ImportError, Imported, check_size, registry_values};
use crate::policy::Assignments;

const SIGNATURE: &[u8; 8] = b"PReg\x01\0\0\0";
const REG_SZ: u32 = 1;
const REG_EXPAND_SZ: u32 = 2;
const REG_DWORD: u32 = 4;
/// Names and keys are shorter.
const MAX_NAME: usize = 1024;

/// Reads the machine's part of a Group Policy backup.
///
/// # Errors
/// When the bytes are not of this format, with the place. What is well formed and not BitLocker's is reported as unknown.
pub fn import_registry_pol(bytes: &[u8]) -> Result<Imported, ImportError> {
    check_size(bytes.len())?;
    let Some(rest) = bytes.strip_prefix(SIGNATURE) else {
        return Err(ImportError::new(
            "byte 0",
            "not a Registry.pol: it begins with \"PReg\" and version 1",
        ));
    };
    let mut reader = Reader { all: bytes.len(), rest };
    let mut collector = Collector::default();
    while !reader.rest.is_empty() {
        let (key, name, data) = reader.entry()?;
        match name.strip_prefix("**") {
            // `**del.Name` and its like remove values.
            Some(order) => {
                let name = order.split_once('.').map_or(order, |(_, name)| name);
                collector.value(&key, name, &Data::Removed);
            }
            None => collector.value(&key, &name, &data),
        }
    }
    Ok(collector.imported)
}

/// Writes what a document configures as the machine's `Registry.pol`.
#[must_use]
pub fn export_registry_pol(assignments: &Assignments) -> Exported<Vec<u8>> {
    let values = registry_values(assignments);
    let mut bytes = SIGNATURE.to_vec();
    for (root, name, data) in &values.content {
        let (kind, data) = match data {
            Data::Dword(number) => (REG_DWORD, number.to_le_bytes().to_vec()),
            Data::Text(text) => (REG_SZ, utf16(&format!("{text}\0"))),
            Data::Removed | Data::Other(_) => continue,
        };
        let size = u32::try_from(data.len()).unwrap_or(u32::MAX);
        bytes.extend(utf16(&format!("[{}\0;{name}\0;", root.key())));
        for number in [kind, size] {
            bytes.extend(number.to_le_bytes());
            bytes.extend(utf16(";"));
        }
        bytes.extend(data);
        bytes.extend(utf16("]"));
    }
    Exported {
        content: bytes,
        inexpressible: values.inexpressible,
    }
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

struct Reader<'a> {
    all: usize,
    rest: &'a [u8],
}

impl Reader<'_> {
    fn entry(&mut self) -> Result<(String, String, Data), ImportError> {
        self.expect(b'[')?;
        let key = self.name()?;
        self.expect(b';')?;
        let name = self.name()?;
        self.expect(b';')?;
        let kind = self.number()?;
        self.expect(b';')?;
        let size = self.number()?;
        self.expect(b';')?;
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let Some((data, rest)) = self.rest.split_at_checked(size) else {
            return Err(self.wrong(format!(
                "{size} bytes of data are announced, and {} are left",
                self.rest.len()
            )));
        };
        let data = match kind {
            REG_DWORD => match data.try_into() {
                Ok(bytes) => Data::Dword(u32::from_le_bytes(bytes)),
                Err(_) => return Err(self.wrong(format!("a DWORD has 4 bytes, this one {size}"))),
            },
            REG_SZ | REG_EXPAND_SZ => Data::Text(self.text(data)?),
            3 => Data::Other("binary"),
            7 => Data::Other("several texts"),
            _ => Data::Other("another type"),
        };
        self.rest = rest;
        self.expect(b']')?;
        Ok((key, name, data))
    }

    fn text(&self, data: &[u8]) -> Result<String, ImportError> {
        if !data.len().is_multiple_of(2) {
            return Err(self.wrong("a text has an odd number of bytes"));
        }
        let units: Vec<u16> = data
            .chunks_exact(2)
            .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
            .collect();
        let text = String::from_utf16(&units).map_err(|_| self.wrong("a text is not UTF-16"))?;
        Ok(text.trim_end_matches('\0').to_owned())
    }

    /// Up to its null.
    fn name(&mut self) -> Result<String, ImportError> {
        let mut units = Vec::new();
        loop {
            match self.unit()? {
                0 => break,
                _ if units.len() == MAX_NAME => return Err(self.wrong("a name has no end")),
                unit => units.push(unit),
            }
        }
        String::from_utf16(&units).map_err(|_| self.wrong("a name is not UTF-16"))
    }

    fn expect(&mut self, sign: u8) -> Result<(), ImportError> {
        let found = self.unit()?;
        if found == u16::from(sign) {
            Ok(())
        } else {
            self.rest_back(2);
            Err(self.wrong(format!("'{}' is expected", char::from(sign))))
        }
    }

    /// For the place in an error only.
    fn rest_back(&mut self, bytes: usize) {
        self.all = self.all.saturating_sub(bytes);
    }

    fn unit(&mut self) -> Result<u16, ImportError> {
        let Some((unit, rest)) = self.rest.split_first_chunk::<2>() else {
            return Err(self.wrong("the file ends in the middle of an entry"));
        };
        self.rest = rest;
        Ok(u16::from_le_bytes(*unit))
    }

    fn number(&mut self) -> Result<u32, ImportError> {
        let Some((number, rest)) = self.rest.split_first_chunk::<4>() else {
            return Err(self.wrong("the file ends in the middle of an entry"));
        };
        self.rest = rest;
        Ok(u32::from_le_bytes(*number))
    }

    fn wrong(&self, problem: impl Into<String>) -> ImportError {
        ImportError::new(format!("byte {}", self.all.saturating_sub(self.rest.len())), problem)
    }
}
