//! What a verified client certificate says.

use domain::ids::DeviceId;
use domain::time::Timestamp;
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, X509Certificate};

/// The device at the other end, by its client certificate. TLS has verified the chain; the end is looked at again with
/// each request, because a connection may outlive its certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerIdentity {
    /// The certificate's common name.
    pub device: DeviceId,
    /// SHA-256 of the certificate.
    pub fingerprint: [u8; 32],
    /// Its end.
    pub not_after: Timestamp,
}

impl PeerIdentity {
    /// Reads a certificate; none when its single common name is not a device id.
    #[must_use]
    pub fn of(certificate: &[u8]) -> Option<Self> {
        let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
        let mut names = parsed.subject().iter_common_name();
        let name = names.next()?.as_str().ok()?;
        if names.next().is_some() {
            return None;
        }
        Some(Self {
            device: name.parse().ok()?,
            fingerprint: Sha256::digest(certificate).into(),
            not_after: Timestamp(parsed.validity().not_after.timestamp().saturating_mul(1000)),
        })
    }
}
