//! TLS 1.3, and who is at the other end.

mod accept;
mod identity;
mod settings;

pub use accept::PeerAddress;
pub(crate) use accept::{Acceptor, serve};
pub use identity::PeerIdentity;
pub use settings::TlsError;
pub(crate) use settings::{CurrentCertificate, certificates, server_config};
