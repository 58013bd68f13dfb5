//! A policy that has an answer to everything: what devices are told.
//!
//! Each field is a setting of the reference; its id stands in the comment where the name differs. Absent fields of a stored
//! policy take their defaults, so that older ones stay readable.

use serde::{Deserialize, Serialize};

use super::values::{
    AutoUnlock, CoManaged, Complexity, ContactMethod, Encryption, OsProtector, PrebootMessage, RecoveryInfo, TriState,
    Usage, WeakCipher, WindowsRotation,
};
use crate::volume::{EncryptionExtent, EncryptionMethod};

/// A whole policy. `Default` configures nothing: such a device is "not enforced".
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// For drives of every kind.
    pub setup: Setup,
    /// Operating system drive.
    pub os: OsDrive,
    /// Fixed data drives.
    pub fixed: FixedDrive,
    /// Removable data drives.
    pub removable: RemovableDrive,
    /// Escrow, check-in, exemptions, and what is managed at all.
    pub client: Client,
}

/// For drives of every kind. The encryption methods of Windows 10 and 11 lie with the drives.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Setup {
    /// `setup.encryption_method_legacy`: for Windows 8.1 and older.
    pub legacy_method: EncryptionMethod,
    /// Memory is not overwritten on restart: quicker, and open to who reads it then.
    pub prevent_memory_overwrite: TriState,
    /// Object identifier that a smart card's certificate has to carry.
    pub smart_card_oid: String,
    /// The organisation's identifier, written on drives as they are encrypted; empty: none.
    pub org_identifier: String,
    /// Further identifiers that count as the own organisation, separated by commas.
    pub org_allowed_identifiers: String,
    /// `setup.reencrypt`.
    pub reencrypt: WeakCipher,
}

/// Operating system drive.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OsDrive {
    /// `os.encryption`.
    pub encryption: Encryption,
    /// `setup.encryption_method_os`.
    pub method: EncryptionMethod,
    /// Full or used space only.
    pub extent: EncryptionExtent,
    /// `os.protector`.
    pub protector: OsProtector,
    /// A machine without TPM may be encrypted; a password opens it at start.
    pub allow_without_tpm: bool,
    /// `os.min_pin_length`, 4–20 characters.
    pub min_pin_length: u8,
    /// PINs may hold letters and signs.
    pub enhanced_pin: TriState,
    /// They may hold ASCII only.
    pub enhanced_pin_ascii_only: bool,
    /// Whether a password may open the drive at start.
    pub password: TriState,
    /// Its complexity.
    pub password_complexity: Complexity,
    /// Its least length, 8–255 characters.
    pub password_min_length: u8,
    /// It may hold ASCII only.
    pub password_ascii_only: bool,
    /// Platform validation data is taken anew after a recovery; not configured: it is.
    pub reset_platform_validation: TriState,
    /// `os.preboot_message_mode`.
    pub preboot_message_mode: PrebootMessage,
    /// At most 900 characters.
    pub preboot_message: String,
    /// At most 500 characters.
    pub preboot_url: String,
    /// After the grace period encryption starts without asking the user.
    pub enforcement: TriState,
    /// Days from the first time the drive was found not compliant, 0–730.
    pub grace_days: u16,
    /// `os.startup_tpm` and its brothers.
    pub startup: StartupMethods,
    /// Users who are not administrators may change the PIN or password.
    pub standard_user_pin_change: bool,
    /// Tablets without a keyboard may ask for a PIN at start.
    pub preboot_input_on_slates: TriState,
    /// Devices with InstantGo or HSTI need no PIN.
    pub preboot_pin_exception: TriState,
    /// `os.recovery_*`.
    pub recovery: RecoveryOptions,
}

/// Which start-up methods Windows offers; at most one may be required.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StartupMethods {
    /// TPM alone.
    pub tpm: Usage,
    /// TPM and PIN.
    pub tpm_pin: Usage,
    /// TPM and startup key.
    pub tpm_key: Usage,
    /// TPM, PIN and startup key.
    pub tpm_pin_key: Usage,
}

/// How drives of a kind can be recovered, as far as Windows itself is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecoveryOptions {
    /// The group as a whole.
    pub state: TriState,
    /// Data recovery agents.
    pub allow_dra: bool,
    /// The 48-digit recovery password.
    pub password: Usage,
    /// The 256-bit recovery key file.
    pub key: Usage,
    /// The wizard does not ask where to keep them.
    pub hide_page: bool,
    /// Also stored in Active Directory.
    pub ad_backup: bool,
    /// What is stored there.
    pub ad_info: RecoveryInfo,
    /// Nothing is encrypted before it is stored there.
    pub require_ad_backup: bool,
}

/// Passwords of data drives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataPassword {
    /// Whether a password may open the drive; disabled: it must not.
    pub state: TriState,
    /// It must.
    pub required: bool,
    /// Its complexity.
    pub complexity: Complexity,
    /// Its least length, 8–99 characters.
    pub min_length: u8,
}

/// Fixed data drives.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FixedDrive {
    /// `fixed.encryption`.
    pub encryption: Encryption,
    /// `setup.encryption_method_fixed`.
    pub method: EncryptionMethod,
    /// Full or used space only.
    pub extent: EncryptionExtent,
    /// `fixed.auto_unlock`; needs an encrypted operating system drive.
    pub auto_unlock: AutoUnlock,
    /// Drives without protection can be read only.
    pub deny_write_unprotected: TriState,
    /// `fixed.password*`.
    pub password: DataPassword,
    /// After the grace period encryption starts without asking the user.
    pub enforcement: TriState,
    /// Days, 0–730, counted once the operating system drive is compliant.
    pub grace_days: u16,
    /// `fixed.recovery_*`.
    pub recovery: RecoveryOptions,
}

/// Removable data drives.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RemovableDrive {
    /// Whether drives must be encrypted while attached. Has no counterpart in Configuration Manager.
    pub encryption: Encryption,
    /// `setup.encryption_method_removable`.
    pub method: EncryptionMethod,
    /// Full or used space only.
    pub extent: EncryptionExtent,
    /// `removable.auto_unlock`, on the device that encrypted the drive; needs an encrypted operating system drive. Has no
    /// counterpart in Configuration Manager, whose users choose it on the drive.
    pub auto_unlock: AutoUnlock,
    /// Whether users may use BitLocker on removable drives; disabled: they cannot.
    pub control: TriState,
    /// They may encrypt drives.
    pub allow_user_encrypt: bool,
    /// They may suspend protection and decrypt.
    pub allow_user_suspend_decrypt: bool,
    /// Drives without protection can be read only.
    pub deny_write_unprotected: TriState,
    /// Drives of another organisation can be read only.
    pub deny_write_other_org: bool,
    /// `removable.password*`.
    pub password: DataPassword,
    /// Hardware ids of drives that are left alone, separated by commas.
    pub excluded_hardware_ids: String,
    /// `removable.recovery_*`.
    pub recovery: RecoveryOptions,
}

/// Escrow, check-in, exemptions, and what is managed at all.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Client {
    /// `client.management_services`: recovery passwords are escrowed, and nothing starts before (P1).
    pub escrow: bool,
    /// Whether the key package is stored as well.
    pub recovery_info: RecoveryInfo,
    /// Of Configuration Manager; secrets are sealed here in any case.
    pub allow_plaintext_storage: bool,
    /// `client.check_interval_minutes`, 1–2880.
    pub check_interval_minutes: u32,
    /// Users may ask to be exempt.
    pub user_exemption: TriState,
    /// Days that a user may put encryption off.
    pub exemption_max_days: u16,
    /// How to reach who decides.
    pub exemption_contact_method: ContactMethod,
    /// Address or number.
    pub exemption_contact: String,
    /// Where users read the organisation's rules.
    pub security_policy_url: String,
    /// Replace a recovery password after it was disclosed (P5).
    pub rotate_after_disclosure: bool,
    /// Replace a recovery password after the volume was opened by it.
    pub rotate_after_use: bool,
    /// Replace a recovery password that is older than so many days; 0: never.
    pub rotate_max_age_days: u16,
    /// Rotation by Windows itself.
    pub recovery_password_rotation: WindowsRotation,
    /// Virtual machines are managed too; otherwise nothing is done on them, and compliance does not apply.
    pub manage_virtual_machines: bool,
    /// Servers likewise.
    pub manage_servers: bool,
    /// Devices that another product manages as well.
    pub co_managed: CoManaged,
    /// No conversion starts on battery below this charge, in percent; 0: charge does not matter.
    pub min_battery_percent: u8,
    /// A suspension without end and a paused conversion are ended.
    pub resume_forgotten: bool,
    /// Windows may encrypt while a standard user is signed in.
    pub standard_user_encryption: bool,
    /// Windows warns of other encryption products and asks; off: it is silent.
    pub warn_other_encryption: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            legacy_method: EncryptionMethod::Aes128,
            prevent_memory_overwrite: TriState::NotConfigured,
            smart_card_oid: "1.3.6.1.4.1.311.67.1.1".to_owned(),
            org_identifier: String::new(),
            org_allowed_identifiers: String::new(),
            reencrypt: WeakCipher::Report,
        }
    }
}

impl Default for OsDrive {
    fn default() -> Self {
        Self {
            encryption: Encryption::NotConfigured,
            method: EncryptionMethod::XtsAes128,
            extent: EncryptionExtent::Full,
            protector: OsProtector::Tpm,
            allow_without_tpm: false,
            min_pin_length: 4,
            enhanced_pin: TriState::NotConfigured,
            enhanced_pin_ascii_only: false,
            password: TriState::NotConfigured,
            password_complexity: Complexity::Allow,
            password_min_length: 8,
            password_ascii_only: false,
            reset_platform_validation: TriState::NotConfigured,
            preboot_message_mode: PrebootMessage::Default,
            preboot_message: String::new(),
            preboot_url: String::new(),
            enforcement: TriState::NotConfigured,
            grace_days: 0,
            startup: StartupMethods::default(),
            standard_user_pin_change: true,
            preboot_input_on_slates: TriState::NotConfigured,
            preboot_pin_exception: TriState::NotConfigured,
            recovery: RecoveryOptions::default(),
        }
    }
}

impl Default for RecoveryOptions {
    fn default() -> Self {
        Self {
            state: TriState::NotConfigured,
            allow_dra: true,
            password: Usage::Allow,
            key: Usage::Allow,
            hide_page: false,
            ad_backup: false,
            ad_info: RecoveryInfo::PasswordAndPackage,
            require_ad_backup: false,
        }
    }
}

impl Default for DataPassword {
    fn default() -> Self {
        Self {
            state: TriState::NotConfigured,
            required: false,
            complexity: Complexity::Allow,
            min_length: 8,
        }
    }
}

impl Default for FixedDrive {
    fn default() -> Self {
        Self {
            encryption: Encryption::NotConfigured,
            method: EncryptionMethod::XtsAes128,
            extent: EncryptionExtent::Full,
            auto_unlock: AutoUnlock::Allow,
            deny_write_unprotected: TriState::NotConfigured,
            password: DataPassword::default(),
            enforcement: TriState::NotConfigured,
            grace_days: 0,
            recovery: RecoveryOptions::default(),
        }
    }
}

impl Default for RemovableDrive {
    fn default() -> Self {
        Self {
            encryption: Encryption::NotConfigured,
            method: EncryptionMethod::XtsAes128,
            extent: EncryptionExtent::Full,
            auto_unlock: AutoUnlock::Allow,
            control: TriState::NotConfigured,
            allow_user_encrypt: true,
            allow_user_suspend_decrypt: true,
            deny_write_unprotected: TriState::NotConfigured,
            deny_write_other_org: false,
            password: DataPassword::default(),
            excluded_hardware_ids: String::new(),
            recovery: RecoveryOptions::default(),
        }
    }
}

impl Default for Client {
    fn default() -> Self {
        Self {
            escrow: true,
            recovery_info: RecoveryInfo::PasswordAndPackage,
            allow_plaintext_storage: false,
            check_interval_minutes: 90,
            user_exemption: TriState::NotConfigured,
            exemption_max_days: 7,
            exemption_contact_method: ContactMethod::Url,
            exemption_contact: String::new(),
            security_policy_url: String::new(),
            rotate_after_disclosure: true,
            rotate_after_use: true,
            rotate_max_age_days: 0,
            recovery_password_rotation: WindowsRotation::Off,
            manage_virtual_machines: false,
            manage_servers: false,
            co_managed: CoManaged::StandBack,
            min_battery_percent: 0,
            resume_forgotten: true,
            standard_user_encryption: false,
            warn_other_encryption: true,
        }
    }
}
