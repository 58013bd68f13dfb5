//! What a disk holds, as an image that is shared and the sectors that differ from it.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use fve::io::ReadAt;

/// The piece that a disk writes whole, unless it tears even those.
pub(crate) const SECTOR: u64 = 512;

/// The content of a disk. A copy of it costs as much as the sectors that differ.
#[derive(Clone)]
pub(crate) struct Disk {
    base: Arc<Vec<u8>>,
    changed: BTreeMap<u64, [u8; SECTOR as usize]>,
}

impl Disk {
    pub(crate) fn new(image: Vec<u8>) -> Self {
        assert!((image.len() as u64).is_multiple_of(SECTOR));
        Self {
            base: Arc::new(image),
            changed: BTreeMap::new(),
        }
    }

    pub(crate) fn read(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let end = offset + buf.len() as u64;
        let whole = self.base.get(offset as usize..end as usize);
        buf.copy_from_slice(whole.ok_or(io::ErrorKind::UnexpectedEof)?);
        for (&number, sector) in self.changed.range(offset / SECTOR..end.div_ceil(SECTOR)) {
            let start = number * SECTOR;
            let (from, to) = (start.max(offset), (start + SECTOR).min(end));
            buf[(from - offset) as usize..(to - offset) as usize]
                .copy_from_slice(&sector[(from - start) as usize..(to - start) as usize]);
        }
        Ok(())
    }

    pub(crate) fn write(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        let end = offset + data.len() as u64;
        if end > self.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        for number in offset / SECTOR..end.div_ceil(SECTOR) {
            let start = number * SECTOR;
            let (from, to) = (start.max(offset), (start + SECTOR).min(end));
            let mut sector = self.sector(number);
            sector[(from - start) as usize..(to - start) as usize]
                .copy_from_slice(&data[(from - offset) as usize..(to - offset) as usize]);
            self.changed.insert(number, sector);
        }
        Ok(())
    }

    pub(crate) fn sector(&self, number: u64) -> [u8; SECTOR as usize] {
        self.changed.get(&number).copied().unwrap_or_else(|| {
            let start = (number * SECTOR) as usize;
            self.base[start..start + SECTOR as usize].try_into().unwrap()
        })
    }

    pub(crate) fn set_sector(&mut self, number: u64, sector: [u8; SECTOR as usize]) {
        self.changed.insert(number, sector);
    }

    pub(crate) fn len(&self) -> u64 {
        self.base.len() as u64
    }

    pub(crate) fn to_vec(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.base.len()];
        self.read(0, &mut bytes).unwrap();
        bytes
    }

    /// Makes copies cheap again once much has changed.
    pub(crate) fn settle(&mut self) {
        if self.changed.len() as u64 * SECTOR * 8 > self.len() {
            *self = Self::new(self.to_vec());
        }
    }

    /// The first byte in which two disks differ outside of `but`, if any.
    pub(crate) fn differs(&self, other: &Self, but: &[std::ops::Range<u64>]) -> Option<u64> {
        let (ours, theirs) = (self.to_vec(), other.to_vec());
        let numbers = 0..self.len() / SECTOR;
        numbers.map(|number| number * SECTOR).find(|&at| {
            let range = at as usize..(at + SECTOR) as usize;
            ours[range.clone()] != theirs[range] && !but.iter().any(|but| but.contains(&at))
        })
    }
}

impl ReadAt for Disk {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.read(offset, buf)
    }

    fn size(&self) -> u64 {
        self.len()
    }
}
