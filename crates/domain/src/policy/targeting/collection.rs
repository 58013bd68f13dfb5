//! One collection, as it is written down.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::names::short_name;
use super::rule::Rule;
use crate::ids::DeviceId;

short_name!(
    /// A collection's short name, by which others include it and deployments reach it.
    CollectionId
);

/// A set of devices: those named, those that a rule finds, those of included collections; less those of excluded ones.
///
/// ```toml
/// id = "laptops"
/// name = "Laptops in Berlin"
/// include = ["pilot"]
/// exclude = ["kiosks"]
///
/// [[rules]]
/// all = [{ name = "BER-*" }, { chassis = "portable" }]
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Collection {
    /// Short name.
    pub id: CollectionId,
    /// Name for people.
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Devices that belong to it whatever the rules say.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub members: BTreeSet<DeviceId>,
    /// A device that satisfies any one of these belongs to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
    /// Collections whose devices belong to it too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<CollectionId>,
    /// Collections whose devices do not belong to it, even when named directly.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<CollectionId>,
}

impl CollectionId {
    /// The collection of all devices, which is always there.
    #[must_use]
    pub fn all_devices() -> Self {
        Self("all-devices".to_owned())
    }
}

impl Collection {
    /// A collection with nobody in it.
    #[must_use]
    pub fn empty(id: CollectionId, name: &str) -> Self {
        Self {
            id,
            name: name.to_owned(),
            description: String::new(),
            members: BTreeSet::new(),
            rules: Vec::new(),
            include: Vec::new(),
            exclude: Vec::new(),
        }
    }

    /// Every device.
    #[must_use]
    pub fn all_devices() -> Self {
        Self {
            rules: vec![Rule::All(Vec::new())],
            ..Self::empty(CollectionId::all_devices(), "All devices")
        }
    }
}
