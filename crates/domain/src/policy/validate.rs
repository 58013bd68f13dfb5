//! Whether a policy makes sense: ranges, allowed values, and settings that need one another.

use std::fmt;

use super::{AutoUnlock, Encryption, Policy, SettingKind, reference};

/// What is wrong with one setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// The setting's id, `os.min_pin_length`.
    pub field: String,
    /// A sentence for the person who filled the form in; says what is allowed.
    pub message: String,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

impl std::error::Error for FieldError {}

impl Policy {
    /// Checks every setting against the reference, and the rules between settings.
    ///
    /// # Errors
    /// All faults, in the reference's order.
    pub fn validate(&self) -> Result<(), Vec<FieldError>> {
        let mut errors: Vec<FieldError> = reference()
            .iter()
            .filter_map(|setting| setting.kind.check(setting.id, &setting.value(self)).err())
            .collect();
        errors.extend(self.conflicts());
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    /// Settings that need others which are not there.
    fn conflicts(&self) -> impl Iterator<Item = FieldError> {
        let unlocks = [
            ("fixed.auto_unlock", self.fixed.auto_unlock),
            ("removable.auto_unlock", self.removable.auto_unlock),
        ];
        let has_place = self.os.encryption == Encryption::Require;
        let without_place = unlocks
            .into_iter()
            .filter(move |(_, wanted)| *wanted == AutoUnlock::Require && !has_place);
        without_place.map(|(field, _)| FieldError {
            field: field.to_owned(),
            message: "Automatic unlocking can be required only when os.encryption is \"require\": its key lies on the \
                      operating system drive."
                .to_owned(),
        })
    }
}

impl SettingKind {
    /// Whether a value, as text, is allowed.
    pub(super) fn check(&self, field: &str, value: &str) -> Result<(), FieldError> {
        let wrong = |message: String| {
            Err(FieldError {
                field: field.to_owned(),
                message,
            })
        };
        match self {
            Self::Switch if matches!(value, "true" | "false") => Ok(()),
            Self::Switch => wrong("Must be \"true\" or \"false\".".to_owned()),
            Self::Number { min, max, unit } => match value.parse::<u32>() {
                Ok(number) if (*min..=*max).contains(&number) => Ok(()),
                _ => wrong(format!("Must be a whole number from {min} to {max} ({unit}).")),
            },
            Self::Choice(choices) if choices.iter().any(|c| c.value == value) => Ok(()),
            Self::Choice(choices) => {
                let allowed: Vec<&str> = choices.iter().map(|c| c.value).collect();
                wrong(format!("Must be one of: {}.", allowed.join(", ")))
            }
        }
    }
}
