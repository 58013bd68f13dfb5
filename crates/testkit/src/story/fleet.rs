//! The stage is set: devices with real NTFS volumes, chips, a server with a policy and accounts.

use std::net::TcpListener;

use anyhow::Result;
use cli::demo::Demo;
use cli::demo::tpm::SoftwareTpm;

use super::{Options, Say, Stage, Subject, chosen, server_spec};
use crate::ntfs::snapshot;
use crate::process::ServerProcess;

/// Makes everything and starts server and chips; agents do not run yet.
pub(super) fn raise(options: Options, say: Say<'_>) -> Result<Stage> {
    let devices = chosen(&options);
    let demo = Demo::new(&options.dir);
    let listen = free_address()?;
    say(&format!(
        "Making {} devices with real NTFS volumes (seed {})",
        devices.len(),
        options.seed
    ));
    let accounts = demo.prepare(&devices, &format!("https://{listen}"), options.seed)?;
    let mut subjects = Vec::new();
    for device in &devices {
        for volume in &device.volumes {
            let image = demo.device(&device.name).image(&volume.letter);
            let files = snapshot(&image)?;
            let letter = volume.letter.clone();
            subjects.push(Subject {
                device: device.name.clone(),
                letter,
                image,
                files,
            });
        }
    }
    let files: usize = subjects.iter().map(|s| s.files.len()).sum();
    say(&format!(
        "  {} volumes, {files} files, every file's SHA-256 noted",
        subjects.len()
    ));

    let mut chips = Vec::new();
    for device in &devices {
        chips.push(SoftwareTpm::start(&demo.device(&device.name).tpm())?);
    }
    let server = ServerProcess::start(&options.programs, &server_spec(&demo, &options.dir, &listen))?;
    say(&format!(
        "  server on {}, {} software TPMs",
        server.address,
        chips.len()
    ));
    Ok(Stage {
        options,
        demo,
        accounts,
        devices,
        subjects,
        server,
        _chips: chips,
        agents: Vec::new(),
    })
}

/// An address on which nobody listens now.
fn free_address() -> Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}
