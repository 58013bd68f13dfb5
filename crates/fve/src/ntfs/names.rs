//! File names: ours, their attribute, and the order in which directories list them.

use std::cmp::Ordering;

use super::NtfsError;
use super::bytes::{put, slice, u8_at, u64_at};
use super::record::{Attr, DATA, FILE_NAME, Record, SECURITY_DESCRIPTOR, STANDARD_INFORMATION, Stream};
use super::volume::{UPCASE, Volume, damaged};
use crate::time::FileTime;

/// A self-relative descriptor: owner and group SYSTEM, full access for SYSTEM only.
pub(super) const SYSTEM_ONLY: [u8; 72] = {
    const SID: [u8; 12] = [1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0];
    const HEAD: [u8; 36] = [
        1, 0, 4, 0x80, 48, 0, 0, 0, 60, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0, // revision, control, offsets
        2, 0, 28, 0, 1, 0, 0, 0, // list of one entry
        0, 0, 20, 0, 0xFF, 1, 0x1F, 0, // allow, full access
    ];
    let mut bytes = [0; 72];
    let mut at = 0;
    while at < 72 {
        bytes[at] = if at < 36 { HEAD[at] } else { SID[(at - 36) % 12] };
        at += 1;
    }
    bytes
};

const HIDDEN_SYSTEM: u32 = 6;
const HAS_INDEX: u32 = 0x1000_0000;

/// Fills a blank record, not yet in use, for a file of ours under `parent`;
/// without data it is the start of a directory.
pub(super) fn fill(
    mut record: Record,
    name: &str,
    parent: u64,
    data: Option<&Stream>,
    cluster: u64,
    now: FileTime,
) -> Record {
    let mut standard = vec![0; 48];
    for time in 0..4 {
        put(&mut standard, 8 * time, &now.0.to_le_bytes());
    }
    put(&mut standard, 32, &HIDDEN_SYSTEM.to_le_bytes());
    record.replace(Attr::resident(STANDARD_INFORMATION, "", &standard, false));
    let (size, flags) = data.map_or((0, HIDDEN_SYSTEM | HAS_INDEX), |data| (data.size, HIDDEN_SYSTEM));
    let allocated = data.map_or(0, |data| data.clusters() * cluster);
    record.replace(Attr::resident(
        FILE_NAME,
        "",
        &name_key(name, parent, now, allocated, size, flags),
        true,
    ));
    record.replace(Attr::resident(SECURITY_DESCRIPTOR, "", &SYSTEM_ONLY, false));
    if let Some(data) = data {
        record.replace(Attr::non_resident(DATA, "", data, cluster));
    }
    record
}

fn name_key(name: &str, parent: u64, now: FileTime, allocated: u64, size: u64, flags: u32) -> Vec<u8> {
    let mut key = parent.to_le_bytes().to_vec();
    for _ in 0..4 {
        key.extend(now.0.to_le_bytes());
    }
    key.extend(allocated.to_le_bytes());
    key.extend(size.to_le_bytes());
    key.extend(u64::from(flags).to_le_bytes());
    let units: Vec<u16> = name.encode_utf16().collect();
    key.push(units.len() as u8);
    key.push(0); // the POSIX name space: a long name without a short twin
    key.extend(units.into_iter().flat_map(u16::to_le_bytes));
    key
}

/// The UTF-16 name in a $FILE_NAME value.
pub(super) fn key_name(key: &[u8]) -> Result<Vec<u16>, NtfsError> {
    let name = slice(key, 66, 2 * usize::from(u8_at(key, 64)?))?;
    Ok(name
        .chunks_exact(2)
        .map(|unit| u16::from_le_bytes([unit[0], unit[1]]))
        .collect())
}

/// The reference of the directory in a $FILE_NAME value.
pub(super) fn key_parent(key: &[u8]) -> Result<u64, NtfsError> {
    u64_at(key, 0)
}

/// The volume's own table of upper-case letters.
pub(super) struct Upcase(Vec<u8>);

impl Upcase {
    pub(super) fn load(volume: &Volume<'_>) -> Result<Self, NtfsError> {
        let content = volume.content(&volume.record(UPCASE)?, DATA, "")?;
        let table = volume.bytes(&content.ok_or_else(|| damaged("$UpCase has no data"))?)?;
        if table.len() != 2 << 16 {
            return Err(damaged("$UpCase has not 65536 letters"));
        }
        Ok(Self(table))
    }

    fn upper(&self, unit: u16) -> u16 {
        let at = 2 * usize::from(unit);
        u16::from_le_bytes([self.0[at], self.0[at + 1]])
    }

    pub(super) fn same(&self, a: &[u16], b: &[u16]) -> bool {
        a.len() == b.len() && a.iter().zip(b).all(|(&a, &b)| self.upper(a) == self.upper(b))
    }

    /// Case-insensitive first, then by the letters as they are.
    pub(super) fn order(&self, a: &[u16], b: &[u16]) -> Ordering {
        let upper = |name: &[u16]| name.iter().map(|&unit| self.upper(unit)).collect::<Vec<_>>();
        upper(a).cmp(&upper(b)).then_with(|| a.cmp(b))
    }
}
