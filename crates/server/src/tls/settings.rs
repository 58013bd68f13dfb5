//! The TLS configuration: version 1.3 only, client certificates of our own authority accepted but not demanded.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use domain::time::Clock;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::time_provider::TimeProvider;
use rustls::{RootCertStore, ServerConfig};

use crate::authority::{Authority, AuthorityError, ServerCertificate};

/// Why TLS cannot start.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A PEM file cannot be read or holds nothing usable.
    #[error("{path}: {reason}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The library refused certificate or key.
    #[error("TLS: {0}")]
    Library(#[from] rustls::Error),
    /// The trust anchor is unusable.
    #[error("client certificates cannot be checked: {0}")]
    Verifier(String),
    /// The authority could not make a certificate.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
}

/// The certificate in use; it can be replaced while connections go on.
pub(crate) struct CurrentCertificate(RwLock<Arc<CertifiedKey>>);

impl fmt::Debug for CurrentCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CurrentCertificate")
    }
}

impl ResolvesServerCert for CurrentCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.read().ok().map(|current| Arc::clone(&current))
    }
}

/// The certificates of a PEM file, at least one; or what is wrong with the file.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| error.to_string())?;
    if certificates.is_empty() {
        return Err("no certificate in it".to_owned());
    }
    Ok(certificates)
}

impl CurrentCertificate {
    /// From the own authority.
    pub(crate) fn issued(certificate: ServerCertificate) -> Result<Self, TlsError> {
        Ok(Self(RwLock::new(certified(certificate.chain, certificate.key)?)))
    }

    /// From PEM files.
    pub(crate) fn from_files(chain: &Path, key: &Path) -> Result<Self, TlsError> {
        let failed = |path: &Path, reason: String| TlsError::File {
            path: path.to_owned(),
            reason,
        };
        let certificates = certificates(chain).map_err(|reason| failed(chain, reason))?;
        let private = PrivateKeyDer::from_pem_file(key).map_err(|error| failed(key, error.to_string()))?;
        Ok(Self(RwLock::new(certified(certificates, private)?)))
    }

    /// New handshakes see the new certificate.
    pub(crate) fn replace(&self, certificate: ServerCertificate) -> Result<(), TlsError> {
        let new = certified(certificate.chain, certificate.key)?;
        if let Ok(mut current) = self.0.write() {
            *current = new;
        }
        Ok(())
    }
}

fn certified(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<CertifiedKey>, rustls::Error> {
    CertifiedKey::from_der(chain, key, &provider()).map(Arc::new)
}

/// The one cryptographic provider.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// Certificates are checked against the server's clock.
struct Now(Arc<dyn Clock>);

impl fmt::Debug for Now {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Now")
    }
}

impl TimeProvider for Now {
    fn current_time(&self) -> Option<UnixTime> {
        let since_epoch = Duration::from_millis(u64::try_from(self.0.now().0).ok()?);
        Some(UnixTime::since_unix_epoch(since_epoch))
    }
}

/// Sessions are not resumed: a resumed session would carry a client certificate that was not checked again.
pub(crate) fn server_config(
    authority: &Authority,
    certificate: Arc<CurrentCertificate>,
    clock: Arc<dyn Clock>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.root().clone())?;
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
        .allow_unauthenticated()
        .build()
        .map_err(|error| TlsError::Verifier(error.to_string()))?;
    let mut config = ServerConfig::builder_with_details(provider(), Arc::new(Now(clock)))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(certificate);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}
