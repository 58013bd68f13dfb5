//! `claviger admin account …` and `claviger admin api-token …`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use domain::access::{Grant, Role, Scope};
use server::AppError;
use server::services::operator::Operator;
use store::model::ApiTokenId;
use tokio::runtime::Runtime;

use crate::demo::write_private;
use crate::system::{SystemClock, system_rng};
use crate::terminal::say;

const DAY: u64 = 24 * 60 * 60;

#[derive(Debug, Subcommand)]
pub(crate) enum AccountCommand {
    /// List the accounts with their roles and scopes
    List(Place),
    /// Give an account another role and scope; its sessions end
    Set {
        /// Name of the account
        name: String,
        #[command(flatten)]
        grant: GrantArgs,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ApiTokenCommand {
    /// List the API tokens, never their secrets
    List(Place),
    /// Make an API token and write it to a new file that only you can read
    Create {
        /// What it is for: which program, on which machine
        #[arg(long, value_name = "TEXT")]
        note: String,
        #[command(flatten)]
        grant: GrantArgs,
        /// Days until it is refused, at most 366
        #[arg(long, value_name = "DAYS", default_value_t = 90)]
        days: u16,
        /// File to write it to; it must not be there
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        #[command(flatten)]
        place: Place,
    },
    /// Revoke an API token: from now on it is refused
    Revoke {
        /// Its number, as the list has it
        id: i64,
        #[command(flatten)]
        place: Place,
    },
}

/// Where the server keeps its data.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// Folder of the server's data; the server may run meanwhile
    #[arg(long, value_name = "DIR", env = "CLAVIGER_DATA_DIR")]
    data_dir: PathBuf,
}

/// A role and a scope.
#[derive(Debug, Args)]
pub(crate) struct GrantArgs {
    /// What it may do
    #[arg(long, value_parser = PossibleValuesParser::new(Role::ALL.map(Role::name)))]
    role: String,
    /// For which devices: "everything", or collections with commas between them
    #[arg(long)]
    scope: Scope,
}

impl GrantArgs {
    fn grant(&self) -> Result<Grant> {
        Ok(Grant {
            role: Role::from_name(&self.role).context("there is no such role")?,
            scope: self.scope.clone(),
        })
    }
}

pub(super) fn account(command: &AccountCommand) -> Result<()> {
    match command {
        AccountCommand::List(place) => {
            let (operator, runtime) = open(&place.data_dir)?;
            for account in runtime.block_on(operator.accounts()).map_err(|error| said(&error))? {
                let state = if account.disabled { "disabled" } else { "enabled" };
                say(&format!("{}  {}  {state}", account.name, account.grant.words()));
            }
        }
        AccountCommand::Set { name, grant, place } => {
            let (operator, runtime) = open(&place.data_dir)?;
            let grant = grant.grant()?;
            let words = grant.words();
            runtime
                .block_on(operator.set_grant(name, grant))
                .map_err(|error| said(&error))?;
            say(&format!("{name} is {words}."));
        }
    }
    Ok(())
}

pub(super) fn api_token(command: &ApiTokenCommand) -> Result<()> {
    match command {
        ApiTokenCommand::List(place) => {
            let (operator, runtime) = open(&place.data_dir)?;
            for token in runtime.block_on(operator.api_tokens()).map_err(|error| said(&error))? {
                let until = match token.revoked_at {
                    Some(at) => format!("revoked {}", at.date()),
                    None => format!("until {}", token.expires_at.date()),
                };
                let used = token.last_used.map_or("never".to_owned(), |at| at.date());
                let words = token.grant.words();
                say(&format!(
                    "{}  {words}  {until}  last used {used}  {}",
                    token.id.0, token.note
                ));
            }
        }
        ApiTokenCommand::Create {
            note,
            grant,
            days,
            out,
            place,
        } => {
            let (operator, runtime) = open(&place.data_dir)?;
            let lasts = Duration::from_secs(u64::from(*days) * DAY);
            // The place first: a token that nobody can read is of no use.
            write_private(out, "").with_context(|| format!("making {}", out.display()))?;
            let made = runtime.block_on(operator.create_api_token(note, grant.grant()?, lasts, &mut system_rng()));
            let made = made.map_err(|error| said(&error)).inspect_err(|_| {
                let _ = std::fs::remove_file(out);
            })?;
            std::fs::write(out, format!("{}\n", made.token.as_str()))
                .with_context(|| format!("writing {}", out.display()))?;
            say(&format!(
                "API token {} is in {}. It is not shown again.",
                made.id.0,
                out.display()
            ));
        }
        ApiTokenCommand::Revoke { id, place } => {
            let (operator, runtime) = open(&place.data_dir)?;
            let revoked = operator.revoke_api_token(ApiTokenId(*id));
            runtime.block_on(revoked).map_err(|error| said(&error))?;
            say(&format!("API token {id} is revoked."));
        }
    }
    Ok(())
}

fn open(data_dir: &Path) -> Result<(Operator, Runtime)> {
    let operator = Operator::open(data_dir, Arc::new(SystemClock))?;
    Ok((operator, Runtime::new().context("starting the runtime")?))
}

fn said(error: &AppError) -> anyhow::Error {
    error.log();
    anyhow!("{}", error.detail())
}
