//! The settings reference: one table that forms, documentation, schema, import and export are made from.

use std::sync::LazyLock;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{FieldError, Policy};

pub use windows::{Cmdlet, CmdletValue, Csp, Encoding, Grade, RegistryValue, Root};

mod client;
mod fixed;
mod kinds;
mod os;
mod removable;
mod setup;
mod windows;

/// One setting.
pub struct Setting {
    /// Its id, stable for ever: `os.min_pin_length`.
    pub id: &'static str,
    /// Where it stands in forms and documentation.
    pub section: Section,
    /// Its title.
    pub title: &'static str,
    /// Which values it takes.
    pub kind: SettingKind,
    /// One or two sentences for an administrator.
    pub help: &'static str,
    /// What Microsoft suggests for it, as text; none: nothing, or that it stays not configured.
    pub suggested: Option<&'static str>,
    /// The registry values that tell Windows; empty: it has none, or their names are not public.
    pub registry: &'static [RegistryValue],
    /// The node of the BitLocker configuration service provider.
    pub csp: Option<Csp>,
    /// The cmdlet of Configuration Manager.
    pub cmdlet: Option<Cmdlet>,
    /// What is not certain about how Windows is told.
    pub unsure: Option<&'static str>,
    get: fn(&Policy) -> String,
    set: fn(&mut Policy, &str) -> Option<()>,
}

/// Groups of settings, as administrators know them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    /// Encryption methods and what holds for all drives.
    Setup,
    /// Operating system drive.
    OsDrive,
    /// Fixed data drives.
    FixedDrive,
    /// Removable data drives.
    RemovableDrive,
    /// Escrow, check-in, exemptions.
    Client,
}

/// Which values a setting takes. As text: `true` and `false`, decimal digits, a choice's value, or the text itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingKind {
    /// On or off.
    Switch,
    /// A whole number.
    Number {
        /// Least.
        min: u32,
        /// Greatest.
        max: u32,
        /// What is counted: "minutes".
        unit: &'static str,
    },
    /// One of these. One whose first value is `not_configured` leaves the matter to Windows when a document says so.
    Choice(&'static [Choice]),
    /// A text of one line; empty: none.
    Text {
        /// Longest, in characters.
        max: u16,
    },
}

/// A value of a [`SettingKind::Choice`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// As it is stored.
    pub value: &'static str,
    /// As people read it.
    pub label: &'static str,
    /// Other ways to write it.
    pub also: &'static [&'static str],
}

static REFERENCE: LazyLock<Vec<Setting>> = LazyLock::new(|| {
    let mut all = Vec::new();
    all.extend(setup::SETTINGS);
    all.extend(os::SETTINGS);
    all.extend(os::RECOVERY);
    all.extend(fixed::SETTINGS);
    all.extend(fixed::RECOVERY);
    all.extend(removable::SETTINGS);
    all.extend(removable::RECOVERY);
    all.extend(client::SETTINGS);
    all
});

/// All settings, by section.
#[must_use]
pub fn reference() -> &'static [Setting] {
    &REFERENCE
}

/// The setting that somebody may have meant who wrote this id: `os.min_pin_lenght`.
#[must_use]
pub fn suggestion(id: &str) -> Option<&'static str> {
    // Other names of these are old habits.
    let habits = [
        ("os.method", "setup.encryption_method_os"),
        ("fixed.method", "setup.encryption_method_fixed"),
        ("removable.method", "setup.encryption_method_removable"),
        ("client.escrow", "client.management_services"),
        ("client.warn_other_encryption", "setup.warn_other_encryption"),
        ("client.standard_user_encryption", "os.standard_user_encryption"),
    ];
    if let Some((_, known)) = habits.into_iter().find(|(habit, _)| *habit == id) {
        return Some(known);
    }
    let name = |id: &str| id.rsplit('.').next().unwrap_or_default().to_owned();
    // The right name in the wrong section.
    if let Some(other) = REFERENCE.iter().find(|s| s.id != id && name(s.id) == name(id)) {
        return Some(other.id);
    }
    let near = REFERENCE
        .iter()
        .map(|s| (strsim::osa_distance(s.id, id), s.id))
        .min_by_key(|(distance, _)| *distance)?;
    (near.0 <= 2 + id.chars().count() / 6).then_some(near.1)
}

/// The setting of that id.
#[must_use]
pub fn setting(id: &str) -> Option<&'static Setting> {
    REFERENCE.iter().find(|s| s.id == id)
}

/// The word for "left to others" in documents and forms.
pub(crate) const NOT_CONFIGURED: &str = "not_configured";

impl Setting {
    /// Its value in a policy, as text.
    #[must_use]
    pub fn value(&self, policy: &Policy) -> String {
        (self.get)(policy)
    }

    /// Its value in a policy that configures nothing, as text.
    #[must_use]
    pub fn default_value(&self) -> String {
        self.value(&Policy::default())
    }

    /// Sets it in a policy. Rules between settings are checked by [`Policy::validate`].
    ///
    /// # Errors
    /// When the value is not allowed; the policy stays as it was.
    pub fn set(&self, policy: &mut Policy, value: &str) -> Result<(), FieldError> {
        let value = self.canonical(value)?;
        (self.set)(policy, &value).ok_or_else(|| FieldError {
            field: self.id.to_owned(),
            message: "This value is not allowed.".to_owned(),
        })
    }

    /// The one way to write a value.
    ///
    /// # Errors
    /// When the value is not allowed.
    pub fn canonical(&self, value: &str) -> Result<String, FieldError> {
        let value = self.kind.known_as(value.trim());
        self.kind.check(self.id, value)?;
        Ok(match self.kind {
            // "007" and "+7" are seven.
            SettingKind::Number { .. } => value.parse::<u32>().map_or(value.to_owned(), |n| n.to_string()),
            _ => value.to_owned(),
        })
    }

    /// Its section's part of the id, and the rest: `("os", "min_pin_length")`.
    #[must_use]
    pub fn path(&self) -> (&'static str, &'static str) {
        self.id.split_once('.').unwrap_or(("", self.id))
    }

    /// A value as people read it: "TPM and PIN", "90 minutes".
    #[must_use]
    pub fn label(&self, value: &str) -> String {
        match self.kind {
            SettingKind::Switch => if value == "true" { "On" } else { "Off" }.to_owned(),
            SettingKind::Number { unit, .. } => format!("{value} {unit}"),
            SettingKind::Choice(choices) => choices
                .iter()
                .find(|choice| choice.value == value)
                .map_or(value, |choice| choice.label)
                .to_owned(),
            SettingKind::Text { .. } => if value.is_empty() { "None" } else { value }.to_owned(),
        }
    }

    /// Whether a document leaves the matter to others with this value.
    #[must_use]
    pub fn says_nothing(&self, value: &str) -> bool {
        value == NOT_CONFIGURED && matches!(self.kind, SettingKind::Choice(_))
    }
}

impl std::fmt::Debug for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setting").field("id", &self.id).finish_non_exhaustive()
    }
}

impl SettingKind {
    /// Which values are allowed, as a sentence.
    #[must_use]
    pub fn allowed(self) -> String {
        match self {
            Self::Switch => "Must be true or false.".to_owned(),
            Self::Number { min, max, unit } => format!("Must be a whole number from {min} to {max} ({unit})."),
            Self::Choice(choices) => {
                let values: Vec<_> = choices.iter().map(|choice| choice.value).collect();
                format!("Must be one of: {}.", values.join(", "))
            }
            Self::Text { max } => format!("Must be a text of one line in quotation marks, at most {max} characters."),
        }
    }

    /// The stored way to write what may be written in other ways.
    fn known_as(self, value: &str) -> &str {
        match self {
            Self::Switch => match value {
                "enabled" | "on" | "yes" => "true",
                "disabled" | "off" | "no" => "false",
                other => other,
            },
            Self::Choice(choices) => choices
                .iter()
                .find(|choice| choice.also.contains(&value))
                .map_or(value, |choice| choice.value),
            Self::Number { .. } | Self::Text { .. } => value,
        }
    }
}

impl Section {
    /// All, in order.
    pub const ALL: [Self; 5] = [
        Self::Setup,
        Self::OsDrive,
        Self::FixedDrive,
        Self::RemovableDrive,
        Self::Client,
    ];

    /// Its heading.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Setup => "Setup",
            Self::OsDrive => "Operating system drive",
            Self::FixedDrive => "Fixed data drives",
            Self::RemovableDrive => "Removable data drives",
            Self::Client => "Client management",
        }
    }

    /// Its name in ids and documents.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::OsDrive => "os",
            Self::FixedDrive => "fixed",
            Self::RemovableDrive => "removable",
            Self::Client => "client",
        }
    }
}

/// A setting that lies at this place in [`Policy`].
macro_rules! row {
    ($id:expr, $section:ident, $title:expr, $kind:expr, $($place:ident).+, $help:expr) => {
        $crate::policy::reference::Setting {
            id: $id,
            section: $crate::policy::reference::Section::$section,
            title: $title,
            kind: $kind,
            help: $help,
            suggested: None,
            registry: &[],
            csp: None,
            cmdlet: None,
            unsure: None,
            get: |policy| $crate::policy::reference::write(&policy.$($place).+),
            set: |policy, text| $crate::policy::reference::read(text).map(|value| policy.$($place).+ = value),
        }
    };
}

/// The recovery options of one kind of drive: they have the same names but for a prefix.
macro_rules! recovery {
    ($name:literal, $part:ident, $section:ident, $prefix:literal, $node:expr) => {
        [
            $crate::policy::reference::row!(
                concat!($name, ".recovery"),
                $section,
                "Recovery options",
                kinds::TRI_STATE,
                $part.recovery.state,
                "Whether Windows is told the options below. Recovery passwords are stored by this server in any case, when that is switched on."
            )
            .registry(&[RegistryValue::new(Root::R1, concat!($prefix, "Recovery"), kinds::STATE)])
            .csp_state($node),
            $crate::policy::reference::row!(
                concat!($name, ".recovery_allow_dra"),
                $section,
                "Data recovery agents",
                SettingKind::Switch,
                $part.recovery.allow_dra,
                "Certificates of recovery agents may open drives."
            )
            .registry(&[RegistryValue::new(Root::R1, concat!($prefix, "ManageDRA"), kinds::SWITCH)])
            .csp($node, concat!($prefix, "AllowDRA_Name"), kinds::CSP_SWITCH)
            .unsure("The CSP's data id is inferred."),
            $crate::policy::reference::row!(
                concat!($name, ".recovery_password"),
                $section,
                "Recovery password",
                kinds::USAGE,
                $part.recovery.password,
                "Whether users may, must or must not make a 48-digit recovery password. Disallowed, nothing could be stored or recovered here."
            )
            .registry(&[RegistryValue::new(Root::R1, concat!($prefix, "RecoveryPassword"), kinds::USAGE_VALUES)])
            .csp($node, concat!($prefix, "RecoveryPasswordUsageDropDown_Name"), kinds::USAGE_VALUES)
            .unsure("The CSP's data id is inferred."),
            $crate::policy::reference::row!(
                concat!($name, ".recovery_key"),
                $section,
                "Recovery key file",
                kinds::USAGE,
                $part.recovery.key,
                "Whether users may, must or must not save a 256-bit recovery key to a file."
            )
            .registry(&[RegistryValue::new(Root::R1, concat!($prefix, "RecoveryKey"), kinds::USAGE_VALUES)])
            .csp($node, concat!($prefix, "RecoveryKeyUsageDropDown_Name"), kinds::USAGE_VALUES)
            .unsure("The CSP's data id is inferred."),
            $crate::policy::reference::row!(
                concat!($name, ".recovery_hide_page"),
                $section,
                "Hide recovery options from users",
                SettingKind::Switch,
                $part.recovery.hide_page,
                "The wizard does not ask where to keep the recovery password."
            )
            .registry(&[RegistryValue::new(Root::R1, concat!($prefix, "HideRecoveryPage"), kinds::SWITCH)])
            .csp($node, concat!($prefix, "HideRecoveryPage_Name"), kinds::CSP_SWITCH)
            .unsure("The CSP's data id is inferred."),
            $crate::policy::reference::row!(
                concat!($name, ".recovery_ad_backup"),
                $section,
                "Also store in Active Directory",
                SettingKind::Switch,
                $part.recovery.ad_backup,
                "Windows stores recovery information in Active Directory as well."
            )
            .registry(&[RegistryValue::new(Root::R1, concat!($prefix, "ActiveDirectoryBackup"), kinds::SWITCH)])
            .csp($node, concat!($prefix, "ActiveDirectoryBackup_Name"), kinds::CSP_SWITCH),
            $crate::policy::reference::row!(
                concat!($name, ".recovery_ad_info"),
                $section,
                "What is stored in Active Directory",
                kinds::RECOVERY_INFO,
                $part.recovery.ad_info,
                "The recovery password, with or without the key package that repairs a damaged drive."
            )
            .registry(&[RegistryValue::new(Root::R1, concat!($prefix, "ActiveDirectoryInfoToStore"), kinds::AD_INFO)])
            .csp($node, concat!($prefix, "ActiveDirectoryBackupDropDown_Name"), kinds::AD_INFO),
            $crate::policy::reference::row!(
                concat!($name, ".recovery_require_ad_backup"),
                $section,
                "Wait for Active Directory",
                SettingKind::Switch,
                $part.recovery.require_ad_backup,
                "Windows does not encrypt before Active Directory has the recovery information."
            )
            .registry(&[RegistryValue::new(
                Root::R1,
                concat!($prefix, "RequireActiveDirectoryBackup"),
                kinds::SWITCH,
            )])
            .csp($node, concat!($prefix, "RequireActiveDirectoryBackup_Name"), kinds::CSP_SWITCH),
        ]
    };
}

use {recovery, row};

/// The stored form of a value, as text.
fn write<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(text)) => text,
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    }
}

fn read<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_value(Value::String(text.to_owned()))
        .or_else(|_| serde_json::from_str(text))
        .ok()
}
