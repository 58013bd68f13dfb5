//! Talking with the server: HTTPS with TLS 1.3 only, trusting nothing but the pinned authority, within limits of time
//! and size. Redirects and proxies are not followed. What the server answers is never trusted to be well-formed.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use protocol::messages::{
    CheckInRequest, CheckInResponse, EnrolRequest, EnrolResponse, EscrowRequest, EscrowResponse, RenewRequest,
    WaitRequest, WaitResponse,
};
use reqwest::Response;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::identity::Identity;

pub use error::ClientError;

mod error;

/// Longest answer that is read, in bytes. A check-in's ledger of 128 volumes stays far below.
pub const MAX_ANSWER: usize = 4 * 1024 * 1024;

/// How long to wait for the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For the connection, TLS included.
    pub connect: Duration,
    /// For a whole exchange. A held request gets this on top of the time it may be held.
    pub exchange: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            exchange: Duration::from_secs(60),
        }
    }
}

/// Where the server is and who may vouch for it.
#[derive(Clone)]
pub struct Endpoint {
    base: String,
    roots: Arc<RootCertStore>,
    timeouts: Timeouts,
}

impl Endpoint {
    /// Reads the pinned authority.
    ///
    /// # Errors
    /// [`ClientError::Authority`] when the file does not hold a usable certificate.
    pub fn new(server: &str, ca_file: &Path, timeouts: Timeouts) -> Result<Self, ClientError> {
        let failed = |problem: String| ClientError::Authority {
            file: ca_file.to_owned(),
            problem,
        };
        let pem = std::fs::read(ca_file).map_err(|e| failed(e.to_string()))?;
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let certificate = certificate.map_err(|e| failed(e.to_string()))?;
            roots.add(certificate).map_err(|e| failed(e.to_string()))?;
        }
        if roots.is_empty() {
            return Err(failed("it holds no certificate in PEM form".to_owned()));
        }
        Ok(Self {
            base: server.trim_end_matches('/').to_owned(),
            roots: Arc::new(roots),
            timeouts,
        })
    }
}

/// A connection to the server, with or without an identity.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    endpoint: Endpoint,
}

impl Client {
    /// Without a client certificate: only enrolment works.
    ///
    /// # Errors
    /// [`ClientError::Tls`].
    pub fn anonymous(endpoint: &Endpoint) -> Result<Self, ClientError> {
        let tls = tls_builder(endpoint)?.with_no_client_auth();
        Self::build(endpoint, tls)
    }

    /// With the device's certificate.
    ///
    /// # Errors
    /// [`ClientError::Tls`], also when key and certificate do not belong together.
    pub fn with_identity(endpoint: &Endpoint, identity: &Identity) -> Result<Self, ClientError> {
        let chain = CertificateDer::pem_slice_iter(identity.certificate.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| ClientError::Tls(format!("the device's certificate is malformed: {e}")))?;
        let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes())
            .map_err(|_| ClientError::Tls("the device's key is malformed".to_owned()))?;
        let tls = tls_builder(endpoint)?
            .with_client_auth_cert(chain, key)
            .map_err(|e| ClientError::Tls(format!("the device's certificate cannot be used: {e}")))?;
        Self::build(endpoint, tls)
    }

    fn build(endpoint: &Endpoint, mut tls: ClientConfig) -> Result<Self, ClientError> {
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let http = reqwest::Client::builder()
            .use_preconfigured_tls(tls)
            .https_only(true)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(endpoint.timeouts.connect)
            .http2_keep_alive_interval(Duration::from_secs(30))
            .user_agent(concat!("claviger-agent/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| ClientError::Tls(error::chain(&e.without_url())))?;
        Ok(Self {
            http,
            endpoint: endpoint.clone(),
        })
    }

    /// Exchanges a token for an identity.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn enrol(&self, request: &EnrolRequest) -> Result<EnrolResponse, ClientError> {
        self.post("enrol", request, self.endpoint.timeouts.exchange).await
    }

    /// Exchanges the present certificate for a new one.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn renew(&self, request: &RenewRequest) -> Result<EnrolResponse, ClientError> {
        self.post("renew", request, self.endpoint.timeouts.exchange).await
    }

    /// Checks in.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn check_in(&self, request: &CheckInRequest) -> Result<CheckInResponse, ClientError> {
        self.post("check-in", request, self.endpoint.timeouts.exchange).await
    }

    /// Hands over a sealed recovery password; returns when the server has it durably.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::Answer`] when the server acknowledged something else.
    pub async fn escrow(&self, request: &EscrowRequest) -> Result<EscrowResponse, ClientError> {
        let answer: EscrowResponse = self.post("escrow", request, self.endpoint.timeouts.exchange).await?;
        if answer.protector == request.protector {
            Ok(answer)
        } else {
            Err(ClientError::Answer(
                "it acknowledged another protector than the one escrowed".to_owned(),
            ))
        }
    }

    /// The held request.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn wait(&self, request: &WaitRequest) -> Result<WaitResponse, ClientError> {
        let held = Duration::from_secs(u64::from(request.seconds));
        self.post("wait", request, self.endpoint.timeouts.exchange + held).await
    }

    async fn post<Q: Serialize, A: DeserializeOwned>(
        &self,
        path: &str,
        request: &Q,
        time_out: Duration,
    ) -> Result<A, ClientError> {
        let url = format!("{}/agent/v{}/{path}", self.endpoint.base, protocol::limits::VERSION);
        let sent = self.http.post(url).json(request).timeout(time_out).send().await;
        let mut response = sent.map_err(ClientError::unreachable)?;
        let status = response.status();
        if matches!(status.as_u16(), 429 | 503) {
            return Err(ClientError::later(response.headers()));
        }
        let body = read_limited(&mut response).await?;
        if status.is_success() {
            serde_json::from_slice(&body).map_err(|e| ClientError::answer(&e))
        } else {
            Err(ClientError::refused(status, &body))
        }
    }
}

fn tls_builder(
    endpoint: &Endpoint,
) -> Result<rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>, ClientError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|e| ClientError::Tls(e.to_string()))?
        .with_root_certificates(Arc::clone(&endpoint.roots)))
}

async fn read_limited(response: &mut Response) -> Result<Vec<u8>, ClientError> {
    let too_long = || ClientError::Answer(format!("it is longer than {MAX_ANSWER} bytes"));
    if response
        .content_length()
        .is_some_and(|length| length > MAX_ANSWER as u64)
    {
        return Err(too_long());
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(ClientError::unreachable)? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(too_long());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
