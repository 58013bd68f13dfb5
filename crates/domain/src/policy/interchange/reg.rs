//! `.reg` files, as the registry editor writes and reads them.
//!
//! `Windows Registry Editor Version 5.00` in UTF-16LE with a byte order mark, or in UTF-8; `REGEDIT4` in UTF-8. Then keys in
//! brackets, values as `"name"="text"`, `dword:`, `hex:` and `hex(TYPE):` with a backslash before each line break, `-` for
//! what is taken out, and comments after semicolons.

use thiserror::Error;

use super::registry::{self, Data, Entry};
use super::{Exported, Imported, MAX_LEN};
use crate::policy::document::Document;

const HEADER: &str = "Windows Registry Editor Version 5.00";
const OLD_HEADER: &str = "REGEDIT4";
const HIVES: [&str; 2] = [r"HKEY_LOCAL_MACHINE\", r"HKLM\"];

/// Why a text is no `.reg` file.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// It is neither UTF-16LE with a byte order mark nor UTF-8.
    #[error("neither UTF-16 with a byte order mark nor UTF-8")]
    Encoding,
    /// It begins otherwise.
    #[error("not a .reg file: it does not begin with \"{HEADER}\"")]
    Header,
    /// A line that cannot be read.
    #[error("line {line}: {what}")]
    Line {
        /// From 1.
        line: usize,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Too large.
    #[error("{0} bytes; at most {MAX_LEN} are read")]
    TooLarge(usize),
}

/// Reads the policy that a file holds.
///
/// # Errors
/// When it is no `.reg` file.
pub fn import(bytes: &[u8]) -> Result<Imported, Error> {
    Ok(registry::import(&read(bytes)?))
}

/// Writes a policy, in UTF-16LE.
#[must_use]
pub fn export(document: &Document) -> Exported<Vec<u8>> {
    let (entries, inexpressible) = registry::export(document);
    let text = write(&entries);
    let output = std::iter::once(0xFEFF)
        .chain(text.encode_utf16())
        .flat_map(u16::to_le_bytes);
    Exported {
        output: output.collect(),
        inexpressible,
    }
}

/// Reads all values. Keys of other hives keep their hive's name, so that they are nobody's policy.
///
/// # Errors
/// When it is no `.reg` file.
pub fn read(bytes: &[u8]) -> Result<Vec<Entry>, Error> {
    if bytes.len() > MAX_LEN {
        return Err(Error::TooLarge(bytes.len()));
    }
    let text = match bytes {
        [0xFF, 0xFE, rest @ ..] => registry::utf16(rest).ok_or(Error::Encoding)?,
        [0xEF, 0xBB, 0xBF, rest @ ..] => std::str::from_utf8(rest).map_err(|_| Error::Encoding)?.to_owned(),
        _ => std::str::from_utf8(bytes).map_err(|_| Error::Encoding)?.to_owned(),
    };
    let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    let header = lines.by_ref().find(|(_, line)| !line.trim().is_empty());
    let wide = match header.map(|(_, line)| line.trim()) {
        Some(HEADER) => true,
        Some(OLD_HEADER) => false,
        _ => return Err(Error::Header),
    };
    let mut entries = Vec::new();
    let mut key = None::<Key>;
    while let Some((line, text)) = lines.next() {
        let at = |what| Error::Line { line, what };
        let text = text.trim();
        if text.is_empty() || text.starts_with(';') {
            continue;
        }
        if let Some(name) = text.strip_prefix('[') {
            let name = name.strip_suffix(']').ok_or(at("a key ends with ']'"))?;
            key = Some(Key::of(name));
            continue;
        }
        let mut whole = text.to_owned();
        // A text goes on while its quotation marks are open, data in hexadecimal after a backslash.
        while let Some(joint) = goes_on(&whole) {
            let (_, next) = lines.next().ok_or(at("the file ends within a value"))?;
            match joint {
                Joint::Text => {
                    whole.push('\n');
                    whole.push_str(next);
                }
                Joint::Data => {
                    whole.truncate(whole.trim_end().len().saturating_sub(1));
                    whole.push_str(next.trim());
                }
            }
        }
        let key = key.as_ref().ok_or(at("a value without a key above it"))?;
        let (name, data) = value(&whole, wide).map_err(at)?;
        entries.push(Entry {
            key: key.name.clone(),
            name,
            data: if key.removed { Data::Removed } else { data },
        });
    }
    Ok(entries)
}

/// Writes values as text with line breaks of Windows.
#[must_use]
pub fn write(entries: &[Entry]) -> String {
    let mut lines = vec![HEADER.to_owned()];
    let mut keys: Vec<&str> = Vec::new();
    for entry in entries {
        if !keys.contains(&entry.key.as_str()) {
            keys.push(&entry.key);
        }
    }
    for key in keys {
        lines.extend([String::new(), format!("[{}{key}]", HIVES[0])]);
        lines.extend(entries.iter().filter(|e| e.key == key).map(line));
    }
    lines.push(String::new());
    lines.join("\r\n")
}

fn line(entry: &Entry) -> String {
    let name = match entry.name.as_str() {
        "" => "@".to_owned(),
        name => quoted(name),
    };
    let data = match &entry.data {
        Data::Number(number) => format!("dword:{number:08x}"),
        Data::Text(text) if !text.contains(char::is_control) => quoted(text),
        Data::Removed => "-".to_owned(),
        other => match other.to_bytes() {
            Some((kind, bytes)) => {
                let bytes: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                format!("hex({kind:x}):{}", bytes.join(","))
            }
            None => "-".to_owned(),
        },
    };
    format!("{name}={data}")
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\""))
}

struct Key {
    name: String,
    removed: bool,
}

impl Key {
    fn of(written: &str) -> Self {
        let (removed, written) = match written.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, written),
        };
        let hive = |hive: &&str| {
            written
                .get(..hive.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(hive))
        };
        let name = HIVES
            .iter()
            .find(|h| hive(h))
            .map_or(written, |hive| &written[hive.len()..]);
        Self {
            name: name.to_owned(),
            removed,
        }
    }
}

enum Joint {
    Text,
    Data,
}

/// Whether a value is not at its end with this line.
fn goes_on(line: &str) -> Option<Joint> {
    let mut open = false;
    let mut characters = line.chars();
    let mut after_text = 0;
    let mut at = 0;
    while let Some(c) = characters.next() {
        at += c.len_utf8();
        match c {
            '\\' if open => at += characters.next().map_or(0, char::len_utf8),
            '"' => {
                open = !open;
                after_text = at;
            }
            ';' if !open => return None,
            _ => {}
        }
    }
    if open {
        return Some(Joint::Text);
    }
    line[after_text..].trim_end().ends_with('\\').then_some(Joint::Data)
}

/// Name and data of a whole value.
fn value(line: &str, wide: bool) -> Result<(String, Data), &'static str> {
    let (name, rest) = match line.strip_prefix('@') {
        Some(rest) => (String::new(), rest),
        None => text(line).ok_or("a value begins with its name in quotation marks, or with @")?,
    };
    let data = rest
        .trim_start()
        .strip_prefix('=')
        .ok_or("'=' expected after the name")?
        .trim_start();
    if data.starts_with('"') {
        let (text, rest) = text(data).ok_or("the text does not end")?;
        return only_comment(rest).map(|()| (name, Data::Text(text)));
    }
    // What follows is never text, so a semicolon begins a comment.
    let data = data.split(';').next().unwrap_or_default().trim();
    if data == "-" {
        return Ok((name, Data::Removed));
    }
    let (kind, digits) = data.split_once(':').ok_or("a text, dword:, hex: or - expected")?;
    let kind = kind.trim().to_ascii_lowercase();
    if kind == "dword" {
        let number = u32::from_str_radix(digits.trim(), 16).map_err(|_| "dword: wants eight hexadecimal digits")?;
        return Ok((name, Data::Number(number)));
    }
    let kind = match kind.as_str() {
        "hex" => registry::kind::BINARY,
        other => other
            .strip_prefix("hex(")
            .and_then(|other| other.strip_suffix(')'))
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .ok_or("a text, dword:, hex: or - expected")?,
    };
    let bytes: Result<Vec<u8>, _> = digits
        .split(',')
        .map(str::trim)
        .filter(|digits| !digits.is_empty())
        .map(|digits| u8::from_str_radix(digits, 16))
        .collect();
    let mut bytes = bytes.map_err(|_| "bytes are two hexadecimal digits each, with commas between them")?;
    let is_text = [registry::kind::SZ, registry::kind::EXPAND_SZ, registry::kind::MULTI_SZ].contains(&kind);
    if !wide && is_text {
        bytes = bytes.into_iter().flat_map(|byte| [byte, 0]).collect();
    }
    Ok((name, Data::from_bytes(kind, &bytes)))
}

/// A text in quotation marks, and what follows it.
fn text(line: &str) -> Option<(String, &str)> {
    let mut text = String::new();
    let rest = line.strip_prefix('"')?;
    let mut characters = rest.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return Some((text, &rest[at + 1..])),
            '\\' => text.push(characters.next()?.1),
            c => text.push(c),
        }
    }
    None
}

fn only_comment(rest: &str) -> Result<(), &'static str> {
    let rest = rest.trim_start();
    if rest.is_empty() || rest.starts_with(';') {
        Ok(())
    } else {
        Err("something follows the text")
    }
}
