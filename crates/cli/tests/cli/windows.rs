//! The reader on volumes that Windows made. `./test` fetches them; they are never committed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::program::{Run, claviger, names};
use crate::sample::Folder;

/// An image and what the collection's `images.conf` publishes about it.
struct Image {
    name: String,
    path: PathBuf,
    fields: BTreeMap<String, String>,
}

impl Image {
    /// A published value; a key without a value says that there is none.
    fn get(&self, key: &str) -> Option<&str> {
        self.fields
            .get(key)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// The GUID as this program writes it.
    fn guid(&self, key: &str) -> Option<String> {
        self.get(key).map(|guid| format!("{{{}}}", guid.to_uppercase()))
    }

    fn method(&self) -> &'static str {
        let long = self.name.contains("-256");
        match (self.get("CIPHER"), long) {
            (Some("aes-xts-plain64"), false) => "aes-xts-128",
            (Some("aes-xts-plain64"), true) => "aes-xts-256",
            (Some("aes-cbc-eboiv"), false) => "aes-cbc-128",
            (Some("aes-cbc-eboiv"), true) => "aes-cbc-256",
            (Some("aes-cbc-elephant"), false) => "aes-cbc-128-elephant",
            (Some("aes-cbc-elephant"), true) => "aes-cbc-256-elephant",
            other => panic!("{}: {other:?}", self.name),
        }
    }

    fn export(&self) -> Run {
        claviger(["volume", "export"]).arg(&self.path)
    }

    /// The published sum of the plain text. The collection cut the conversion bitmaps out of its two images of an
    /// unfinished conversion and publishes no sum: the reader says so and gives nothing.
    fn expect(&self, export: Run) -> bool {
        let folder = Folder::new();
        let output = folder.join("plain");
        let ended = export.arg("--output").arg(&output).end();
        if let Some(sum) = self.get("SHA256SUM") {
            assert!(ended.done().is_empty(), "{}: the file was asked for", self.name);
            assert_eq!(sum_of(&std::fs::read(&output).unwrap()), sum, "{}", self.name);
            assert_eq!(names(folder.path()), ["plain"], "{}", self.name);
            return true;
        }
        ended.refused_with(&["the conversion state cannot be read"]);
        assert_eq!(
            names(folder.path()),
            [""; 0],
            "{}: nothing half-written remains",
            self.name
        );
        false
    }
}

fn directory() -> PathBuf {
    let directory = std::env::var_os("CLAVIGER_WINDOWS_IMAGES");
    PathBuf::from(
        directory.expect(
            "CLAVIGER_WINDOWS_IMAGES is not set: run ./test, which fetches the Windows-made images and sets it",
        ),
    )
}

fn images(directory: &Path) -> Vec<Image> {
    let text = std::fs::read_to_string(directory.join("images.conf")).expect("images.conf lies beside the images");
    let mut images = Vec::<Image>::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            images.push(Image {
                name: name.to_owned(),
                path: directory.join(format!("{name}.img")),
                fields: BTreeMap::new(),
            });
        } else if let (Some((key, value)), Some(image)) = (line.split_once('='), images.last_mut()) {
            image.fields.insert(key.to_owned(), value.to_owned());
        }
    }
    assert!(images.len() >= 16, "{} images", images.len());
    images
}

fn sum_of(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[test]
fn info_names_method_volume_and_protectors_as_published() {
    for image in images(&directory()) {
        let name = &image.name;
        let json = claviger(["volume", "info", "--json"]).arg(&image.path).end();
        let text = claviger(["volume", "info"]).arg(&image.path).end().text();
        let info: Value = serde_json::from_slice(json.done()).expect("it is JSON");
        assert_eq!(info["method"], image.method(), "{name}");
        assert_eq!(info["volume"].as_str(), image.guid("GUID").as_deref(), "{name}");
        assert_eq!(
            info["sector_size"],
            if name.ends_with("-4k") { 4096 } else { 512 },
            "{name}"
        );
        assert_eq!(info["size"], image.path.metadata().unwrap().len(), "{name}");
        assert!(text.contains(&image.guid("GUID").unwrap()), "{name}: {text}");
        let protectors = info["protectors"].as_array().unwrap();
        let kinds = [
            ("PW_VMK_GUID", "passphrase"),
            ("RP_VMK_GUID", "recovery-password"),
            ("SK_VMK_GUID", "external-key"),
            ("SC_VMK_GUID", "public-key"),
        ];
        let mut published = 0;
        for (key, kind) in kinds {
            let Some(guid) = image.guid(key) else { continue };
            published += 1;
            let found = protectors.iter().find(|p| p["id"] == guid.as_str());
            assert_eq!(found.map(|p| &p["kind"]), Some(&Value::from(kind)), "{name} {key}");
            assert!(
                text.contains(&format!("{guid} {}", kind.replace('-', " "))),
                "{name}: {text}"
            );
        }
        // The volumes with a startup key have a passphrase, too, that is not published.
        let clear = usize::from(name.contains("clearkey"));
        let unpublished = usize::from(image.get("SK_VMK_GUID").is_some());
        assert_eq!((published, protectors.len()), (2, 2 + clear + unpublished), "{name}");
        let found = protectors.iter().filter(|p| p["kind"] == "clear-key");
        assert_eq!(found.count(), clear, "{name}");
        for copy in info["copies"].as_array().unwrap() {
            assert_eq!(
                (&copy["problem"], &copy["current"]),
                (&Value::Null, &Value::Bool(true)),
                "{name}"
            );
        }
    }
}

#[test]
fn a_passphrase_from_a_file_gives_the_published_plain_text() {
    let folder = Folder::new();
    let mut sums = 0;
    for image in images(&directory()) {
        let Some(passphrase) = image.get("PW") else { continue };
        let file = folder.put("secret", format!("{passphrase}\n"));
        sums += u32::from(image.expect(image.export().arg("--passphrase-file").arg(file)));
    }
    assert_eq!(sums, 11);
}

#[test]
fn a_recovery_password_from_a_file_gives_the_published_plain_text() {
    let folder = Folder::new();
    let mut sums = 0;
    for image in images(&directory()) {
        let file = folder.put("secret", format!("{}\r\n", image.get("RP").unwrap()));
        sums += u32::from(image.expect(image.export().arg("--recovery-password-file").arg(file)));
    }
    assert_eq!(sums, 14);
}

#[test]
fn startup_keys_of_windows_10_and_11_give_the_published_plain_text() {
    let directory = directory();
    let mut sums = 0;
    for image in images(&directory) {
        let Some(id) = image.get("SK_VMK_GUID") else { continue };
        let file = directory.join(format!("{}.BEK", id.to_uppercase()));
        sums += u32::from(image.expect(image.export().arg("--startup-key").arg(file)));
    }
    assert_eq!(sums, 2);
}

#[test]
fn secrets_and_plain_text_may_go_through_pipes() {
    let images = images(&directory());
    let image = images.iter().find(|image| image.name == "bitlk-aes-xts-128").unwrap();
    for (option, secret) in [("--passphrase-file", "PW"), ("--recovery-password-file", "RP")] {
        for output in [&[][..], &["--output", "-"]] {
            let export = image.export().args([option, "-"]).args(output);
            let ended = export.stdin(image.get(secret).unwrap()).end();
            assert_eq!(
                Some(sum_of(ended.done()).as_str()),
                image.get("SHA256SUM"),
                "{option} {output:?}"
            );
        }
    }
}

#[test]
fn the_clear_key_of_a_suspended_volume_is_found_and_only_there() {
    for image in images(&directory()) {
        if image.name.contains("clearkey") {
            // It opens; what this image lacks is the bitmap of its unfinished conversion.
            assert!(!image.expect(image.export().arg("--clear-key")));
        } else {
            let ended = image.export().arg("--clear-key").end();
            ended.refused_with(&["the volume does not open", "no protector of this kind"]);
        }
    }
}

#[test]
fn credentials_of_another_volume_open_nothing_and_leave_nothing() {
    let directory = directory();
    let images = images(&directory);
    let folder = Folder::new();
    let output = folder.join("plain");
    for (index, image) in images.iter().enumerate() {
        let other = &images[(index + 1) % images.len()];
        let bek = directory.join("4381F759-C4F8-4DE0-BB61-FC33A831BDA5.BEK");
        let refuse = |run: Run, words: &str| run.arg("--output").arg(&output).end().refused_with(&[words]);
        let refused = "the credential does not open this volume";
        let no_such = "the volume has no protector of this kind";
        let by_password = image.export().args(["--recovery-password-file", "-"]);
        refuse(by_password.stdin(other.get("RP").unwrap()), refused);
        let by_passphrase = image.export().args(["--passphrase-file", "-"]).stdin("Anaconda");
        refuse(
            by_passphrase,
            if image.get("SC_VMK_GUID").is_none() {
                refused
            } else {
                no_such
            },
        );
        if image.get("SK_VMK_GUID") != Some("4381f759-c4f8-4de0-bb61-fc33a831bda5") {
            let by_key = image.export().arg("--startup-key").arg(&bek);
            refuse(
                by_key,
                if image.get("SK_VMK_GUID").is_some() {
                    refused
                } else {
                    no_such
                },
            );
        }
        assert_eq!(names(folder.path()), [""; 0], "{}", image.name);
    }
}
