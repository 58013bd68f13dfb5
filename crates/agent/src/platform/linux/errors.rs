//! Errors of the volume format as codes of the provider.

use fve::Error;
use fve::fat::FatError;
use fve::ntfs::NtfsError;

use crate::provider::{Code, ProviderError};

impl From<Error> for ProviderError {
    fn from(error: Error) -> Self {
        let code = match &error {
            Error::WrongCredential => Code::FailedAuthentication,
            Error::NoProtectorOfKind => Code::ProtectorNotFound,
            Error::NoSuchProtector(_) | Error::InvalidArgument(_) => Code::InvalidArgument,
            Error::WrongProtectorKind(_) => Code::InvalidProtectorType,
            Error::LastProtector => Code::KeyRequired,
            Error::Stale => Code::OverlappedUpdate,
            Error::Ntfs(NtfsError::NoSpace { .. } | NtfsError::NoRun { .. })
            | Error::Fat(FatError::NoSpace { .. } | FatError::NoRun { .. }) => Code::VolumeTooSmall,
            Error::Ntfs(_)
            | Error::Fat(_)
            | Error::UnknownFileSystem(_)
            | Error::NoKeys
            | Error::Unsupported(_)
            | Error::InvalidState(_)
            | Error::MetadataFull { .. }
            | Error::NoncesExhausted => Code::NotSupported,
            _ => Code::ReadFault,
        };
        Self::new(code, error.to_string())
    }
}
