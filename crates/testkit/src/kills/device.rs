//! The device whose agent is killed: a software TPM and three small NTFS volumes, made new for each round.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use agent::identity::Identity;
use anyhow::{Context, Result, bail, ensure};
use cli::demo::fixture::NtfsSpec;
use cli::demo::fleet::{DevicePaths, DeviceSpec, VolumeSpec, make_device};
use cli::demo::tpm::SoftwareTpm;
use domain::ids::DeviceId;
use domain::volume::VolumeKind;
use rand_chacha::ChaCha20Rng;
use rustix::process::Signal;

use super::ground::Ground;
use crate::ntfs::{Snapshot, snapshot};
use crate::poll::pause;
use crate::process::{Programs, Running, start_agent};

/// Name of the device.
pub(super) const NAME: &str = "PC-KILLED";
/// What a metadata reservation leaves room beside.
const SIZE: u64 = 40 << 20;
const LETTERS: [(&str, VolumeKind); 3] = [
    ("C:", VolumeKind::Os),
    ("D:", VolumeKind::Fixed),
    ("E:", VolumeKind::Removable),
];

/// The device.
pub(super) struct Device {
    programs: Programs,
    paths: DevicePaths,
    pub(super) volumes: Vec<Drive>,
    /// Held: the chip is powered off when dropped.
    _chip: SoftwareTpm,
}

/// One of its volumes.
pub(super) struct Drive {
    pub(super) letter: &'static str,
    /// The volume.
    pub(super) image: PathBuf,
    /// As it was before the agent came.
    pristine: PathBuf,
    /// What it held then.
    pub(super) files: Snapshot,
}

/// How a run of the agent ended.
pub(super) enum End {
    /// By itself, with everything done.
    Done,
    /// Killed, at the named boundary if it was at one.
    Killed(Option<String>),
}

impl Device {
    pub(super) fn make(ground: &Ground, fleet: &Path, rng: &mut ChaCha20Rng) -> Result<Self> {
        let ca = ground.ca_file().canonicalize()?;
        let paths = make_device(fleet, &spec(), &ground.address(), &ca, &ground.token, rng)?;
        let mut volumes = Vec::new();
        for (letter, _) in LETTERS {
            let image = paths.image(letter);
            let pristine = image.with_extension("pristine");
            std::fs::rename(&image, &pristine)?;
            let files = snapshot(&pristine)?;
            volumes.push(Drive {
                letter,
                image,
                pristine,
                files,
            });
        }
        Ok(Self {
            programs: ground.programs.clone(),
            _chip: SoftwareTpm::start(&paths.tpm())?,
            paths,
            volumes,
        })
    }

    /// Plain volumes as at the beginning, and an agent that remembers nothing: a new device to the server.
    pub(super) fn renew(&self) -> Result<()> {
        if self.paths.state().exists() {
            std::fs::remove_dir_all(self.paths.state())?;
        }
        for volume in &self.volumes {
            std::fs::copy(&volume.pristine, &volume.image)?;
        }
        Ok(())
    }

    /// Who it is to the server, once enrolled.
    pub(super) fn id(&self) -> Result<DeviceId> {
        let identity = Identity::load(&self.paths.state())?;
        Ok(identity.context("the device has no identity")?.device)
    }

    /// Lets the agent run until nothing is left to do.
    pub(super) fn converge(&self) -> Result<()> {
        match self.run(&[])? {
            (End::Done, _) => Ok(()),
            (End::Killed(_), _) => bail!("the agent was killed by somebody else"),
        }
    }

    /// Lets the agent run with more arguments. Returns the boundaries that it passed, too.
    pub(super) fn run(&self, arguments: &[&str]) -> Result<(End, Vec<String>)> {
        let mut agent = self.start(arguments)?;
        let status = agent.wait()?;
        self.ended(status)
    }

    /// Kills the agent after this time, unless it ends before.
    pub(super) fn run_for(&self, time: Duration) -> Result<End> {
        let mut agent = self.start(&[])?;
        pause(time);
        if agent.is_running()? {
            return Ok(match agent.kill()?.signal() {
                Some(_) => End::Killed(None),
                None => End::Done,
            });
        }
        let status = agent.wait()?;
        Ok(self.ended(status)?.0)
    }

    fn start(&self, arguments: &[&str]) -> Result<Running> {
        let log = self.log();
        if log.exists() {
            std::fs::remove_file(&log)?;
        }
        let mut all = vec!["once", "--wait", "--trace-boundaries"];
        all.extend_from_slice(arguments);
        start_agent(&self.programs, &self.paths.config(), &all, &log)
    }

    fn ended(&self, status: ExitStatus) -> Result<(End, Vec<String>)> {
        let log = std::fs::read_to_string(self.log())?;
        let passed: Vec<String> = log.lines().filter_map(boundary).map(str::to_owned).collect();
        if status.signal() == Some(Signal::ABORT.as_raw()) {
            ensure!(!log.contains("panicked"), "the agent panicked:\n{log}");
            let last = passed.last().context("aborted before any boundary")?.clone();
            return Ok((End::Killed(Some(last)), passed));
        }
        ensure!(status.success(), "the agent ended with {status}:\n{log}");
        Ok((End::Done, passed))
    }

    fn log(&self) -> PathBuf {
        self.paths.root().join("agent.log")
    }
}

fn boundary(line: &str) -> Option<&str> {
    line.strip_prefix("boundary ")?.split_once(' ').map(|(_, name)| name)
}

fn spec() -> DeviceSpec {
    let volume = |(letter, kind): (&str, VolumeKind)| VolumeSpec {
        letter: letter.to_owned(),
        kind,
        ntfs: NtfsSpec {
            size: SIZE,
            sector_size: 512,
            label: format!("Volume {}", &letter[..1]),
            fill_percent: 25,
        },
    };
    DeviceSpec {
        name: NAME.to_owned(),
        maker_model: ("Maker".to_owned(), "Model".to_owned()),
        os: ("Windows 11 Pro".to_owned(), "10.0.26200".to_owned()),
        portable: true,
        users: Vec::new(),
        volumes: LETTERS.map(volume).to_vec(),
    }
}
