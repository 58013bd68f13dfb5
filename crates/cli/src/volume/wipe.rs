//! `claviger volume wipe-free-space`.

use std::io;
use std::ops::Range;

use anyhow::{Context as _, Result, bail};
use fve::ConversionStatus;
use fve::io::{ReadAt, WriteAt};
use zeroize::Zeroizing;

use super::credential::CredentialArgs;
use super::plan;
use super::target::TargetArgs;
use super::work::{Outcome, Work, WorkArgs};
use crate::system::Fresh;
use crate::terminal::{note, say};

/// `claviger volume wipe-free-space`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    credential: CredentialArgs,
    #[command(flatten)]
    work: WorkArgs,
}

const PIECE: u64 = 4 << 20;

pub(super) fn run(args: &Args) -> Result<Outcome> {
    let target = args.target.open()?;
    target.volume()?;
    let volume = target.unlock(&args.credential.read()?)?;
    if volume.conversion_status() != ConversionStatus::FullyEncrypted {
        bail!("free space is wiped on a fully encrypted volume; nothing was changed");
    }
    let used = fve::inner::used_extents(&volume).context("looking for free space")?;
    let free = complement(&used, volume.size());
    let total: u64 = free.iter().map(|range| range.end - range.start).sum();
    if target.is_plan() {
        say("would write encrypted zeros to these bytes of the volume, unless they are there already:");
        free.iter().for_each(|range| say(&plan::line(range, "free space")));
        note("nothing was changed");
        return Ok(Outcome::Done);
    }
    let mut fresh = Fresh::new();
    volume.recover(&mut fresh.context())?;
    let mut work = Work::begin(&args.work, "wiping", total)?;
    let mut done = 0;
    let mut buffer = Zeroizing::new(vec![0; usize::try_from(PIECE).map_err(io::Error::other)?]);
    for range in free {
        let mut at = range.start;
        while at < range.end {
            if work.stopped() {
                volume.flush()?;
                return Ok(work.end_stopped("the volume is whole; run the same command again to go on"));
            }
            let len = PIECE.min(range.end - at);
            let piece = &mut buffer[..usize::try_from(len).map_err(io::Error::other)?];
            volume
                .read_at(at, piece)
                .with_context(|| format!("reading at byte {at}"))?;
            if piece.iter().any(|&byte| byte != 0) {
                piece.fill(0);
                volume
                    .write_at(at, piece)
                    .with_context(|| format!("writing at byte {at}"))?;
            }
            at += len;
            done += len;
            work.at(done, total);
        }
    }
    volume.flush()?;
    work.end();
    say(&format!("{total} bytes of free space hold encrypted zeros"));
    Ok(Outcome::Done)
}

/// What lies between ascending ranges.
fn complement(ranges: &[Range<u64>], size: u64) -> Vec<Range<u64>> {
    let mut free = Vec::new();
    let mut at = 0;
    for range in ranges {
        if at < range.start {
            free.push(at..range.start);
        }
        at = at.max(range.end);
    }
    if at < size {
        free.push(at..size);
    }
    free
}
