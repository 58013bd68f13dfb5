//! `claviger volume protectors list`.

use std::path::PathBuf;

use anyhow::{Context, Result};
use fve::io::FileDevice;
use fve::{ProtectorInfo, Volume};

use crate::terminal::{say, word};
use crate::volume::info::time;

/// `claviger volume protectors list`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The volume: an image file or a block device
    #[arg(value_name = "VOLUME")]
    image: PathBuf,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let device = FileDevice::open_read(&args.image).with_context(|| format!("opening {}", args.image.display()))?;
    let volume =
        Volume::open(device).with_context(|| format!("{} cannot be read as BitLocker", args.image.display()))?;
    if args.json {
        say(&serde_json::to_string_pretty(volume.protectors())?);
    } else {
        volume.protectors().iter().for_each(|protector| say(&line(protector)));
    }
    Ok(())
}

/// One protector on one line.
pub(in crate::volume) fn line(protector: &ProtectorInfo) -> String {
    let mut line = format!(
        "{} {:<18} {}",
        protector.id,
        word(&protector.kind),
        time(protector.created)
    );
    if let Some(name) = &protector.name {
        line.push_str(&format!(", named {name}"));
    }
    if let Some(count) = protector.suspend_count {
        line.push_str(&format!(", {count} restarts"));
    }
    line
}
