//! Files that commands read and write.

use std::fs::OpenOptions;
use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use domain::policy::document::{Document, Fault, Parsed};

use crate::terminal::{note, say_bytes};

/// More than any policy has.
const MAX_LEN: u64 = 16 << 20;

/// A file's bytes, or standard input's.
pub(super) fn bytes(path: &Path) -> Result<Vec<u8>> {
    let reading = || format!("reading {}", path.display());
    let mut bytes = Vec::new();
    let reader: Box<dyn Read> = if path == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(std::fs::File::open(path).with_context(reading)?)
    };
    reader.take(MAX_LEN + 1).read_to_end(&mut bytes).with_context(reading)?;
    if bytes.len() as u64 > MAX_LEN {
        bail!("{} has more than {MAX_LEN} bytes", path.display());
    }
    Ok(bytes)
}

/// A file's text.
pub(super) fn text(path: &Path) -> Result<String> {
    String::from_utf8(bytes(path)?).with_context(|| format!("{} is not UTF-8", path.display()))
}

/// A document; its faults are told, and nothing comes back then.
pub(super) fn parsed(path: &Path) -> Result<Option<Parsed>> {
    let text = text(path)?;
    match Document::parse(&text) {
        Ok(parsed) => Ok(Some(parsed)),
        Err(faults) => {
            tell(path, "", &faults);
            Ok(None)
        }
    }
}

/// A document that keeps the rules between settings as well.
pub(super) fn sound(path: &Path) -> Result<Option<Document>> {
    let Some(parsed) = parsed(path)? else { return Ok(None) };
    let faults = parsed.faults();
    tell(path, "", &faults);
    Ok(faults.is_empty().then_some(parsed.document))
}

/// Notes faults, a line each.
pub(super) fn tell(path: &Path, kind: &str, faults: &[Fault]) {
    for fault in faults {
        note(&told(path, kind, fault));
    }
}

/// `FILE:LINE:COLUMN: …`, as compilers tell it.
pub(super) fn told(path: &Path, kind: &str, fault: &Fault) -> String {
    let setting = fault.setting.as_ref().map(|id| format!("{}: ", id.escape_debug()));
    format!(
        "{}:{}:{}: {kind}{}{}",
        path.display(),
        fault.line,
        fault.column,
        setting.unwrap_or_default(),
        fault.message
    )
}

/// Where something is written.
#[derive(Debug, clap::Args)]
pub(super) struct Output {
    /// File that is made; without it, standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace the file if there is one
    #[arg(long, requires = "output")]
    force: bool,
}

impl Output {
    pub(super) fn write(&self, bytes: &[u8], is_text: bool) -> Result<()> {
        let Some(path) = &self.output else {
            if !is_text && std::io::stdout().is_terminal() {
                bail!("this is no text: name a file with --output, or send it elsewhere");
            }
            say_bytes(bytes);
            return Ok(());
        };
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).create_new(!self.force);
        let mut file = match options.open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                bail!("{} is there already; --force replaces it", path.display());
            }
            Err(error) => return Err(error).with_context(|| format!("making {}", path.display())),
        };
        file.write_all(bytes)
            .and_then(|()| file.sync_all())
            .with_context(|| format!("writing {}", path.display()))
    }
}
