//! `claviger serve`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use server::{CertificateSource, Config, FirstAdministrator, Server};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::secret;
use crate::system::{SystemClock, shared_rng};
use crate::terminal::{note, say};

/// `claviger serve`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder of the database, the sealed key file and the authority's certificate
    #[arg(long, value_name = "DIR", env = "CLAVIGER_DATA_DIR")]
    data_dir: PathBuf,
    /// Where to listen
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8443")]
    listen: SocketAddr,
    /// A name or address under which this server is reached; may be given several times
    #[arg(long = "public-name", value_name = "NAME")]
    public_names: Vec<String>,
    /// Certificate chain, PEM; without it the server's own authority issues one
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// Private key of that certificate, PEM
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// File with the passphrase that opens the key file ('-': standard input; without it: asked at the terminal)
    #[arg(long, value_name = "FILE")]
    key_passphrase_file: Option<PathBuf>,
    /// File with the password of the first administrator; without it one is made and printed once
    #[arg(long, value_name = "FILE")]
    first_administrator_password_file: Option<PathBuf>,
    /// TOML file of where the audit is sent as it is written: syslog, CEF, web hooks
    #[arg(long, value_name = "FILE")]
    audit_streams: Option<PathBuf>,
    /// Where to answer `/metrics` for Prometheus, in plain HTTP; an address that only the collector reaches
    #[arg(long, value_name = "ADDRESS:PORT")]
    metrics_listen: Option<SocketAddr>,
}

impl Args {
    fn config(&self) -> Result<Config> {
        let passphrase = match &self.key_passphrase_file {
            Some(path) => secret::read(path, "key passphrase")?,
            None => secret::prompt("Passphrase of the key file: ")?,
        };
        let mut config = Config::new(self.data_dir.clone(), passphrase);
        config.listen = self.listen;
        config.public_names.clone_from(&self.public_names);
        if let (Some(certificate), Some(key)) = (&self.tls_certificate, &self.tls_key) {
            config.certificate = CertificateSource::Files {
                certificate: certificate.clone(),
                key: key.clone(),
            };
        }
        if let Some(path) = &self.first_administrator_password_file {
            let password = secret::read(path, "administrator's password")?;
            config.first_administrator = Some(FirstAdministrator {
                name: "admin".to_owned(),
                password,
            });
        }
        if let Some(path) = &self.audit_streams {
            config.audit_streams = server::stream::read(path).map_err(anyhow::Error::msg)?;
        }
        config.metrics_listen = self.metrics_listen;
        Ok(config)
    }
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let config = args.config()?;
    let runtime = tokio::runtime::Runtime::new().context("starting the runtime")?;
    runtime.block_on(async {
        let signals = Signals::new()?;
        let mut running = Server::start(config, Arc::new(SystemClock), shared_rng()).await?;
        if let Some(first) = running.take_first_run() {
            say("First start: an administrator was made. The password is shown this once and must be changed at sign-in.");
            say(&format!("  name      {}\n  password  {}", first.administrator, first.password.as_str()));
        }
        say(&format!("Listening on https://{}", running.address()));
        let stop = running.stop_handle();
        signals.wait().await;
        note("Stopping.");
        stop.now();
        running.join().await;
        Ok(())
    })
}

/// Interrupt and termination. Made before anybody is told that the program runs, so that it ends in order from then on.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    pub(crate) fn new() -> Result<Self> {
        let listen = |kind| signal(kind).context("listening for signals");
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    /// Returns when the process is asked to end.
    pub(crate) async fn wait(mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
