//! `claviger demo`: the whole product on one machine, with a small real fleet.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use domain::access::Role;
use domain::policy::{AutoUnlock, Encryption, Policy};
use domain::volume::EncryptionMethod;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use serde::{Deserialize, Serialize};
use server::services::set_up::{self, NewPerson};
use server::{Config, FirstAdministrator, Server};
use zeroize::Zeroizing;

use crate::system::{SystemClock, shared_rng, system_rng};
use fleet::{DevicePaths, DeviceSpec, make_device};

mod bars;
pub mod fixture;
pub mod fleet;
pub mod tpm;
mod up;

pub(crate) use up::{Args, run};

/// The demonstration's folder.
#[derive(Clone, Debug)]
pub struct Demo {
    dir: PathBuf,
}

/// Who may sign in to the demonstration.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Accounts(Vec<DemoAccount>);

#[derive(Clone, Serialize, Deserialize)]
struct DemoAccount {
    name: String,
    role: Role,
    password: String,
}

impl std::fmt::Debug for DemoAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "DemoAccount {{ name: {:?}, role: {:?}, password: [redacted] }}",
            self.name, self.role
        )
    }
}

impl Accounts {
    /// The password of an account.
    #[must_use]
    pub fn password(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|a| a.name == name).map(|a| a.password.as_str())
    }
}

impl Demo {
    /// A demonstration in this folder.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// The server's data.
    #[must_use]
    pub fn server_dir(&self) -> PathBuf {
        self.dir.join("server")
    }

    /// The server's database.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.server_dir().join(server::DATABASE)
    }

    /// The server's root certificate.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.server_dir().join(server::ROOT_CERTIFICATE)
    }

    /// The passphrase of the server's key file.
    #[must_use]
    pub fn passphrase_file(&self) -> PathBuf {
        self.dir.join("key-passphrase")
    }

    /// Who may sign in.
    #[must_use]
    pub fn accounts_file(&self) -> PathBuf {
        self.dir.join("accounts.json")
    }

    /// A device's files.
    #[must_use]
    pub fn device(&self, name: &str) -> DevicePaths {
        DevicePaths::new(&self.dir, name)
    }

    /// Makes what is not there yet: the server's data with accounts and a policy that requires encryption everywhere, and the
    /// devices with their volumes, to enrol at `server_url`. The same seed gives the same files on the volumes.
    ///
    /// # Errors
    /// When a tool is missing, or the disk is full. What is half made is made again the next time.
    pub fn prepare(&self, devices: &[DeviceSpec], server_url: &str, seed: u64) -> Result<Accounts> {
        if let Ok(text) = std::fs::read_to_string(self.accounts_file()) {
            return Ok(serde_json::from_str(&text)?);
        }
        if self.dir.exists() {
            std::fs::remove_dir_all(&self.dir).with_context(|| format!("clearing {}", self.dir.display()))?;
        }
        std::fs::create_dir_all(&self.dir)?;
        let mut secrets = system_rng();
        write_private(&self.passphrase_file(), &random_text(&mut secrets))?;
        let accounts = self.accounts(devices, &mut secrets);
        let runtime = tokio::runtime::Runtime::new()?;
        let token = runtime.block_on(self.set_up(&accounts, devices.len()))?;
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let ca = self.ca_file().canonicalize()?;
        for device in devices {
            make_device(&self.dir, device, server_url, &ca, &token, &mut rng)?;
        }
        write_private(&self.accounts_file(), &serde_json::to_string_pretty(&accounts)?)?;
        Ok(accounts)
    }

    fn accounts(&self, devices: &[DeviceSpec], rng: &mut dyn RngCore) -> Accounts {
        let mut people = vec![
            ("admin".to_owned(), Role::Administrator),
            ("helpdesk".to_owned(), Role::HelpDeskAdministrator),
            ("auditor".to_owned(), Role::Auditor),
        ];
        let mut users: Vec<_> = devices.iter().flat_map(|d| d.users.iter().cloned()).collect();
        users.sort();
        users.dedup();
        people.extend(users.into_iter().map(|name| (name, Role::SelfService)));
        let account = |(name, role)| DemoAccount {
            name,
            role,
            password: random_text(rng),
        };
        Accounts(people.into_iter().map(account).collect())
    }

    /// Starts a server on a port that nobody knows, sets it up, and stops it.
    async fn set_up(&self, accounts: &Accounts, devices: usize) -> Result<Zeroizing<String>> {
        let passphrase = crate::secret::read(&self.passphrase_file(), "key passphrase")?;
        let mut config = Config::new(self.server_dir(), passphrase);
        config.listen = ([127, 0, 0, 1], 0).into();
        let password = |name| Zeroizing::new(accounts.password(name).unwrap_or_default().to_owned());
        config.first_administrator = Some(FirstAdministrator {
            name: "admin".to_owned(),
            password: password("admin"),
        });
        let running = Server::start(config, Arc::new(SystemClock), shared_rng()).await?;
        let others = accounts.0.iter().filter(|a| a.name != "admin");
        let people = others.map(|a| NewPerson {
            name: a.name.clone(),
            role: a.role,
            password: password(&a.name),
        });
        let uses = u32::try_from(devices)?;
        let token = set_up::set_up(running.state(), people.collect(), policy(), "demonstration", uses).await?;
        running.stop().await;
        Ok(token)
    }
}

/// Encrypt everything; the operating system drive with the longer key.
#[must_use]
pub fn policy() -> Policy {
    let mut policy = Policy::default();
    policy.os.encryption = Encryption::Require;
    policy.os.method = EncryptionMethod::XtsAes256;
    policy.fixed.encryption = Encryption::Require;
    policy.fixed.auto_unlock = AutoUnlock::Require;
    policy.removable.encryption = Encryption::Require;
    policy.removable.auto_unlock = AutoUnlock::Require;
    policy
}

/// 96 random bits, to be typed by a person.
fn random_text(rng: &mut dyn RngCore) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz123456789";
    let mut bytes = Zeroizing::new([0; 20]);
    rng.fill_bytes(&mut *bytes);
    let mut text = String::new();
    for (index, byte) in bytes.iter().enumerate() {
        if index > 0 && index % 5 == 0 {
            text.push('-');
        }
        text.push(char::from(LETTERS[usize::from(byte % 32)]));
    }
    text
}

/// Writes a file that only its owner can read.
///
/// # Errors
/// When the file exists or cannot be written.
pub fn write_private(path: &Path, text: &str) -> Result<()> {
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("creating {}", path.display()))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    Ok(())
}
