//! `claviger volume mount`: the plain text of a volume as a file.

mod files;
mod folder;

use std::io::Read;
use std::num::NonZeroUsize;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use fuser::{Config, MountOption, Session, SessionACL};
use fve::Volume;
use fve::format::read::Layout;
use fve::io::{FileDevice, ReadAt, WriteAt};
use signal_hook::consts::{SIGINT, SIGTERM};

use self::files::Files;
use super::credential::CredentialArgs;
use super::repair::{LookArgs, RescueArgs};
use super::target::open_locked;
use super::work::WorkArgs;
use crate::system::{file_time, system_rng};
use crate::terminal::{note, say};

/// `claviger volume mount`
#[derive(Debug, clap::Args)]
#[command(
    after_help = "FOLDER then holds `volume`, the file system inside as one file, which can be mounted in turn, and \
    `info.json`. The command stays in the foreground until FOLDER is unmounted; Ctrl-C unmounts it."
)]
pub(crate) struct Args {
    /// The volume: an image file or a block device
    image: PathBuf,
    /// Where: a folder
    folder: PathBuf,
    /// Write nothing to the volume
    #[arg(long)]
    read_only: bool,
    /// Let other users in, as far as the files' modes do
    #[arg(long)]
    allow_other: bool,
    /// Mount what is left of a damaged volume, as `repair examine` finds it
    #[arg(long, requires = "read_only")]
    rescue: bool,
    #[command(flatten)]
    look: LookArgs,
    #[command(flatten)]
    rescue_options: RescueArgs,
    /// Threads that read and decrypt [default: one for each processor, and one more]
    #[arg(long, value_name = "NUMBER")]
    threads: Option<NonZeroUsize>,
    #[command(flatten)]
    credential: CredentialArgs,
}

pub(super) fn run(args: &Args) -> Result<()> {
    folder::check(&args.folder)?;
    let opening = || format!("opening {}", args.image.display());
    let device = FileDevice::from_file(open_locked(&args.image, !args.read_only)?).with_context(opening)?;
    let device = Arc::new(device);
    if args.rescue {
        return rescued(args, &device);
    }
    let open = || {
        Volume::open(device.clone()).with_context(|| format!("{} cannot be read as BitLocker", args.image.display()))
    };
    let info = open()?.info();
    if info.layout == Layout::Eow && !args.read_only {
        bail!("a volume that Windows is converting is only read: add --read-only");
    }
    let description = serde_json::to_vec_pretty(&info).context("describing the volume")?;
    let volume = args.credential.read()?.unlock(open)?;
    if !args.read_only && volume.needs_recovery() {
        note("A conversion was interrupted half-way through a chunk; the chunk is written first.");
        let mut rng = system_rng();
        let mut ctx = fve::Context {
            now: file_time(),
            rng: &mut rng,
        };
        volume
            .recover(&mut ctx)
            .context("ending the interrupted step of a conversion")?;
    }
    let volume: Arc<dyn WriteAt> = Arc::new(volume);
    serve(args, &volume, description)?;
    if !args.read_only {
        volume
            .flush()
            .with_context(|| format!("writing {}", args.image.display()))?;
    }
    Ok(())
}

/// What is left of a damaged volume.
fn rescued(args: &Args, device: &Arc<FileDevice>) -> Result<()> {
    let Some(findings) = args.look.look(device, &WorkArgs::default())? else {
        bail!("stopped; nothing was mounted");
    };
    let description = serde_json::to_vec_pretty(&findings).context("describing what was found")?;
    let rescued = args.rescue_options.open(device, &findings, &args.credential.read()?)?;
    rescued.proof().notes.iter().for_each(|line| note(line));
    let volume: Arc<dyn WriteAt> = Arc::new(rescued.into_volume());
    serve(args, &volume, description)
}

/// How often it is tried to unmount what is still in use.
const RETRY: Duration = Duration::from_millis(200);

enum Event {
    Asked,
    Ended(std::io::Result<()>),
}

/// Mounts, and comes back when it is unmounted.
fn serve(args: &Args, volume: &Arc<dyn WriteAt>, description: Vec<u8>) -> Result<()> {
    let mounting = || format!("mounting at {}", args.folder.display());
    let files = Files::new(volume.clone(), description, !args.read_only, args.allow_other);
    let session = Session::new(files, &args.folder, &config(args)).with_context(mounting)?;
    let (tell, events) = mpsc::channel();
    hear_signals(tell.clone()).context("listening for signals")?;
    std::thread::Builder::new()
        .name("mount".to_owned())
        .spawn(move || tell.send(Event::Ended(session.run())))
        .with_context(mounting)?;
    folder::read_ahead(&args.folder);
    say(&greeting(args, volume.as_ref()));
    wait(args, &events)
}

/// Serves until it is unmounted; unmounts when asked, as soon as nobody uses it.
fn wait(args: &Args, events: &mpsc::Receiver<Event>) -> Result<()> {
    let mut asked = false;
    loop {
        // The threads that tell events outlive this; without them there is nothing to wait for.
        match if asked {
            events.recv_timeout(RETRY)
        } else {
            events.recv().map_err(Into::into)
        } {
            Ok(Event::Ended(result)) => return result.context("serving the mounted volume"),
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
            Ok(Event::Asked) | Err(RecvTimeoutError::Timeout) => {}
        }
        match folder::unmount(&args.folder) {
            Err(error) if !asked => note(&format!(
                "{} cannot be unmounted yet: {error:#}. It will be as soon as what uses it is closed or unmounted.",
                args.folder.display()
            )),
            _ => {}
        }
        asked = true;
    }
}

/// Ctrl-C and the request to end become events.
fn hear_signals(tell: mpsc::Sender<Event>) -> std::io::Result<()> {
    let (mut heard, signal) = UnixStream::pair()?;
    for number in [SIGINT, SIGTERM] {
        signal_hook::low_level::pipe::register(number, signal.try_clone()?)?;
    }
    let listen = move || {
        while heard.read_exact(&mut [0]).is_ok() && tell.send(Event::Asked).is_ok() {}
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(listen)?;
    Ok(())
}

fn config(args: &Args) -> Config {
    // A comma would end the name and begin an option.
    let name = args.image.display().to_string().replace([',', '\\'], "_");
    let mut config = Config::default();
    config.mount_options = vec![
        MountOption::FSName(name),
        MountOption::Subtype("claviger".to_owned()),
        MountOption::DefaultPermissions,
        MountOption::NoDev,
        MountOption::NoSuid,
        MountOption::NoExec,
        MountOption::NoAtime,
        if args.read_only {
            MountOption::RO
        } else {
            MountOption::RW
        },
    ];
    if args.allow_other {
        config.acl = SessionACL::All;
    }
    let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    config.n_threads = Some(args.threads.map_or(processors + 1, NonZeroUsize::get));
    config.clone_fd = true;
    config
}

/// What to do next.
fn greeting(args: &Args, volume: &dyn ReadAt) -> String {
    let file = args.folder.join(files::VOLUME);
    let (file, folder) = (file.display(), args.folder.display());
    let mode = if args.read_only { "read-only" } else { "read-write" };
    let ro = if args.read_only { "ro," } else { "" };
    let mut oem = [0; 11];
    // Whatever it is, it can be looked at.
    let _ = volume.read_at(0, &mut oem);
    let how = match &oem[3..] {
        b"NTFS    " if args.read_only => format!("ntfs-3g -o ro {file} OTHER-FOLDER"),
        b"NTFS    " => format!("ntfs-3g {file} OTHER-FOLDER   (or: mount -t ntfs3 -o loop {file} OTHER-FOLDER)"),
        _ => format!("mount -o {ro}loop {file} OTHER-FOLDER"),
    };
    format!(
        "{file} is the file system inside, {mode}.\n\
         To use its files:  {how}\n\
         When done:         umount OTHER-FOLDER, then Ctrl-C here or: umount {folder}"
    )
}
