//! `claviger volume repair image`.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::ops::ControlFlow;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use fve::io::{FileDevice, ReadAt};
use fve::repair::{Map, SalvageEvent, SalvageOptions, affected_files, salvage};

use super::{LookArgs, RescueArgs, stopped};
use crate::terminal::{note, say};
use crate::volume::confirm::ConfirmArgs;
use crate::volume::credential::MaybeCredentialArgs;
use crate::volume::target::{open_to_read, open_to_write};
use crate::volume::work::{Outcome, Work, WorkArgs};

/// `claviger volume repair image`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The failing volume: an image file or a block device; it is only read
    #[arg(value_name = "VOLUME")]
    image: PathBuf,
    /// The copy: a new file, one that an earlier run began, or a block device
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// Where the map of what was copied is kept, in the form of GNU ddrescue [default: OUTPUT.map]
    #[arg(long, value_name = "FILE")]
    map: Option<PathBuf>,
    /// How often bad sectors are tried again at the end
    #[arg(long, value_name = "N", default_value = "0")]
    retries: u32,
    #[command(flatten)]
    look: LookArgs,
    #[command(flatten)]
    rescue: RescueArgs,
    #[command(flatten)]
    confirm: ConfirmArgs,
    #[command(flatten)]
    work: WorkArgs,
    /// With a credential the copy is in plain text, without one as the drive has it
    #[command(flatten)]
    credential: MaybeCredentialArgs,
}

pub(super) fn run(args: &Args) -> Result<Outcome> {
    let device = Arc::new(open_to_read(&args.image)?);
    let Some(secret) = args.credential.read()? else {
        return copy(args, &device).map(|(outcome, _)| outcome);
    };
    let Some(findings) = args.look.look(&device, &args.work)? else {
        return Ok(stopped());
    };
    let rescued = args.rescue.open(&device, &findings, &secret)?;
    rescued.proof().notes.iter().for_each(|line| note(line));
    let volume = rescued.volume();
    let (outcome, map) = copy(args, volume)?;
    let missing = map.missing();
    if outcome == Outcome::Done && !missing.is_empty() {
        for file in affected_files(volume, &missing).unwrap_or_default() {
            let lost: u64 = file.lost.iter().map(|range| range.end - range.start).sum();
            say(&format!("damaged: {} ({lost} bytes)", file.path));
        }
    }
    Ok(outcome)
}

fn copy(args: &Args, source: &dyn ReadAt) -> Result<(Outcome, Map)> {
    let map_path = args.map.clone().unwrap_or_else(|| {
        let mut name = args.output.clone().into_os_string();
        name.push(".map");
        name.into()
    });
    let mut map = match std::fs::read_to_string(&map_path) {
        Ok(text) => Map::parse(&text).with_context(|| map_path.display().to_string())?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Map::new(source.size()),
        Err(error) => return Err(error).with_context(|| format!("reading {}", map_path.display())),
    };
    let target = open_output(args, source.size(), map_path.exists())?;
    save(&map_path, &map)?;
    let options = SalvageOptions {
        retries: args.retries,
        ..SalvageOptions::default()
    };
    let mut work = Work::begin(&args.work, "copying", source.size())?;
    let mut failed = None;
    let finished = salvage(source, &target, &mut map, &options, &mut |event| {
        match event {
            SalvageEvent::Progress(progress) => work.at(progress.rescued + progress.bad, progress.total),
            SalvageEvent::Checkpoint(map) => failed = save(&map_path, map).err(),
        }
        if failed.is_some() {
            return ControlFlow::Break(());
        }
        work.flow()
    })?;
    save(&map_path, &map)?;
    if let Some(error) = failed {
        return Err(error);
    }
    if !finished {
        return Ok((work.end_stopped("run the same command again to go on"), map));
    }
    work.end();
    let missing: u64 = map.missing().iter().map(|range| range.end - range.start).sum();
    say(&format!(
        "{} of {} bytes were copied to {}, {missing} could not be read",
        source.size() - missing,
        source.size(),
        args.output.display()
    ));
    Ok((Outcome::Done, map))
}

/// Opens or makes the output. One that is there already is gone on with when there is a map.
fn open_output(args: &Args, size: u64, has_map: bool) -> Result<FileDevice> {
    let path = &args.output;
    let found = path.symlink_metadata();
    let is_block = path
        .metadata()
        .is_ok_and(|metadata| metadata.file_type().is_block_device());
    if found.is_err() {
        if has_map {
            bail!(
                "{} is gone, but its map is there: remove the map to begin anew",
                path.display()
            );
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path);
        let file = file.with_context(|| format!("creating {}", path.display()))?;
        file.set_len(size)
            .with_context(|| format!("creating {}", path.display()))?;
        return Ok(FileDevice::from_file(file)?);
    }
    if !has_map {
        if !is_block {
            bail!("{} exists already and has no map; nothing was written", path.display());
        }
        args.confirm
            .ask(&format!("everything on {} will be overwritten", path.display()))?;
    }
    let target = open_to_write(path)?;
    if target.size() < size {
        bail!(
            "{} has {} bytes, {size} are needed; nothing was written",
            path.display(),
            target.size()
        );
    }
    Ok(target)
}

/// Replaces the map in one step.
fn save(path: &Path, map: &Map) -> Result<()> {
    let writing = || format!("writing {}", path.display());
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut file = tempfile::NamedTempFile::new_in(folder).with_context(writing)?;
    file.write_all(map.to_string().as_bytes()).with_context(writing)?;
    file.as_file().sync_all().with_context(writing)?;
    file.persist(path)
        .map_err(|failed| failed.error)
        .with_context(writing)?;
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .with_context(writing)
}
