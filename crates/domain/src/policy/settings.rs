//! The settings reference: one table that forms, documentation, import and validation are made from.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{FieldError, Policy};

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
    get: fn(&Policy) -> String,
    set: fn(&mut Policy, &str) -> Option<()>,
}

/// Groups of settings, as administrators know them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    /// Encryption methods.
    Setup,
    /// Operating system drive.
    OsDrive,
    /// Fixed data drives.
    FixedDrive,
    /// Removable data drives.
    RemovableDrive,
    /// Escrow and check-in.
    Client,
}

/// Which values a setting takes. As text: `true` and `false`, decimal digits, or a choice's value.
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
    /// One of these.
    Choice(&'static [Choice]),
}

/// A value of a [`SettingKind::Choice`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// As it is stored.
    pub value: &'static str,
    /// As people read it.
    pub label: &'static str,
}

/// All settings, by section.
#[must_use]
pub fn reference() -> &'static [Setting] {
    REFERENCE
}

/// The setting of that id.
#[must_use]
pub fn setting(id: &str) -> Option<&'static Setting> {
    REFERENCE.iter().find(|s| s.id == id)
}

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
        let value = value.trim();
        self.kind.check(self.id, value)?;
        (self.set)(policy, value).ok_or_else(|| FieldError {
            field: self.id.to_owned(),
            message: "This value is not allowed.".to_owned(),
        })
    }
}

impl std::fmt::Debug for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setting").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Section {
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
}

/// A setting that lies at this place in [`Policy`].
macro_rules! setting {
    ($id:literal, $section:ident, $title:literal, $kind:expr, $part:ident . $field:ident, $help:literal) => {
        Setting {
            id: $id,
            section: Section::$section,
            title: $title,
            kind: $kind,
            help: $help,
            get: |policy| write(&policy.$part.$field),
            set: |policy, text| read(text).map(|value| policy.$part.$field = value),
        }
    };
}

const fn choice(value: &'static str, label: &'static str) -> Choice {
    Choice { value, label }
}

const ENCRYPTION: SettingKind = SettingKind::Choice(&[
    choice("not_configured", "Not configured"),
    choice("require", "Must be encrypted"),
    choice("forbid", "Must not be encrypted"),
]);

/// The methods that drives can be encrypted with now; others are read and reported only.
const METHOD: SettingKind = SettingKind::Choice(&[
    choice("xts_aes128", "XTS-AES 128-bit"),
    choice("xts_aes256", "XTS-AES 256-bit"),
]);

const EXTENT: SettingKind = SettingKind::Choice(&[
    choice("full", "The whole drive"),
    choice("used_space_only", "Used space only"),
]);

const PROTECTOR: SettingKind = SettingKind::Choice(&[choice("tpm", "TPM"), choice("tpm_pin", "TPM and PIN")]);

const AUTO_UNLOCK: SettingKind = SettingKind::Choice(&[
    choice("allow", "Allow"),
    choice("require", "Require"),
    choice("prohibit", "Prohibit"),
]);

const PIN_LENGTH: SettingKind = SettingKind::Number {
    min: 4,
    max: 20,
    unit: "characters",
};

const INTERVAL: SettingKind = SettingKind::Number {
    min: 1,
    max: 2880,
    unit: "minutes",
};

const REFERENCE: &[Setting] = &[
    setting!(
        "setup.encryption_method_os",
        Setup,
        "Encryption method: operating system drive",
        METHOD,
        os.method,
        "Used when a drive is encrypted. A drive that is encrypted already keeps its method and is reported when that is weaker."
    ),
    setting!(
        "setup.encryption_method_fixed",
        Setup,
        "Encryption method: fixed data drives",
        METHOD,
        fixed.method,
        "Used when a drive is encrypted. A drive that is encrypted already keeps its method and is reported when that is weaker."
    ),
    setting!(
        "setup.encryption_method_removable",
        Setup,
        "Encryption method: removable data drives",
        METHOD,
        removable.method,
        "Used when a drive is encrypted. Windows before version 1511 cannot read drives encrypted with XTS-AES."
    ),
    setting!(
        "os.encryption",
        OsDrive,
        "Operating system drive encryption",
        ENCRYPTION,
        os.encryption,
        "\"Must not be encrypted\" decrypts drives that are encrypted."
    ),
    setting!(
        "os.extent",
        OsDrive,
        "Extent of encryption",
        EXTENT,
        os.extent,
        "Used space only is quicker on new drives, but leaves earlier contents of free space readable."
    ),
    setting!(
        "os.protector",
        OsDrive,
        "Start-up protector",
        PROTECTOR,
        os.protector,
        "With TPM and PIN, encryption starts once the user has chosen a PIN. A drive that already asks for a PIN satisfies \"TPM\"."
    ),
    setting!(
        "os.min_pin_length",
        OsDrive,
        "Minimum PIN length",
        PIN_LENGTH,
        os.min_pin_length,
        "Shortest start-up PIN that users may choose."
    ),
    setting!(
        "fixed.encryption",
        FixedDrive,
        "Fixed data drive encryption",
        ENCRYPTION,
        fixed.encryption,
        "\"Must not be encrypted\" decrypts drives that are encrypted."
    ),
    setting!(
        "fixed.extent",
        FixedDrive,
        "Extent of encryption",
        EXTENT,
        fixed.extent,
        "Used space only is quicker on new drives, but leaves earlier contents of free space readable."
    ),
    setting!(
        "fixed.auto_unlock",
        FixedDrive,
        "Automatic unlocking",
        AUTO_UNLOCK,
        fixed.auto_unlock,
        "Opens the drive when the operating system drive is open; that must be required to be encrypted. With \"Allow\", a drive that nothing else but its recovery password opens gets it."
    ),
    setting!(
        "removable.encryption",
        RemovableDrive,
        "Removable data drive encryption",
        ENCRYPTION,
        removable.encryption,
        "Applies while a drive is attached."
    ),
    setting!(
        "removable.extent",
        RemovableDrive,
        "Extent of encryption",
        EXTENT,
        removable.extent,
        "Used space only is quicker on new drives, but leaves earlier contents of free space readable."
    ),
    setting!(
        "removable.auto_unlock",
        RemovableDrive,
        "Automatic unlocking",
        AUTO_UNLOCK,
        removable.auto_unlock,
        "Opens the drive on the device that encrypted it, once that one's operating system drive is open; elsewhere its recovery password is needed. With \"Allow\", a drive that nothing else opens gets it."
    ),
    setting!(
        "client.management_services",
        Client,
        "Store recovery passwords",
        SettingKind::Switch,
        client.escrow,
        "Recovery passwords are stored on this server, and no drive is encrypted before. Without it nothing is stored, and nothing can be recovered or rotated."
    ),
    setting!(
        "client.check_interval_minutes",
        Client,
        "Check interval",
        INTERVAL,
        client.check_interval_minutes,
        "How often a device asks for news. Wishes of an administrator reach devices that are online at once."
    ),
    setting!(
        "client.rotate_after_disclosure",
        Client,
        "Replace disclosed passwords",
        SettingKind::Switch,
        client.rotate_after_disclosure,
        "A recovery password that was told to somebody is replaced at the device's next contact."
    ),
    setting!(
        "client.manage_virtual_machines",
        Client,
        "Manage virtual machines",
        SettingKind::Switch,
        client.manage_virtual_machines,
        "Otherwise nothing is done on virtual machines, and they are reported as not applicable."
    ),
];

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
