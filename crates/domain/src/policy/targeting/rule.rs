//! Rules that find devices.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::device::{DeviceFacts, TpmState};
use super::names::or_list;
use super::text::{DistinguishedName, OsVersion, matches_pattern, same_text};
use crate::inventory::{Join, OsKind};

/// A condition on a device. Patterns know `*` and `?`; upper and lower case never matters.
///
/// Written as a table with exactly one key: `{ name = "BER-*" }`, `{ not = { tag = "lab" } }`,
/// `{ any = [{ model = "Latitude *" }, { chassis = "portable" }] }`. `{ all = [] }` is true of every device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Computer name, a pattern.
    Name(String),
    /// Operating system in words, a pattern: `Windows 11*`.
    Os(String),
    /// Version of the operating system.
    OsVersion(VersionRange),
    /// Kind of operating system: `windows_client`, `windows_server`, `linux`, `other`.
    Kind(OsKind),
    /// How the machine belongs to its organisation: `workgroup`, `domain`, `entra`, `hybrid`.
    Join(Join),
    /// Name of the domain, a pattern.
    Domain(String),
    /// Maker of the machine, a pattern.
    Manufacturer(String),
    /// Model of the machine, a pattern.
    Model(String),
    /// Organisational unit in the directory; those under it count.
    Ou(DistinguishedName),
    /// Name of a group that the device belongs to, a pattern.
    Group(String),
    /// A tag that an administrator gave the device.
    Tag(String),
    /// Kind of machine.
    Chassis(Chassis),
    /// State of the security chip.
    Tpm(TpmState),
    /// A virtual machine, or not one.
    Virtual(bool),
    /// Another product manages BitLocker on it as well, or not.
    CoManaged(bool),
    /// All of these; of none, true.
    All(Vec<Rule>),
    /// At least one of these; of none, false.
    Any(Vec<Rule>),
    /// Not this.
    Not(Box<Rule>),
}

/// Versions from one (included) up to another (not included). A device whose version is no number is in none
/// that has an end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VersionRange {
    /// This one and newer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<OsVersion>,
    /// Older than this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<OsVersion>,
}

/// Kind of machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Chassis {
    /// A laptop, tablet or the like.
    Portable,
    /// Anything else.
    Stationary,
}

impl Rule {
    /// Whether the device satisfies it.
    #[must_use]
    pub fn matches(&self, device: &DeviceFacts<'_>) -> bool {
        let inventory = device.inventory;
        match self {
            Self::Name(pattern) => matches_pattern(pattern, &inventory.hostname),
            Self::Os(pattern) => matches_pattern(pattern, &inventory.os),
            Self::OsVersion(range) => range.contains(&inventory.os_version),
            Self::Manufacturer(pattern) => matches_pattern(pattern, &inventory.manufacturer),
            Self::Model(pattern) => matches_pattern(pattern, &inventory.model),
            Self::Kind(kind) => *kind == inventory.os_kind,
            Self::Join(join) => *join == inventory.join,
            Self::Domain(pattern) => inventory.domain.as_deref().is_some_and(|d| matches_pattern(pattern, d)),
            Self::Ou(place) => inventory.ou.as_deref().is_some_and(|ou| place.contains(ou)),
            Self::Group(pattern) => inventory.groups.iter().any(|group| matches_pattern(pattern, group)),
            Self::CoManaged(wanted) => *wanted == inventory.co_managed,
            Self::Tag(tag) => device.tags.iter().any(|t| same_text(tag, t)),
            Self::Chassis(chassis) => (*chassis == Chassis::Portable) == inventory.portable,
            Self::Tpm(state) => *state == TpmState::of(&inventory.tpm),
            Self::Virtual(wanted) => *wanted == inventory.virtual_machine,
            Self::All(rules) => rules.iter().all(|rule| rule.matches(device)),
            Self::Any(rules) => rules.iter().any(|rule| rule.matches(device)),
            Self::Not(rule) => !rule.matches(device),
        }
    }
}

impl VersionRange {
    fn contains(&self, reported: &str) -> bool {
        let above = self
            .from
            .as_ref()
            .is_none_or(|from| from.compare_reported(reported).is_some_and(std::cmp::Ordering::is_ge));
        let below = self
            .below
            .as_ref()
            .is_none_or(|below| below.compare_reported(reported).is_some_and(std::cmp::Ordering::is_lt));
        above && below
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(pattern) => write!(f, "name is {pattern}"),
            Self::Os(pattern) => write!(f, "operating system is {pattern}"),
            Self::OsVersion(range) => write!(f, "version is {range}"),
            Self::Kind(kind) => write!(f, "operating system is a {}", kind_words(*kind)),
            Self::Join(join) => write!(f, "is joined to {}", join_words(*join)),
            Self::Domain(pattern) => write!(f, "domain is {pattern}"),
            Self::CoManaged(true) => f.write_str("is managed by another product too"),
            Self::CoManaged(false) => f.write_str("is not managed by another product"),
            Self::Manufacturer(pattern) => write!(f, "manufacturer is {pattern}"),
            Self::Model(pattern) => write!(f, "model is {pattern}"),
            Self::Ou(place) => write!(f, "is in {place}"),
            Self::Group(pattern) => write!(f, "is in group {pattern}"),
            Self::Tag(tag) => write!(f, "has tag {tag}"),
            Self::Chassis(Chassis::Portable) => f.write_str("is portable"),
            Self::Chassis(Chassis::Stationary) => f.write_str("is not portable"),
            Self::Tpm(state) => write!(f, "TPM is {}", state.word().replace('_', " ")),
            Self::Virtual(true) => f.write_str("is a virtual machine"),
            Self::Virtual(false) => f.write_str("is not a virtual machine"),
            Self::All(rules) if rules.is_empty() => f.write_str("is a device"),
            Self::Any(rules) if rules.is_empty() => f.write_str("never"),
            Self::All(rules) => bracketed(f, rules, " and "),
            Self::Any(rules) => bracketed(f, rules, " or "),
            Self::Not(rule) => write!(f, "not ({rule})"),
        }
    }
}

fn kind_words(kind: OsKind) -> &'static str {
    match kind {
        OsKind::Unknown => "kind that was not reported",
        OsKind::WindowsClient => "Windows client",
        OsKind::WindowsServer => "Windows server",
        OsKind::Linux => "Linux",
        OsKind::Other => "kind of its own",
    }
}

fn join_words(join: Join) -> &'static str {
    match join {
        Join::Unknown => "nobody knows what",
        Join::Workgroup => "no domain",
        Join::Domain => "a domain",
        Join::Entra => "Entra",
        Join::Hybrid => "a domain and Entra",
    }
}

fn bracketed(f: &mut fmt::Formatter<'_>, rules: &[Rule], between: &str) -> fmt::Result {
    f.write_str("(")?;
    or_list(f, rules, between)?;
    f.write_str(")")
}

impl fmt::Display for VersionRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.from, &self.below) {
            (None, None) => f.write_str("any"),
            (Some(from), None) => write!(f, "{from} or newer"),
            (None, Some(below)) => write!(f, "older than {below}"),
            (Some(from), Some(below)) => write!(f, "from {from}, older than {below}"),
        }
    }
}
