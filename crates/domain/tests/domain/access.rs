//! Who may do what, one by one.

use domain::access::{Permission, Role, allowed, may_recover, person_key, same_person};

#[test]
fn every_role_has_exactly_these_permissions() {
    use Permission::*;
    use Role::*;
    let table: [(Permission, [bool; 4]); 8] = [
        // permission        administrator, help desk, auditor, user
        (ReadDevices, [true, true, true, false]),
        (ManageDevices, [true, false, false, false]),
        (ManagePolicy, [true, false, false, false]),
        (ManageEnrolment, [true, false, false, false]),
        (ManageAccounts, [true, false, false, false]),
        (RecoverAnyDrive, [true, true, false, false]),
        (RecoverOwnDrive, [true, true, true, true]),
        (ReadAudit, [true, false, true, false]),
    ];
    assert_eq!(table.map(|(permission, _)| permission), Permission::ALL);
    for (permission, expected) in table {
        for (role, expected) in [Administrator, HelpDesk, Auditor, User].into_iter().zip(expected) {
            assert_eq!(allowed(role, permission), expected, "{role:?} {permission:?}");
        }
    }
}

#[test]
fn only_help_desk_and_administrators_recover_other_peoples_drives() {
    let users = ["anna".to_owned()];
    for role in Role::ALL {
        let any = matches!(role, Role::Administrator | Role::HelpDesk);
        assert_eq!(may_recover(role, "bert", &users), any, "{role:?}");
        assert!(may_recover(role, "anna", &users), "{role:?}");
    }
    assert!(!may_recover(Role::User, "anna", &[]));
}

#[test]
fn case_does_not_matter_in_names() {
    assert!(same_person("Anna", "aNNA"));
    assert!(same_person("CORP\\Anna", "corp\\anna"));
    assert!(same_person("anna@corp.example", "Anna@Corp.Example"));
    assert!(same_person("ÄNNE", "änne"));
    assert!(same_person(" anna ", "anna"));
}

#[test]
fn people_are_looked_up_by_what_makes_them_the_same() {
    let names = [
        "anna",
        "ANNA ",
        "CORP\\anna",
        "corp \\ Anna",
        "LAB\\anna",
        "anna@corp",
        "K",
        "k",
        "\u{212A}",
        "\\anna",
        "a\\b\\c",
        "",
    ];
    for one in names {
        for other in names {
            let same_key = person_key(one).is_some() && person_key(one) == person_key(other);
            assert_eq!(same_key, same_person(one, other), "{one:?} {other:?}");
        }
    }
}

#[test]
fn the_domain_is_part_of_the_name() {
    for (one, other) in [
        ("anna", "CORP\\anna"),
        ("CORP\\anna", "LAB\\anna"),
        ("CORP\\anna", "anna@corp"),
        ("anna", "anna@corp"),
        ("anna", ".\\anna"),
    ] {
        assert!(!same_person(one, other), "{one} {other}");
        assert!(!same_person(other, one), "{other} {one}");
    }
}

#[test]
fn malformed_names_match_nothing() {
    for name in ["", " ", "\\", "\\anna", "CORP\\", "CORP\\a\\anna", " \\anna", "CORP\\ "] {
        assert!(!same_person(name, name), "{name:?}");
    }
    assert!(!may_recover(Role::User, "", &[String::new()]));
}

#[test]
fn a_foreign_letter_does_not_pass_for_an_ascii_one() {
    assert!(!same_person("an\u{212A}a", "anka"), "Kelvin sign");
    assert!(!same_person("\u{0130}nge", "inge"), "dotted capital I");
    assert!(same_person("an\u{212A}a", "an\u{212A}a"));
}
