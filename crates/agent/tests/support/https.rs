//! A small HTTPS server on loopback, HTTP/1.1, that hands each request to a closure. It can be as bad as it is told.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::authority::Authority;

/// What came in.
#[derive(Clone, Debug)]
pub struct Incoming {
    pub path: String,
    pub body: Vec<u8>,
    pub has_certificate: bool,
}

/// What goes out.
pub enum Reply {
    Json(u16, serde_json::Value),
    /// Status line, headers and body as they are; the connection is closed after it.
    Raw(Vec<u8>),
    /// Nothing, ever.
    Silence,
    /// The connection is closed.
    Hang,
}

pub type Handler = Arc<dyn Fn(Incoming) -> Pin<Box<dyn Future<Output = Reply> + Send>> + Send + Sync>;

pub struct TestServer {
    pub address: String,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub fn handler<F: Future<Output = Reply> + Send + 'static>(
    f: impl Fn(Incoming) -> F + Send + Sync + 'static,
) -> Handler {
    Arc::new(move |incoming| Box::pin(f(incoming)))
}

impl TestServer {
    pub async fn start(authority: &Authority, handler: Handler) -> Self {
        Self::start_with(authority, &[&rustls::version::TLS13], handler).await
    }

    pub async fn start_with(
        authority: &Authority,
        versions: &[&'static SupportedProtocolVersion],
        handler: Handler,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("https://{}", listener.local_addr().unwrap());
        let acceptor = TlsAcceptor::from(Arc::new(tls(authority, versions)));
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    return;
                };
                connections.spawn(serve(acceptor.clone(), stream, Arc::clone(&handler)));
            }
        });
        Self { address, task }
    }
}

fn tls(authority: &Authority, versions: &[&'static SupportedProtocolVersion]) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(authority.certificate_pem.as_bytes()).unwrap())
        .unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .allow_unauthenticated()
        .build()
        .unwrap();
    let (certificate, key) = authority.server();
    ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
        )
        .unwrap()
}

async fn serve(acceptor: TlsAcceptor, stream: TcpStream, handler: Handler) {
    let Ok(mut stream) = acceptor.accept(stream).await else {
        return;
    };
    let has_certificate = stream.get_ref().1.peer_certificates().is_some();
    let mut buffer = Vec::new();
    loop {
        let Some((path, body)) = read_request(&mut stream, &mut buffer).await else {
            return;
        };
        let incoming = Incoming {
            path,
            body,
            has_certificate,
        };
        let (bytes, close) = match handler(incoming).await {
            Reply::Json(status, value) => {
                let body = value.to_string();
                let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n", body.len());
                ([head.into_bytes(), body.into_bytes()].concat(), false)
            }
            Reply::Raw(bytes) => (bytes, true),
            Reply::Silence => std::future::pending().await,
            Reply::Hang => return,
        };
        if stream.write_all(&bytes).await.is_err() || stream.flush().await.is_err() || close {
            let _ = stream.shutdown().await;
            return;
        }
    }
}

async fn read_request(stream: &mut (impl AsyncReadExt + Unpin), buffer: &mut Vec<u8>) -> Option<(String, Vec<u8>)> {
    let mut chunk = [0; 16384];
    loop {
        if let Some(end) = buffer.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8(buffer[..end].to_vec()).ok()?;
            let length: usize = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length")
                    .then(|| value.trim().parse().ok())?
            })?;
            if buffer.len() >= end + 4 + length {
                let path = head.split(' ').nth(1)?.to_owned();
                let body = buffer[end + 4..end + 4 + length].to_vec();
                buffer.drain(..end + 4 + length);
                return Some((path, body));
            }
        }
        let read = stream.read(&mut chunk).await.ok()?;
        if read == 0 {
            return None;
        }
        buffer.extend_from_slice(&chunk[..read]);
    }
}
