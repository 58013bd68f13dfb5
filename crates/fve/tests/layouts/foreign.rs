//! Layouts that Windows makes or can leave behind, and that this crate does not make itself.

use std::io;

use fve::io::{MemoryDevice, ReadAt};
use fve::{ConversionStatus, Credential, Error, ExternalKey, Passphrase, ProtectorKind, RecoveryPassword, Volume};

use crate::builder::{
    Boot, Builder, clear_key, datum, external_key, flagged, key, passphrase_hash, protector, recovery_hash, sealed,
    stretched, utf16, vmk,
};

pub(crate) fn all_of(device: &dyn ReadAt) -> Vec<u8> {
    let mut bytes = vec![0; device.size() as usize];
    device.read_at(0, &mut bytes).unwrap();
    bytes
}

/// The view of `image` is `plain`: read as a whole, and in pieces that begin and end anywhere.
pub(crate) fn assert_view(image: Vec<u8>, plain: &[u8]) {
    let volume = Volume::open(MemoryDevice::new(image)).unwrap();
    let volume = volume.unlock(&Credential::Vmk(&vmk())).unwrap();
    assert!(all_of(&volume) == plain, "the whole view");
    let mut at = 0;
    for step in (1..).map(|n: usize| (n * 7919) % 70_001 + 1) {
        let len = step.min(plain.len() - at);
        let mut piece = vec![0; len];
        volume.read_at(at as u64, &mut piece).unwrap();
        assert!(piece == plain[at..at + len], "{len} bytes at {at}");
        at += len;
        if at == plain.len() {
            break;
        }
    }
}

const METHODS: [u16; 6] = [0x8000, 0x8001, 0x8002, 0x8003, 0x8004, 0x8005];

#[test]
fn every_method_reads_at_both_sector_sizes() {
    for method in METHODS {
        for sector in [512, 4096] {
            let builder = Builder::new(method, sector);
            assert_view(builder.image(), &builder.plain());
        }
    }
}

#[test]
fn windows_7_puts_the_header_place_first_and_says_nothing_more() {
    let mut builder = Builder::new(0x8000, 512);
    (builder.extended, builder.virtualization_first) = (None, true);
    builder.header = 1200 << 10;
    assert_view(builder.image(), &builder.plain());
    let info = Volume::open(MemoryDevice::new(builder.image())).unwrap().info();
    assert_eq!((info.extended, info.header_offset), (None, 1200 << 10));
}

#[test]
fn a_paused_windows_7_decryption_reads_both_halves() {
    for watermark in [0, 512, 8192, 600 << 10, 640 << 10, 700 << 10, (1 << 20) + 512, 2 << 20] {
        let mut builder = Builder::new(0x8003, 512);
        (builder.states, builder.watermark, builder.extended) = ([3, 1], watermark, None);
        assert_view(builder.image(), &builder.plain());
        let info = Volume::open(MemoryDevice::new(builder.image())).unwrap().info();
        assert_eq!(
            (info.status, info.watermark, info.encrypted_bytes),
            (ConversionStatus::DecryptionPaused, watermark, watermark)
        );
    }
}

#[test]
fn the_log_at_the_watermark_of_a_dirty_windows_7_volume_reads_as_zeros() {
    let mut builder = Builder::new(0x8002, 512);
    (builder.states, builder.watermark, builder.state_size) = ([2, 4], 800 << 10, 64 << 10);
    let mut plain = builder.plain();
    plain[800 << 10..864 << 10].fill(0);
    assert_view(builder.image(), &plain);
}

#[test]
fn to_go_volumes_have_a_header_of_five_megabytes_at_each_method() {
    for method in METHODS {
        for name in [b"EXFAT   ", b"MSDOS5.0"] {
            let mut builder = Builder::new(method, 512);
            (builder.boot, builder.size, builder.extended) = (Boot::ToGo, 18 << 20, Some(0x848));
            (builder.copies, builder.header) = ([6 << 20, 12 << 20, 13 << 20], (6 << 20) + 65536);
            (builder.header_len, builder.watermark) = (10270 * 512, 18 << 20);
            let mut plain = builder.plain();
            plain[3..11].copy_from_slice(name);
            let mut image = builder.image();
            let mut header = plain[..builder.header_len as usize].to_vec();
            builder.encrypt(builder.header, &mut header);
            image[builder.header as usize..][..header.len()].copy_from_slice(&header);
            let volume = Volume::open(MemoryDevice::new(image)).unwrap();
            assert_eq!(volume.info().header_len, 10270 * 512);
            let volume = volume.unlock(&Credential::Vmk(&vmk())).unwrap();
            assert!(all_of(&volume) == plain);
        }
    }
}

#[test]
fn no_sector_size_in_the_boot_sector_means_512() {
    let mut builder = Builder::new(0x8004, 512);
    builder.boot_bytes_per_sector = 0;
    assert_view(builder.image(), &builder.plain());
}

#[test]
fn the_layout_guid_is_found_anywhere_in_the_boot_sector() {
    for guid_at in [0x5A, 0x91, 0xA0, 0x160, 0x1C8] {
        let mut builder = Builder::new(0x8004, 512);
        builder.guid_at = guid_at;
        assert_view(builder.image(), &builder.plain());
    }
}

#[test]
fn a_volume_one_sector_shorter_than_its_partition_leaves_the_last_sector_plain() {
    let mut builder = Builder::new(0x8004, 512);
    builder.watermark = builder.size - 512;
    assert_view(builder.image(), &builder.plain());
    let info = Volume::open(MemoryDevice::new(builder.image())).unwrap().info();
    assert_eq!(info.status, ConversionStatus::FullyEncrypted);
}

#[test]
fn an_image_cut_off_behind_its_second_copy_still_opens() {
    let builder = Builder::new(0x8004, 512);
    let mut image = builder.image();
    image.truncate((1 << 20) + 65536 + 512);
    let volume = Volume::open(MemoryDevice::new(image.clone())).unwrap();
    let volume = volume.unlock(&Credential::Vmk(&vmk())).unwrap();
    assert!(all_of(&volume) == builder.plain()[..image.len()]);
}

/// A device that fails in one place.
struct Failing(Vec<u8>, std::ops::Range<usize>);

impl ReadAt for Failing {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let start = offset as usize;
        let end = start + buf.len();
        if start < self.1.end && end > self.1.start {
            return Err(io::Error::other("medium error"));
        }
        buf.copy_from_slice(self.0.get(start..end).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn size(&self) -> u64 {
        self.0.len() as u64
    }
}

#[test]
fn of_four_differing_copies_the_newest_authentic_one_counts() {
    let mut old = Builder::new(0x8004, 512);
    old.datums = vec![datum(7, 2, &utf16("old")), clear_key(1)];
    let mut new = old.clone();
    (new.next_nonce, new.datums[0]) = (11, datum(7, 2, &utf16("new")));
    let mut image = new.image();
    // Copy 0 is older; copy 1 claims to be newest and has the wrong hash.
    image[old.copies[0] as usize..][..65536].copy_from_slice(&old.metadata());
    let mut forged = new.metadata();
    let hashed = usize::from(u16::from_le_bytes([forged[8], forged[9]])) * 16;
    forged[0x60] = 99;
    let crc = crc32fast::hash(&forged[..hashed]);
    forged[hashed + 4..hashed + 8].copy_from_slice(&crc.to_le_bytes());
    image[old.copies[1] as usize..][..65536].copy_from_slice(&forged);
    let volume = Volume::open(MemoryDevice::new(image.clone())).unwrap();
    let volume = volume.unlock(&Credential::ClearKey).unwrap();
    assert!(all_of(&volume) == new.plain());
    assert_eq!(volume.metadata_bytes(), new.metadata());
    // With copy 2 unreadable, the older one is the only one left that can be trusted.
    let place = old.copies[2] as usize;
    let volume = Volume::open(Failing(image, place + 512..place + 1024)).unwrap();
    assert!(
        volume.info().copies[2]
            .problem
            .as_deref()
            .unwrap()
            .contains("medium error")
    );
    let volume = volume.unlock(&Credential::ClearKey).unwrap();
    assert_eq!(volume.metadata_bytes(), old.metadata());
}

#[test]
fn a_copy_that_names_other_places_than_the_boot_sector_is_no_copy() {
    let builder = Builder::new(0x8004, 512);
    let mut other = builder.clone();
    (other.copies[2], other.next_nonce) = (builder.copies[2] + 512, 99);
    let mut image = builder.image();
    image[builder.copies[1] as usize..][..65536].copy_from_slice(&other.metadata());
    let volume = Volume::open(MemoryDevice::new(image)).unwrap();
    let info = volume.info();
    assert_eq!(info.next_nonce, 10);
    assert_eq!(info.copies.map(|copy| copy.problem.is_some()), [false, true, false]);
}

#[test]
fn order_of_datums_and_datums_nobody_knows_make_no_difference_and_survive_changes() {
    let strange = [
        datum(0x1234, 0x4321, b"whatever"),
        datum(0x11, 7, &[9; 40]),
        datum(4, 0x13, &[1, 0, 0, 0]),
        datum(0xA, 0xB, &[3; 44]),
    ];
    let mut builder = Builder::new(0x8004, 512);
    builder.virtualization_first = true;
    builder.datums = vec![
        strange[0].clone(),
        clear_key(1),
        strange[1].clone(),
        datum(7, 2, &utf16("")),
        strange[2].clone(),
        strange[3].clone(),
    ];
    assert_view(builder.image(), &builder.plain());
    let volume = Volume::open(MemoryDevice::new(builder.image())).unwrap();
    assert_eq!(volume.info().description.as_deref(), Some(""));
    assert!(volume.info().boot_profile);
    let volume = volume.unlock(&Credential::ClearKey).unwrap();
    let mut rng = <rand_chacha::ChaCha20Rng as rand::SeedableRng>::seed_from_u64(4);
    let mut ctx = fve::Context {
        now: fve::FileTime(133_000_000_000_000_000),
        rng: &mut rng,
    };
    volume.add_recovery_password(&mut ctx, None, None).unwrap();
    let rewritten = volume.metadata_bytes();
    for datum in &strange {
        assert!(rewritten.windows(datum.len()).any(|window| window == datum.as_slice()));
    }
}

#[test]
fn each_of_several_passwords_and_passphrases_opens() {
    let passwords = [[3; 16], [4; 16]];
    let phrases = ["first", "zweiter Süßkram £", "第三🔑"];
    let mut builder = Builder::new(0x8004, 512);
    builder.datums = vec![stretched(10, 0x1001, passphrase_hash(phrases[0]), &[])];
    builder
        .datums
        .push(stretched(11, 0x1000, recovery_hash(passwords[0]), &[]));
    builder
        .datums
        .push(stretched(12, 0x1001, passphrase_hash(phrases[1]), &[]));
    builder.datums.push(external_key(13, [0x77; 32]));
    let name = datum(0, 2, &utf16("𝔑ame 🗝"));
    builder
        .datums
        .push(stretched(14, 0x1000, recovery_hash(passwords[1]), &[name]));
    builder
        .datums
        .push(stretched(15, 0x1001, passphrase_hash(phrases[2]), &[]));
    let open = || Volume::open(MemoryDevice::new(builder.image())).unwrap();
    for raw in passwords {
        open()
            .unlock(&Credential::RecoveryPassword(&RecoveryPassword::from_bytes(raw)))
            .unwrap();
    }
    for phrase in phrases {
        open()
            .unlock(&Credential::Passphrase(&Passphrase::new(phrase)))
            .unwrap();
    }
    open()
        .unlock(&Credential::ExternalKey(&ExternalKey::from_bytes([0x77; 32])))
        .unwrap();
    let wrong = open()
        .unlock(&Credential::Passphrase(&Passphrase::new("Second")))
        .unwrap_err();
    assert!(matches!(wrong, Error::WrongCredential));
    assert_eq!(open().protectors()[4].name.as_deref(), Some("𝔑ame 🗝"));
}

#[test]
fn protectors_that_cannot_be_opened_are_shown_with_their_parts() {
    let sealed_vmk = sealed(0, &[8; 32], &key(0, 0x2003, &[0x5A; 32]));
    let smart_card = protector(
        20,
        0x1000,
        1,
        &[
            datum(0, 0xC, &[1; 256]),
            datum(0xC, 0xD, &[2; 283]),
            datum(0, 0xE, &[3; 37]),
            sealed_vmk.clone(),
        ],
    );
    let mut pin = 0x2004_u16.to_le_bytes().to_vec();
    pin.extend_from_slice(&[0x04, 0]);
    pin.extend_from_slice(&[9; 16]);
    let tpm_pin = protector(
        21,
        0x0500,
        1,
        &[
            datum(0, 6, &[0x95, 8, 0, 0, 1, 2, 3]),
            datum(0, 3, &pin),
            sealed_vmk.clone(),
        ],
    );
    let mut salt = 0x1001_u16.to_le_bytes().to_vec();
    salt.extend_from_slice(&[0x40, 0]);
    salt.extend_from_slice(&[9; 16]);
    salt.extend_from_slice(&datum(0x14, 2, &utf16("PBKDF2_HMAC_SHA256")));
    salt.extend_from_slice(&datum(0x15, 1, &[0; 20]));
    salt.extend_from_slice(&datum(0, 0x14, &600_000_u64.to_le_bytes()));
    let pbkdf2 = protector(22, 0x2000, 1, &[datum(0, 3, &salt), sealed_vmk]);
    let counted = flagged(2, 8, 0x0305, &clear_key(23)[8..]);
    let mut builder = Builder::new(0x8004, 512);
    builder.datums = vec![smart_card, tpm_pin, pbkdf2, counted];
    builder
        .datums
        .push(sealed(0xE, &[0x5A; 32], &flagged(0, 2, 0, &utf16("Contoso"))));
    builder.datums.push(sealed(0xB, &[0x5A; 32], &key(0, 0x2002, &[1; 32])));
    let volume = Volume::open(MemoryDevice::new(builder.image())).unwrap();
    let info = volume.info();
    assert!(info.auto_unlock_keys && info.identification_field);
    let [card, pin, pbkdf2, counted] = info.protectors.as_slice() else {
        panic!()
    };
    assert_eq!(card.kind, ProtectorKind::PublicKey);
    assert_eq!(
        card.parts
            .iter()
            .map(|part| (part.role, part.kind, part.len))
            .collect::<Vec<_>>(),
        [(0, 0xC, 264), (0xC, 0xD, 291), (0, 0xE, 45), (0, 5, 80)]
    );
    assert_eq!(
        (pin.kind, pin.tpm.as_ref().unwrap().pcr_bitmap),
        (ProtectorKind::TpmPin, 0x895)
    );
    assert!(pin.stretch.as_ref().unwrap().enhanced_pin);
    let stretch = pbkdf2.stretch.clone().unwrap();
    assert_eq!(
        (stretch.algorithm.as_deref(), stretch.iterations),
        (Some("PBKDF2_HMAC_SHA256"), Some(600_000))
    );
    assert_eq!(counted.suspend_count, Some(3));
    let volume = volume.unlock(&Credential::ClearKey).unwrap();
    assert_eq!(volume.identification_field().as_deref(), Some("Contoso"));
}

#[test]
fn a_volume_beyond_four_terabytes_is_read_at_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("large.img");
    let size = (5_u64 << 40) + 4096;
    let builder = Builder::new(0x8004, 4096);
    let mut far = builder.clone();
    (far.size, far.watermark) = (size, size);
    far.copies[2] = (5 << 40) - 65536;
    let file = std::fs::OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .open(&path)
        .unwrap();
    file.set_len(size).unwrap();
    let write = |at: u64, bytes: &[u8]| std::os::unix::fs::FileExt::write_all_at(&file, bytes, at).unwrap();
    write(0, &far.boot_sector());
    far.copies.iter().for_each(|&copy| write(copy, &far.metadata()));
    let mut last = vec![0x42; 4096];
    far.encrypt(size - 4096, &mut last);
    write(size - 4096, &last);
    let volume = Volume::open(fve::io::FileDevice::open_read(&path).unwrap()).unwrap();
    assert_eq!((volume.info().percent, volume.info().copies[2].current), (100, true));
    let volume = volume.unlock(&Credential::ClearKey).unwrap();
    let mut read = [0; 100];
    volume.read_at(size - 100, &mut read).unwrap();
    assert_eq!(read, [0x42; 100]);
}
