//! Values and encodings that several settings share.

use super::windows::{CmdletValue, Encoding};
use super::{Choice, SettingKind};

pub(super) const fn choice(value: &'static str, label: &'static str) -> Choice {
    Choice {
        value,
        label,
        also: &[],
    }
}

const fn or(value: &'static str, label: &'static str, also: &'static [&'static str]) -> Choice {
    Choice { value, label, also }
}

pub(super) const TRI_STATE: SettingKind = SettingKind::Choice(&[
    choice("not_configured", "Not configured"),
    or("enabled", "Enabled", &["true"]),
    or("disabled", "Disabled", &["false"]),
]);

pub(super) const ENCRYPTION: SettingKind = SettingKind::Choice(&[
    choice("not_configured", "Not configured"),
    or("require", "Must be encrypted", &["enabled"]),
    or("forbid", "Must not be encrypted", &["disabled"]),
]);

pub(super) const METHOD: SettingKind = SettingKind::Choice(&[
    choice("xts_aes128", "XTS-AES 128-bit"),
    choice("xts_aes256", "XTS-AES 256-bit"),
    or("aes128", "AES-CBC 128-bit", &["aes_cbc128"]),
    or("aes256", "AES-CBC 256-bit", &["aes_cbc256"]),
]);

pub(super) const LEGACY_METHOD: SettingKind = SettingKind::Choice(&[
    choice("aes128_diffuser", "AES-CBC 128-bit with diffuser"),
    choice("aes256_diffuser", "AES-CBC 256-bit with diffuser"),
    choice("aes128", "AES-CBC 128-bit"),
    choice("aes256", "AES-CBC 256-bit"),
]);

pub(super) const EXTENT: SettingKind = SettingKind::Choice(&[
    choice("full", "The whole drive"),
    choice("used_space_only", "Used space only"),
]);

pub(super) const AUTO_UNLOCK: SettingKind = SettingKind::Choice(&[
    choice("allow", "Allow"),
    choice("require", "Require"),
    choice("prohibit", "Prohibit"),
]);

pub(super) const COMPLEXITY: SettingKind = AUTO_UNLOCK;

pub(super) const USAGE: SettingKind = SettingKind::Choice(&[
    choice("allow", "Allow"),
    choice("require", "Require"),
    choice("disallow", "Do not allow"),
]);

pub(super) const RECOVERY_INFO: SettingKind = SettingKind::Choice(&[
    choice("password_and_package", "Recovery password and key package"),
    choice("password_only", "Recovery password only"),
]);

pub(super) const GRACE: SettingKind = SettingKind::Number {
    min: 0,
    max: 730,
    unit: "days",
};

/// `Map` for switches in the registry.
pub(super) const SWITCH: Encoding = Encoding::Map(&[("true", 1), ("false", 0)]);
pub(super) const INVERTED: Encoding = Encoding::Map(&[("true", 0), ("false", 1)]);
pub(super) const STATE: Encoding = Encoding::Map(&[("enabled", 1), ("disabled", 0)]);
pub(super) const CSP_SWITCH: Encoding = Encoding::Bool;
pub(super) const SHOULD_ENCRYPT: Encoding = Encoding::Map(&[("require", 1), ("forbid", 0)]);
pub(super) const USAGE_VALUES: Encoding = Encoding::Map(&[("disallow", 0), ("require", 1), ("allow", 2)]);
pub(super) const COMPLEXITY_VALUES: Encoding = Encoding::Map(&[("prohibit", 0), ("require", 1), ("allow", 2)]);
pub(super) const AD_INFO: Encoding = Encoding::Map(&[("password_and_package", 1), ("password_only", 2)]);
pub(super) const METHODS: Encoding =
    Encoding::Map(&[("aes128", 3), ("aes256", 4), ("xts_aes128", 6), ("xts_aes256", 7)]);
/// 0 leaves it to the user, which a document says by saying nothing.
pub(super) const EXTENTS: Encoding = Encoding::Map(&[("full", 1), ("used_space_only", 2)]);

pub(super) const METHOD_WORDS: CmdletValue = CmdletValue::Words(&[
    ("xts_aes128", "AesXts128"),
    ("xts_aes256", "AesXts256"),
    ("aes128", "AesCbc128"),
    ("aes256", "AesCbc256"),
]);
pub(super) const AUTO_UNLOCK_WORDS: CmdletValue =
    CmdletValue::Words(&[("allow", "Allow"), ("require", "Require"), ("prohibit", "Prohibit")]);
pub(super) const COMPLEXITY_WORDS: CmdletValue = AUTO_UNLOCK_WORDS;
pub(super) const ENCRYPTION_WORDS: CmdletValue = CmdletValue::Words(&[("require", "Enabled"), ("forbid", "Disabled")]);
