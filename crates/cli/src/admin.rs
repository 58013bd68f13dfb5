//! `claviger admin`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use domain::audit::{AuditEntry, verify_with_checkpoints};
use server::sealing::verify_signature;
use server::{AUDIT_KEY, DATABASE};
use store::{OfflineAudit, StoreError};

use crate::terminal::say;

/// `claviger admin …`
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The audit chain
    #[command(subcommand)]
    Audit(AuditCommand),
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
    }
}

/// Entries read at once.
const AT_ONCE: u32 = 1000;

fn verify_audit(data_dir: &Path, public_key_file: Option<&Path>) -> Result<()> {
    let key_file = public_key_file.map_or_else(|| data_dir.join(AUDIT_KEY), Path::to_owned);
    let key = std::fs::read_to_string(&key_file).with_context(|| format!("reading {}", key_file.display()))?;
    let audit = OfflineAudit::open_read_only(&data_dir.join(DATABASE))
        .with_context(|| format!("opening the database in {}", data_dir.display()))?;
    let checkpoints = audit.checkpoints()?;
    let mut failure = None;
    let entries = Entries {
        audit: &audit,
        next: 1,
        block: Vec::new().into_iter(),
        failure: &mut failure,
    };
    let verdict = verify_with_checkpoints(entries, &checkpoints, |bytes, signature| {
        verify_signature(&key, bytes, signature)
    });
    if let Some(error) = failure {
        return Err(error).context("reading the audit");
    }
    match verdict {
        Ok(head) => {
            let signed = checkpoints.iter().map(|c| c.head.sequence).max().unwrap_or(0);
            say(&format!(
                "The audit is whole: {} entries, signed up to entry {signed}.",
                head.sequence
            ));
            Ok(())
        }
        Err(fault) => bail!("THE AUDIT IS NOT WHOLE: {fault}"),
    }
}

/// All entries, a block at a time. A failure to read ends it and is kept.
struct Entries<'a> {
    audit: &'a OfflineAudit,
    next: u64,
    block: std::vec::IntoIter<AuditEntry>,
    failure: &'a mut Option<StoreError>,
}

impl Iterator for Entries<'_> {
    type Item = AuditEntry;

    fn next(&mut self) -> Option<AuditEntry> {
        if self.block.len() == 0 {
            match self.audit.entries(self.next, AT_ONCE) {
                Ok(block) => self.block = block.into_iter(),
                Err(error) => {
                    *self.failure = Some(error);
                    return None;
                }
            }
        }
        let entry = self.block.next()?;
        self.next = entry.sequence + 1;
        Some(entry)
    }
}
