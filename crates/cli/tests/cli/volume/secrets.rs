//! Secrets go where they were asked for and nowhere else.

use super::ground::{Ground, PASSPHRASE};

#[test]
fn no_command_says_a_secret_unasked_even_when_it_logs_everything() {
    let ground = Ground::new();
    ground.folder.put("new.txt", "four plain words here");
    let unlock = "--recovery-password-file recovery.txt";
    let mut said = String::new();
    for command in [
        "info drive.img".to_owned(),
        format!("protectors add drive.img {unlock} --recovery-password-out second.txt --startup-key-out usb"),
        format!("protectors change-passphrase drive.img {unlock} --new-passphrase-file new.txt"),
        format!("protectors rotate-password drive.img {unlock} --protector ID --recovery-password-out third.txt"),
        "protectors suspend drive.img --passphrase-file new.txt".to_owned(),
        "reencrypt drive.img --clear-key --new-master-key --yes".to_owned(),
        "decrypt drive.img --passphrase-file passphrase.txt --yes".to_owned(),
        "encrypt plain.img --recovery-password-out fourth.txt --progress".to_owned(),
    ] {
        let command = command.replace("ID", &first_recovery_id(&ground));
        let ended = ground.volume(&command).env("CLAVIGER_LOG", "trace").end();
        said.push_str(&ended.stderr);
        said.push_str(&String::from_utf8_lossy(&ended.stdout));
    }
    assert!(said.contains("encrypting: "), "{said}");
    let mut secrets = vec![PASSPHRASE.to_owned(), "four plain words here".to_owned()];
    for name in ["recovery.txt", "second.txt", "third.txt", "fourth.txt"] {
        let password = ground.password(name);
        secrets.extend(password.split('-').map(str::to_owned));
    }
    for secret in secrets {
        assert!(!said.contains(&secret), "a secret was said: {said}");
    }
}

fn first_recovery_id(ground: &Ground) -> String {
    let info = ground.info("drive.img");
    let mut protectors = info["protectors"].as_array().unwrap().iter();
    let found = protectors.find(|p| p["kind"] == "recovery-password");
    found.unwrap()["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_recovery_password_is_printed_when_asked_for_by_a_hyphen() {
    let ground = Ground::new();
    let said = ground.done("protectors add drive.img --passphrase-file passphrase.txt --recovery-password-out -");
    let password = said.trim();
    assert_eq!((password.len(), said.lines().count()), (55, 1));
    let export = ground.volume("export drive.img --recovery-password-file - --output out.img");
    export.stdin(password).end().done();
}

#[test]
fn several_recovery_passwords_are_tried_until_one_fits() {
    let ground = Ground::new();
    let wrong = "000011-000022-720885-000000-000011-000022-000033-000044";
    ground.folder.put("wrong.txt", wrong);
    ground
        .folder
        .put("many.txt", format!("{wrong}\n\n{}\n", ground.password("recovery.txt")));
    ground.done("export drive.img --recovery-password-file many.txt --output one.img");
    ground.done(
        "export drive.img --recovery-password-file wrong.txt --recovery-password-file recovery.txt --output two.img",
    );
    assert!(ground.bytes("one.img") == ground.bytes("two.img"));
}
