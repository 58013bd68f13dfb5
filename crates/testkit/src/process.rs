//! The product's programs as processes: started, asked to end, killed.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

/// Where the built programs are.
#[derive(Clone, Debug)]
pub struct Programs(pub PathBuf);

impl Programs {
    /// Beside the running test: `target/debug` or `target/release`.
    ///
    /// # Errors
    /// When they were not built.
    pub fn beside_test() -> Result<Self> {
        let test = std::env::current_exe()?;
        let folder = test
            .ancestors()
            .find(|a| a.join("claviger").is_file() && a.join("claviger-agent").is_file());
        match folder {
            Some(folder) => Ok(Self(folder.to_owned())),
            None => bail!("claviger and claviger-agent are not built; ./test builds them first"),
        }
    }

    fn command(&self, name: &str) -> Command {
        Command::new(self.0.join(name))
    }

    /// `claviger` with arguments, to its end.
    ///
    /// # Errors
    /// When it does not start.
    pub fn claviger(&self, arguments: &[&str]) -> Result<std::process::Output> {
        Ok(self.command("claviger").args(arguments).stdin(Stdio::null()).output()?)
    }
}

/// A running program; killed when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    name: String,
}

impl Running {
    fn start(mut command: Command, name: &str, log: &Path) -> Result<(Self, Option<ChildStdout>)> {
        let log = OpenOptions::new().create(true).append(true).open(log)?;
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .with_context(|| format!("starting {name}"))?;
        let stdout = child.stdout.take();
        Ok((
            Self {
                child,
                name: name.to_owned(),
            },
            stdout,
        ))
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end, and waits.
    ///
    /// # Errors
    /// When it ended with a failure.
    pub fn stop(&mut self) -> Result<()> {
        if self.child.try_wait()?.is_none() {
            kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        }
        let status = self.child.wait()?;
        if !status.success() {
            bail!("{} ended with {status}", self.name);
        }
        Ok(())
    }

    /// `kill -9`, and waits until it is gone.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub fn kill(&mut self) -> Result<ExitStatus> {
        self.child.kill()?;
        Ok(self.child.wait()?)
    }

    /// Whether it still runs.
    ///
    /// # Errors
    /// When nobody can tell.
    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        Ok(self.child.wait()?)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How to start a server.
#[derive(Clone, Debug)]
pub struct ServerSpec {
    /// Folder of its data.
    pub data_dir: PathBuf,
    /// Where to listen; port 0: the system chooses.
    pub listen: String,
    /// File with the key passphrase.
    pub passphrase_file: PathBuf,
    /// Log.
    pub log: PathBuf,
}

/// A running server.
#[derive(Debug)]
pub struct ServerProcess {
    /// The process.
    pub process: Running,
    /// `https://127.0.0.1:PORT`.
    pub address: String,
}

impl ServerProcess {
    /// Starts it and waits until it listens.
    ///
    /// # Errors
    /// When it ends instead.
    pub fn start(programs: &Programs, spec: &ServerSpec) -> Result<Self> {
        let mut command = programs.command("claviger");
        command
            .arg("serve")
            .arg("--data-dir")
            .arg(&spec.data_dir)
            .args(["--listen", &spec.listen]);
        command.arg("--key-passphrase-file").arg(&spec.passphrase_file);
        let (process, stdout) = Running::start(command, "claviger serve", &spec.log)?;
        let Some(stdout) = stdout else {
            bail!("no standard output")
        };
        let mut lines = BufReader::new(stdout).lines();
        for line in lines.by_ref() {
            if let Some(address) = line?.strip_prefix("Listening on ") {
                let address = address.trim().to_owned();
                // What it says later is read away, so that it never waits for a reader.
                std::thread::spawn(move || lines.for_each(drop));
                return Ok(Self { process, address });
            }
        }
        bail!("the server ended before it listened; see {}", spec.log.display())
    }
}

/// Starts an agent in the background. Its standard output goes to the log, too.
///
/// # Errors
/// When it does not start.
pub fn start_agent(programs: &Programs, config: &Path, arguments: &[&str], log: &Path) -> Result<Running> {
    let mut command = programs.command("claviger-agent");
    command.arg("--config").arg(config).args(arguments);
    let out: File = OpenOptions::new().create(true).append(true).open(log)?;
    let err = out.try_clone()?;
    let child = command
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .spawn()
        .context("starting claviger-agent")?;
    Ok(Running {
        child,
        name: "claviger-agent".to_owned(),
    })
}
