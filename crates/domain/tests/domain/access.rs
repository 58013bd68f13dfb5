//! Who may do what, one by one.

use domain::access::{
    Grant, Permission, Reach, Role, Scope, ScopeError, allowed, document, may_recover, person_key, same_person,
};
use domain::policy::targeting::CollectionId;

/// Written once more, by hand: administrator, policy author, help-desk administrator, help-desk user, report reader,
/// auditor, self-service user.
const TABLE: [(Permission, [bool; 7]); 11] = {
    use Permission::*;
    const X: bool = true;
    const O: bool = false;
    [
        (ReadDevices, [X, X, X, O, X, X, O]),
        (ReadReports, [X, X, X, O, X, X, O]),
        (ReadPolicy, [X, X, X, O, O, X, O]),
        (ManageDevices, [X, O, O, O, O, O, O]),
        (ManagePolicy, [X, X, O, O, O, O, O]),
        (ManageEnrolment, [X, O, O, O, O, O, O]),
        (ManageAccounts, [X, O, O, O, O, O, O]),
        (RecoverAnyDrive, [X, O, X, O, O, O, O]),
        (RecoverNamedDrive, [X, O, X, X, O, O, O]),
        (RecoverOwnDrive, [X, X, X, X, X, X, X]),
        (ReadAudit, [X, O, O, O, O, X, O]),
    ]
};

#[test]
fn every_role_has_exactly_these_permissions() {
    assert_eq!(TABLE.map(|(permission, _)| permission), Permission::ALL);
    for (permission, expected) in TABLE {
        for (role, expected) in Role::ALL.into_iter().zip(expected) {
            assert_eq!(allowed(role, permission), expected, "{role:?} {permission:?}");
        }
    }
}

fn collection(name: &str) -> CollectionId {
    CollectionId::new(name).expect("a short name")
}

#[test]
fn a_scope_takes_away_what_belongs_to_no_device_and_nothing_else() {
    let scopes = [
        Scope::Everything,
        Scope::of([collection("berlin")]),
        Scope::of([collection("berlin"), collection("pilot")]),
        Scope::of([]),
    ];
    for scope in scopes {
        for (permission, expected) in TABLE {
            let beyond = matches!(permission, Permission::ManageEnrolment | Permission::ManageAccounts);
            assert_eq!(permission.reach() == Reach::Everything, beyond, "{permission:?}");
            for (role, expected) in Role::ALL.into_iter().zip(expected) {
                let grant = Grant {
                    role,
                    scope: scope.clone(),
                };
                let expected = expected && (scope.is_everything() || !beyond);
                assert_eq!(grant.allows(permission), expected, "{grant:?} {permission:?}");
            }
        }
    }
}

#[test]
fn a_scope_covers_the_collections_that_it_names() {
    let (berlin, paris) = (collection("berlin"), collection("paris"));
    assert!(Scope::Everything.covers(&berlin));
    assert!(Scope::of([berlin.clone()]).covers(&berlin));
    assert!(!Scope::of([berlin.clone()]).covers(&paris));
    assert!(!Scope::of([berlin]).covers(&CollectionId::all_devices()));
    assert!(!Scope::of([]).covers(&paris));
}

#[test]
fn scopes_are_written_as_null_or_a_list() {
    let scopes = [
        (Scope::Everything, "null", "everything"),
        (Scope::of([collection("b"), collection("a")]), r#"["a","b"]"#, "a, b"),
        (Scope::of([]), "[]", "no device"),
    ];
    for (scope, written, words) in scopes {
        assert_eq!(serde_json::to_string(&scope).unwrap(), written);
        assert_eq!(serde_json::from_str::<Scope>(written).unwrap(), scope);
        assert_eq!(scope.words(), words);
        assert_eq!(words.parse(), Ok(scope));
    }
    assert!(serde_json::from_str::<Scope>(r#"["No Name"]"#).is_err());
    assert_eq!(" b ,a,".parse(), Ok(Scope::of([collection("b"), collection("a")])));
    for nothing in ["", " ", ","] {
        assert_eq!(
            nothing.parse::<Scope>(),
            Err(ScopeError::Empty),
            "to leave it out is not to mean everything"
        );
    }
    assert!(matches!("Everything".parse::<Scope>(), Err(ScopeError::Name(_))));
}

#[test]
fn roles_are_written_by_their_names() {
    for role in Role::ALL {
        assert_eq!(serde_json::to_value(role).unwrap(), role.name());
        assert_eq!(Role::from_name(role.name()), Some(role));
    }
    assert_eq!(Role::from_name("help_desk"), None);
}

#[test]
fn only_help_desk_administrators_and_administrators_recover_anybodys_drives() {
    let users = ["anna".to_owned()];
    for role in Role::ALL {
        let any = matches!(role, Role::Administrator | Role::HelpDeskAdministrator);
        assert_eq!(may_recover(role, "bert", None, &users), any, "{role:?}");
        assert_eq!(may_recover(role, "bert", Some("carl"), &users), any, "{role:?}");
        let named = any || role == Role::HelpDeskUser;
        assert_eq!(may_recover(role, "bert", Some("Anna"), &users), named, "{role:?}");
        assert!(may_recover(role, "anna", None, &users), "{role:?}");
        let names = Grant::everywhere(role).must_name_the_person();
        assert_eq!(names, role == Role::HelpDeskUser, "{role:?}");
    }
    assert!(!may_recover(Role::SelfService, "anna", None, &[]));
    assert!(!may_recover(Role::HelpDeskUser, "bert", Some("CORP\\anna"), &users));
}

/// `UPDATE_DOCS=1 cargo test -p domain roles` writes it anew.
#[test]
fn the_document_of_the_roles_is_that_of_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/roles.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, document()).unwrap();
    }
    let stored = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        stored == document(),
        "docs/roles.md is stale: UPDATE_DOCS=1 writes it anew"
    );
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
    assert!(!may_recover(Role::SelfService, "", None, &[String::new()]));
}

#[test]
fn a_foreign_letter_does_not_pass_for_an_ascii_one() {
    assert!(!same_person("an\u{212A}a", "anka"), "Kelvin sign");
    assert!(!same_person("\u{0130}nge", "inge"), "dotted capital I");
    assert!(same_person("an\u{212A}a", "an\u{212A}a"));
}
