//! What the caller decides: where things are kept, where to listen, which certificate, which limits.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::sealing::KdfCost;
use crate::stream::Target;

/// Settings of one server. The caller reads passphrase and passwords from a file, standard input or a prompt;
/// they never come from a command line or an environment variable.
pub struct Config {
    /// Directory of the database, the sealed key file and `ca.pem`. Made when missing.
    pub data_dir: PathBuf,
    /// Where to listen; port 0 lets the operating system choose.
    pub listen: SocketAddr,
    /// DNS names and IP addresses under which people and devices reach this server, beside `localhost` and `127.0.0.1`.
    pub public_names: Vec<String>,
    /// Certificate for people and devices.
    pub certificate: CertificateSource,
    /// Opens the key file; at the first start it seals the new one.
    pub passphrase: Zeroizing<String>,
    /// Name and password of the first administrator. `None`: name `admin` and a generated password, to be changed at
    /// the first sign-in.
    pub first_administrator: Option<FirstAdministrator>,
    /// Cost of deriving a key from the passphrase, and of checking account passwords.
    pub kdf_cost: KdfCost,
    /// Bounds of work.
    pub limits: Limits,
    /// Where the audit is streamed to.
    pub audit_streams: Vec<Target>,
    /// Where metrics are answered in plain HTTP; `None`: nowhere.
    pub metrics_listen: Option<SocketAddr>,
}

/// Where the server's certificate comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CertificateSource {
    /// Issued by the server's own authority, in memory, and renewed before it ends.
    #[default]
    OwnAuthority,
    /// PEM files: chain (leaf first) and PKCS#8 or SEC1 private key.
    Files {
        /// The chain.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
    },
}

/// The account that exists before all others.
pub struct FirstAdministrator {
    /// Sign-in name.
    pub name: String,
    /// Password; not asked to be changed at the first sign-in.
    pub password: Zeroizing<String>,
}

/// Bounds of work. Beyond them the server says "later".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Open connections.
    pub connections: usize,
    /// Device requests that are worked on at once; more are answered 429.
    pub device_requests: usize,
    /// Held requests; more are answered 429.
    pub held_requests: usize,
    /// Longest TLS handshake.
    pub handshake_timeout: Duration,
    /// Longest time to receive a request's header.
    pub header_timeout: Duration,
    /// Longest time for everything but held requests.
    pub request_timeout: Duration,
    /// How long a shutdown waits for requests that are being answered.
    pub shutdown_grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 16_384,
            device_requests: 512,
            held_requests: 12_288,
            handshake_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(60),
            shutdown_grace: Duration::from_secs(10),
        }
    }
}

impl Config {
    /// A server in this directory with defaults for everything else: `127.0.0.1:8443`, own authority.
    #[must_use]
    pub fn new(data_dir: PathBuf, passphrase: Zeroizing<String>) -> Self {
        Self {
            data_dir,
            listen: SocketAddr::from(([127, 0, 0, 1], 8443)),
            public_names: Vec::new(),
            certificate: CertificateSource::OwnAuthority,
            passphrase,
            first_administrator: None,
            kdf_cost: KdfCost::default(),
            limits: Limits::default(),
            audit_streams: Vec::new(),
            metrics_listen: None,
        }
    }
}
