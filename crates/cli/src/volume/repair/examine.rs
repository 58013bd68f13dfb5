//! `claviger volume repair examine`.

use std::path::PathBuf;

use anyhow::Result;

use super::{LookArgs, stopped};
use crate::terminal::say;
use crate::volume::target::open_to_read;
use crate::volume::work::{Outcome, WorkArgs};

/// `claviger volume repair examine`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The volume, or the whole disk: an image file or a block device
    #[arg(value_name = "VOLUME")]
    image: PathBuf,
    #[command(flatten)]
    look: LookArgs,
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    work: WorkArgs,
}

pub(super) fn run(args: &Args) -> Result<Outcome> {
    let device = open_to_read(&args.image)?;
    let Some(findings) = args.look.look(&device, &args.work)? else {
        return Ok(stopped());
    };
    if args.json {
        say(&serde_json::to_string_pretty(&findings)?);
    } else {
        findings.describe().iter().for_each(|line| say(line));
        if findings.healthy() {
            say("boot sector and all metadata copies are sound");
        }
    }
    Ok(Outcome::Done)
}
