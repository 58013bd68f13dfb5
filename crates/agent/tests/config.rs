//! The configuration file: what is wrong is named exactly.

use std::path::Path;

use agent::config::Config;
use domain::volume::VolumeKind;

const GOOD: &str = r#"
server = "https://claviger.test:8443"
ca_file = "ca.pem"
state_dir = "/var/lib/claviger"
tpm = "/dev/tpmrm0"
[[volume]]
path = "c.img"
letter = "C:"
kind = "os"
[[volume]]
path = "/dev/sdb1"
kind = "removable"
[facts]
hostname = "PC-1"
"#;

#[test]
fn a_good_file_is_read_and_its_relative_paths_count_from_its_folder() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("agent.toml");
    std::fs::write(&file, GOOD).unwrap();
    let config = Config::load(&file).unwrap();
    assert_eq!(config.ca_file, dir.path().join("ca.pem"));
    assert_eq!(config.state_dir, Path::new("/var/lib/claviger"));
    assert_eq!(config.volumes[0].path, dir.path().join("c.img"));
    assert_eq!(config.volumes[0].kind, VolumeKind::Os);
    assert_eq!(config.volumes[1].path, Path::new("/dev/sdb1"));
    assert_eq!(config.facts.hostname.as_deref(), Some("PC-1"));
    assert_eq!(config.enrolment_token_file, None);
}

#[test]
fn each_mistake_names_its_field() {
    let long = format!("hostname = \"{}\"", "x".repeat(300));
    for (from, to, field) in [
        ("server = \"https", "server = \"http", "`server`"),
        ("https://claviger.test:8443", "claviger", "`server`"),
        ("https://claviger.test:8443", "https://u:p@claviger.test", "`server`"),
        ("https://claviger.test:8443", "https://claviger.test/agent", "`server`"),
        ("\"ca.pem\"", "\"\"", "`ca_file`"),
        ("\"/var/lib/claviger\"", "\"\"", "`state_dir`"),
        ("\"/dev/tpmrm0\"", "\" \"", "`tpm`"),
        ("\"c.img\"", "\"/dev/sdb1\"", "`volume[1].path`"),
        ("\"C:\"", "\"\"", "`volume[0].letter`"),
        ("c.img", "c\\u0007.img", "`volume[0].path`"),
        ("\"removable\"", "\"os\"", "`volume[1].kind`"),
        ("\"removable\"", "\"floppy\"", "floppy"),
        ("hostname = \"PC-1\"", long.as_str(), "`facts.hostname`"),
        ("hostname = \"PC-1\"", "users = [\"a\", \"\"]", "`facts.users[1]`"),
        ("hostname = \"PC-1\"", "hostnam = \"PC-1\"", "hostnam"),
        ("tpm =", "token = \"secret\"\ntpm =", "token"),
        ("ca_file = \"ca.pem\"", "", "ca_file"),
    ] {
        let text = GOOD.replacen(from, to, 1);
        assert_ne!(text, GOOD, "{from}");
        let error = Config::parse(&text).unwrap_err().to_string();
        assert!(error.contains(field), "{from} → {to}: {error}");
    }
}

#[test]
fn a_missing_file_is_named() {
    let error = Config::load(Path::new("/nonexistent/agent.toml")).unwrap_err();
    assert!(error.to_string().contains("/nonexistent/agent.toml"));
}
