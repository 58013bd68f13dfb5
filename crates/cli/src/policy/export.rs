//! `claviger policy export`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::ValueEnum;
use domain::policy::document::Document;
use domain::policy::interchange::{Exported, Inexpressible, cmdlets, csp, reg, registry_pol};

use super::file::{self, Output};
use crate::terminal::note;

/// `claviger policy export`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The policy document
    file: PathBuf,
    /// For whom
    #[arg(long, value_enum)]
    to: Format,
    #[command(flatten)]
    output: Output,
    /// Write nothing and exit with 1 when something cannot be expressed
    #[arg(long)]
    strict: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Group Policy's Registry.pol
    RegistryPol,
    /// The registry editor's file, in UTF-16
    Reg,
    /// OMA-URIs with format and payload, as JSON
    Csp,
    /// The same as a SyncML message
    Syncml,
    /// A script of Configuration Manager's cmdlets
    Cmdlets,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let Some(document) = file::sound(&args.file)? else {
        return Ok(ExitCode::FAILURE);
    };
    let exported = write(&document, args.to)?;
    for Inexpressible { setting, why } in &exported.inexpressible {
        note(&format!("not expressed: {setting}: {why}"));
    }
    if args.strict && !exported.inexpressible.is_empty() {
        return Ok(ExitCode::FAILURE);
    }
    let is_text = !matches!(args.to, Format::RegistryPol | Format::Reg);
    args.output.write(&exported.output, is_text)?;
    Ok(ExitCode::SUCCESS)
}

fn write(document: &Document, format: Format) -> Result<Exported<Vec<u8>>> {
    let of = |text: String, inexpressible| Exported {
        output: text.into_bytes(),
        inexpressible,
    };
    Ok(match format {
        Format::RegistryPol => registry_pol::export(document),
        Format::Reg => reg::export(document),
        Format::Csp => {
            let exported = csp::export(document);
            let text = serde_json::to_string_pretty(&exported.output)? + "\n";
            of(text, exported.inexpressible)
        }
        Format::Syncml => {
            let exported = csp::export(document);
            of(csp::sync_ml(&exported.output), exported.inexpressible)
        }
        Format::Cmdlets => {
            let exported = cmdlets::export(document);
            of(exported.output, exported.inexpressible)
        }
    })
}
