//! A device of any size that holds only what differs from zero, in pages.

use std::collections::BTreeMap;
use std::io;
use std::sync::Mutex;

use fve::io::{ReadAt, WriteAt};

const PAGE: u64 = 512;

/// Zeros, with pages on top.
pub struct Sparse {
    size: u64,
    pages: Mutex<BTreeMap<u64, [u8; PAGE as usize]>>,
}

impl Sparse {
    /// All zeros.
    pub fn new(size: u64) -> Self {
        Self {
            size,
            pages: Mutex::default(),
        }
    }

    /// A device whose content is `patches`: pairs of a page number and a page, cut short at the end.
    /// The page number is three bytes long, so a device has at most 8 GiB.
    pub fn from_patches(size: u64, mut patches: &[u8]) -> Self {
        let device = Self::new(size);
        while patches.len() > 3 {
            let page = u64::from(u32::from_le_bytes([patches[0], patches[1], patches[2], 0]));
            let len = (patches.len() - 3).min(PAGE as usize);
            // A page beyond the end is a page that is not there.
            let _ = device.write_at(page * PAGE, &patches[3..3 + len]);
            patches = &patches[3 + len..];
        }
        device
    }

    /// The content in the form that [`from_patches`](Self::from_patches) takes, without pages of one byte only.
    pub fn to_patches(&self) -> Vec<u8> {
        let pages = self.pages.lock().unwrap();
        let mut patches = Vec::new();
        for (number, page) in pages
            .iter()
            .filter(|(_, page)| page.iter().any(|&byte| byte != page[0]))
        {
            patches.extend_from_slice(&number.to_le_bytes()[..3]);
            patches.extend_from_slice(page);
        }
        patches
    }

    fn each(&self, offset: u64, len: usize, mut with: impl FnMut(&mut [u8], std::ops::Range<usize>)) -> io::Result<()> {
        if offset.checked_add(len as u64).is_none_or(|end| end > self.size) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut pages = self.pages.lock().unwrap();
        let mut done = 0;
        while done < len {
            let at = offset + done as u64;
            let within = (at % PAGE) as usize;
            let run = (len - done).min(PAGE as usize - within);
            let page = pages.entry(at / PAGE).or_insert([0; PAGE as usize]);
            with(&mut page[within..within + run], done..done + run);
            done += run;
        }
        Ok(())
    }
}

impl ReadAt for Sparse {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        if offset.checked_add(buf.len() as u64).is_none_or(|end| end > self.size) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        buf.fill(0);
        let end = offset + buf.len() as u64;
        let pages = self.pages.lock().unwrap();
        for (number, page) in pages.range(offset / PAGE..end.div_ceil(PAGE)) {
            let start = number * PAGE;
            let from = start.max(offset);
            let to = (start + PAGE).min(end);
            buf[(from - offset) as usize..(to - offset) as usize]
                .copy_from_slice(&page[(from - start) as usize..(to - start) as usize]);
        }
        Ok(())
    }

    fn size(&self) -> u64 {
        self.size
    }
}

impl WriteAt for Sparse {
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.each(offset, data.len(), |page, range| page.copy_from_slice(&data[range]))
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}
