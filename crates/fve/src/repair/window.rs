//! A part of a device as a device of its own.

use std::io;

use crate::io::{ReadAt, WriteAt};

/// The bytes `[start, start + len)` of a device: a volume on a disk whose partition table is lost.
#[derive(Clone, Debug)]
pub struct Window<D> {
    device: D,
    start: u64,
    len: u64,
}

impl<D: ReadAt> Window<D> {
    /// The part of `device` from `start` on, at most `len` bytes and not beyond its end.
    #[must_use]
    pub fn new(device: D, start: u64, len: u64) -> Self {
        let len = len.min(device.size().saturating_sub(start));
        Self { device, start, len }
    }

    /// Where it begins on the device.
    #[must_use]
    pub fn start(&self) -> u64 {
        self.start
    }

    /// The device.
    #[must_use]
    pub fn device(&self) -> &D {
        &self.device
    }

    fn place(&self, offset: u64, len: usize) -> io::Result<u64> {
        match offset.checked_add(len as u64) {
            Some(end) if end <= self.len => Ok(self.start + offset),
            _ => Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the range ends beyond the volume",
            )),
        }
    }
}

impl<D: ReadAt> ReadAt for Window<D> {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.device.read_at(self.place(offset, buf.len())?, buf)
    }

    fn size(&self) -> u64 {
        self.len
    }
}

impl<D: WriteAt> WriteAt for Window<D> {
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.device.write_at(self.place(offset, data.len())?, data)
    }

    fn flush(&self) -> io::Result<()> {
        self.device.flush()
    }
}
