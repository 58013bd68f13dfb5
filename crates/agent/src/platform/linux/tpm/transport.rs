//! How frames reach the TPM: the kernel's resource manager, or the data socket of a software TPM. Both speak raw frames.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use zeroize::Zeroizing;

use super::TpmError;
use super::wire::MAX_FRAME;

/// How long a TPM may take for one command. Making a key takes real chips seconds; more than this is a hang.
const TIMEOUT: Duration = Duration::from_secs(90);

/// Where a TPM 2.0 is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TpmAddress {
    /// A character device: `/dev/tpmrm0`.
    Device(PathBuf),
    /// The data socket of a software TPM.
    Unix(PathBuf),
    /// Host and port of a software TPM.
    Tcp(String),
}

impl FromStr for TpmAddress {
    type Err = String;

    /// `unix:PATH`, `tcp:HOST:PORT`, or the path of a device.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(path) = text.strip_prefix("unix:") {
            Ok(Self::Unix(path.into()))
        } else if let Some(address) = text.strip_prefix("tcp:") {
            Ok(Self::Tcp(address.to_owned()))
        } else if text.starts_with('/') {
            Ok(Self::Device(text.into()))
        } else {
            Err(format!(
                "`{text}` is no TPM address: expected unix:PATH, tcp:HOST:PORT or the path of a device"
            ))
        }
    }
}

/// An open way to the TPM. Opened for one operation and closed after it: a software TPM serves one at a time.
pub(super) enum Transport {
    Device(File),
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Transport {
    /// Opens.
    ///
    /// # Errors
    /// [`TpmError::Unavailable`] when there is no TPM at the address.
    pub(super) fn open(address: &TpmAddress) -> Result<Self, TpmError> {
        Self::try_open(address).map_err(TpmError::Unavailable)
    }

    fn try_open(address: &TpmAddress) -> std::io::Result<Self> {
        match address {
            TpmAddress::Device(path) => OpenOptions::new().read(true).write(true).open(path).map(Self::Device),
            TpmAddress::Unix(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(TIMEOUT))?;
                stream.set_write_timeout(Some(TIMEOUT))?;
                Ok(Self::Unix(stream))
            }
            TpmAddress::Tcp(address) => {
                let stream = TcpStream::connect(address)?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(TIMEOUT))?;
                stream.set_write_timeout(Some(TIMEOUT))?;
                Ok(Self::Tcp(stream))
            }
        }
    }

    /// Whether nobody flushes for us what a killed predecessor left in the TPM: true for everything but the kernel's
    /// resource manager, which gives each opener its own handles.
    pub(super) fn keeps_handles(&self) -> bool {
        !matches!(self, Self::Device(_))
    }

    /// Sends one command and receives its response.
    pub(super) fn transact(&mut self, command: &[u8]) -> Result<Zeroizing<Vec<u8>>, TpmError> {
        match self {
            Self::Device(file) => exchange(file, command),
            Self::Unix(stream) => exchange(stream, command),
            Self::Tcp(stream) => exchange(stream, command),
        }
    }
}

fn exchange(stream: &mut (impl Read + Write), command: &[u8]) -> Result<Zeroizing<Vec<u8>>, TpmError> {
    // One write: the device takes a command as a whole.
    stream.write_all(command).map_err(TpmError::Unavailable)?;
    stream.flush().map_err(TpmError::Unavailable)?;
    let mut response = Zeroizing::new(vec![0u8; MAX_FRAME]);
    let mut have = 0;
    loop {
        let Some(room) = response.get_mut(have..).filter(|room| !room.is_empty()) else {
            return Err(TpmError::Malformed("response too long"));
        };
        let got = stream.read(room).map_err(TpmError::Unavailable)?;
        if got == 0 {
            return Err(TpmError::Unavailable(std::io::ErrorKind::UnexpectedEof.into()));
        }
        have += got;
        if let Some(size) = declared_size(&response[..have]) {
            if !(10..=MAX_FRAME).contains(&size) || have > size {
                return Err(TpmError::Malformed("length of the response"));
            }
            if have == size {
                response.truncate(size);
                return Ok(response);
            }
        }
    }
}

fn declared_size(bytes: &[u8]) -> Option<usize> {
    let field: [u8; 4] = bytes.get(2..6)?.try_into().ok()?;
    usize::try_from(u32::from_be_bytes(field)).ok()
}
