//! Writes kept in memory over a device that is only read.

use std::collections::BTreeMap;
use std::io;
use std::sync::{PoisonError, RwLock};

use crate::io::{ReadAt, WriteAt};

const PAGE: u64 = 4096;

/// A device that looks changed while the one below is not. For small changes.
pub(super) struct Overlay<'a> {
    below: &'a dyn ReadAt,
    pages: RwLock<BTreeMap<u64, Vec<u8>>>,
}

impl<'a> Overlay<'a> {
    pub(super) fn new(below: &'a dyn ReadAt) -> Self {
        Self {
            below,
            pages: RwLock::default(),
        }
    }

    fn load(&self, start: u64) -> io::Result<Vec<u8>> {
        let len = usize::try_from(PAGE.min(self.below.size() - start)).map_err(io::Error::other)?;
        let mut page = vec![0; len];
        self.below.read_at(start, &mut page)?;
        Ok(page)
    }
}

impl ReadAt for Overlay<'_> {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.below.read_at(offset, buf)?;
        let end = offset + buf.len() as u64;
        let pages = self.pages.read().unwrap_or_else(PoisonError::into_inner);
        for (&start, page) in pages.range(offset - offset % PAGE..end) {
            let (from, to) = (start.max(offset), (start + page.len() as u64).min(end));
            if from < to {
                let [in_buf, in_page] =
                    [from - offset, from - start].map(|at| usize::try_from(at).unwrap_or(usize::MAX));
                let len = usize::try_from(to - from).map_err(io::Error::other)?;
                buf[in_buf..in_buf + len].copy_from_slice(&page[in_page..in_page + len]);
            }
        }
        Ok(())
    }

    fn size(&self) -> u64 {
        self.below.size()
    }
}

impl WriteAt for Overlay<'_> {
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if offset
            .checked_add(data.len() as u64)
            .is_none_or(|end| end > self.size())
        {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut pages = self.pages.write().unwrap_or_else(PoisonError::into_inner);
        let (mut at, mut rest) = (offset, data);
        while !rest.is_empty() {
            let start = at - at % PAGE;
            let page = match pages.entry(start) {
                std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
                std::collections::btree_map::Entry::Vacant(entry) => entry.insert(self.load(start)?),
            };
            let within = usize::try_from(at - start).map_err(io::Error::other)?;
            let len = rest.len().min(page.len() - within);
            page[within..within + len].copy_from_slice(&rest[..len]);
            at += len as u64;
            rest = &rest[len..];
        }
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::MemoryDevice;

    #[test]
    fn writes_show_above_and_not_below() {
        let below = MemoryDevice::new(vec![1; 10_000]);
        let overlay = Overlay::new(&below);
        overlay.write_at(4000, &[2; 5000]).unwrap();
        let mut seen = vec![0; 10_000];
        overlay.read_at(0, &mut seen).unwrap();
        let mut expected = vec![1; 10_000];
        expected[4000..9000].fill(2);
        assert_eq!(seen, expected);
        overlay.read_at(8999, &mut seen[..2]).unwrap();
        assert_eq!(seen[..2], [2, 1]);
        assert_eq!(below.to_vec(), vec![1; 10_000]);
    }
}
