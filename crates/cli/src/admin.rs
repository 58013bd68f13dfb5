//! `claviger admin`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use server::services::audit::{self, AuditFault};
use server::{AUDIT_KEY, DATABASE};

use crate::terminal::say;

pub(crate) use access::{AccountCommand, ApiTokenCommand};

mod access;

/// `claviger admin …`
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The audit chain
    #[command(subcommand)]
    Audit(AuditCommand),
    /// People's accounts: roles and scopes
    #[command(subcommand)]
    Account(AccountCommand),
    /// API tokens: what programs call the API with
    #[command(subcommand)]
    ApiToken(ApiTokenCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Prove that no entry was changed, removed or moved; works on a running server's database and on a copy
    Verify {
        /// Folder of the database
        #[arg(long, value_name = "DIR", env = "CLAVIGER_DATA_DIR")]
        data_dir: PathBuf,
        /// File with the audit key as an auditor keeps it; without it, the one in the data folder is believed
        #[arg(long, value_name = "FILE")]
        public_key_file: Option<PathBuf>,
    },
}

pub(crate) fn run(command: &Command) -> Result<()> {
    match command {
        Command::Audit(AuditCommand::Verify {
            data_dir,
            public_key_file,
        }) => verify_audit(data_dir, public_key_file.as_deref()),
        Command::Account(command) => access::account(command),
        Command::ApiToken(command) => access::api_token(command),
    }
}

fn verify_audit(data_dir: &Path, public_key_file: Option<&Path>) -> Result<()> {
    let key_file = public_key_file.map_or_else(|| data_dir.join(AUDIT_KEY), Path::to_owned);
    let key = std::fs::read_to_string(&key_file).with_context(|| format!("reading {}", key_file.display()))?;
    match audit::verify(&data_dir.join(DATABASE), &key) {
        Ok(verified) => {
            say(&format!(
                "The audit is whole: {} entries, signed up to entry {}.",
                verified.head.sequence,
                verified.signed.map_or(0, |(sequence, _)| sequence)
            ));
            Ok(())
        }
        Err(AuditFault::Chain(fault)) => bail!("THE AUDIT IS NOT WHOLE: {fault}"),
        Err(AuditFault::Store(error)) => {
            Err(error).with_context(|| format!("reading the audit in {}", data_dir.display()))
        }
    }
}
