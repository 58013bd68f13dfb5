//! Client certificates for devices.

use domain::ids::DeviceId;
use domain::time::Timestamp;
use rand_core::CryptoRng;
use rcgen::{
    CertificateParams, CertificateSigningRequestParams, DnType, ExtendedKeyUsagePurpose, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384,
};
use sha2::{Digest, Sha256};

use super::{Authority, AuthorityError, DAY_MS, dated};

const DAYS: i64 = 90;
const RENEW_AFTER_DAYS: i64 = 60;
/// A P-384 request with a few extensions stays far below.
const MAX_CSR: usize = 16 * 1024;

/// A client certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedCertificate {
    /// Certificate and root, PEM.
    pub chain_pem: String,
    /// SHA-256 of the certificate.
    pub fingerprint: [u8; 32],
    /// Its end.
    pub not_after: Timestamp,
    /// When the device should ask for the next.
    pub renew_after: Timestamp,
}

/// Why a certificate request is refused.
#[derive(Debug, thiserror::Error)]
pub enum CsrError {
    /// Longer than any sensible request.
    #[error("certificate_request is longer than 16384 bytes")]
    TooLong,
    /// Not PKCS#10, or its own signature is wrong.
    #[error("certificate_request must be a PKCS#10 request in PEM, signed by its own key")]
    Malformed,
    /// A key type that is not accepted.
    #[error("certificate_request must use an EC key on P-256 (with SHA-256) or P-384 (with SHA-384)")]
    KeyType,
    /// The authority failed.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
}

impl Authority {
    /// Certifies the key of a PKCS#10 request for a device. Only the key is taken from the request: names, usages and
    /// lifetimes that it asks for are ignored.
    ///
    /// # Errors
    /// [`CsrError`].
    pub fn issue_device(
        &self,
        request_pem: &str,
        device: DeviceId,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> Result<IssuedCertificate, CsrError> {
        if request_pem.len() > MAX_CSR {
            return Err(CsrError::TooLong);
        }
        let request = CertificateSigningRequestParams::from_pem(request_pem).map_err(|_| CsrError::Malformed)?;
        let algorithm = request.public_key.algorithm();
        if algorithm != &PKCS_ECDSA_P256_SHA256 && algorithm != &PKCS_ECDSA_P384_SHA384 {
            return Err(CsrError::KeyType);
        }
        let mut params = CertificateParams::default();
        let not_after = dated(&mut params, now, DAYS, rng)?;
        params.distinguished_name.push(DnType::CommonName, device.to_string());
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let leaf = params
            .signed_by(&request.public_key, &self.issuer)
            .map_err(AuthorityError::from)?;
        Ok(IssuedCertificate {
            chain_pem: format!("{}{}", leaf.pem(), self.root_pem),
            fingerprint: Sha256::digest(leaf.der()).into(),
            not_after,
            renew_after: now.after(std::time::Duration::from_millis(
                (RENEW_AFTER_DAYS * DAY_MS).unsigned_abs(),
            )),
        })
    }
}
