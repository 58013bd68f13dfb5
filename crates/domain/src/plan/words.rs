//! Plans as people read them.

use super::{Action, Question};
use crate::policy::Complexity;
use crate::volume::EncryptionExtent;

impl Action {
    /// The step in a sentence without a full stop.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::AddRecoveryPassword { device } => format!("Add a recovery password to {device}"),
            Self::Escrow {
                device,
                protector: None,
            } => {
                format!("Store each recovery password of {device} that the server does not hold, and wait for its word")
            }
            Self::Escrow {
                device,
                protector: Some(id),
            } => format!(
                "Store recovery password {} of {device}, and wait for the server's word",
                id.short()
            ),
            Self::AddTpm { device } => format!("Add a TPM protector to {device}"),
            Self::AddTpmPin { device } => format!("Add TPM and PIN to {device}, with the PIN that the user has chosen"),
            Self::AddAutoUnlock { device } => format!("Have {device} unlock automatically"),
            Self::RemoveAutoUnlock { device } => format!("End automatic unlocking of {device}"),
            Self::Encrypt {
                device,
                method,
                extent,
                after_escrow,
            } => {
                let extent = match extent {
                    EncryptionExtent::Full => "all of",
                    EncryptionExtent::UsedSpaceOnly => "the used space of",
                };
                let guard = if *after_escrow {
                    ", provided that the server holds a recovery password"
                } else {
                    ""
                };
                format!("Encrypt {extent} {device} with {}{guard}", method.name())
            }
            Self::ResumeConversion { device, .. } => format!("Go on with the conversion of {device}"),
            Self::EnableProtectors { device, after_escrow } => {
                let guard = if *after_escrow {
                    ", provided that the server holds a recovery password"
                } else {
                    ""
                };
                format!("Switch protection of {device} on again{guard}")
            }
            Self::DeleteProtector {
                device,
                protector,
                replaced: true,
            } => format!(
                "Delete recovery password {} of {device}, provided that the server holds another",
                protector.short()
            ),
            Self::DeleteProtector { device, protector, .. } => {
                format!("Delete protector {} of {device}", protector.short())
            }
            Self::Decrypt { device } => format!("Decrypt {device}"),
            Self::AddPassphrase { device } => format!("Add the password that the user has chosen to {device}"),
            Self::WriteSettings { values } => {
                let values: Vec<String> = values
                    .iter()
                    .map(|value| format!("{} = {}", value.name, value.data.shown()))
                    .collect();
                format!("Write into the registry: {}", values.join(", "))
            }
        }
    }
}

impl Question {
    /// What the user is asked, in a sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let only_ascii = |only: bool| if only { ", ASCII only" } else { "" };
        match self {
            Self::Pin {
                min_length,
                enhanced,
                ascii_only,
            } => {
                let of = if *enhanced { "characters" } else { "digits" };
                format!(
                    "Choose a start-up PIN of at least {min_length} {of}{}.",
                    only_ascii(*ascii_only)
                )
            }
            Self::Password {
                device,
                min_length,
                complexity,
                ascii_only,
            } => {
                let complexity = match complexity {
                    Complexity::Allow => "",
                    Complexity::Require => ", confirmed by a domain controller",
                    Complexity::Prohibit => ", of whatever complexity",
                };
                format!(
                    "Choose a password for {device} of at least {min_length} characters{}{complexity}.",
                    only_ascii(*ascii_only)
                )
            }
            Self::Encryption { device } => format!("May encryption of {device} begin?"),
        }
    }
}
