//! `claviger volume export`.

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use fve::Volume;
use fve::io::{FileDevice, ReadAt};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use zeroize::Zeroizing;

use super::credential::CredentialArgs;

const CHUNK: usize = 4 << 20;

/// `claviger volume export`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The volume: an image file or a block device
    image: PathBuf,
    #[command(flatten)]
    credential: CredentialArgs,
    /// Where to write; '-' is standard output. An existing file is not overwritten
    #[arg(long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
}

pub(super) fn run(args: &Args) -> Result<()> {
    if args.output.as_os_str() != "-" && args.output.symlink_metadata().is_ok() {
        bail!("{} exists already; nothing was written", args.output.display());
    }
    let device = FileDevice::open_read(&args.image).with_context(|| format!("opening {}", args.image.display()))?;
    let open =
        || Volume::open(&device).with_context(|| format!("{} cannot be read as BitLocker", args.image.display()));
    open()?;
    let volume = args.credential.read()?.unlock(open)?;
    if args.output.as_os_str() == "-" {
        let mut stdout = std::io::stdout().lock();
        copy(&volume, &mut stdout)?;
        return stdout.flush().context("writing to standard output");
    }
    write_whole(&args.output, |file| copy(&volume, file))
}

/// Gives a file its name only once it is whole and durable; until then it lies beside it as `NAME.….part`. A failure
/// leaves nothing behind, and a file that appeared meanwhile is not replaced.
fn write_whole(path: &Path, fill: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let creating = || format!("creating {}", path.display());
    let Some(name) = path.file_name() else {
        bail!("{} names no file", path.display());
    };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut prefix = OsString::from(name);
    prefix.push(".");
    let mut file = tempfile::Builder::new()
        .prefix(&prefix)
        .suffix(".part")
        .tempfile_in(folder)
        .with_context(creating)?;
    fill(&mut file)?;
    file.as_file()
        .sync_all()
        .with_context(|| format!("writing {}", path.display()))?;
    file.persist_noclobber(path)
        .map_err(|failed| failed.error)
        .with_context(creating)?;
    Ok(())
}

fn copy(volume: &dyn ReadAt, to: &mut dyn Write) -> Result<()> {
    let size = volume.size();
    let bar = bar(size);
    let mut buffer = Zeroizing::new(vec![0; CHUNK]);
    let mut offset = 0;
    while offset < size {
        let len = CHUNK.min(usize::try_from(size - offset).unwrap_or(CHUNK));
        volume
            .read_at(offset, &mut buffer[..len])
            .with_context(|| format!("reading at byte {offset}"))?;
        to.write_all(&buffer[..len]).context("writing the plain text")?;
        offset += len as u64;
        bar.set_position(offset);
    }
    bar.finish_and_clear();
    Ok(())
}

fn bar(size: u64) -> ProgressBar {
    let bar = ProgressBar::new(size);
    if !std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}") {
        bar.set_style(style);
    }
    bar
}
