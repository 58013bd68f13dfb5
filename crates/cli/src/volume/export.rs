//! `claviger volume export`.

use std::fs::File;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};
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
    let device = FileDevice::open_read(&args.image).with_context(|| format!("opening {}", args.image.display()))?;
    let volume =
        Volume::open(device).with_context(|| format!("{} cannot be read as BitLocker", args.image.display()))?;
    let volume = volume
        .unlock(&args.credential.read()?.credential())
        .context("the volume does not open")?;
    if args.output.as_os_str() == "-" {
        let mut stdout = std::io::stdout().lock();
        copy(&volume, &mut stdout)?;
        return stdout.flush().context("writing to standard output");
    }
    let mut file = File::create_new(&args.output).with_context(|| format!("creating {}", args.output.display()))?;
    copy(&volume, &mut file)?;
    file.sync_all()
        .with_context(|| format!("writing {}", args.output.display()))
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
