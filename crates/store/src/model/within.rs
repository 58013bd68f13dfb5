//! Which devices somebody may see.

use domain::access::Scope;

/// Limits a question to some devices; those outside are as if they did not exist. The default is everything.
///
/// A device belongs to a collection as of its last evaluation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Within {
    /// Devices of this scope. What belongs to no device is seen only with [`Scope::Everything`].
    pub scope: Scope,
    /// Devices of which this person is a listed user, compared like [`domain::access::same_person`].
    pub user: Option<String>,
}

impl Within {
    /// The devices of a scope.
    #[must_use]
    pub fn of(scope: &Scope) -> Self {
        Self {
            scope: scope.clone(),
            user: None,
        }
    }

    /// Whether nothing is left out.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.scope.is_everything() && self.user.is_none()
    }

    /// Those among them of which this person is a listed user.
    #[must_use]
    pub fn used_by(self, person: &str) -> Self {
        Self {
            user: Some(person.to_owned()),
            ..self
        }
    }
}
