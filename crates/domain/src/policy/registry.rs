//! A policy as the registry values that tell Windows, beside those that a device has.
//!
//! Windows' own default holds for what a policy leaves at its default, so that is not written. A value that the domain's
//! Group Policy wrote comes back whatever is written over it: it is never fought, and a contradiction is reported.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::reference::{NOT_CONFIGURED, Root, Setting, reference};
use super::{Encryption, Policy};
use crate::inventory::{Inventory, Origin, RegistryData, RegistryEntry};

/// A registry value, as policy wants it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WantedValue {
    /// The setting that it carries.
    pub setting: String,
    /// Its key.
    pub root: Root,
    /// Its name.
    pub name: String,
    /// Its data.
    pub data: RegistryData,
}

/// What the domain's Group Policy says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// What policy wants.
    pub wanted: WantedValue,
    /// What Group Policy wrote.
    pub found: RegistryData,
}

/// A device's registry beside a policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// To be written.
    pub write: Vec<WantedValue>,
    /// Written by the domain's Group Policy, and not as policy wants it.
    pub conflicts: Vec<Conflict>,
}

/// All values that a policy wants to have in the registry, in the reference's order, each once.
#[must_use]
pub fn wanted_values(policy: &Policy) -> Vec<WantedValue> {
    let plain = Policy::default();
    let mut wanted = Vec::<WantedValue>::new();
    for setting in reference() {
        let value = setting.value(policy);
        if !is_said(setting, &value, policy, &plain) {
            continue;
        }
        for carrier in setting.registry {
            let Some(data) = carrier.data(&value) else { continue };
            let stands = wanted
                .iter()
                .any(|w| w.root == carrier.root && w.name.eq_ignore_ascii_case(carrier.name));
            if !stands {
                wanted.push(WantedValue {
                    setting: setting.id.to_owned(),
                    root: carrier.root,
                    name: carrier.name.to_owned(),
                    data,
                });
            }
        }
    }
    wanted
}

/// What to write on a device, and what is not to be had there. Nothing where the inventory has no registry.
#[must_use]
pub fn compare_registry(policy: &Policy, inventory: &Inventory) -> Differences {
    let mut differences = Differences::default();
    let Some(found) = &inventory.registry else {
        return differences;
    };
    for wanted in wanted_values(policy) {
        let of_name = |e: &&RegistryEntry| e.root == wanted.root && e.name.eq_ignore_ascii_case(&wanted.name);
        let mut present = found.iter().filter(of_name);
        let by_domain = present.clone().find(|e| e.origin == Origin::Domain);
        match by_domain {
            Some(entry) if entry.data != wanted.data => differences.conflicts.push(Conflict {
                found: entry.data.clone(),
                wanted,
            }),
            Some(_) => {}
            None if present.any(|e| e.data == wanted.data) => {}
            None => differences.write.push(wanted),
        }
    }
    differences
}

impl Conflict {
    /// A sentence for an administrator.
    #[must_use]
    pub fn sentence(&self) -> String {
        format!(
            "Group Policy of the domain sets {} to {}, policy wants {} ({}); Group Policy is not fought.",
            self.wanted.name,
            self.found.shown(),
            self.wanted.data.shown(),
            self.wanted.setting
        )
    }
}

/// Whether a policy says something with this value that Windows has to be told. `plain`: a policy that configures nothing.
fn is_said(setting: &Setting, value: &str, policy: &Policy, plain: &Policy) -> bool {
    if value == NOT_CONFIGURED || value.is_empty() {
        return false;
    }
    // Windows' defaults for these depend on the edition and the release.
    let always = ["os.protector", "os.min_pin_length"];
    let os_required = policy.os.encryption == Encryption::Require;
    value != setting.value(plain) || (os_required && always.contains(&setting.id))
}
