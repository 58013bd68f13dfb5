//! Settings as values of the registry, of whatever file format.

use std::collections::BTreeSet;
use std::fmt;

use super::{Imported, Inexpressible, nameless};
use crate::inventory::RegistryData;
use crate::policy::document::Document;
use crate::policy::{Encoding, RegistryValue, Root, Setting, reference, setting};

/// A value under `HKEY_LOCAL_MACHINE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key, without the hive.
    pub key: String,
    /// Its name; empty: the key's default value.
    pub name: String,
    /// Its data.
    pub data: Data,
}

/// A value's data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// `REG_DWORD`.
    Number(u32),
    /// `REG_SZ`.
    Text(String),
    /// `REG_EXPAND_SZ`.
    Expandable(String),
    /// `REG_MULTI_SZ`.
    Texts(Vec<String>),
    /// Another type, or data that does not fit its type.
    Other {
        /// The type's number.
        kind: u32,
        /// As it lies there.
        bytes: Vec<u8>,
    },
    /// The value is taken out.
    Removed,
}

/// What registry values say.
#[must_use]
pub fn import(entries: &[Entry]) -> Imported {
    let mut imported = Imported::default();
    let mut settled = BTreeSet::new();
    let mut problems = Vec::new();
    for setting in reference() {
        take(setting, entries, &mut imported, &mut settled, &mut problems);
    }
    // In the file's order.
    for (index, entry) in entries.iter().enumerate() {
        let problem = problems.iter().find(|(at, _)| *at == index).map(|(_, why)| why.clone());
        if let Some(why) = problem {
            imported.unknown(entry.to_string(), why);
        } else if !settled.contains(&index) {
            imported.unknown(entry.to_string(), stranger(entry));
        }
    }
    imported
}

/// The values that say what a document configures, each once, and what has none.
#[must_use]
pub fn export(document: &Document) -> (Vec<Entry>, Vec<Inexpressible>) {
    let mut entries = Vec::<Entry>::new();
    let mut inexpressible = nameless(document);
    for (id, value) in document.assignments.iter() {
        let Some(setting) = setting(id) else { continue };
        let carries = |carrier: &&RegistryValue| !matches!(carrier.encoding, Encoding::Always(_));
        let said = setting
            .registry
            .iter()
            .filter(carries)
            .any(|c| data(c, value).is_some());
        if !said {
            inexpressible.push(Inexpressible {
                setting: setting.id,
                why: reason(setting, value),
            });
            continue;
        }
        for carrier in setting.registry {
            let Some(data) = data(carrier, value) else { continue };
            let known = |e: &Entry| e.key == carrier.root.key() && e.name.eq_ignore_ascii_case(carrier.name);
            if !entries.iter().any(known) {
                entries.push(Entry {
                    key: carrier.root.key().to_owned(),
                    name: carrier.name.to_owned(),
                    data,
                });
            }
        }
    }
    (entries, inexpressible)
}

/// Reads one setting from the values that carry it; the first that is there decides.
fn take(
    setting: &'static Setting,
    entries: &[Entry],
    imported: &mut Imported,
    settled: &mut BTreeSet<usize>,
    problems: &mut Vec<(usize, String)>,
) {
    let mut taken = None::<(&str, String)>;
    for carrier in setting.registry {
        // Of doubled values the last counts, as when the file is applied.
        let of_name =
            |e: &Entry| Root::of_key(&e.key) == Some(carrier.root) && e.name.eq_ignore_ascii_case(carrier.name);
        let Some(index) = entries.iter().rposition(of_name) else {
            continue;
        };
        let found = &entries[index].data;
        if let Some((from, value)) = &taken {
            match data(carrier, value) {
                Some(wanted) if wanted == *found => {
                    settled.insert(index);
                }
                _ if matches!(carrier.encoding, Encoding::Always(_)) => {}
                _ => problems.push((index, format!("Says otherwise than {from}, which was taken."))),
            }
            continue;
        }
        if matches!(carrier.encoding, Encoding::Always(_)) {
            continue;
        }
        let value = text(carrier, found).and_then(|value| {
            let mut tried = imported.document.assignments.clone();
            tried.set(setting.id, &value).map_err(|error| error.to_string())?;
            imported.document.assignments = tried;
            Ok(value)
        });
        match value {
            Ok(value) => {
                settled.insert(index);
                taken = Some((carrier.name, value));
            }
            Err(why) => problems.push((index, why)),
        }
    }
}

/// The setting's value that this data stands for.
fn text(carrier: &RegistryValue, data: &Data) -> Result<String, String> {
    match (carrier.encoding, data) {
        (_, Data::Removed) => Err("It is taken out: the same as not configured.".to_owned()),
        (Encoding::Text, Data::Text(text) | Data::Expandable(text)) => Ok(text.trim().to_owned()),
        (Encoding::Text, _) => Err("Its data must be text.".to_owned()),
        (encoding, Data::Number(number)) => encoding
            .text(*number)
            .ok_or_else(|| format!("{number} has no meaning here; known: {}.", numbers(encoding))),
        (_, _) => Err("Its data must be a number (REG_DWORD).".to_owned()),
    }
}

fn data(carrier: &RegistryValue, value: &str) -> Option<Data> {
    carrier.data(value).map(|data| match data {
        RegistryData::Number(number) => Data::Number(number),
        RegistryData::Text(text) => Data::Text(text),
    })
}

fn numbers(encoding: Encoding) -> String {
    let Encoding::Map(pairs) = encoding else {
        return "any number".to_owned();
    };
    let pairs: Vec<_> = pairs.iter().map(|(text, number)| format!("{number} {text}")).collect();
    pairs.join(", ")
}

/// Why a setting with this value has no registry value.
fn reason(setting: &Setting, value: &str) -> String {
    if setting.registry.is_empty() {
        let unsure = setting.unsure.filter(|why| why.contains("registry"));
        return unsure.unwrap_or("Windows has no registry value for it.").to_owned();
    }
    format!("Windows has no registry value for \"{value}\".")
}

/// Why an entry is no setting.
fn stranger(entry: &Entry) -> String {
    let same_name = |e: &RegistryValue| e.name.eq_ignore_ascii_case(&entry.name);
    let always = reference().iter().flat_map(|s| s.registry).any(same_name);
    match (Root::of_key(&entry.key), always) {
        (Some(_), true) => {
            "No setting that it belongs to is configured by this file, or another value of that name counts.".to_owned()
        }
        (Some(_), false) => "No setting stands for this value.".to_owned(),
        (None, _) if entry.key.to_ascii_lowercase().contains(r"\microsoft\fve") => {
            "No setting stands for values of this key.".to_owned()
        }
        (None, _) => "Not a policy of BitLocker.".to_owned(),
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.name.is_empty() { "(Default)" } else { &self.name };
        write!(f, r"{}\{name} = {}", self.key, self.data)
    }
}

impl fmt::Display for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) | Self::Expandable(text) => write!(f, "\"{text}\""),
            Self::Texts(texts) => write!(f, "{texts:?}"),
            Self::Other { kind, bytes } => {
                let start: String = bytes.iter().take(16).map(|b| format!("{b:02x}")).collect();
                write!(f, "{} bytes of type {kind}, {start}", bytes.len())
            }
            Self::Removed => f.write_str("(removed)"),
        }
    }
}

/// Numbers of the registry's types.
pub(super) mod kind {
    pub(in super::super) const SZ: u32 = 1;
    pub(in super::super) const EXPAND_SZ: u32 = 2;
    pub(in super::super) const BINARY: u32 = 3;
    pub(in super::super) const DWORD: u32 = 4;
    pub(in super::super) const MULTI_SZ: u32 = 7;
}

impl Data {
    /// From a type and bytes, as files and the registry hold them.
    pub(super) fn from_bytes(kind: u32, bytes: &[u8]) -> Self {
        let number = <[u8; 4]>::try_from(bytes).map(u32::from_le_bytes);
        let text = || utf16(bytes).map(|text| text.trim_end_matches('\0').to_owned());
        let read = match (kind, number) {
            (kind::SZ, _) => text().map(Self::Text),
            (kind::EXPAND_SZ, _) => text().map(Self::Expandable),
            (kind::MULTI_SZ, _) => text().map(|text| {
                let texts = text.split('\0').filter(|text| !text.is_empty());
                Self::Texts(texts.map(str::to_owned).collect())
            }),
            (kind::DWORD, Ok(number)) => Some(Self::Number(number)),
            _ => None,
        };
        read.unwrap_or_else(|| Self::Other {
            kind,
            bytes: bytes.to_vec(),
        })
    }

    /// As files and the registry hold it; nothing for a value that is taken out.
    pub(super) fn to_bytes(&self) -> Option<(u32, Vec<u8>)> {
        Some(match self {
            Self::Number(number) => (kind::DWORD, number.to_le_bytes().to_vec()),
            Self::Text(text) => (kind::SZ, terminated(text)),
            Self::Expandable(text) => (kind::EXPAND_SZ, terminated(text)),
            Self::Texts(texts) => {
                let mut bytes: Vec<u8> = texts.iter().flat_map(|text| terminated(text)).collect();
                bytes.extend([0, 0]);
                (kind::MULTI_SZ, bytes)
            }
            Self::Other { kind, bytes } => (*kind, bytes.clone()),
            Self::Removed => return None,
        })
    }
}

/// UTF-16LE with a NUL at its end.
pub(super) fn terminated(text: &str) -> Vec<u8> {
    text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
}

pub(super) fn utf16(bytes: &[u8]) -> Option<String> {
    if !bytes.len().is_multiple_of(2) {
        return None;
    }
    let units: Vec<_> = bytes
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
        .collect();
    String::from_utf16(&units).ok()
}
