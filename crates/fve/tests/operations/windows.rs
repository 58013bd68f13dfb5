//! The volumes that Windows made, for operations that change them in memory only.

use std::collections::BTreeMap;
use std::path::PathBuf;

use fve::{Bek, Credential, ExternalKey, Passphrase, RecoveryPassword};

use crate::overlay::Overlay;

/// One image with every secret that is published for it.
pub(crate) struct Image {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) recovery: Option<RecoveryPassword>,
    pub(crate) passphrase: Option<Passphrase>,
    pub(crate) external: Option<ExternalKey>,
    pub(crate) clear: bool,
}

impl Image {
    pub(crate) fn device(&self) -> Overlay {
        Overlay::new(&self.path)
    }

    pub(crate) fn credentials(&self) -> Vec<Credential<'_>> {
        let mut all = Vec::new();
        all.extend(self.recovery.as_ref().map(Credential::RecoveryPassword));
        all.extend(self.passphrase.as_ref().map(Credential::Passphrase));
        all.extend(self.external.as_ref().map(Credential::ExternalKey));
        all.extend(self.clear.then_some(Credential::ClearKey));
        all
    }
}

/// All of them, except those with a Windows conversion under way, whose bitmaps the collection cut out.
pub(crate) fn images() -> Vec<Image> {
    let directory = PathBuf::from(
        std::env::var_os("CLAVIGER_WINDOWS_IMAGES")
            .expect("CLAVIGER_WINDOWS_IMAGES is not set: run ./test, which fetches the images"),
    );
    let text = std::fs::read_to_string(directory.join("images.conf")).expect("images.conf lies beside the images");
    let mut published = BTreeMap::<String, BTreeMap<String, String>>::new();
    let mut current = String::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            current = name.to_owned();
        } else if let Some((key, value)) = line.split_once('=').filter(|(_, value)| !value.is_empty()) {
            let image = published.entry(current.clone()).or_default();
            image.insert(key.to_owned(), value.to_owned());
        }
    }
    published
        .into_iter()
        .filter(|(_, image)| image.contains_key("UUID"))
        .map(|(name, image)| Image {
            path: directory.join(format!("{name}.img")),
            recovery: image.get("RP").map(|text| RecoveryPassword::parse(text).unwrap()),
            passphrase: image
                .get("PW")
                .filter(|_| !name.contains("clearkey"))
                .map(Passphrase::new),
            external: image.get("SK_VMK_GUID").map(|id| {
                let file = directory.join(format!("{}.BEK", id.to_uppercase()));
                Bek::parse(&std::fs::read(file).unwrap()).unwrap().key
            }),
            clear: name.contains("clearkey"),
            name,
        })
        .collect()
}
