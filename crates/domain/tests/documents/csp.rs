//! The configuration service provider's nodes.

use domain::policy::document::Document;
use domain::policy::interchange::csp;
use proptest::prelude::*;

use crate::any;

#[test]
fn nodes_have_the_payloads_of_the_documentation() {
    let text = "[setup]\nencryption_method_os = \"xts_aes256\"\nwarn_other_encryption = false\n[os]\nencryption = \"require\"\n\
                preboot_message_mode = \"custom_message\"\npreboot_message = \"<Call> \\\"us\\\"\"\nstandard_user_pin_change = false\n\
                recovery_password = \"require\"\n[fixed]\ndeny_write_unprotected = \"disabled\"\nencryption = \"require\"\n";
    let exported = csp::export(&Document::read(text).unwrap());
    let nodes: Vec<_> = exported
        .output
        .iter()
        .map(|n| (n.uri.rsplit('/').next().unwrap_or_default(), n.format, n.data.as_str()))
        .collect();
    assert_eq!(
        nodes,
        [
            (
                "EncryptionMethodByDriveType",
                "chr",
                "<enabled/><data id=\"EncryptionMethodWithXtsOsDropDown_Name\" value=\"7\"/><data \
                 id=\"EncryptionMethodWithXtsFdvDropDown_Name\" value=\"6\"/><data \
                 id=\"EncryptionMethodWithXtsRdvDropDown_Name\" value=\"6\"/>"
            ),
            ("AllowWarningForOtherDiskEncryption", "int", "0"),
            ("RequireDeviceEncryption", "int", "1"),
            (
                "SystemDrivesRecoveryMessage",
                "chr",
                "<enabled/><data id=\"PrebootRecoveryInfoDropDown_Name\" value=\"2\"/><data id=\"RecoveryMessage_Input\" \
                 value=\"&lt;Call&gt; &quot;us&quot;\"/><data id=\"RecoveryUrl_Input\" value=\"\"/>"
            ),
            ("SystemDrivesDisallowStandardUsersCanChangePIN", "chr", "<enabled/>"),
            ("FixedDrivesRequireEncryption", "chr", "<disabled/>"),
        ]
    );
    let told: Vec<_> = exported.inexpressible.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "os.recovery_password: SystemDrivesRecoveryOptions says it only together with os.recovery, which is not configured here.",
            "fixed.encryption: The BitLocker CSP has no node for it.",
        ]
    );
    let message = csp::sync_ml(&exported.output);
    assert_eq!(message.matches("<Replace>").count(), 6);
    assert!(message.contains("<LocURI>./Device/Vendor/MSFT/BitLocker/RequireDeviceEncryption</LocURI>"));
    assert!(
        message.contains("<Data>&lt;enabled/&gt;&lt;data id=&quot;"),
        "{message}"
    );
}

proptest! {
    #[test]
    fn each_setting_is_in_a_node_or_named(document in any::document()) {
        let exported = csp::export(&document);
        for (id, value) in document.assignments.iter() {
            let named = exported.inexpressible.iter().any(|cannot| cannot.setting == id);
            let setting = domain::policy::setting(id).unwrap();
            let there = setting.csp.is_some_and(|csp| {
                let is_state = csp.data.is_none_or(str::is_empty);
                let node = exported.output.iter().find(|node| node.uri.ends_with(&format!("/{}", csp.node)));
                node.is_some_and(|node| is_state || node.data != "<disabled/>")
            });
            prop_assert_ne!(named, there, "{} = {}", id, value);
        }
    }
}
