//! The reader on volumes that Windows made. They are fetched by `./test`, never
//! committed; the directory comes in `CLAVIGER_WINDOWS_IMAGES`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fve::format::read::Layout;
use fve::io::{FileDevice, ReadAt};
use fve::{Bek, Credential, Passphrase, RecoveryPassword, UnlockedVolume, Volume, verify};
use sha2::{Digest, Sha256};

/// Everything the collection's own `images.conf` publishes about one image.
type Published = BTreeMap<String, String>;

fn directory() -> PathBuf {
    let directory = std::env::var_os("CLAVIGER_WINDOWS_IMAGES");
    PathBuf::from(
        directory.expect(
            "CLAVIGER_WINDOWS_IMAGES is not set: run ./test, which fetches the Windows-made images and sets it",
        ),
    )
}

fn published(directory: &Path) -> BTreeMap<String, Published> {
    let text = std::fs::read_to_string(directory.join("images.conf")).expect("images.conf lies beside the images");
    let mut images = BTreeMap::<String, Published>::new();
    let mut current = String::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            current = name.to_owned();
        } else if let Some((key, value)) = line.split_once('=') {
            images
                .entry(current.clone())
                .or_default()
                .insert(key.to_owned(), value.to_owned());
        }
    }
    images
}

fn open(directory: &Path, name: &str) -> Volume<FileDevice> {
    Volume::open(FileDevice::open_read(directory.join(format!("{name}.img"))).unwrap()).unwrap()
}

fn plain_text_sum(volume: &UnlockedVolume<FileDevice>) -> String {
    let mut hasher = Sha256::new();
    let mut piece = vec![0; 1 << 20];
    for offset in (0..volume.size()).step_by(piece.len()) {
        let len = usize::try_from(volume.size() - offset).unwrap().min(piece.len());
        volume.read_at(offset, &mut piece[..len]).unwrap();
        hasher.update(&piece[..len]);
    }
    hex::encode(hasher.finalize())
}

#[test]
fn every_image_gives_the_published_plain_text_by_every_published_credential() {
    let directory = directory();
    let mut sums = 0;
    for (name, image) in published(&directory) {
        // A key without value says that there is none.
        let get = |key: &str| image.get(key).map(String::as_str).filter(|text| !text.is_empty());
        let recovery = get("RP").map(|text| RecoveryPassword::parse(text).unwrap());
        let passphrase = get("PW").map(Passphrase::new);
        let mut credentials = Vec::new();
        credentials.extend(recovery.as_ref().map(Credential::RecoveryPassword));
        credentials.extend(passphrase.as_ref().map(Credential::Passphrase));
        if name.contains("clearkey") {
            credentials.push(Credential::ClearKey);
        }
        assert!(!credentials.is_empty(), "{name}");
        for credential in credentials {
            let volume = open(&directory, &name);
            let info = volume.info();
            assert_eq!(
                get("GUID").map(|guid| guid.parse().unwrap()),
                Some(info.volume),
                "{name}"
            );
            let volume = volume
                .unlock(&credential)
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            // The collection cut the bitmaps out of its two EOW images, so what is encrypted cannot be
            // told; the reader says so, and no sum is published.
            if info.layout == Layout::Eow {
                assert_eq!(get("SHA256SUM"), None, "{name}");
                assert!(volume.read_at(0, &mut [0; 512]).is_err());
                continue;
            }
            assert_eq!(
                Some(plain_text_sum(&volume).as_str()),
                get("SHA256SUM"),
                "{name} by {credential:?}"
            );
            sums += 1;
        }
        if let Some(password) = &recovery {
            let proven = verify(&open(&directory, &name).metadata_bytes(), password).unwrap();
            assert_eq!(
                get("RP_VMK_GUID").map(|guid| guid.parse().unwrap()),
                Some(proven.protector),
                "{name}"
            );
        }
    }
    assert!(sums >= 20, "{sums} whole-volume sums compared");
}

#[test]
fn startup_key_files_of_windows_10_and_11_open_their_volumes() {
    let directory = directory();
    let mut opened = 0;
    for (name, image) in published(&directory) {
        let Some(id) = image.get("SK_VMK_GUID") else { continue };
        let path = directory.join(format!("{}.BEK", id.to_uppercase()));
        let bek = Bek::parse(&std::fs::read(path).unwrap()).unwrap();
        let volume = open(&directory, &name)
            .unlock(&Credential::ExternalKey(&bek.key))
            .unwrap();
        assert_eq!(Some(&plain_text_sum(&volume)), image.get("SHA256SUM"), "{name}");
        assert_eq!(
            volume.external_key(bek.protector).unwrap().as_bytes(),
            bek.key.as_bytes()
        );
        opened += 1;
    }
    assert_eq!(opened, 2);
}

#[test]
fn a_recovery_password_is_read_back_from_an_unlocked_volume() {
    let directory = directory();
    let image = &published(&directory)["bitlk-aes-xts-128"];
    let volume = open(&directory, "bitlk-aes-xts-128")
        .unlock(&Credential::Passphrase(&Passphrase::new(&image["PW"])))
        .unwrap();
    let password = volume.recovery_password(image["RP_VMK_GUID"].parse().unwrap()).unwrap();
    assert_eq!(password.expose().as_str(), image["RP"]);
}
