//! The ways to a receiver.

use std::fmt;
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use domain::audit::{AuditEntry, stream};
use reqwest::header;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio_rustls::TlsConnector;
use url::Url;

use super::target::{Form, Target, Transport, Way};
use crate::state::Shared;
use crate::tls::certificates;

const PATIENCE: Duration = Duration::from_secs(30);
/// What a web hook's signature covers before time and body.
const SIGNED_AS: &str = "claviger web hook v1";

/// Why a receiver did not take what was sent. Never holds an address's path or query.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The connection failed, or ended.
    #[error("{0}")]
    Connection(#[from] io::Error),
    /// The receiver answered, and did not say yes.
    #[error("the receiver answered {0}")]
    Refused(reqwest::StatusCode),
    /// No answer.
    #[error("no answer within {} seconds", PATIENCE.as_secs())]
    TimeOut,
    /// A web hook cannot be called.
    #[error("{0}")]
    WebHook(String),
    /// A file of authorities.
    #[error("{path}: {reason}")]
    Authorities {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// TLS cannot be set up.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
}

/// One receiver, with its connection while there is one.
pub(super) enum Sender {
    WebHook { client: reqwest::Client, url: Url },
    Syslog(Syslog),
}

pub(super) struct Syslog {
    transport: Transport,
    host: String,
    port: u16,
    form: Form,
    tls: Option<Arc<ClientConfig>>,
    connection: Option<Box<dyn Connection>>,
}

trait Connection: AsyncRead + AsyncWrite + Send + Sync + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Connection for T {}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sender")
    }
}

impl Sender {
    pub(super) fn new(target: &Target) -> Result<Self, SendError> {
        let tls = || trusting(target.ca.as_ref());
        match &target.way {
            Way::WebHook(url) => {
                let client = reqwest::Client::builder()
                    .use_preconfigured_tls(tls()?)
                    .no_proxy()
                    .redirect(reqwest::redirect::Policy::none())
                    .timeout(PATIENCE)
                    .build()
                    .map_err(|error| SendError::WebHook(reason(&error)))?;
                let url = url.clone();
                Ok(Self::WebHook { client, url })
            }
            Way::Syslog {
                transport,
                host,
                port,
                form,
            } => Ok(Self::Syslog(Syslog {
                transport: *transport,
                host: host.clone(),
                port: *port,
                form: *form,
                tls: (*transport == Transport::Tls).then(tls).transpose()?.map(Arc::new),
                connection: None,
            })),
        }
    }

    /// Sends entries in order; back when the receiver took them all, as far as its protocol can tell.
    pub(super) async fn send(&mut self, entries: &[AuditEntry], state: &Shared) -> Result<(), SendError> {
        match self {
            Self::WebHook { client, url } => post(client, url.clone(), entries, state).await,
            Self::Syslog(syslog) => {
                let sent = in_time(syslog.send(entries, &state.host)).await;
                if sent.is_err() {
                    syslog.connection = None;
                }
                sent
            }
        }
    }
}

async fn in_time<T>(work: impl Future<Output = Result<T, SendError>>) -> Result<T, SendError> {
    tokio::time::timeout(PATIENCE, work)
        .await
        .unwrap_or(Err(SendError::TimeOut))
}

/// Signed with the key that signs the audit: who holds `audit.pub` can check that it comes from this server.
async fn post(client: &reqwest::Client, url: Url, entries: &[AuditEntry], state: &Shared) -> Result<(), SendError> {
    let entries: Vec<_> = entries.iter().map(stream::json).collect();
    let body = json!({ "server": state.host, "entries": entries }).to_string();
    let at = state.now().rfc3339();
    let signature = state.keys.audit_key().sign(&signed_bytes(&at, &body));
    let answer = client
        .post(url)
        .header(header::CONTENT_TYPE, "application/json")
        .header("Claviger-Timestamp", at)
        .header("Claviger-Signature", format!("ed25519={}", hex::encode(signature)))
        .body(body)
        .send()
        .await
        .map_err(|error| {
            if error.is_timeout() {
                SendError::TimeOut
            } else {
                SendError::WebHook(reason(&error.without_url()))
            }
        })?;
    if answer.status().is_success() {
        return Ok(());
    }
    Err(SendError::Refused(answer.status()))
}

/// What the signature is made over: a fixed line, the time's line, the body.
fn signed_bytes(at: &str, body: &str) -> Vec<u8> {
    format!("{SIGNED_AS}\n{at}\n{body}").into_bytes()
}

/// The innermost cause says most.
fn reason(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

impl Syslog {
    async fn send(&mut self, entries: &[AuditEntry], host: &str) -> Result<(), SendError> {
        let message = |entry: &AuditEntry| match self.form {
            Form::Rfc5424 => stream::syslog(entry, host),
            Form::Cef => stream::cef(entry, host, env!("CARGO_PKG_VERSION")),
        };
        if self.transport == Transport::Udp {
            return self.datagrams(entries.iter().map(message)).await;
        }
        // Counted octets: messages may hold anything (RFC 6587, 3.4.1; RFC 5425, 4.3).
        let mut frames = Vec::new();
        for entry in entries {
            let message = message(entry);
            frames.extend_from_slice(format!("{} ", message.len()).as_bytes());
            frames.extend_from_slice(message.as_bytes());
        }
        if let Some(connection) = &mut self.connection
            && has_ended(connection).await
        {
            self.connection = None;
        }
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        connection.write_all(&frames).await?;
        connection.flush().await?;
        self.connection = Some(connection);
        Ok(())
    }

    async fn datagrams(&self, messages: impl Iterator<Item = String>) -> Result<(), SendError> {
        let mut addresses = tokio::net::lookup_host((self.host.as_str(), self.port)).await?;
        let address = addresses
            .next()
            .ok_or(io::ErrorKind::AddrNotAvailable)
            .map_err(io::Error::from)?;
        let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(any).await?;
        socket.connect(address).await?;
        for message in messages {
            socket.send(message.as_bytes()).await?;
        }
        Ok(())
    }

    async fn connect(&self) -> Result<Box<dyn Connection>, SendError> {
        let tcp = TcpStream::connect((self.host.as_str(), self.port)).await?;
        let Some(config) = &self.tls else {
            return Ok(Box::new(tcp));
        };
        let name = ServerName::try_from(self.host.clone())
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "not a host name"))?;
        let connection = TlsConnector::from(Arc::clone(config)).connect(name, tcp).await?;
        Ok(Box::new(connection))
    }
}

/// Whether the receiver hung up since the last message. A syslog receiver says nothing, so whatever can be read is an end.
async fn has_ended(connection: &mut Box<dyn Connection>) -> bool {
    let mut byte = [0];
    // Ready at once or not at all.
    tokio::select! {
        biased;
        _ = connection.read(&mut byte) => true,
        () = std::future::ready(()) => false,
    }
}

fn trusting(ca: Option<&PathBuf>) -> Result<ClientConfig, SendError> {
    let mut roots = RootCertStore::empty();
    match ca {
        Some(path) => {
            let failed = |reason: String| SendError::Authorities {
                path: path.clone(),
                reason,
            };
            for certificate in certificates(path).map_err(failed)? {
                roots.add(certificate).map_err(|error| failed(error.to_string()))?;
            }
        }
        None => {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}
