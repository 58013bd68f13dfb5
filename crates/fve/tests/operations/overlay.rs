//! A device over a file that is never written: changes stay in memory.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Mutex;

use fve::io::{FileDevice, ReadAt, WriteAt};

const PAGE: u64 = 4096;

pub(crate) struct Overlay {
    file: FileDevice,
    pages: Mutex<BTreeMap<u64, Vec<u8>>>,
}

impl Overlay {
    pub(crate) fn new(path: &Path) -> Self {
        Self {
            file: FileDevice::open_read(path).unwrap(),
            pages: Mutex::default(),
        }
    }
}

/// The pages that a range touches: their start, and the part of the range in each.
fn pieces(offset: u64, len: usize) -> impl Iterator<Item = (u64, std::ops::Range<usize>, usize)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let at = offset + done as u64;
        let inside = (at % PAGE) as usize;
        let step = (PAGE as usize - inside).min(len - done);
        let piece = (at - at % PAGE, done..done + step, inside);
        done += step;
        (step > 0).then_some(piece)
    })
}

impl ReadAt for Overlay {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.file.read_at(offset, buf)?;
        let pages = self.pages.lock().unwrap();
        for (page, part, inside) in pieces(offset, buf.len()) {
            if let Some(page) = pages.get(&page) {
                let len = part.len();
                buf[part].copy_from_slice(&page[inside..inside + len]);
            }
        }
        Ok(())
    }

    fn size(&self) -> u64 {
        self.file.size()
    }
}

impl WriteAt for Overlay {
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut pages = self.pages.lock().unwrap();
        for (start, part, inside) in pieces(offset, data.len()) {
            let page = pages.entry(start).or_insert_with(|| {
                let mut page = vec![0; PAGE as usize];
                let len = (self.size() - start).min(PAGE) as usize;
                self.file.read_at(start, &mut page[..len]).unwrap();
                page
            });
            let data = &data[part];
            page[inside..inside + data.len()].copy_from_slice(data);
        }
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}
