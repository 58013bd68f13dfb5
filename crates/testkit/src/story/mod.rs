//! The whole story, without a person: three devices enrol, encrypt, are recovered by the help desk, rotate; the audit and
//! the store are attacked. Every step says its figures or fails with what is wrong.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use cli::demo::fleet::{DevicePaths, DeviceSpec, demonstration};
use cli::demo::tpm::SoftwareTpm;
use cli::demo::{Accounts, Demo};
use store::SqliteStore;

use crate::ntfs::Snapshot;
use crate::person::Person;
use crate::process::{Programs, Running, ServerProcess, ServerSpec, start_agent};

mod attack;
mod encrypt;
mod fill;
mod fleet;
mod recover;
mod secrets;

/// What to walk through.
#[derive(Clone, Debug)]
pub struct Options {
    /// The built programs.
    pub programs: Programs,
    /// Folder to work in; must not exist.
    pub dir: PathBuf,
    /// Seed of the volumes' content.
    pub seed: u64,
    /// How many of the three devices.
    pub devices: usize,
    /// Multiplies the sizes of the volumes.
    pub scale: u64,
}

/// Where the story is told.
pub type Say<'a> = &'a mut dyn FnMut(&str);

/// One volume of the fleet with what it held before.
struct Subject {
    device: String,
    letter: String,
    image: PathBuf,
    files: Snapshot,
}

/// Everything that runs.
struct Stage {
    options: Options,
    demo: Demo,
    accounts: Accounts,
    devices: Vec<DeviceSpec>,
    subjects: Vec<Subject>,
    server: ServerProcess,
    /// Held: a chip is powered off when dropped.
    _chips: Vec<SoftwareTpm>,
    agents: Vec<Running>,
}

/// Tells the whole story.
///
/// # Errors
/// The first thing that is not as it must be.
pub fn run(options: Options, say: Say<'_>) -> Result<()> {
    let mut stage = fleet::raise(options, say)?;
    encrypt::everything(&mut stage, say)?;
    let told = recover::every_volume(&mut stage, say)?;
    fill::to_the_last_cluster(&stage, &told, say)?;
    attack::audit(&stage, say)?;
    attack::forms(&stage, say)?;
    secrets::nowhere(&mut stage, &told, say)?;
    say("All of it holds.");
    Ok(())
}

impl Stage {
    fn programs(&self) -> &Programs {
        &self.options.programs
    }

    fn database(&self) -> PathBuf {
        self.demo.database()
    }

    fn store(&self) -> Result<SqliteStore> {
        Ok(SqliteStore::open(&self.database())?)
    }

    fn person(&self, name: &str) -> Result<Person> {
        let person = Person::new(&self.server.address, &self.demo.ca_file())?;
        let password = self
            .accounts
            .password(name)
            .with_context(|| format!("no account {name}"))?;
        person.sign_in(name, password)?;
        Ok(person)
    }

    fn paths(&self, device: &str) -> DevicePaths {
        self.demo.device(device)
    }

    fn start_agents(&mut self) -> Result<()> {
        ensure!(self.agents.is_empty(), "agents run already");
        for device in &self.devices {
            let paths = self.demo.device(&device.name);
            self.agents.push(start_agent(
                &self.options.programs,
                &paths.config(),
                &["run"],
                &paths.root().join("agent.log"),
            )?);
        }
        Ok(())
    }

    fn stop_agents(&mut self) -> Result<()> {
        self.agents.drain(..).try_for_each(|mut agent| agent.stop())
    }
}

fn server_spec(demo: &Demo, dir: &Path, listen: &str) -> ServerSpec {
    ServerSpec {
        data_dir: demo.server_dir(),
        listen: listen.to_owned(),
        passphrase_file: demo.passphrase_file(),
        log: dir.join("server.log"),
    }
}

fn chosen(options: &Options) -> Vec<DeviceSpec> {
    demonstration(options.scale).into_iter().take(options.devices).collect()
}
