//! `claviger admin account` and `claviger admin api-token`.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::program::{Ended, claviger};
use crate::sample::Folder;
use crate::serve::Ground;

fn admin(data: &Path, arguments: &[&str]) -> Ended {
    let whole = ["admin"].into_iter().chain(arguments.iter().copied());
    claviger(whole).arg("--data-dir").arg(data).end()
}

#[test]
fn a_role_and_a_scope_are_set_listed_and_in_the_audit() {
    let ground = Ground::used();
    let listed = admin(&ground.data, &["account", "list"]).text();
    assert!(
        listed.contains("admin  administrator for everything  enabled"),
        "{listed}"
    );
    let set = |role: &str, scope: &str| {
        admin(
            &ground.data,
            &["account", "set", "admin", "--role", role, "--scope", scope],
        )
    };
    set("auditor", "everything").refused_with(&["no administrator"]);
    set("administrator", "nowhere").refused_with(&["nowhere"]);
    set("administrator", "").misused();
    set("help_desk", "everything").misused();
    assert_eq!(
        set("administrator", "everything").text(),
        "admin is administrator for everything.\n"
    );
    let verified = claviger(["admin", "audit", "verify", "--data-dir"])
        .arg(&ground.data)
        .end()
        .text();
    assert!(verified.starts_with("The audit is whole"), "{verified}");
    let missing = admin(
        &ground.data,
        &["account", "set", "nobody", "--role", "auditor", "--scope", "everything"],
    );
    missing.refused_with(&["account"]);
}

#[test]
fn an_api_token_is_written_to_a_private_file_listed_without_it_and_revoked() {
    let ground = Ground::used();
    let file = ground.folder.join("token");
    let path = file.display().to_string();
    let create = |role: &str, days: &str| {
        let command = [
            "api-token",
            "create",
            "--note",
            "a report",
            "--role",
            role,
            "--scope",
            "everything",
        ];
        let rest = ["--days", days, "--out", &path];
        admin(&ground.data, &command.into_iter().chain(rest).collect::<Vec<_>>())
    };
    create("auditor", "367").refused_with(&["366"]);
    create("self_service", "30").refused_with(&["own devices"]);
    assert!(!file.exists(), "what was refused leaves nothing");
    let said = create("auditor", "30").text();
    let token = std::fs::read_to_string(&file).unwrap();
    assert!(
        token.starts_with("claviger-") && token.trim().len() == 56,
        "{}",
        token.trim().len()
    );
    assert!(said.contains("API token 1 is in") && !said.contains(token.trim()));
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    create("auditor", "30").refused_with(&["token"]);
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        token,
        "a file that is there is kept"
    );
    let listed = admin(&ground.data, &["api-token", "list"]).text();
    assert!(listed.starts_with("1  auditor for everything  until "), "{listed}");
    assert!(listed.contains("a report") && !listed.contains(token.trim()) && listed.lines().count() == 1);
    admin(&ground.data, &["api-token", "revoke", "1"]).text();
    assert!(admin(&ground.data, &["api-token", "list"]).text().contains("revoked"));
    admin(&ground.data, &["api-token", "revoke", "2"]).refused();
}

#[test]
fn no_database_is_made_where_none_is() {
    let folder = Folder::new();
    admin(folder.path(), &["account", "list"]).refused_with(&["claviger.db"]);
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none());
}
