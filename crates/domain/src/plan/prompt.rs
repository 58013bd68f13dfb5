//! What the user is asked.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::decide::Decision;
use crate::policy::{Complexity, ContactMethod, PasswordRule, TriState};
use crate::time::Timestamp;

/// A question to the user, with what goes beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Prompt {
    /// What is asked.
    pub question: Question,
    /// The user may put it off, at most until then; none: no longer, or not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub may_postpone_until: Option<Timestamp>,
    /// The user may ask to be exempt.
    pub may_request_exemption: bool,
    /// Who decides on that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<Contact>,
    /// Where the organisation's rules stand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security_policy_url: Option<String>,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "ask", rename_all = "snake_case", deny_unknown_fields)]
pub enum Question {
    /// To choose a start-up PIN.
    Pin {
        /// Shortest.
        min_length: u8,
        /// Letters and signs may be in it.
        enhanced: bool,
        /// But ASCII only.
        ascii_only: bool,
    },
    /// To choose a password for a drive.
    Password {
        /// The provider's name of the volume.
        device: String,
        /// Shortest.
        min_length: u8,
        /// Whether the domain's rules apply.
        complexity: Complexity,
        /// ASCII only.
        ascii_only: bool,
    },
    /// Whether encryption may begin.
    Encryption {
        /// The provider's name of the volume.
        device: String,
    },
}

/// How the user reaches who decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    /// What it is.
    pub method: ContactMethod,
    /// Address or number.
    pub detail: String,
}

impl Decision<'_> {
    /// The prompt with this question.
    pub(super) fn ask(&self, question: Question, may_postpone_until: Option<Timestamp>) -> Prompt {
        let client = &self.policy.client;
        let may_request_exemption = client.user_exemption == TriState::Enabled;
        let contact = (may_request_exemption && !client.exemption_contact.is_empty()).then(|| Contact {
            method: client.exemption_contact_method,
            detail: client.exemption_contact.clone(),
        });
        let url = &client.security_policy_url;
        Prompt {
            question,
            may_postpone_until,
            may_request_exemption,
            contact,
            security_policy_url: (!url.is_empty()).then(|| url.clone()),
        }
    }

    pub(super) fn pin_question(&self) -> Question {
        let os = &self.policy.os;
        Question::Pin {
            min_length: os.min_pin_length,
            enhanced: os.enhanced_pin == TriState::Enabled,
            ascii_only: os.enhanced_pin_ascii_only,
        }
    }
}

/// Longest PIN and longest password of the provider, in characters.
const LONGEST_PIN: usize = 20;
const LONGEST_PASSWORD: usize = 256;

impl Question {
    /// Whether a secret may be the answer. Complexity is for the provider to judge.
    ///
    /// # Errors
    /// What is allowed, in words that do not repeat the secret.
    pub fn accepts(&self, secret: &str) -> Result<(), String> {
        let (least, most, what, ascii_only) = match self {
            Self::Pin {
                min_length,
                enhanced,
                ascii_only,
            } => {
                if !enhanced && !secret.bytes().all(|byte| byte.is_ascii_digit()) {
                    return Err("a start-up PIN consists of digits".to_owned());
                }
                (*min_length, LONGEST_PIN, "a start-up PIN", *ascii_only)
            }
            Self::Password {
                min_length, ascii_only, ..
            } => (*min_length, LONGEST_PASSWORD, "a password", *ascii_only),
            Self::Encryption { .. } => return Err("nothing secret is asked".to_owned()),
        };
        if ascii_only && !secret.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
            return Err(format!("{what} consists of printable ASCII characters"));
        }
        if secret.chars().any(char::is_control) {
            return Err(format!("{what} has no control characters"));
        }
        if !(usize::from(least)..=most).contains(&secret.chars().count()) {
            return Err(format!("{what} has {least} to {most} characters"));
        }
        Ok(())
    }

    pub(super) fn password(device: &str, rule: &PasswordRule) -> Self {
        Self::Password {
            device: device.to_owned(),
            min_length: rule.min_length,
            complexity: rule.complexity,
            ascii_only: rule.ascii_only,
        }
    }
}
