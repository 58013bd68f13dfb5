//! P7: what lies on disk, and the server's memory, is searched for recovery passwords.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use fve::RecoveryPassword;
use store::Maintenance;

use super::recover::{Told, never_told};
use super::{Say, Stage, server_spec};
use crate::leaks::Searcher;
use crate::process::ServerProcess;

pub(super) fn nowhere(stage: &mut Stage, told: &[Told], say: Say<'_>) -> Result<()> {
    say("Disk and memory are searched for recovery passwords");
    let secret = never_told(stage, told)?;
    let mut all = told
        .iter()
        .map(|t| Ok(RecoveryPassword::parse(&t.password)?))
        .collect::<Result<Vec<_>>>()?;
    all.extend(never_told(stage, told)?);

    let backup = stage.demo.server_dir().join("backup.db");
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(stage.store()?.backup(&backup))?;
    let everything = Searcher::new(&all)?;
    let mut bytes = 0;
    let mut folders = vec![stage.demo.server_dir()];
    folders.extend(stage.devices.iter().map(|d| stage.paths(&d.name).state()));
    for folder in &folders {
        let (leaks, searched) = everything.folder(folder)?;
        ensure!(
            leaks.is_empty(),
            "recovery passwords in {}: {leaks:?}",
            folder.display()
        );
        bytes += searched;
    }
    let mut logs = vec![stage.options.dir.join("server.log")];
    logs.extend(
        stage
            .devices
            .iter()
            .map(|d| stage.paths(&d.name).root().join("agent.log")),
    );
    for log in &logs {
        let leaks = everything.file(log)?;
        ensure!(leaks.is_empty(), "recovery passwords in {}: {leaks:?}", log.display());
    }
    say(&format!(
        "  data, backup and logs: {} passwords in every form, {bytes} bytes, none found",
        all.len()
    ));

    let core = dump(stage.server.process.id(), &stage.options.dir)?;
    let leaks = Searcher::new(&secret)?.file(&core)?;
    let size = core.metadata()?.len();
    ensure!(
        leaks.is_empty(),
        "passwords that nobody was told are in the server's memory: {leaks:?}"
    );
    std::fs::remove_file(&core)?;
    say(&format!(
        "  core dump of the server ({size} bytes): none of {} passwords that nobody was told",
        secret.len()
    ));

    without_the_passphrase(stage, say)
}

/// Writes a core dump of a running process.
fn dump(process: u32, folder: &Path) -> Result<std::path::PathBuf> {
    let prefix = folder.join("core");
    let output = Command::new("gcore")
        .arg("-o")
        .arg(&prefix)
        .arg(process.to_string())
        .stdin(Stdio::null())
        .output()
        .context("starting gcore")?;
    let core = folder.join(format!("core.{process}"));
    ensure!(
        core.exists(),
        "gcore wrote nothing: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(core)
}

/// A server with another passphrase does not start, and changes nothing.
fn without_the_passphrase(stage: &mut Stage, say: Say<'_>) -> Result<()> {
    stage.stop_agents()?;
    stage.server.process.stop()?;
    let wrong = stage.options.dir.join("wrong-passphrase");
    std::fs::write(&wrong, "not the passphrase\n")?;
    let mut spec = server_spec(&stage.demo, &stage.options.dir, "127.0.0.1:0");
    spec.passphrase_file = wrong;
    spec.log = stage.options.dir.join("wrong-passphrase.log");
    let keys = stage.demo.server_dir().join("keys.json");
    let before = std::fs::read(&keys)?;
    ensure!(
        ServerProcess::start(stage.programs(), &spec).is_err(),
        "the server started with a wrong passphrase"
    );
    ensure!(std::fs::read(&keys)? == before, "the key file was changed");
    let words = std::fs::read_to_string(&spec.log)?;
    say(&format!(
        "  with a wrong passphrase the store opens nothing: {}",
        words.lines().last().unwrap_or_default()
    ));
    Ok(())
}
