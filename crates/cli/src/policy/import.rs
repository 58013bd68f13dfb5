//! `claviger policy import`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use domain::policy::interchange::{Imported, cmdlets, reg, registry_pol};

use super::file::{self, Output};
use crate::terminal::note;

/// `claviger policy import`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The file, or the folder of a Group Policy backup
    file: PathBuf,
    /// What it is; without it, its content tells
    #[arg(long, value_enum)]
    from: Option<Format>,
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Group Policy's Registry.pol
    RegistryPol,
    /// A file of the registry editor
    Reg,
    /// A script of Configuration Manager's cmdlets
    Cmdlets,
}

/// A backup's folders are not nested more deeply.
const DEEPEST: usize = 6;

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let backup = args.file.is_dir();
    let path = if backup {
        registry_pol_in(&args.file)?
    } else {
        args.file.clone()
    };
    let bytes = file::bytes(&path)?;
    let format = args.from.unwrap_or_else(|| guess(&bytes));
    let mut imported = read(&bytes, format).with_context(|| format!("reading {}", path.display()))?;
    if backup && let Some(name) = backup_name(&args.file) {
        // A name that is none is left out.
        let _ = imported.document.rename(&name);
    }
    for unknown in &imported.unknown {
        note(&format!("not understood: {unknown}"));
    }
    for error in imported
        .document
        .assignments
        .policy()
        .validate()
        .err()
        .unwrap_or_default()
    {
        note(&format!("to be mended: {error}"));
    }
    let text = if args.json {
        imported.document.to_json()
    } else {
        imported.to_toml()
    };
    args.output.write(text.as_bytes(), true)?;
    Ok(ExitCode::SUCCESS)
}

fn guess(bytes: &[u8]) -> Format {
    if bytes.starts_with(b"PReg") {
        return Format::RegistryPol;
    }
    let start = text(bytes).unwrap_or_default();
    let start = start.trim_start();
    if start.starts_with("Windows Registry Editor") || start.starts_with("REGEDIT4") {
        Format::Reg
    } else {
        Format::Cmdlets
    }
}

fn read(bytes: &[u8], format: Format) -> Result<Imported> {
    Ok(match format {
        Format::RegistryPol => registry_pol::import(bytes)?,
        Format::Reg => reg::import(bytes)?,
        Format::Cmdlets => cmdlets::import(&text(bytes).context("neither UTF-16 with a byte order mark nor UTF-8")?)?,
    })
}

/// Scripts are saved in UTF-16 too.
fn text(bytes: &[u8]) -> Option<String> {
    let Some(wide) = bytes.strip_prefix(&[0xFF, 0xFE]) else {
        let text = std::str::from_utf8(bytes).ok()?;
        return Some(text.trim_start_matches('\u{feff}').to_owned());
    };
    let units: Vec<_> = wide
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
        .collect();
    String::from_utf16(&units).ok()
}

/// The computer's part of a backup: `DomainSysvol/GPO/Machine/registry.pol`.
fn registry_pol_in(folder: &Path) -> Result<PathBuf> {
    let mut found = Vec::new();
    let mut todo = vec![(folder.to_owned(), 0)];
    while let Some((folder, depth)) = todo.pop() {
        let entries = std::fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            let is =
                |part: Option<&std::ffi::OsStr>, name: &str| part.is_some_and(|part| part.eq_ignore_ascii_case(name));
            if path.is_dir() && !path.is_symlink() && depth < DEEPEST {
                todo.push((path, depth + 1));
            } else if is(path.file_name(), "registry.pol") && !is(folder.file_name(), "user") {
                found.push(path);
            }
        }
    }
    match &found[..] {
        [path] => Ok(path.clone()),
        [] => bail!("no registry.pol for computers is in {}", folder.display()),
        [first, second, ..] => bail!(
            "{} and {} are both in {}: name one of them",
            first.display(),
            second.display(),
            folder.display()
        ),
    }
}

/// The policy's name, as the backup's information tells it.
fn backup_name(folder: &Path) -> Option<String> {
    let text = text(&file::bytes(&folder.join("bkupInfo.xml")).ok()?)?;
    let (_, rest) = text.split_once("<GPODisplayName>")?;
    let (name, _) = rest.split_once("</GPODisplayName>")?;
    let name = name.trim();
    let name = name
        .strip_prefix("<![CDATA[")
        .and_then(|n| n.strip_suffix("]]>"))
        .unwrap_or(name);
    Some(name.to_owned())
}
