//! `claviger policy effective`: what holds for one device, who says so, and what was overruled.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use domain::policy::resolve::Resolved;
use domain::preview::StoredDevice;
use domain::time::Clock;
use serde::Serialize;

use super::preview::fleet::{self, SourceArgs};
use crate::system::SystemClock;
use crate::terminal::say;

/// `claviger policy effective`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The device: its name or its id
    device: String,
    #[command(flatten)]
    source: SourceArgs,
    /// What is in force, when it does not come from the server's data (see `claviger policy preview --help`)
    #[arg(long, value_name = "FILE")]
    targeting: Option<PathBuf>,
    /// Tell the settings that nobody configures as well
    #[arg(long)]
    defaults: bool,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Answer<'a> {
    device: String,
    hostname: &'a str,
    #[serde(flatten)]
    resolved: &'a Resolved,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let fleet = args.source.open()?;
    let targeting = fleet.targeting(args.targeting.as_deref())?;
    let device = find(fleet, &args.device)?;
    let resolved = targeting.resolve(&device.facts(), device.profile.as_ref(), SystemClock.now());
    let hostname = device.inventory.hostname.as_str();
    if args.json {
        let answer = Answer {
            device: device.id.to_string(),
            hostname,
            resolved: &resolved,
        };
        say(&serde_json::to_string_pretty(&answer)?);
    } else {
        say(&format!("Device {hostname}"));
        resolved.told(args.defaults).iter().for_each(|line| say(line));
    }
    Ok(ExitCode::SUCCESS)
}

/// The only device that is called so.
fn find(fleet: fleet::Fleet, wanted: &str) -> Result<StoredDevice> {
    let mut found = Vec::new();
    for stored in fleet.stored()? {
        let device = fleet::read(stored?)?;
        if device.id.to_string().eq_ignore_ascii_case(wanted) {
            return Ok(device);
        }
        if device.inventory.hostname.eq_ignore_ascii_case(wanted) {
            found.push(device);
        }
    }
    match found.len() {
        0 => bail!("there is no device {}", wanted.escape_debug()),
        1 => Ok(found.remove(0)),
        _ => {
            let ids: Vec<String> = found.iter().map(|device| device.id.to_string()).collect();
            bail!(
                "several devices are called {}: {}",
                wanted.escape_debug(),
                ids.join(", ")
            )
        }
    }
}
