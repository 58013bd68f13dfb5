//! Runs the programs, never longer than a limit, and judges how they ended.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// No run takes nearly as long; one that does hangs.
const LIMIT: Duration = Duration::from_secs(300);

/// A program to be run.
pub(crate) struct Run {
    command: Command,
    stdin: Vec<u8>,
}

/// How it ended. It neither panicked nor was it killed.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

pub(crate) fn claviger<I: IntoIterator<Item: AsRef<OsStr>>>(arguments: I) -> Run {
    Run::new(env!("CARGO_BIN_EXE_claviger"), arguments)
}

pub(crate) fn agent<I: IntoIterator<Item: AsRef<OsStr>>>(arguments: I) -> Run {
    Run::new(env!("CARGO_BIN_EXE_claviger-agent"), arguments)
}

impl Run {
    fn new<I: IntoIterator<Item: AsRef<OsStr>>>(program: &str, arguments: I) -> Self {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_remove("CLAVIGER_LOG")
            .env_remove("COLUMNS")
            .env_remove("CLAVIGER_DATA_DIR");
        Self {
            command,
            stdin: Vec::new(),
        }
    }

    /// More arguments.
    pub(crate) fn args<I: IntoIterator<Item: AsRef<OsStr>>>(mut self, arguments: I) -> Self {
        self.command.args(arguments);
        self
    }

    /// One more argument.
    pub(crate) fn arg(self, argument: impl AsRef<OsStr>) -> Self {
        self.args([argument])
    }

    /// Where it runs.
    pub(crate) fn within(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// An environment variable.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// What it reads on standard input.
    pub(crate) fn stdin(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.stdin = bytes.as_ref().to_vec();
        self
    }

    /// Sends standard output elsewhere; it is not in the outcome then.
    pub(crate) fn stdout(mut self, to: impl Into<Stdio>) -> Ended {
        self.command.stdout(to);
        self.run()
    }

    /// Runs it to its end.
    pub(crate) fn end(mut self) -> Ended {
        self.command.stdout(Stdio::piped());
        self.run()
    }

    /// Starts it with its standard output to be read by the caller, who ends it.
    pub(crate) fn start(mut self) -> Child {
        self.command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts")
    }

    /// Starts it with standard error to this pipe.
    pub(crate) fn start_telling(mut self, to: impl Into<Stdio>) -> Child {
        let command = self.command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(to);
        command.spawn().expect("the program starts")
    }

    fn run(mut self) -> Ended {
        let child = self.command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.expect("the program starts");
        let mut to = child.stdin.take().expect("standard input is a pipe");
        let stdin = std::mem::take(&mut self.stdin);
        std::thread::spawn(move || {
            // A program that does not read it closes the pipe.
            let _ = to.write_all(&stdin);
        });
        judge(&self.command, &wait(child))
    }
}

/// Waits for the end of a program, and ends one that hangs.
pub(crate) fn wait(child: Child) -> Output {
    let pid = Pid::from_child(&child);
    let (done, ended) = mpsc::channel();
    std::thread::spawn(move || done.send(child.wait_with_output()));
    match ended.recv_timeout(LIMIT) {
        Ok(output) => output.expect("the program can be waited for"),
        Err(_) => {
            kill_process(pid, Signal::KILL).expect("a program that hangs can be killed");
            panic!("the program still ran after {LIMIT:?}");
        }
    }
}

fn judge(command: &Command, output: &Output) -> Ended {
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!stderr.contains("panicked"), "{command:?}: {stderr}");
    let Some(code) = output.status.code() else {
        panic!("{command:?} was ended by a signal, {}: {stderr}", output.status);
    };
    Ended {
        code,
        stdout: output.stdout.clone(),
        stderr,
    }
}

impl Ended {
    /// Standard output of a program that did its work.
    pub(crate) fn done(&self) -> &[u8] {
        assert_eq!(self.code, 0, "{}", self.stderr);
        &self.stdout
    }

    /// The same as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.done().to_vec()).expect("the output is UTF-8")
    }

    /// The reason of a program that refused: one line on standard error, exit code 1, nothing on standard output.
    pub(crate) fn refused(&self) -> &str {
        assert_eq!(self.code, 1, "{}", self.stderr);
        assert!(self.stdout.is_empty(), "something was said before the refusal");
        let line = self
            .stderr
            .strip_prefix("error: ")
            .and_then(|line| line.strip_suffix('\n'));
        match line {
            Some(line) if !line.contains('\n') && line.len() > 8 => line,
            _ => panic!("not one line that says what is wrong: {:?}", self.stderr),
        }
    }

    /// The reason, which has to contain these words.
    #[track_caller]
    pub(crate) fn refused_with(&self, words: &[&str]) {
        let reason = self.refused();
        for word in words {
            assert!(reason.contains(word), "{word:?} is not in {reason:?}");
        }
    }

    /// What the command line's parser says of arguments that it does not take.
    pub(crate) fn misused(&self) -> &str {
        assert_eq!(self.code, 2, "{}", self.stderr);
        assert!(self.stdout.is_empty());
        &self.stderr
    }
}

/// Everything in a folder: names, modes, contents.
pub(crate) fn tree(folder: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the folder can be read") {
            let path = entry.expect("the folder can be read").path();
            let metadata = path.symlink_metadata().expect("the entry is there");
            let content = if metadata.is_dir() {
                folders.push(path.clone());
                Vec::new()
            } else {
                std::fs::read(&path).expect("the file can be read")
            };
            found.insert(path, (metadata.permissions().mode(), content));
        }
    }
    found
}

/// The names in a folder.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("the folder can be read");
    let mut names: Vec<_> = entries
        .map(|entry| {
            entry
                .expect("the folder can be read")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}
