//! `claviger volume export`.

mod note;
mod part;

use std::io::Write;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use fve::io::{FileDevice, ReadAt};
use fve::pipeline::{CopyError, Parallel, copy, read_in_order, write_sparse};
use fve::{UnlockedVolume, Volume};

use self::note::Binding;
use self::part::Part;
use super::credential::CredentialArgs;
use super::target::open_locked;
use super::work::{Outcome, Work, WorkArgs};

/// `claviger volume export`
#[derive(Debug, clap::Args)]
#[command(
    after_help = "An interrupted export into a file leaves FILE.part behind; the same command goes on from there."
)]
pub(crate) struct Args {
    /// The volume: an image file or a block device
    image: PathBuf,
    /// Where to write; '-' is standard output. An existing file is not overwritten
    #[arg(long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
    /// Threads that read and decrypt [default: one for each processor]
    #[arg(long, value_name = "NUMBER")]
    threads: Option<NonZeroUsize>,
    /// Wait until the output is safe on its disk before it gets its name
    #[arg(long)]
    sync: bool,
    #[command(flatten)]
    work: WorkArgs,
    #[command(flatten)]
    credential: CredentialArgs,
}

pub(super) fn run(args: &Args) -> Result<Outcome> {
    let to_stdout = args.output.as_os_str() == "-";
    if !to_stdout && args.output.symlink_metadata().is_ok() {
        bail!("{} exists already; nothing was written", args.output.display());
    }
    let opening = || format!("opening {}", args.image.display());
    let source = open_locked(&args.image, false)?;
    // A hint: the system may read further ahead.
    let _ = rustix::fs::fadvise(&source, 0, None, rustix::fs::Advice::Sequential);
    let modified = source.metadata().with_context(opening)?.modified().ok();
    let device = FileDevice::from_file(source).with_context(opening)?;
    let open =
        || Volume::open(&device).with_context(|| format!("{} cannot be read as BitLocker", args.image.display()));
    let binding = Binding::new(&open()?.info(), device.size(), modified);
    let volume = args.credential.read()?.unlock(open)?;
    let work = Work::begin(&args.work, "exporting", volume.size())?;
    let how = args
        .threads
        .map_or_else(Parallel::default, |threads| Parallel { threads });
    let mut export = Export { volume, how, work };
    if to_stdout {
        return export.pour_out();
    }
    export.write_file(&args.output, &binding, args.sync)
}

struct Export<'a> {
    volume: UnlockedVolume<&'a FileDevice>,
    how: Parallel,
    work: Work,
}

impl Export<'_> {
    fn pour_out(&mut self) -> Result<Outcome> {
        let mut stdout = std::io::stdout().lock();
        // A hint: where it is a pipe, fewer and larger turns.
        let _ = rustix::pipe::fcntl_setpipe_size(&stdout, 1 << 20);
        let size = self.volume.size();
        let mut take = |_offset, piece: &[u8]| stdout.write_all(piece);
        let work = &mut self.work;
        let mut progress = |done| at(work, done, size);
        match read_in_order(&self.volume, 0..size, &self.how, &mut take, &mut progress) {
            Ok(()) => {}
            Err(CopyError::Stopped { offset }) => {
                return Ok(self.work.end_stopped(&format!("{offset} of {size} bytes were written")));
            }
            Err(error) => return Err(error.into()),
        }
        self.work.end();
        stdout.flush().context("writing to standard output")?;
        Ok(Outcome::Done)
    }

    fn write_file(&mut self, output: &Path, binding: &Binding, sync: bool) -> Result<Outcome> {
        let mut part = Part::open(output, binding)?;
        part.check(&self.volume)?;
        let result = self.fill(&mut part);
        self.work.end();
        match result {
            Ok(()) => part.finish(sync).map(|()| Outcome::Done),
            Err(CopyError::Stopped { .. }) => {
                part.note_progress();
                Ok(self.work.end_stopped(&part.kept()))
            }
            // The way to the source may be mended.
            Err(error @ CopyError::Read { .. }) if part.done() > 0 => {
                part.note_progress();
                Err(anyhow::Error::from(error).context(part.kept()))
            }
            // A full disk has to become empty again.
            Err(error) => {
                part.discard();
                Err(error.into())
            }
        }
    }

    /// Writes what is missing.
    fn fill(&mut self, part: &mut Part) -> Result<(), CopyError> {
        let file = part.file();
        let (unsure, missing) = part.todo();
        let (volume, how, work, size) = (&self.volume, &self.how, &mut self.work, self.volume.size());
        // What a power cut may have eaten is compared, and written again where it differs.
        let compared = |offset, piece: &[u8]| part::write_changed(&file, offset, piece);
        let before = unsure.start;
        copy(volume, unsure, how, &compared, &mut |done| {
            at(work, before + done, size)
        })?;
        let written = |offset, piece: &[u8]| write_sparse(&file, offset, piece);
        let before = missing.start;
        copy(volume, missing, how, &written, &mut |done| {
            part.advance(before + done);
            at(work, before + done, size)
        })
    }
}

/// Tells how far the work is, and hears whether it shall go on.
fn at(work: &mut Work, done: u64, size: u64) -> ControlFlow<()> {
    work.at(done, size);
    if work.stopped() {
        return ControlFlow::Break(());
    }
    ControlFlow::Continue(())
}
