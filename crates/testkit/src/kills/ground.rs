//! A server to be killed, or to be talked to while agents are: its data, how to start it, and the keys that open what it stores.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use cli::demo::policy;
use cli::system::{SystemClock, shared_rng};
use domain::access::Role;
use server::sealing::{KdfCost, KeyRing};
use server::services::set_up::{self, NewPerson};
use server::{Config, FirstAdministrator, KEY_FILE, Server};
use store::SqliteStore;
use zeroize::Zeroizing;

use crate::process::{Programs, ServerProcess, ServerSpec};

/// Restarts are many: opening the key file shall not be what the time goes into.
const CHEAP: KdfCost = KdfCost {
    memory_kib: 64,
    passes: 1,
};
/// As many devices as anybody may want.
const ENROLMENTS: u32 = 1_000_000;
/// Secrets of this test's server; they protect nothing.
const PASSPHRASE: &str = "passphrase of a server to be killed";
const PASSWORD: &str = "password of a person at that server";

/// The server's ground.
pub(super) struct Ground {
    pub(super) programs: Programs,
    pub(super) spec: ServerSpec,
    /// Lets any number of devices in.
    pub(super) token: Zeroizing<String>,
    /// Opens what the server stores.
    pub(super) keys: KeyRing,
}

impl Ground {
    /// Makes a server's data with a help desk, a policy that wants everything encrypted, and an enrolment token.
    pub(super) fn raise(programs: &Programs, dir: &Path) -> Result<Self> {
        std::fs::create_dir_all(dir)?;
        let spec = ServerSpec {
            data_dir: dir.join("server"),
            // One that nobody uses now; a restarted server has the same again.
            listen: TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string(),
            passphrase_file: dir.join("key-passphrase"),
            log: dir.join("server.log"),
        };
        cli::demo::write_private(&spec.passphrase_file, PASSPHRASE)?;
        let token = tokio::runtime::Runtime::new()?.block_on(set_up_server(&spec.data_dir))?;
        let keys = KeyRing::open_file(&spec.data_dir.join(KEY_FILE), PASSPHRASE)?;
        Ok(Self {
            programs: programs.clone(),
            spec,
            token,
            keys,
        })
    }

    pub(super) fn start(&self) -> Result<ServerProcess> {
        ServerProcess::start(&self.programs, &self.spec)
    }

    pub(super) fn address(&self) -> String {
        format!("https://{}", self.spec.listen)
    }

    pub(super) fn ca_file(&self) -> PathBuf {
        self.spec.data_dir.join(server::ROOT_CERTIFICATE)
    }

    pub(super) fn database(&self) -> PathBuf {
        self.spec.data_dir.join(server::DATABASE)
    }

    pub(super) fn store(&self) -> Result<SqliteStore> {
        Ok(SqliteStore::open(&self.database())?)
    }

    pub(super) fn password() -> &'static str {
        PASSWORD
    }

    /// The audit chain is unbroken and fits its signed checkpoints, as an auditor's command says.
    pub(super) fn audit_is_whole(&self) -> Result<()> {
        let folder = self.spec.data_dir.to_string_lossy();
        let output = self
            .programs
            .claviger(&["admin", "audit", "verify", "--data-dir", &folder])?;
        ensure!(
            output.status.success(),
            "the audit does not verify: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(())
    }
}

async fn set_up_server(data_dir: &Path) -> Result<Zeroizing<String>> {
    let mut config = Config::new(data_dir.to_owned(), Zeroizing::new(PASSPHRASE.to_owned()));
    config.listen = ([127, 0, 0, 1], 0).into();
    config.kdf_cost = CHEAP;
    config.first_administrator = Some(FirstAdministrator {
        name: "admin".to_owned(),
        password: Zeroizing::new(PASSWORD.to_owned()),
    });
    let running = Server::start(config, Arc::new(SystemClock), shared_rng()).await?;
    let people = vec![NewPerson {
        name: "helpdesk".to_owned(),
        role: Role::HelpDeskAdministrator,
        password: Zeroizing::new(PASSWORD.to_owned()),
    }];
    let token = set_up::set_up(running.state(), people, policy(), "kills", ENROLMENTS).await;
    running.stop().await;
    token
        .map_err(|e| anyhow::anyhow!("{}", e.detail()))
        .context("setting the server up")
}
