//! What settings can be set to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Require, forbid, or say nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encryption {
    /// Nothing is enforced.
    #[default]
    NotConfigured,
    /// The drive must be encrypted.
    Require,
    /// The drive must not be encrypted: it is decrypted.
    Forbid,
}

/// On, off, or left as it is: `PolicyState` in Configuration Manager, the three buttons of a Group Policy setting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TriState {
    /// Left to Windows and to whoever else has a say.
    #[default]
    NotConfigured,
    /// On.
    Enabled,
    /// Off.
    Disabled,
}

/// Start-up protector of the operating system drive (`os.protector`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OsProtector {
    /// TPM alone.
    #[default]
    Tpm,
    /// TPM and PIN.
    TpmPin,
}

/// `fixed.auto_unlock`, `removable.auto_unlock`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AutoUnlock {
    /// As the user likes.
    #[default]
    Allow,
    /// Must be on.
    Require,
    /// Must be off.
    Prohibit,
}

/// How a start-up method or a recovery method may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Usage {
    /// May be used.
    #[default]
    Allow,
    /// Must be used.
    Require,
    /// Must not be used.
    Disallow,
}

/// Whether a password has to meet the domain's complexity rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Complexity {
    /// A domain controller is asked; without one the password is taken anyhow.
    #[default]
    Allow,
    /// A domain controller has to confirm it.
    Require,
    /// Never checked.
    Prohibit,
}

/// What the recovery screen says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrebootMessage {
    /// What Windows says.
    #[default]
    Default,
    /// The text of `os.preboot_message`.
    CustomMessage,
    /// The address of `os.preboot_url`.
    CustomUrl,
    /// Nothing.
    Empty,
}

/// What is stored for recovery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecoveryInfo {
    /// The recovery password, and the key package that repairs a damaged drive.
    #[default]
    PasswordAndPackage,
    /// The recovery password.
    PasswordOnly,
}

/// How users reach the people who decide on exemptions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ContactMethod {
    /// A web address.
    #[default]
    Url,
    /// A mail address.
    Email,
    /// A telephone number.
    Phone,
}

/// What happens to a drive that is encrypted with a weaker method than policy asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WeakCipher {
    /// It is reported as not compliant, and stays as it is.
    #[default]
    Report,
    /// It is decrypted and encrypted anew.
    Reencrypt,
}

/// What the agent does on a device that another product manages as well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CoManaged {
    /// It stores keys and changes nothing else.
    #[default]
    StandBack,
    /// It acts as on any other device.
    Act,
}

/// Rotation by Windows itself after a recovery password was used (`ConfigureRecoveryPasswordRotation`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowsRotation {
    /// Off.
    #[default]
    Off,
    /// On devices joined to Entra.
    EntraJoined,
    /// On devices joined to Entra, or to it and a domain.
    EntraAndHybrid,
}
