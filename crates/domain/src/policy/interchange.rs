//! Policies from and to other products: Group Policy's `Registry.pol`, `.reg` files, Configuration Manager's cmdlets, and the
//! configuration service provider.
//!
//! What is read and not understood is kept and named, and so is what the other side cannot express. A round trip loses nothing
//! else.

use super::reference::{Encoding, RegistryValue, Root, Setting, reference};
use super::{Assignments, setting};

pub use cmdlets::{export_cmdlets, import_cmdlets};
pub use csp::{CspEntry, export_csp, syncml};
pub use reg_file::{export_reg, import_reg};
pub use registry_pol::{export_registry_pol, import_registry_pol};

mod cmdlets;
mod csp;
mod reg_file;
mod registry_pol;

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// A name, where the source gives one.
    pub name: Option<String>,
    /// The settings that were understood.
    pub assignments: Assignments,
    /// What was not, in the source's order.
    pub unknown: Vec<Unknown>,
}

/// Something that was read and not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// What stands there.
    pub what: String,
    /// Why it was not taken.
    pub why: String,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported<T> {
    /// For the other product.
    pub content: T,
    /// What it cannot express.
    pub inexpressible: Vec<Inexpressible>,
}

/// A setting that the other product cannot be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inexpressible {
    /// The setting.
    pub setting: &'static str,
    /// Why.
    pub why: String,
}

/// A file that is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct ImportError {
    /// Where: "byte 20", "line 3".
    pub place: String,
    /// What is wrong, and what is allowed.
    pub problem: String,
}

/// Largest file that is read, in bytes.
pub const MAX_IMPORT: usize = 4 << 20;

impl ImportError {
    fn new(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            problem: problem.into(),
        }
    }
}

fn check_size(bytes: usize) -> Result<(), ImportError> {
    if bytes > MAX_IMPORT {
        return Err(ImportError::new(
            "the file",
            format!("has {bytes} bytes; at most {MAX_IMPORT} are read"),
        ));
    }
    Ok(())
}

/// A registry value in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Data {
    Dword(u32),
    Text(String),
    /// It is to be removed.
    Removed,
    /// Of another type.
    Other(&'static str),
}

impl Data {
    fn shown(&self) -> String {
        match self {
            Self::Dword(number) => number.to_string(),
            Self::Text(text) => format!("\"{text}\""),
            Self::Removed => "removed".to_owned(),
            Self::Other(kind) => format!("({kind})"),
        }
    }
}

/// Collects registry values into settings.
#[derive(Default)]
struct Collector {
    imported: Imported,
}

impl Collector {
    fn value(&mut self, key: &str, name: &str, data: &Data) {
        if let Err(why) = self.take(key, name, data) {
            self.imported.unknown.push(Unknown {
                what: format!("{key}\\{name} = {}", data.shown()),
                why,
            });
        }
    }

    fn take(&mut self, key: &str, name: &str, data: &Data) -> Result<(), String> {
        let root = Root::of_key(key).ok_or("This key is not one of BitLocker's.")?;
        let of_name = |r: &&RegistryValue| r.root == root && r.name.eq_ignore_ascii_case(name);
        let mut carriers = reference()
            .iter()
            .filter_map(|s| Some((s, s.registry.iter().find(of_name)?)))
            .peekable();
        if carriers.peek().is_none() {
            return Err("No setting has this value.".to_owned());
        }
        if *data == Data::Removed {
            return Err("It is removed there; a policy that says nothing does the same.".to_owned());
        }
        for (setting, carrier) in carriers {
            if let Encoding::Always(number) = carrier.encoding {
                if *data != Data::Dword(number) {
                    return Err(format!("Only {number} is understood."));
                }
                continue;
            }
            let text = text(carrier.encoding, data)?;
            self.assign(setting, &text)?;
        }
        Ok(())
    }

    /// Several values may carry one setting; they have to agree.
    fn assign(&mut self, setting: &Setting, value: &str) -> Result<(), String> {
        let value = setting.canonical(value).map_err(|error| error.message)?;
        match self.imported.assignments.get(setting.id) {
            Some(before) if before != value => Err(format!("{} is {before} by another value.", setting.id)),
            _ => self
                .imported
                .assignments
                .set(setting.id, &value)
                .map_err(|error| error.message),
        }
    }
}

fn text(encoding: Encoding, data: &Data) -> Result<String, String> {
    match (encoding, data) {
        (Encoding::Text, Data::Text(text)) => Ok(text.clone()),
        (Encoding::Text, _) => Err("A text is expected.".to_owned()),
        (_, Data::Dword(number)) => encoding.text(*number).ok_or_else(|| allowed(encoding)),
        _ => Err("A DWORD is expected.".to_owned()),
    }
}

fn allowed(encoding: Encoding) -> String {
    match encoding {
        Encoding::Map(pairs) => {
            let numbers: Vec<String> = pairs
                .iter()
                .map(|(text, number)| format!("{number} ({text})"))
                .collect();
            format!("Understood are {}.", numbers.join(", "))
        }
        _ => "This number means nothing.".to_owned(),
    }
}

/// Registry values for what a document configures, each once; and what has none.
fn registry_values(assignments: &Assignments) -> Exported<Vec<(Root, &'static str, Data)>> {
    let mut content = Vec::<(Root, &'static str, Data)>::new();
    let mut inexpressible = Vec::new();
    for (id, value) in assignments.iter() {
        let Some(setting) = setting(id) else { continue };
        let mut said = false;
        for carrier in setting.registry {
            let data = match carrier.encoding {
                Encoding::Text => Some(Data::Text(value.to_owned())),
                other => other.number(value).map(Data::Dword),
            };
            let Some(data) = data else { continue };
            said |= !matches!(carrier.encoding, Encoding::Always(_));
            if !content
                .iter()
                .any(|(root, name, _)| (*root, *name) == (carrier.root, carrier.name))
            {
                content.push((carrier.root, carrier.name, data));
            }
        }
        if !said {
            inexpressible.push(Inexpressible {
                setting: setting.id,
                why: if setting.registry.is_empty() {
                    "It has no registry value, or its name is not public.".to_owned()
                } else {
                    format!("No registry value stands for \"{value}\".")
                },
            });
        }
    }
    Exported { content, inexpressible }
}
