//! Escrow, check-in, exemptions, and what is managed at all.

use super::windows::{CmdletValue, Encoding, RegistryValue, Root};
use super::{Setting, SettingKind, kinds, row};

const SERVICES: &str = "New-CMBMSClientConfigureCheckIntervalPolicy";
const EXEMPTION: &str = "New-CMBMSUserExemptionPolicy";

pub(super) const SETTINGS: [Setting; 18] = [
    row!(
        "client.management_services",
        Client,
        "Store recovery passwords",
        SettingKind::Switch,
        client.escrow,
        "Recovery passwords are stored on this server, and no drive is encrypted before. Without it nothing is stored, and nothing can be recovered or rotated."
    )
    .suggested("true")
    .registry(&[
        RegistryValue::inferred(Root::R3, "UseMBAMServices", kinds::SWITCH),
        RegistryValue::new(Root::R3, "UseKeyRecoveryService", kinds::SWITCH),
        RegistryValue::new(Root::R3, "UseStatusReportingService", Encoding::Always(0)),
    ])
    .cmdlet(
        SERVICES,
        "PolicyState",
        CmdletValue::Words(&[("true", "Enabled"), ("false", "Disabled")]),
    )
    .unsure("Addresses of MBAM's services are not written: there are none here."),
    row!(
        "client.recovery_info",
        Client,
        "What is stored for recovery",
        kinds::RECOVERY_INFO,
        client.recovery_info,
        "The key package repairs a drive whose metadata is damaged."
    )
    .registry(&[RegistryValue::new(
        Root::R3,
        "KeyRecoveryOptions",
        Encoding::Map(&[("password_only", 0), ("password_and_package", 1)]),
    )])
    .cmdlet(
        SERVICES,
        "KeyRecoveryOption",
        CmdletValue::Words(&[("password_and_package", "PasswordAndPackage"), ("password_only", "PasswordOnly")]),
    ),
    row!(
        "client.allow_plaintext_storage",
        Client,
        "Allow recovery information in plain text",
        SettingKind::Switch,
        client.allow_plaintext_storage,
        "Kept for policies that come from Configuration Manager. Nothing is ever stored in plain text here: devices seal what they send."
    ),
    row!(
        "client.check_interval_minutes",
        Client,
        "Check interval",
        SettingKind::Number { min: 1, max: 2880, unit: "minutes" },
        client.check_interval_minutes,
        "How often a device asks for news. Wishes of an administrator reach devices that are online at once."
    )
    .registry(&[RegistryValue::new(Root::R3, "ClientWakeupFrequency", Encoding::Number)])
    .cmdlet(SERVICES, "ClientWakeupFrequencyMinutes", CmdletValue::Number),
    row!(
        "client.user_exemption",
        Client,
        "User exemption",
        kinds::TRI_STATE,
        client.user_exemption,
        "Enabled, users may ask to be exempt. A device is exempt when all of its users are."
    )
    .registry(&[RegistryValue::new(Root::R3, "AllowUserExemption", kinds::STATE)])
    .cmdlet_state(EXEMPTION),
    row!(
        "client.exemption_max_days",
        Client,
        "Longest postponement",
        SettingKind::Number { min: 0, max: 730, unit: "days" },
        client.exemption_max_days,
        "How long a user may put encryption off, from the first time it was asked for."
    )
    .registry(&[RegistryValue::inferred(Root::R3, "MaxTimeToGetUserExemption", Encoding::Number)])
    .cmdlet(EXEMPTION, "MaxDays", CmdletValue::Number)
    .unsure("The name of the value is completed from a page that cuts it off."),
    row!(
        "client.exemption_contact_method",
        Client,
        "Contact for exemptions: kind",
        SettingKind::Choice(&[
            kinds::choice("url", "Web address"),
            kinds::choice("email", "Mail address"),
            kinds::choice("phone", "Telephone number"),
        ]),
        client.exemption_contact_method,
        "How users reach who decides on exemptions."
    )
    .cmdlet(
        EXEMPTION,
        "ContactMethod",
        CmdletValue::Words(&[("url", "Url"), ("email", "Email"), ("phone", "Phone")]),
    )
    .unsure("The name of its registry value is not public."),
    row!(
        "client.exemption_contact",
        Client,
        "Contact for exemptions",
        SettingKind::Text { max: 512 },
        client.exemption_contact,
        "Address or number, as users are shown it."
    )
    .cmdlet(EXEMPTION, "ContactDetail", CmdletValue::Text)
    .unsure("The name of its registry value is not public."),
    row!(
        "client.security_policy_url",
        Client,
        "Link to the security policy",
        SettingKind::Text { max: 512 },
        client.security_policy_url,
        "Where users read why their drive is encrypted."
    )
    .cmdlet("New-CMMoreInfoUrlPolicy", "MoreInfoUrl", CmdletValue::Text)
    .unsure("The name of its registry value is not public."),
    row!(
        "client.rotate_after_disclosure",
        Client,
        "Replace disclosed passwords",
        SettingKind::Switch,
        client.rotate_after_disclosure,
        "A recovery password that was told to somebody is replaced at the device's next contact."
    ),
    row!(
        "client.rotate_after_use",
        Client,
        "Replace used passwords",
        SettingKind::Switch,
        client.rotate_after_use,
        "A recovery password by which the drive was opened is replaced at the device's next contact."
    ),
    row!(
        "client.rotate_max_age_days",
        Client,
        "Greatest age of a password",
        SettingKind::Number { min: 0, max: 3650, unit: "days" },
        client.rotate_max_age_days,
        "An older recovery password is replaced; 0: never."
    ),
    row!(
        "client.recovery_password_rotation",
        Client,
        "Rotation by Windows",
        SettingKind::Choice(&[
            kinds::choice("off", "Off"),
            kinds::choice("entra_joined", "On devices joined to Entra"),
            kinds::choice("entra_and_hybrid", "Also on devices joined to Entra and a domain"),
        ]),
        client.recovery_password_rotation,
        "Windows itself replaces a used recovery password and tells Entra. The new one is stored here at the next contact."
    )
    .csp_integer(
        "ConfigureRecoveryPasswordRotation",
        Encoding::Map(&[("off", 0), ("entra_joined", 1), ("entra_and_hybrid", 2)]),
    ),
    row!(
        "client.resume_forgotten",
        Client,
        "End forgotten suspensions",
        SettingKind::Switch,
        client.resume_forgotten,
        "A suspension without end and a conversion that stands still are ended, once the server holds a recovery password. A suspension for a number of restarts ends by itself."
    ),
    row!(
        "client.min_battery_percent",
        Client,
        "Least battery charge",
        SettingKind::Number { min: 0, max: 100, unit: "percent" },
        client.min_battery_percent,
        "On battery below this charge no conversion starts; 0: charge does not matter."
    ),
    row!(
        "client.co_managed",
        Client,
        "Devices that another product manages too",
        SettingKind::Choice(&[
            kinds::choice("stand_back", "Store keys, change nothing"),
            kinds::choice("act", "Act as on any other device"),
        ]),
        client.co_managed,
        "Two products that both encrypt and rotate take each other's work away."
    ),
    row!(
        "client.manage_virtual_machines",
        Client,
        "Manage virtual machines",
        SettingKind::Switch,
        client.manage_virtual_machines,
        "Otherwise nothing is done on virtual machines, and they are reported as not applicable."
    ),
    row!(
        "client.manage_servers",
        Client,
        "Manage servers",
        SettingKind::Switch,
        client.manage_servers,
        "Otherwise nothing is done on Windows Server, and it is reported as not applicable."
    ),
];
