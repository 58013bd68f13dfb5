//! Whether a policy makes sense: ranges, allowed values, and settings that need one another.

use std::fmt;

use super::{AutoUnlock, Encryption, OsProtector, Policy, PrebootMessage, SettingKind, TriState, Usage, reference};

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
    fn conflicts(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let mut wrong = |holds: bool, field: &str, message: &str| {
            if !holds {
                errors.push(FieldError {
                    field: field.to_owned(),
                    message: message.to_owned(),
                });
            }
        };
        let has_place = self.os.encryption == Encryption::Require;
        for (field, wanted) in [
            ("fixed.auto_unlock", self.fixed.auto_unlock),
            ("removable.auto_unlock", self.removable.auto_unlock),
        ] {
            wrong(
                wanted != AutoUnlock::Require || has_place,
                field,
                "Automatic unlocking can be required only when os.encryption is \"require\": its key lies on the operating \
                 system drive.",
            );
        }
        let mode = self.os.preboot_message_mode;
        wrong(
            mode != PrebootMessage::CustomMessage || !self.os.preboot_message.is_empty(),
            "os.preboot_message",
            "Needs a text, as os.preboot_message_mode is \"custom_message\".",
        );
        wrong(
            mode != PrebootMessage::CustomUrl || !self.os.preboot_url.is_empty(),
            "os.preboot_url",
            "Needs an address, as os.preboot_message_mode is \"custom_url\".",
        );
        for (field, password) in [
            ("fixed.password_required", &self.fixed.password),
            ("removable.password_required", &self.removable.password),
        ] {
            wrong(
                !password.required || password.state == TriState::Enabled,
                field,
                "A password can be required only when passwords are enabled.",
            );
        }
        wrong(
            !(self.os.allow_without_tpm && self.os.password == TriState::Disabled),
            "os.allow_without_tpm",
            "Without a TPM only a password opens the drive, and os.password is \"disabled\".",
        );
        self.startup_conflicts(&mut wrong);
        for (field, state, recovery) in [
            ("os.recovery_password", self.os.encryption, &self.os.recovery),
            ("fixed.recovery_password", self.fixed.encryption, &self.fixed.recovery),
            (
                "removable.recovery_password",
                self.removable.encryption,
                &self.removable.recovery,
            ),
        ] {
            let forbidden = recovery.state == TriState::Enabled && recovery.password == Usage::Disallow;
            wrong(
                !(forbidden && state == Encryption::Require && self.client.escrow),
                field,
                "Recovery passwords cannot be disallowed where drives must be encrypted and their recovery passwords stored.",
            );
        }
        errors
    }

    /// Windows takes at most one method that is required, and then none of the others can be used.
    fn startup_conflicts(&self, wrong: &mut dyn FnMut(bool, &str, &str)) {
        let startup = &self.os.startup;
        let methods = [
            ("os.startup_tpm", startup.tpm),
            ("os.startup_tpm_pin", startup.tpm_pin),
            ("os.startup_tpm_key", startup.tpm_key),
            ("os.startup_tpm_pin_key", startup.tpm_pin_key),
        ];
        let mut required = methods.iter().filter(|(_, usage)| *usage == Usage::Require);
        let first = required.next();
        for (field, _) in required {
            wrong(false, field, "Only one start-up method can be required.");
        }
        let needed = match self.os.protector {
            OsProtector::Tpm => "os.startup_tpm",
            OsProtector::TpmPin => "os.startup_tpm_pin",
        };
        for (field, usage) in methods {
            wrong(
                field != needed || usage != Usage::Disallow,
                field,
                "os.protector needs this method, so it cannot be disallowed.",
            );
        }
        if let Some((field, _)) = first {
            wrong(
                *field == needed,
                field,
                "os.protector asks for another method, so this one cannot be required.",
            );
        }
    }

    /// What is allowed and yet hardly meant: the setting and a sentence.
    #[must_use]
    pub fn warnings(&self) -> Vec<FieldError> {
        let mut warnings = Vec::new();
        let mut odd = |is: bool, field: &str, message: &str| {
            if is {
                warnings.push(FieldError {
                    field: field.to_owned(),
                    message: message.to_owned(),
                });
            }
        };
        odd(
            self.os.grace_days > 0 && self.os.enforcement != TriState::Enabled,
            "os.grace_days",
            "Has no effect while os.enforcement is not enabled.",
        );
        odd(
            self.fixed.grace_days > 0 && self.fixed.enforcement != TriState::Enabled,
            "fixed.grace_days",
            "Has no effect while fixed.enforcement is not enabled.",
        );
        odd(
            self.os.min_pin_length < 6,
            "os.min_pin_length",
            "Below 6 digits Windows makes the TPM lock for longer after wrong PINs.",
        );
        odd(
            !self.os.preboot_message.is_empty() && self.os.preboot_message_mode != PrebootMessage::CustomMessage,
            "os.preboot_message",
            "Is not shown unless os.preboot_message_mode is \"custom_message\".",
        );
        odd(
            !self.os.preboot_url.is_empty() && self.os.preboot_message_mode != PrebootMessage::CustomUrl,
            "os.preboot_url",
            "Is not shown unless os.preboot_message_mode is \"custom_url\".",
        );
        odd(
            self.removable.deny_write_other_org && self.setup.org_identifier.is_empty(),
            "removable.deny_write_other_org",
            "Without setup.org_identifier every drive counts as another organization's.",
        );
        odd(
            self.client.allow_plaintext_storage,
            "client.allow_plaintext_storage",
            "Has no effect: devices seal what they send, and nothing is stored in plain text.",
        );
        odd(
            !self.client.escrow && [self.os.encryption, self.fixed.encryption].contains(&Encryption::Require),
            "client.management_services",
            "Drives are encrypted, and no recovery password is stored: what is lost then is lost for good.",
        );
        odd(
            self.client.standard_user_encryption && self.client.warn_other_encryption,
            "os.standard_user_encryption",
            "Windows heeds it only when setup.warn_other_encryption is off.",
        );
        warnings
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
            Self::Text { max } => {
                let length = value.chars().count();
                if value.chars().any(char::is_control) {
                    wrong("Must be one line, without control characters.".to_owned())
                } else if length > usize::from(*max) {
                    wrong(format!("Must be at most {max} characters; it has {length}."))
                } else {
                    Ok(())
                }
            }
            Self::Choice(choices) => {
                let allowed: Vec<&str> = choices.iter().map(|c| c.value).collect();
                wrong(format!("Must be one of: {}.", allowed.join(", ")))
            }
        }
    }
}
