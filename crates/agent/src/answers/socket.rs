//! The way of an answer to the running agent: one line of JSON each way over a socket in the state directory, which only its
//! owner may enter. Secrets never touch the disk.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream as Connection};
use zeroize::Zeroizing;

use super::{Answer, Answers, Reply};
use crate::config::Config;

/// Longest line, in bytes.
const MAX_LINE: u64 = 16 * 1024;
/// Who connects has this long to say something.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why an answer did not reach the agent.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// Nobody listens.
    #[error("no agent is running with {0}: start it, or give the answer to `claviger-agent once`")]
    NotRunning(PathBuf),
    /// It listens, and the exchange failed.
    #[error("the agent did not answer: {0}")]
    Failed(#[from] std::io::Error),
}

/// Hands an answer to the agent that runs with this configuration.
///
/// # Errors
/// [`AnswerError`]. What the agent makes of the answer is in the [`Reply`].
pub fn answer(config: &Config, answer: &Answer) -> Result<Reply, AnswerError> {
    let mut stream =
        UnixStream::connect(path(&config.state_dir)).map_err(|_| AnswerError::NotRunning(config.state_dir.clone()))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut line = Zeroizing::new(serde_json::to_vec(answer).map_err(std::io::Error::from)?);
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut reply = String::new();
    BufReader::new(stream.take(MAX_LINE)).read_line(&mut reply)?;
    Ok(serde_json::from_str(&reply).map_err(std::io::Error::from)?)
}

/// Takes answers until the handle is dropped. Without a socket the agent works all the same, and nobody can answer.
pub(crate) fn listen(state_dir: &Path, answers: &Arc<Answers>) -> std::io::Result<Listening> {
    let path = path(state_dir);
    // Left by an agent that was killed; the lock of the directory keeps a living one out.
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    let answers = Arc::clone(answers);
    let task = tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let served = tokio::time::timeout(PATIENCE, serve(connection, &answers)).await;
            if let Ok(Err(error)) = served {
                tracing::warn!(%error, "an answer could not be taken");
            }
        }
    });
    Ok(Listening { task, path })
}

/// Listens as long as it lives.
pub(crate) struct Listening {
    task: tokio::task::JoinHandle<()>,
    path: PathBuf,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort();
        // One that stays is removed by the next agent.
        let _ = std::fs::remove_file(&self.path);
    }
}

async fn serve(mut connection: Connection, answers: &Answers) -> std::io::Result<()> {
    let (reading, mut writing) = connection.split();
    // Of full size from the start: growing would leave copies of secrets behind.
    let mut line = Zeroizing::new(Vec::with_capacity(MAX_LINE as usize + 1));
    tokio::io::BufReader::new(reading.take(MAX_LINE))
        .read_until(b'\n', &mut line)
        .await?;
    let reply = match serde_json::from_slice::<Answer>(&line) {
        Ok(answer) => answers.take(answer),
        // The message is not repeated: it could quote a secret.
        Err(_) => Reply::Refused {
            reason: "that is no answer that this agent knows".to_owned(),
        },
    };
    let mut json = serde_json::to_vec(&reply)?;
    json.push(b'\n');
    writing.write_all(&json).await
}

fn path(state_dir: &Path) -> PathBuf {
    state_dir.join("answers.sock")
}
