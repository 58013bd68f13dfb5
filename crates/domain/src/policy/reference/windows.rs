//! How Windows and Configuration Manager are told a setting.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Setting;
use crate::inventory::RegistryData;

/// Where registry values lie, under `HKEY_LOCAL_MACHINE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Root {
    /// `SOFTWARE\Policies\Microsoft\FVE`: Windows' own policy.
    R1,
    /// `SYSTEM\CurrentControlSet\Policies\Microsoft\FVE`: what the driver reads as it mounts.
    R2,
    /// `SOFTWARE\Policies\Microsoft\FVE\MDOPBitLockerManagement`: MBAM's agent, and Configuration Manager's.
    R3,
}

/// How sure it is that Windows reads this value in this way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grade {
    /// From the administrative template, or Microsoft's documentation.
    Documented,
    /// Seen in Microsoft's scripts, or concluded from its siblings.
    Inferred,
}

/// A registry value that carries a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegistryValue {
    /// Its key.
    pub root: Root,
    /// Its name.
    pub name: &'static str,
    /// What is written.
    pub encoding: Encoding,
    /// How sure that is.
    pub grade: Grade,
}

/// How a setting's value, as text, becomes a value of Windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Each allowed text has a number (`REG_DWORD`). Two texts never share one.
    Map(&'static [(&'static str, u32)]),
    /// The number itself (`REG_DWORD`).
    Number,
    /// The text itself (`REG_SZ`).
    Text,
    /// A number that stands beside the value whenever that is set, and says nothing of its own.
    Always(u32),
    /// `true` and `false`, or the other way round.
    Bool,
}

/// A node under `./Device/Vendor/MSFT/BitLocker/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Csp {
    /// The node.
    pub node: &'static str,
    /// The id in its payload; none: the node as a whole is switched on or off, or is a plain integer.
    pub data: Option<&'static str>,
    /// What is written.
    pub encoding: Encoding,
    /// It is a plain integer.
    pub integer: bool,
}

/// A cmdlet that makes a policy object in Configuration Manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cmdlet {
    /// Its name.
    pub name: &'static str,
    /// The parameter.
    pub parameter: &'static str,
    /// How the parameter's value is written.
    pub value: CmdletValue,
}

/// How a parameter's value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CmdletValue {
    /// Each allowed text has a word.
    Words(&'static [(&'static str, &'static str)]),
    /// Digits.
    Number,
    /// A text in quotation marks.
    Text,
    /// Present: on.
    Switch,
    /// Present: off.
    InvertedSwitch,
}

impl Root {
    /// The key under `HKEY_LOCAL_MACHINE`.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::R1 => r"SOFTWARE\Policies\Microsoft\FVE",
            Self::R2 => r"SYSTEM\CurrentControlSet\Policies\Microsoft\FVE",
            Self::R3 => r"SOFTWARE\Policies\Microsoft\FVE\MDOPBitLockerManagement",
        }
    }

    /// The root with this key, in whatever case.
    #[must_use]
    pub fn of_key(key: &str) -> Option<Self> {
        [Self::R1, Self::R2, Self::R3]
            .into_iter()
            .find(|root| root.key().eq_ignore_ascii_case(key))
    }
}

impl RegistryValue {
    /// The data that stands for this text; none: the value does not say it.
    #[must_use]
    pub fn data(&self, value: &str) -> Option<RegistryData> {
        match self.encoding {
            Encoding::Text => Some(RegistryData::Text(value.to_owned())),
            other => other.number(value).map(RegistryData::Number),
        }
    }

    pub(super) const fn new(root: Root, name: &'static str, encoding: Encoding) -> Self {
        Self {
            root,
            name,
            encoding,
            grade: Grade::Documented,
        }
    }

    pub(super) const fn inferred(root: Root, name: &'static str, encoding: Encoding) -> Self {
        Self {
            root,
            name,
            encoding,
            grade: Grade::Inferred,
        }
    }
}

impl Encoding {
    /// The number for this text; none when the text is written as it is, or has no number.
    #[must_use]
    pub fn number(self, value: &str) -> Option<u32> {
        match self {
            Self::Map(pairs) => pairs.iter().find(|(text, _)| *text == value).map(|(_, number)| *number),
            Self::Number => value.parse().ok(),
            Self::Always(number) => Some(number),
            Self::Bool => Some(u32::from(value == "true")),
            Self::Text => None,
        }
    }

    /// The text that this number stands for.
    #[must_use]
    pub fn text(self, number: u32) -> Option<String> {
        match self {
            Self::Map(pairs) => pairs
                .iter()
                .find(|(_, of)| *of == number)
                .map(|(text, _)| (*text).to_owned()),
            Self::Number => Some(number.to_string()),
            Self::Bool => Some((number != 0).to_string()),
            Self::Always(_) | Self::Text => None,
        }
    }
}

/// How the table's rows are completed.
impl Setting {
    pub(super) const fn suggested(mut self, value: &'static str) -> Self {
        self.suggested = Some(value);
        self
    }

    pub(super) const fn registry(mut self, values: &'static [RegistryValue]) -> Self {
        self.registry = values;
        self
    }

    pub(super) const fn csp(mut self, node: &'static str, data: &'static str, encoding: Encoding) -> Self {
        self.csp = Some(Csp {
            node,
            data: Some(data),
            encoding,
            integer: false,
        });
        self
    }

    /// The node is switched on or off as a whole.
    pub(super) const fn csp_state(mut self, node: &'static str) -> Self {
        self.csp = Some(Csp {
            node,
            data: None,
            encoding: super::kinds::STATE,
            integer: false,
        });
        self
    }

    pub(super) const fn csp_integer(mut self, node: &'static str, encoding: Encoding) -> Self {
        self.csp = Some(Csp {
            node,
            data: None,
            encoding,
            integer: true,
        });
        self
    }

    pub(super) const fn cmdlet(mut self, name: &'static str, parameter: &'static str, value: CmdletValue) -> Self {
        self.cmdlet = Some(Cmdlet { name, parameter, value });
        self
    }

    /// The cmdlet's own `-PolicyState` is the value.
    pub(super) const fn cmdlet_state(self, name: &'static str) -> Self {
        self.cmdlet(
            name,
            "PolicyState",
            CmdletValue::Words(&[("enabled", "Enabled"), ("disabled", "Disabled")]),
        )
    }

    pub(super) const fn unsure(mut self, what: &'static str) -> Self {
        self.unsure = Some(what);
        self
    }
}
