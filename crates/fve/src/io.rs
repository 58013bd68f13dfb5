//! Positioned reads and writes: the only way this crate touches a device.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// A byte range of fixed size that can be read at any offset.
pub trait ReadAt: Send + Sync {
    /// Fills `buf` with the bytes from `offset` on; a range that ends beyond
    /// [`size`](Self::size) fails with `UnexpectedEof`.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()>;

    /// Size in bytes.
    fn size(&self) -> u64;
}

/// A [`ReadAt`] that can be written too. Writes never extend it.
pub trait WriteAt: ReadAt {
    /// Writes all of `data` at `offset`.
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()>;

    /// Returns once everything written before is durable.
    fn flush(&self) -> io::Result<()>;
}

/// A file or a block device.
#[derive(Debug)]
pub struct FileDevice {
    file: File,
    size: u64,
}

impl FileDevice {
    /// Opens `path` for reading.
    pub fn open_read(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::from_file(File::open(path)?)
    }

    /// Opens `path` for reading and writing.
    pub fn open_write(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::from_file(OpenOptions::new().read(true).write(true).open(path)?)
    }

    /// Takes an open file; the size is where its end is now.
    pub fn from_file(mut file: File) -> io::Result<Self> {
        let size = io::Seek::seek(&mut file, io::SeekFrom::End(0))?;
        Ok(Self { file, size })
    }
}

impl ReadAt for FileDevice {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        check_range(offset, buf.len(), self.size)?;
        self.file.read_exact_at(buf, offset)
    }

    fn size(&self) -> u64 {
        self.size
    }
}

impl WriteAt for FileDevice {
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        check_range(offset, data.len(), self.size)?;
        self.file.write_all_at(data, offset)
    }

    fn flush(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// A device in memory, for tests and examples.
#[derive(Debug, Default)]
pub struct MemoryDevice {
    bytes: Mutex<Vec<u8>>,
}

impl MemoryDevice {
    /// A device holding `bytes`.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self {
            bytes: Mutex::new(bytes),
        }
    }

    /// A copy of the whole content.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ReadAt for MemoryDevice {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let bytes = self.lock();
        let start = check_range(offset, buf.len(), bytes.len() as u64)?;
        buf.copy_from_slice(&bytes[start..start + buf.len()]);
        Ok(())
    }

    fn size(&self) -> u64 {
        self.lock().len() as u64
    }
}

impl WriteAt for MemoryDevice {
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut bytes = self.lock();
        let start = check_range(offset, data.len(), bytes.len() as u64)?;
        bytes[start..start + data.len()].copy_from_slice(data);
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

fn check_range(offset: u64, len: usize, size: u64) -> io::Result<usize> {
    match offset.checked_add(len as u64) {
        Some(end) if end <= size => usize::try_from(offset).map_err(io::Error::other),
        _ => Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            format!("{len} bytes at {offset} end beyond the device of {size} bytes"),
        )),
    }
}

macro_rules! forward {
    ($({$($generics:tt)*} $target:ty;)*) => {$(
        impl<$($generics)* + ReadAt + ?Sized> ReadAt for $target {
            fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
                (**self).read_at(offset, buf)
            }
            fn size(&self) -> u64 {
                (**self).size()
            }
        }
        impl<$($generics)* + WriteAt + ?Sized> WriteAt for $target {
            fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
                (**self).write_at(offset, data)
            }
            fn flush(&self) -> io::Result<()> {
                (**self).flush()
            }
        }
    )*};
}

forward! {
    {T: Send + Sync} &T;
    {T: Send + Sync} Arc<T>;
    {T: Send + Sync} Box<T>;
}
