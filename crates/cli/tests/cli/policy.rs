//! `claviger policy` from outside.

use std::path::PathBuf;

use crate::program::claviger;
use crate::sample::Folder;
use crate::volume::documentation::run_chapter;

#[test]
fn every_command_of_the_chapter_on_policies_runs_and_says_what_is_written_there() {
    run_chapter("policy.md", 15);
}

fn everything() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../domain/tests/documents/everything.toml")
}

#[test]
fn a_policy_goes_through_every_format_and_comes_back() {
    let folder = Folder::new();
    for (format, most) in [("registry-pol", 22), ("reg", 22), ("cmdlets", 60)] {
        let export = claviger(["policy", "export", "--to", format]).arg(everything()).end();
        let file = folder.path().join(format);
        std::fs::write(&file, export.done()).unwrap();
        let lost = export.stderr.lines().count();
        assert!(lost > 0 && lost < most, "{format}: {}", export.stderr);
        assert!(export.stderr.lines().all(|line| line.starts_with("not expressed: ")));
        let import = claviger(["policy", "import"]).arg(&file).end();
        let back = folder.path().join("back.toml");
        std::fs::write(&back, import.done()).unwrap();
        assert_eq!(import.stderr, "");
        let diff = claviger(["policy", "diff"]).arg(everything()).arg(&back).end();
        for line in diff.text().lines() {
            let (id, _) = line.split_once(": ").unwrap();
            assert!(
                export.stderr.contains(&format!("not expressed: {id}: ")),
                "{format}: {line}"
            );
        }
    }
}

#[test]
fn what_is_written_replaces_nothing_unless_asked() {
    let folder = Folder::new();
    let out = folder.path().join("x.reg");
    let export = || {
        claviger(["policy", "export", "--to", "reg", "-o"])
            .arg(&out)
            .arg(everything())
    };
    export().end().done();
    let again = export().end();
    assert_eq!(again.code, 1);
    assert!(
        again.stderr.contains("is there already; --force replaces it"),
        "{}",
        again.stderr
    );
    export().arg("--force").end().done();
}

#[test]
fn strict_writes_nothing_when_something_cannot_be_expressed() {
    let export = claviger(["policy", "export", "--strict", "--to", "csp"])
        .arg(everything())
        .end();
    assert_eq!(export.code, 1);
    assert!(export.stdout.is_empty() && export.stderr.contains("not expressed: os.protector: "));
}

#[test]
fn a_backup_of_group_policy_imports_with_its_name() {
    let folder = Folder::new();
    let machine = folder.path().join("{GUID}/DomainSysvol/GPO/Machine");
    std::fs::create_dir_all(&machine).unwrap();
    let user = folder.path().join("{GUID}/DomainSysvol/GPO/User");
    std::fs::create_dir_all(&user).unwrap();
    std::fs::write(user.join("registry.pol"), b"PReg\x01\0\0\0").unwrap();
    let export = claviger(["policy", "export", "--to", "registry-pol", "-o"]);
    export.arg(machine.join("registry.pol")).arg(everything()).end().done();
    let info = "<BackupInst><GPODisplayName><![CDATA[Laptops & more]]></GPODisplayName></BackupInst>";
    std::fs::write(folder.path().join("{GUID}/bkupInfo.xml"), info).unwrap();
    let imported = claviger(["policy", "import"])
        .arg(folder.path().join("{GUID}"))
        .end()
        .text();
    assert!(imported.starts_with("name = \"Laptops & more\"\n"), "{imported}");
    assert!(imported.contains("\n[os]\nencryption = \"require\"\n"), "{imported}");
    claviger(["policy", "import"])
        .arg(&user)
        .end()
        .refused_with(&["no registry.pol"]);
}

#[test]
fn faults_are_told_with_file_line_and_column() {
    let check = claviger(["policy", "check", "-"])
        .stdin("{\"os\": {\"min_pin_length\": 40}}")
        .end();
    assert_eq!(check.code, 1);
    assert_eq!(
        check.stderr,
        "-:1:9: os.min_pin_length: Must be a whole number from 4 to 20 (characters).\n"
    );
    for command in [&["show"][..], &["explain"], &["export", "--to", "reg"]] {
        let ended = claviger(["policy"]).args(command).arg("-").stdin("[os]\npin = 1").end();
        assert_eq!((ended.code, ended.stdout.len()), (1, 0), "{command:?}");
        assert!(
            ended.stderr.starts_with("-:2:1: os.pin: There is no such setting."),
            "{}",
            ended.stderr
        );
    }
    let check = claviger(["policy", "check", "/nonexistent.toml"])
        .arg(everything())
        .end();
    assert_eq!(check.code, 1);
    assert!(
        check.stderr.starts_with("error: reading /nonexistent.toml"),
        "{}",
        check.stderr
    );
    assert!(String::from_utf8_lossy(&check.stdout).contains("settings, nothing wrong"));
    assert!(claviger(["policy", "check"]).end().misused().contains("<FILE>"));
    claviger(["policy", "reference", "os.protektor"])
        .end()
        .refused_with(&["did you mean os.protector?"]);
    claviger(["policy", "import", "-"])
        .stdin([0xFF, 0xFF, 0xFF])
        .end()
        .refused_with(&["neither UTF-16"]);
}

#[test]
fn effective_values_are_a_document_again() {
    for json in [&["--json"][..], &[]] {
        let show = claviger(["policy", "show", "--effective"])
            .args(json)
            .arg(everything())
            .end()
            .text();
        let again = claviger(["policy", "show", "-"]).stdin(&show).end().text();
        let lines: Vec<_> = again.lines().filter(|line| line.contains(" = ")).collect();
        let everything = std::fs::read_to_string(everything()).unwrap();
        assert!(lines.iter().all(|line| everything.contains(line)), "{again}");
        assert_eq!(
            lines.len() + 1,
            everything.lines().filter(|line| line.contains(" = ")).count()
        );
    }
}
