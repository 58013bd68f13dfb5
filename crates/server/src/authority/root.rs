//! The root, made once.

use domain::time::Timestamp;
use rand_core::CryptoRng;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256};
use zeroize::Zeroizing;

use super::{AuthorityError, dated};
use crate::sealing::NewAuthority;

const DAYS: i64 = 3653;

/// A new root, valid for ten years. The key is drawn by the cryptographic library's own generator.
pub(crate) fn new_root(now: Timestamp, rng: &mut dyn CryptoRng) -> Result<NewAuthority, AuthorityError> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::default();
    dated(&mut params, now, DAYS, rng)?;
    let mut tag = [0_u8; 4];
    rng.fill_bytes(&mut tag);
    // The tag tells roots of several installations apart in a trust store.
    let name = format!("Claviger authority {}", hex::encode_upper(tag));
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = params.self_signed(&key)?;
    Ok(NewAuthority {
        key: Zeroizing::new(key.serialize_der()),
        certificate: certificate.pem(),
    })
}
