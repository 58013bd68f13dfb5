//! Volumes that are none, are cut off or are damaged: an answer in words, nothing changed, nothing left behind.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

use crate::program::{claviger, names};
use crate::sample::{Folder, METADATA, SIZE, mend_checksum, sample};

/// What the two readers made of a volume.
pub(crate) struct Verdict {
    /// Whether `info` answered.
    pub(crate) told: bool,
    /// What `export` wrote, if it did.
    pub(crate) plain: Option<Vec<u8>>,
    /// What it said otherwise.
    pub(crate) refusal: String,
}

/// Shows a volume to both readers. Neither panics, hangs, changes it, or leaves anything half-written.
pub(crate) fn show(folder: &Folder, volume: &[u8]) -> Verdict {
    let image = folder.put("volume.img", volume);
    let output = folder.join("plain");
    let info = claviger(["volume", "info", "--json"]).arg(&image).end();
    if info.code == 0 {
        serde_json::from_slice::<serde_json::Value>(&info.stdout).expect("it is JSON");
    } else {
        info.refused_with(&["volume.img"]);
    }
    let export = claviger(["volume", "export", "--clear-key", "--output"]);
    let export = export.arg(&output).arg(&image).end();
    let mut refusal = String::new();
    let plain = if export.code == 0 {
        let plain = std::fs::read(&output).expect("what was exported is there");
        std::fs::remove_file(&output).expect("it can be removed");
        Some(plain)
    } else {
        export.refused().clone_into(&mut refusal);
        None
    };
    assert!(std::fs::read(&image).unwrap() == volume, "the volume was changed");
    assert_eq!(names(folder.path()), ["volume.img"]);
    Verdict {
        told: info.code == 0,
        plain,
        refusal,
    }
}

#[test]
fn what_is_no_volume_is_refused_in_words() {
    let folder = Folder::new();
    let mut noise = vec![0; SIZE];
    ChaCha20Rng::seed_from_u64(3).fill_bytes(&mut noise);
    let cases = [
        Vec::new(),
        vec![0; 1],
        vec![0; SIZE],
        noise,
        b"-FVE-FS-".repeat(1000),
        vec![0xFF; 511],
    ];
    for bytes in cases {
        let verdict = show(&folder, &bytes);
        assert!(!verdict.told && verdict.plain.is_none());
        assert!(
            verdict.refusal.contains("not a BitLocker volume"),
            "{}",
            verdict.refusal
        );
    }
}

#[test]
fn a_folder_or_nothing_at_all_is_refused_by_name() {
    let folder = Folder::new();
    let strange = folder.path().join(OsStr::from_bytes(b"not-\xFF-utf8"));
    for path in [folder.path().to_owned(), folder.join("missing.img"), strange] {
        for arguments in [&["volume", "info"][..], &["volume", "export", "--clear-key"]] {
            let ended = claviger(arguments).arg(&path).end();
            ended.refused_with(&[&path.display().to_string()]);
        }
    }
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn a_volume_cut_off_anywhere_is_refused_or_read_as_far_as_it_goes() {
    let folder = Folder::new();
    let mut rng = ChaCha20Rng::seed_from_u64(4);
    let mut lengths = vec![
        0,
        1,
        3,
        11,
        511,
        512,
        513,
        8191,
        8192,
        SIZE - 1,
        SIZE - 511,
        SIZE - 512,
        SIZE - 513,
    ];
    for offset in METADATA {
        lengths.extend([
            offset - 1,
            offset,
            offset + 1,
            offset + 112,
            offset + 65535,
            offset + 65536,
        ]);
    }
    lengths.extend((0..40).map(|_| rng.next_u32() as usize % SIZE));
    for len in lengths {
        let verdict = show(&folder, &sample().image[..len]);
        if let Some(plain) = verdict.plain {
            assert!(plain == sample().plain[..len - len % 512], "cut at {len}");
        } else {
            // Only with all three copies of the metadata inside is anything to be had.
            assert!(len < METADATA[2] + 65536, "cut at {len}: {}", verdict.refusal);
        }
    }
}

#[test]
fn bits_flipped_in_the_boot_sector_give_no_panic() {
    let folder = Folder::new();
    let seed = 5;
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    for round in 0..120 {
        let mut image = sample().image.clone();
        for _ in 0..=round % 3 {
            image[rng.next_u32() as usize % 512] ^= 1 << (rng.next_u32() % 8);
        }
        show(&folder, &image);
    }
}

#[test]
fn bits_flipped_in_one_copy_of_the_metadata_lose_nothing() {
    let folder = Folder::new();
    let mut rng = ChaCha20Rng::seed_from_u64(6);
    for round in 0..120 {
        let mut image = sample().image.clone();
        let copy = METADATA[round % 3];
        for _ in 0..=round % 4 {
            image[copy + rng.next_u32() as usize % 2048] ^= 1 << (rng.next_u32() % 8);
        }
        let verdict = show(&folder, &image);
        assert!(verdict.told, "round {round}");
        assert!(
            verdict.plain.as_ref() == Some(&sample().plain),
            "round {round}: {}",
            verdict.refusal
        );
    }
}

#[test]
fn bits_flipped_in_all_copies_give_the_plain_text_or_a_refusal_never_anything_else() {
    let folder = Folder::new();
    let mut rng = ChaCha20Rng::seed_from_u64(7);
    let mut refused = 0;
    for round in 0..200 {
        let mut area = sample().image[METADATA[0]..][..65536].to_vec();
        for _ in 0..=round % 4 {
            area[rng.next_u32() as usize % 1400] ^= 1 << (rng.next_u32() % 8);
        }
        if round % 2 == 0 {
            mend_checksum(&mut area);
        }
        let mut image = sample().image.clone();
        for offset in METADATA {
            image[offset..offset + 65536].copy_from_slice(&area);
        }
        match show(&folder, &image).plain {
            Some(plain) => assert!(plain == sample().plain, "round {round}"),
            None => refused += 1,
        }
    }
    assert!(refused > 150, "{refused} refused");
}

#[test]
fn a_flipped_bit_of_the_content_stays_where_it_is() {
    let folder = Folder::new();
    let at = 0xC_1234;
    let mut image = sample().image.clone();
    image[at] ^= 4;
    let plain = show(&folder, &image).plain.expect("content is not vouched for");
    let differ: Vec<_> = (0..SIZE)
        .filter(|&i| plain[i] != sample().plain[i])
        .map(|i| i / 16)
        .collect();
    assert!(
        !differ.is_empty() && differ.iter().all(|&block| block == at / 16),
        "{differ:?}"
    );
}
