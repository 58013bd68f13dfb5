//! How secrets reach the command line: from a file, from standard input (`-`), or at a prompt. Never as an argument.

use std::io::{IsTerminal, Read};
use std::path::Path;

use anyhow::{Context, Result, bail};
use zeroize::Zeroizing;

/// Longest secret that is read, in bytes.
const MAX_LEN: u64 = 4096;

/// Reads a secret from a file, or from standard input when the path is `-`. One line ending at the end is taken off.
///
/// # Errors
/// When it cannot be read, is empty, longer than 4096 bytes or not UTF-8.
pub fn read(path: &Path, what: &str) -> Result<Zeroizing<String>> {
    let bytes = read_bytes(path, what)?;
    let Ok(text) = std::str::from_utf8(&bytes) else {
        bail!("the {what} is not UTF-8 text")
    };
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        bail!("the {what} is empty");
    }
    Ok(Zeroizing::new(text.to_owned()))
}

/// Whether [`read_or_ask`] asks at the terminal: for `-` when standard input is one.
#[must_use]
pub fn asks(path: &Path) -> bool {
    path.as_os_str() == "-" && std::io::stdin().is_terminal()
}

/// As [`read`], but at a terminal `-` asks, without echo.
///
/// # Errors
/// As [`read`].
pub fn read_or_ask(path: &Path, what: &str) -> Result<Zeroizing<String>> {
    if !asks(path) {
        return read(path, what);
    }
    let text = prompt(&format!("{what}: "))?;
    if text.is_empty() {
        bail!("the {what} is empty");
    }
    Ok(text)
}

/// Reads a secret that is no text, from a file or from standard input when the path is `-`.
///
/// # Errors
/// When it cannot be read or is longer than 4096 bytes.
pub fn read_bytes(path: &Path, what: &str) -> Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_LEN as usize + 1));
    if path.as_os_str() == "-" {
        std::io::stdin()
            .take(MAX_LEN + 1)
            .read_to_end(&mut bytes)
            .with_context(|| format!("reading the {what}"))?;
    } else {
        let reading = || format!("reading the {what} from {}", path.display());
        let file = std::fs::File::open(path).with_context(reading)?;
        file.take(MAX_LEN + 1).read_to_end(&mut bytes).with_context(reading)?;
    }
    if bytes.len() as u64 > MAX_LEN {
        bail!("the {what} is longer than {MAX_LEN} bytes");
    }
    Ok(bytes)
}

/// Asks at the terminal, without echo.
///
/// # Errors
/// When there is no terminal.
pub fn prompt(question: &str) -> Result<Zeroizing<String>> {
    rpassword::prompt_password(question)
        .map(Zeroizing::new)
        .context("no terminal to ask at; give a file or '-'")
}
