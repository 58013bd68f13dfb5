//! The certificate that people and devices see.

use std::collections::BTreeSet;
use std::net::IpAddr;

use domain::time::Timestamp;
use rand_core::CryptoRng;
use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::{Authority, AuthorityError, DAY_MS, dated};

const DAYS: i64 = 90;
const RENEW_BEFORE_MS: i64 = 30 * DAY_MS;

/// A server certificate with its key, in memory only.
pub struct ServerCertificate {
    /// Leaf first.
    pub chain: Vec<CertificateDer<'static>>,
    /// The key.
    pub key: PrivateKeyDer<'static>,
    /// When a new one should be made.
    pub renew_after: Timestamp,
}

impl Authority {
    /// A certificate for these names, beside `localhost` and the loopback addresses.
    ///
    /// # Errors
    /// [`AuthorityError::Name`] for a name that cannot stand in a certificate.
    pub fn issue_server(
        &self,
        names: &[String],
        now: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> Result<ServerCertificate, AuthorityError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::default();
        let end = dated(&mut params, now, DAYS, rng)?;
        params.distinguished_name.push(DnType::CommonName, "Claviger server");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let loopback = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let all: BTreeSet<&String> = names.iter().chain(&loopback).collect();
        for name in all {
            params.subject_alt_names.push(alternative_name(name)?);
        }
        let leaf = params.signed_by(&key, &self.issuer)?;
        Ok(ServerCertificate {
            chain: vec![leaf.der().clone(), self.root.clone()],
            key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            renew_after: Timestamp(end.0 - RENEW_BEFORE_MS),
        })
    }
}

fn alternative_name(name: &str) -> Result<SanType, AuthorityError> {
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(address));
    }
    let host = name.strip_prefix("*.").unwrap_or(name);
    let label_fits = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    let wrong = || AuthorityError::Name(name.to_owned());
    if host.len() > 253 || !host.split('.').all(label_fits) {
        return Err(wrong());
    }
    name.try_into().map(SanType::DnsName).map_err(|_| wrong())
}
