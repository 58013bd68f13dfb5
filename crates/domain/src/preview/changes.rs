//! Settings in which two policies differ.

use serde::Serialize;

use crate::policy::{Policy, reference};

/// A setting that changes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct SettingChange {
    /// Its id.
    pub setting: &'static str,
    /// Its value as it is.
    pub from: String,
    /// Its value as it would be.
    pub to: String,
}

/// All settings in which two policies differ, in the reference's order.
#[must_use]
pub fn changes(present: &Policy, proposed: &Policy) -> Vec<SettingChange> {
    if present == proposed {
        return Vec::new();
    }
    let differing = reference().iter().filter_map(|setting| {
        let (from, to) = (setting.value(present), setting.value(proposed));
        (from != to).then_some(SettingChange {
            setting: setting.id,
            from,
            to,
        })
    });
    differing.collect()
}
