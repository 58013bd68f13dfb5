//! The server's own certificate authority: a root, server certificates, and client certificates for devices.
//!
//! All keys are EC P-256. The root's key lives in the sealed key file; server keys live in memory only and are made
//! anew at each start; device keys never leave their devices.

mod device;
mod root;
mod server;

pub use device::{CsrError, IssuedCertificate};
pub(crate) use root::new_root;
pub use server::ServerCertificate;

use std::fmt;

use domain::time::Timestamp;
use rand_core::CryptoRng;
use rcgen::{CertificateParams, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256, SerialNumber};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use time::OffsetDateTime;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// Certificates start this long before they are made, for clocks that are behind.
const BACKDATED_MS: i64 = 60 * 60 * 1000;

/// The authority, able to sign. `Debug` shows no key.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    root: CertificateDer<'static>,
    root_pem: String,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authority { key: [redacted] }")
    }
}

/// Why the authority cannot work.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// Certificate or key in the key file are unusable.
    #[error("the certificate authority in the key file is damaged: {0}")]
    Damaged(String),
    /// A name that cannot stand in a certificate.
    #[error("{0:?} is neither a DNS name nor an IP address")]
    Name(String),
    /// The cryptographic library refused.
    #[error("a certificate could not be made: {0}")]
    Signing(#[from] rcgen::Error),
    /// A moment outside what certificates can say.
    #[error("the clock shows a time that certificates cannot say")]
    Time,
}

impl Authority {
    /// From the key file's contents.
    ///
    /// # Errors
    /// [`AuthorityError::Damaged`].
    pub(crate) fn load(certificate_pem: &str, key_der: &[u8]) -> Result<Self, AuthorityError> {
        let damaged = |error: &dyn fmt::Display| AuthorityError::Damaged(error.to_string());
        let key = KeyPair::from_pkcs8_der_and_sign_algo(&PrivatePkcs8KeyDer::from(key_der), &PKCS_ECDSA_P256_SHA256)
            .map_err(|error| damaged(&error))?;
        let root = CertificateDer::from_pem_slice(certificate_pem.as_bytes()).map_err(|error| damaged(&error))?;
        let issuer = Issuer::from_ca_cert_der(&root, key).map_err(|error| damaged(&error))?;
        Ok(Self {
            issuer,
            root,
            root_pem: certificate_pem.to_owned(),
        })
    }

    /// The root certificate, PEM: what agents and browsers are told to trust.
    #[must_use]
    pub fn root_pem(&self) -> &str {
        &self.root_pem
    }

    /// The root certificate.
    #[must_use]
    pub fn root(&self) -> &CertificateDer<'static> {
        &self.root
    }
}

/// Validity and serial number; everything else is the caller's.
fn dated(
    params: &mut CertificateParams,
    now: Timestamp,
    days: i64,
    rng: &mut dyn CryptoRng,
) -> Result<Timestamp, AuthorityError> {
    let end = Timestamp(now.0.saturating_add(days * DAY_MS) / 1000 * 1000);
    params.not_before = moment(Timestamp(now.0.saturating_sub(BACKDATED_MS)))?;
    params.not_after = moment(end)?;
    let mut serial = [0_u8; 16];
    rng.fill_bytes(&mut serial);
    // A positive integer without leading zero, as RFC 5280 §4.1.2.2 asks.
    serial[0] = serial[0] & 0x7F | 0x40;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    Ok(end)
}

fn moment(at: Timestamp) -> Result<OffsetDateTime, AuthorityError> {
    OffsetDateTime::from_unix_timestamp(at.0.div_euclid(1000)).map_err(|_| AuthorityError::Time)
}
