//! What a document configures, and nothing else.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{FieldError, Policy, reference, setting};

/// Settings with their values as text, each allowed by the reference. What is not in it is left to others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>", into = "BTreeMap<String, String>")]
pub struct Assignments(BTreeMap<&'static str, String>);

impl Assignments {
    /// Configures a setting. `not_configured` takes it out again.
    ///
    /// # Errors
    /// When there is no such setting, or it does not allow the value; nothing changes then.
    pub fn set(&mut self, id: &str, value: &str) -> Result<(), FieldError> {
        let setting = setting(id).ok_or_else(|| FieldError {
            field: id.to_owned(),
            message: "There is no such setting.".to_owned(),
        })?;
        let value = setting.canonical(value)?;
        if setting.says_nothing(&value) {
            self.0.remove(setting.id);
        } else {
            self.0.insert(setting.id, value);
        }
        Ok(())
    }

    /// Leaves a setting to others.
    pub fn unset(&mut self, id: &str) {
        self.0.remove(id);
    }

    /// Its value, when it is configured.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&str> {
        self.0.get(id).map(String::as_str)
    }

    /// What is configured, in the reference's order.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        reference()
            .iter()
            .filter_map(|setting| Some((setting.id, self.get(setting.id)?)))
    }

    /// How many settings are configured.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Nothing is configured.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The whole policy that this makes of one that configures nothing.
    #[must_use]
    pub fn policy(&self) -> Policy {
        let mut policy = Policy::default();
        self.apply(&mut policy);
        policy
    }

    /// Sets what is configured in `policy`.
    pub fn apply(&self, policy: &mut Policy) {
        for (id, value) in &self.0 {
            // Both were checked as they came in.
            if let Some(setting) = setting(id) {
                let _ = setting.set(policy, value);
            }
        }
    }

    /// What of a policy differs from one that configures nothing.
    #[must_use]
    pub fn of(policy: &Policy) -> Self {
        let plain = Policy::default();
        let differing = reference().iter().filter_map(|setting| {
            let value = setting.value(policy);
            (value != setting.value(&plain)).then_some((setting.id, value))
        });
        Self(differing.collect())
    }
}

impl TryFrom<BTreeMap<String, String>> for Assignments {
    type Error = FieldError;

    fn try_from(map: BTreeMap<String, String>) -> Result<Self, FieldError> {
        let mut assignments = Self::default();
        for (id, value) in map {
            assignments.set(&id, &value)?;
        }
        Ok(assignments)
    }
}

impl From<Assignments> for BTreeMap<String, String> {
    fn from(assignments: Assignments) -> Self {
        let owned = |(id, value): (&str, String)| (id.to_owned(), value);
        assignments.0.into_iter().map(owned).collect()
    }
}
