//! Files of our own making: metadata backups, maps of a copy, undo files. Those with a hash at their end are tried
//! with the right one too.
#![no_main]

use fve::MetadataBackup;
use fve::repair::{Map, Undo};
use sha2::{Digest, Sha256};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut hashed = bytes.to_vec();
    hashed.extend_from_slice(&Sha256::digest(bytes));
    for bytes in [bytes, &hashed] {
        if let Ok(backup) = MetadataBackup::parse(bytes) {
            assert_eq!(backup.to_bytes(), bytes);
            let _ = (
                backup.protectors().len(),
                backup.boot_sector().map(<[u8]>::len),
                backup.sector_size(),
            );
        }
        if let Ok(undo) = Undo::parse(bytes) {
            assert_eq!(undo.to_bytes(), bytes);
        }
    }
    if let Some(map) = std::str::from_utf8(bytes).ok().and_then(|text| Map::parse(text).ok()) {
        assert_eq!(Map::parse(&map.to_string()), Ok(map.clone()));
        let _ = map.missing();
    }
});
