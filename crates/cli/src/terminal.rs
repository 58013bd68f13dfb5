//! The only place that prints.

use std::io::Write;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether a line for standard output was lost.
static LOST: AtomicBool = AtomicBool::new(false);

/// A line on standard output. Secrets come here only where the person asked for one. When nobody reads any more, or the
/// disk behind it is full, the program goes on, and [`finish`] tells.
pub fn say(text: &str) {
    let mut stdout = std::io::stdout().lock();
    if writeln!(stdout, "{text}").and_then(|()| stdout.flush()).is_err() {
        LOST.store(true, Ordering::Relaxed);
    }
}

/// Bytes on standard output, as they are. A loss is told as with [`say`].
pub fn say_bytes(bytes: &[u8]) {
    let mut stdout = std::io::stdout().lock();
    if stdout.write_all(bytes).and_then(|()| stdout.flush()).is_err() {
        LOST.store(true, Ordering::Relaxed);
    }
}

/// A line on standard error.
pub fn note(text: &str) {
    // Whoever closed standard error does not want to know.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Asks a question at the terminal; only "yes" agrees.
///
/// # Errors
/// When the answer cannot be read.
pub fn agree(question: &str) -> std::io::Result<bool> {
    let mut stderr = std::io::stderr();
    write!(stderr, "{question} Type yes: ")?;
    stderr.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}

/// The exit code of a command that succeeded: a failure all the same when what it said was lost.
#[must_use]
pub fn finish(code: ExitCode) -> ExitCode {
    if LOST.load(Ordering::Relaxed) {
        note("error: standard output could not be written");
        return ExitCode::FAILURE;
    }
    code
}

/// The field's word of an enumeration, as its JSON spells it, with spaces.
pub(crate) fn word<T: serde::Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => text.replace(['_', '-'], " "),
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    }
}
