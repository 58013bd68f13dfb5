//! `claviger demo`: brings it all up, and takes it down again.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use anyhow::{Context, Result};
use server::{Config, Server};

use super::fleet::{DeviceSpec, demonstration};
use super::tpm::SoftwareTpm;
use super::{Accounts, Demo};
use crate::serve::Signals;
use crate::system::{SystemClock, shared_rng};
use crate::terminal::say;

/// `claviger demo`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder for server, devices and volumes
    #[arg(long, value_name = "DIR", default_value = "var/demo")]
    dir: PathBuf,
    /// Port on localhost
    #[arg(long, default_value_t = 8443)]
    port: u16,
    /// Multiplies the sizes of the volumes (1: 208 MiB a device)
    #[arg(long, default_value_t = 2)]
    scale: u64,
}

/// Seed of the files on the demonstration's volumes.
const SEED: u64 = 1;

pub(crate) fn run(args: &Args) -> Result<()> {
    let demo = Demo::new(&args.dir);
    let devices = demonstration(args.scale.max(1));
    say("Preparing three devices with real NTFS volumes …");
    let accounts = demo.prepare(&devices, &format!("https://localhost:{}", args.port), SEED)?;
    let _chips = devices
        .iter()
        .map(|d| SoftwareTpm::start(&demo.device(&d.name).tpm()))
        .collect::<Result<Vec<_>>>()?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let signals = Signals::new()?;
        let passphrase = crate::secret::read(&demo.passphrase_file(), "key passphrase")?;
        let mut config = Config::new(demo.server_dir(), passphrase);
        config.listen = ([127, 0, 0, 1], args.port).into();
        let running = Server::start(config, Arc::new(SystemClock), shared_rng()).await?;
        let mut agents = devices
            .iter()
            .map(|d| start_agent(&demo, d))
            .collect::<Result<Vec<_>>>()?;
        welcome(args, &demo, &accounts, &devices);
        let bars = super::bars::watch(&demo, &devices);
        signals.wait().await;
        bars.abort();
        say("Stopping.");
        for agent in &mut agents {
            stop(agent)?;
        }
        running.stop().await;
        Ok(())
    })
}

/// The agent is the other program, beside this one.
fn start_agent(demo: &Demo, device: &DeviceSpec) -> Result<Child> {
    let program = std::env::current_exe()?.with_file_name("claviger-agent");
    let paths = demo.device(&device.name);
    let log = std::fs::File::create(paths.root().join("agent.log"))?;
    Command::new(&program)
        .arg("--config")
        .arg(paths.config())
        .arg("run")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .with_context(|| format!("starting {}", program.display()))
}

fn stop(agent: &mut Child) -> Result<()> {
    if agent.try_wait()?.is_none() {
        let process = rustix::process::Pid::from_child(agent);
        rustix::process::kill_process(process, rustix::process::Signal::TERM)?;
        agent.wait()?;
    }
    Ok(())
}

fn welcome(args: &Args, demo: &Demo, accounts: &Accounts, devices: &[DeviceSpec]) {
    say(&format!(
        "\nClaviger runs on https://localhost:{}   (root certificate: {})",
        args.port,
        demo.ca_file().display()
    ));
    say("\nSign in as");
    for account in &accounts.0 {
        say(&format!(
            "  {:<10} {}   {}",
            account.name,
            account.password,
            what_for(account.role)
        ));
    }
    let device = devices.first().map_or("a device", |d| d.name.as_str());
    say(&format!(
        "\nTry\n  1. Sign in as admin: the dashboard fills while the drives encrypt. Open {device} and look at its keys.\n  \
         2. Sign in as helpdesk (another browser profile), type the first 8 digits of a key ID, get the password.\n  \
         3. Watch the device's page: the key is exposed, and a moment later superseded by a new one.\n  \
         4. Open the volume yourself: target/release/claviger volume info {}\n  \
         5. Read the audit, and prove it: target/release/claviger admin audit verify --data-dir {}\n\nCtrl-C stops everything.\n",
        demo.device(device).image("C:").display(),
        demo.server_dir().display(),
    ));
}

fn what_for(role: domain::access::Role) -> &'static str {
    use domain::access::Role;
    match role {
        Role::SelfService => "self-service for the own devices",
        other => other.purpose(),
    }
}
