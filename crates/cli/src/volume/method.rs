//! Encryption methods, as people name them.

use clap::ValueEnum;
use fve::EncryptionMethod;

/// The methods that volumes are written with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Method {
    /// The default of Windows 10 and 11
    #[value(name = "aes-xts-128")]
    AesXts128,
    /// The same with a longer key
    #[value(name = "aes-xts-256")]
    AesXts256,
    /// Also read by Windows 8.1 and older Windows 10; for removable drives
    #[value(name = "aes-cbc-128")]
    AesCbc128,
    /// The same with a longer key
    #[value(name = "aes-cbc-256")]
    AesCbc256,
}

impl From<Method> for EncryptionMethod {
    fn from(method: Method) -> Self {
        match method {
            Method::AesXts128 => Self::AesXts128,
            Method::AesXts256 => Self::AesXts256,
            Method::AesCbc128 => Self::AesCbc128,
            Method::AesCbc256 => Self::AesCbc256,
        }
    }
}
