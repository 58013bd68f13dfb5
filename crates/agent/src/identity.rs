//! The device's identity: a P-256 key made here and a certificate that the server issued for it.
//!
//! Key and certificate are kept in one file (`identity.json`, mode 0600) that is replaced as a whole, so after any crash
//! they belong together. A lost or damaged file is no loss: with a token at hand the device enrols again, and the server
//! makes a new record. The key is a file for now; keeping it in the TPM where there is one is still to come.

use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::ids::DeviceId;
use domain::time::Timestamp;
use protocol::messages::{EnrolRequest, EnrolResponse, RenewRequest};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::client::{Client, ClientError, Endpoint};
use crate::files;

/// Longest token that is read, in bytes.
const MAX_TOKEN: usize = 1024;

/// Who this device is.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The device's id.
    pub device: DeviceId,
    /// Certificate and chain, PEM.
    pub certificate: String,
    /// From when on it should be renewed.
    pub renew_after: Timestamp,
    /// The private key, PKCS#8 PEM.
    #[serde(with = "secret_text")]
    pub(crate) key: Zeroizing<String>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity {{ device: {}, key: [redacted] }}", self.device)
    }
}

/// Why there is no usable identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// There is no identity, and no token to get one.
    #[error("this device is not enrolled: give a file with an enrolment token (`enrolment_token_file`)")]
    NoToken,
    /// The token's file cannot be used.
    #[error("the enrolment token in {path} cannot be used: {problem}")]
    Token {
        /// The file.
        path: PathBuf,
        /// Why.
        problem: String,
    },
    /// The identity's file cannot be read or written, or is damaged and there is no token to enrol again.
    #[error("the identity in {path} cannot be used: {problem}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        problem: String,
    },
    /// The certificate ran out, and there is no token to enrol again.
    #[error("the device's certificate has expired: enrol again with a token (`enrolment_token_file`)")]
    Expired,
    /// Key or request could not be made, or the server's certificate is not for our key.
    #[error("the identity could not be made: {0}")]
    Cryptography(String),
    /// The server did not give one.
    #[error("enrolment failed: {0}")]
    Client(#[from] ClientError),
}

impl IdentityError {
    /// How long the server asked to be left alone, when it did.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Client(error) => error.retry_after(),
            _ => None,
        }
    }
}

/// What an administrator made to let devices in. A secret.
pub struct EnrolmentToken(Zeroizing<String>);

impl std::fmt::Debug for EnrolmentToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EnrolmentToken([redacted])")
    }
}

impl EnrolmentToken {
    /// Reads a token from a file; white space around it does not count.
    ///
    /// # Errors
    /// [`IdentityError::Token`].
    pub fn read(path: &Path) -> Result<Self, IdentityError> {
        let failed = |problem: &str| IdentityError::Token {
            path: path.to_owned(),
            problem: problem.to_owned(),
        };
        let text = Zeroizing::new(std::fs::read_to_string(path).map_err(|e| failed(&e.to_string()))?);
        let token = text.trim();
        if token.is_empty() {
            return Err(failed("the file is empty"));
        }
        if token.len() > MAX_TOKEN || token.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(failed("it is not one word of at most 1024 bytes"));
        }
        Ok(Self(Zeroizing::new(token.to_owned())))
    }
}

impl Identity {
    /// Reads the identity of a state directory; none when there is none.
    ///
    /// # Errors
    /// [`IdentityError::File`] when it is unreadable or damaged.
    pub fn load(state_dir: &Path) -> Result<Option<Self>, IdentityError> {
        let path = file_of(state_dir);
        let failed = |problem: String| IdentityError::File {
            path: path.clone(),
            problem,
        };
        match std::fs::read(&path).map(Zeroizing::new) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                // The message is not repeated: it could quote the key.
                .map_err(|_| failed("it is damaged".to_owned())),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(failed(e.to_string())),
        }
    }

    /// Writes it to a state directory, readable by the owner only.
    ///
    /// # Errors
    /// [`IdentityError::File`].
    pub fn store(&self, state_dir: &Path) -> Result<(), IdentityError> {
        let path = file_of(state_dir);
        let failed = |problem: String| IdentityError::File {
            path: path.clone(),
            problem,
        };
        let json = serde_json::to_vec(self)
            .map(Zeroizing::new)
            .map_err(|e| failed(e.to_string()))?;
        files::replace(&path, &json, files::PRIVATE).map_err(|e| failed(e.to_string()))
    }

    /// Enrols by token: a new key, a request for it, and the server's certificate. Nothing is written.
    ///
    /// # Errors
    /// [`IdentityError::Cryptography`] or [`IdentityError::Client`].
    pub async fn enrol(
        endpoint: &Endpoint,
        token: &EnrolmentToken,
        hostname: &str,
        hardware_id: &str,
    ) -> Result<Self, IdentityError> {
        let (key, certificate_request) = key_and_request(hostname)?;
        let mut request = EnrolRequest {
            token: token.0.to_string(),
            certificate_request,
            hostname: hostname.to_owned(),
            hardware_id: hardware_id.to_owned(),
        };
        let answer = Client::anonymous(endpoint)?.enrol(&request).await;
        zeroize::Zeroize::zeroize(&mut request.token);
        Self::accept(endpoint, answer?, key)
    }

    /// Has the certificate renewed, for a new key. Nothing is written.
    ///
    /// # Errors
    /// [`IdentityError::Cryptography`] or [`IdentityError::Client`].
    pub async fn renew(&self, endpoint: &Endpoint, client: &Client) -> Result<Self, IdentityError> {
        let (key, certificate_request) = key_and_request(&self.device.to_string())?;
        let answer = client.renew(&RenewRequest { certificate_request }).await?;
        if answer.device != self.device {
            return Err(IdentityError::Cryptography(
                "the server renewed for another device".to_owned(),
            ));
        }
        Self::accept(endpoint, answer, key)
    }

    fn accept(endpoint: &Endpoint, answer: EnrolResponse, key: Zeroizing<String>) -> Result<Self, IdentityError> {
        let identity = Self {
            device: answer.device,
            certificate: answer.certificate,
            renew_after: answer.renew_after,
            key,
        };
        identity.expires_at()?;
        // Building a client proves that key and certificate belong together.
        Client::with_identity(endpoint, &identity)?;
        Ok(identity)
    }

    /// When the certificate ends.
    ///
    /// # Errors
    /// [`IdentityError::Cryptography`] when it is no certificate.
    pub fn expires_at(&self) -> Result<Timestamp, IdentityError> {
        let malformed = || IdentityError::Cryptography("the server's answer holds no certificate".to_owned());
        let (_, pem) = x509_parser::pem::parse_x509_pem(self.certificate.as_bytes()).map_err(|_| malformed())?;
        let certificate = pem.parse_x509().map_err(|_| malformed())?;
        Ok(Timestamp(
            certificate.validity().not_after.timestamp().saturating_mul(1000),
        ))
    }
}

fn file_of(state_dir: &Path) -> PathBuf {
    state_dir.join("identity.json")
}

fn key_and_request(name: &str) -> Result<(Zeroizing<String>, String), IdentityError> {
    let failed = |e: rcgen::Error| IdentityError::Cryptography(e.to_string());
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    // A common name has at most 64 characters (X.520); the server puts the device's id there anyway.
    let common_name: String = name.chars().take(64).collect();
    params.distinguished_name.push(DnType::CommonName, common_name);
    let request = params.serialize_request(&key).and_then(|r| r.pem()).map_err(failed)?;
    Ok((Zeroizing::new(key.serialize_pem()), request))
}

pub(crate) mod secret_text {
    use serde::{Deserialize, Deserializer, Serializer};
    use zeroize::Zeroizing;

    pub(crate) fn serialize<S: Serializer>(text: &Zeroizing<String>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(text)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Zeroizing<String>, D::Error> {
        String::deserialize(deserializer).map(Zeroizing::new)
    }
}
