//! `.reg` files of the registry editor, version 5: UTF-16LE with a byte order mark, or UTF-8.

use super::{Collector, Data, Exported, ImportError, Imported, check_size, registry_values};
use crate::policy::Assignments;

const HEADER: &str = "Windows Registry Editor Version 5.00";
const ROOTS: [&str; 2] = ["HKEY_LOCAL_MACHINE\\", "HKLM\\"];

/// Reads a `.reg` file.
///
/// # Errors
/// When it is not one, with the line. What is well formed and not BitLocker's is reported as unknown.
pub fn import_reg(bytes: &[u8]) -> Result<Imported, ImportError> {
    check_size(bytes.len())?;
    let text = decode(bytes)?;
    let mut lines = joined(&text).into_iter();
    let header = lines.by_ref().find(|(_, line)| !line.is_empty());
    if header.as_ref().is_none_or(|(_, line)| line != HEADER) {
        return Err(ImportError::new("line 1", format!("\"{HEADER}\" is expected")));
    }
    let mut collector = Collector::default();
    let mut key = None::<String>;
    for (number, line) in lines {
        let wrong = |problem: &str| ImportError::new(format!("line {number}"), problem);
        if line.is_empty() || line.starts_with(';') {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            key = Some(name.to_owned());
            continue;
        }
        let key = key.as_deref().ok_or_else(|| wrong("a value stands before any key"))?;
        let (name, data) = value(&line).map_err(|problem| wrong(&problem))?;
        let under = ROOTS.iter().find_map(|root| strip_ignoring_case(key, root));
        collector.value(under.unwrap_or(key), &name, &data);
    }
    Ok(collector.imported)
}

/// Writes what a document configures as a `.reg` file: UTF-16LE with a byte order mark, as the registry editor does.
#[must_use]
pub fn export_reg(assignments: &Assignments) -> Exported<Vec<u8>> {
    let values = registry_values(assignments);
    let mut text = format!("\u{feff}{HEADER}\r\n");
    let mut sorted = values.content;
    sorted.sort_by_key(|(root, _, _)| *root);
    let mut last = None;
    for (root, name, data) in &sorted {
        if last != Some(*root) {
            text.push_str(&format!("\r\n[{}{}]\r\n", ROOTS[0], root.key()));
            last = Some(*root);
        }
        let data = match data {
            Data::Dword(number) => format!("dword:{number:08x}"),
            Data::Text(text) => format!("\"{}\"", escaped(text)),
            Data::Removed | Data::Other(_) => continue,
        };
        text.push_str(&format!("\"{name}\"={data}\r\n"));
    }
    Exported {
        content: text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        inexpressible: values.inexpressible,
    }
}

fn decode(bytes: &[u8]) -> Result<String, ImportError> {
    let wrong = || ImportError::new("the file", "is neither UTF-16LE with a byte order mark nor UTF-8");
    if let Some(rest) = bytes.strip_prefix(b"\xff\xfe") {
        if !rest.len().is_multiple_of(2) {
            return Err(wrong());
        }
        let units: Vec<u16> = rest.chunks_exact(2).map(|p| u16::from_le_bytes([p[0], p[1]])).collect();
        return String::from_utf16(&units).map_err(|_| wrong());
    }
    let text = std::str::from_utf8(bytes).map_err(|_| wrong())?;
    Ok(text.trim_start_matches('\u{feff}').to_owned())
}

/// Lines with their numbers; one that ends with a backslash goes on in the next.
fn joined(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::<(usize, String)>::new();
    let mut goes_on = false;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        // Texts are in quotation marks; only rows of bytes are broken.
        let (part, more) = match line.strip_suffix('\\') {
            Some(part) => (part, true),
            None => (line, false),
        };
        match lines.last_mut() {
            Some((_, last)) if goes_on => last.push_str(part),
            _ => lines.push((index + 1, part.to_owned())),
        }
        goes_on = more;
    }
    lines
}

/// `"name"=data`
fn value(line: &str) -> Result<(String, Data), String> {
    let (name, rest) = if let Some(rest) = line.strip_prefix('@') {
        (String::new(), rest)
    } else {
        quoted(line).ok_or("a name in quotation marks is expected")?
    };
    let data = rest
        .trim_start()
        .strip_prefix('=')
        .ok_or("'=' is expected after the name")?
        .trim();
    if data == "-" {
        return Ok((name, Data::Removed));
    }
    if let Some(digits) = strip_ignoring_case(data, "dword:") {
        let number = u32::from_str_radix(digits.trim(), 16);
        return Ok((
            name,
            Data::Dword(number.map_err(|_| "dword: needs up to eight hexadecimal digits")?),
        ));
    }
    if let Some(bytes) = strip_ignoring_case(data, "hex(2):").or_else(|| strip_ignoring_case(data, "hex(1):")) {
        return Ok((name, Data::Text(expandable(bytes)?)));
    }
    if strip_ignoring_case(data, "hex").is_some() {
        return Ok((name, Data::Other("bytes")));
    }
    match quoted(data) {
        Some((text, "")) => Ok((name, Data::Text(text))),
        _ => Err("dword:, hex(2):, a text in quotation marks or - is expected".to_owned()),
    }
}

fn expandable(bytes: &str) -> Result<String, String> {
    let bytes: Vec<u8> = bytes
        .split(',')
        .map(str::trim)
        .filter(|byte| !byte.is_empty())
        .map(|byte| u8::from_str_radix(byte, 16))
        .collect::<Result<_, _>>()
        .map_err(|_| "hexadecimal bytes with commas are expected")?;
    let units: Vec<u16> = bytes
        .chunks_exact(2)
        .map(|p| u16::from_le_bytes([p[0], p[1]]))
        .collect();
    let text = String::from_utf16(&units).map_err(|_| "the text is not UTF-16")?;
    Ok(text.trim_end_matches('\0').to_owned())
}

/// A text in quotation marks at the start, and what follows.
fn quoted(line: &str) -> Option<(String, &str)> {
    let mut text = String::new();
    let mut chars = line.strip_prefix('"')?.char_indices();
    let after = line.get(1..)?;
    while let Some((at, sign)) = chars.next() {
        match sign {
            '"' => return Some((text, after.get(at + 1..)?)),
            '\\' => text.push(chars.next()?.1),
            other => text.push(other),
        }
    }
    None
}

fn escaped(text: &str) -> String {
    text.replace('\\', r"\\").replace('"', "\\\"")
}

fn strip_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}
