//! The matrix: every method, both sector sizes, whole volume or used space only, every protector; created by us and judged
//! by cryptsetup, dislocker, libbde and dissect.
//!
//! The three slow secrets (a stretch of a million rounds each, in the readers' own speed) take turns over the sixteen
//! volumes. `CLAVIGER_FULL_MATRIX=1` tries every secret on every volume.

#![expect(clippy::unwrap_used, reason = "a test that cannot prepare its volume has to fail")]
#![expect(clippy::disallowed_macros, reason = "a failing test prints what the readers said")]

#[path = "../volumes/common/oracle.rs"]
mod oracle;
mod plain;
mod readers;

use std::path::Path;

use fve::io::{FileDevice, MemoryDevice, ReadAt};
use fve::ntfs;
use fve::{
    Context, CreateOptions, EncryptionMethod, ExternalKey, FileTime, NewProtector, Passphrase, Placement,
    ProtectorKind, RecoveryPassword, UnlockedVolume, create,
};
use oracle::Secret;
use plain::{compare_files, fill_free_space, free_places, lay_old_content, ntfs_with_files};
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use readers::Readers;
use sha2::{Digest, Sha256};

const SIZE: u64 = 8 << 20;
const ASCII: &str = "correct horse";
const OTHER: &str = "Größe ключ 鍵";

/// Which part of a volume is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    Full,
    UsedOnly,
}

/// One volume of the matrix: its number decides whose turn it is.
struct Cell {
    number: usize,
    method: EncryptionMethod,
    sector_size: u32,
    extent: Extent,
}

macro_rules! cells {
    ($($name:ident: $number:literal, $method:ident, $sector_size:literal, $extent:ident;)*) => {$(
        #[test]
        fn $name() {
            Cell {
                number: $number,
                method: EncryptionMethod::$method,
                sector_size: $sector_size,
                extent: Extent::$extent,
            }
            .check();
        }
    )*};
}

cells! {
    cbc_128_on_512_byte_sectors_is_read_by_all: 0, AesCbc128, 512, Full;
    cbc_128_on_512_byte_sectors_used_space_only_is_read_by_all: 1, AesCbc128, 512, UsedOnly;
    cbc_128_on_4096_byte_sectors_is_read_by_all: 2, AesCbc128, 4096, Full;
    cbc_128_on_4096_byte_sectors_used_space_only_is_read_by_all: 3, AesCbc128, 4096, UsedOnly;
    cbc_256_on_512_byte_sectors_is_read_by_all: 4, AesCbc256, 512, Full;
    cbc_256_on_512_byte_sectors_used_space_only_is_read_by_all: 5, AesCbc256, 512, UsedOnly;
    cbc_256_on_4096_byte_sectors_is_read_by_all: 6, AesCbc256, 4096, Full;
    cbc_256_on_4096_byte_sectors_used_space_only_is_read_by_all: 7, AesCbc256, 4096, UsedOnly;
    xts_128_on_512_byte_sectors_is_read_by_all: 8, AesXts128, 512, Full;
    xts_128_on_512_byte_sectors_used_space_only_is_read_by_all: 9, AesXts128, 512, UsedOnly;
    xts_128_on_4096_byte_sectors_is_read_by_all: 10, AesXts128, 4096, Full;
    xts_128_on_4096_byte_sectors_used_space_only_is_read_by_all: 11, AesXts128, 4096, UsedOnly;
    xts_256_on_512_byte_sectors_is_read_by_all: 12, AesXts256, 512, Full;
    xts_256_on_512_byte_sectors_used_space_only_is_read_by_all: 13, AesXts256, 512, UsedOnly;
    xts_256_on_4096_byte_sectors_is_read_by_all: 14, AesXts256, 4096, Full;
    xts_256_on_4096_byte_sectors_used_space_only_is_read_by_all: 15, AesXts256, 4096, UsedOnly;
}

impl Cell {
    fn check(&self) {
        let mut rng = ChaCha20Rng::seed_from_u64(self.number as u64);
        let directory = tempfile::tempdir().unwrap();
        let plain = directory.path().join("plain.img");
        let files = ntfs_with_files(&plain, self.sector_size, &mut rng);
        // Old content of free space: with used space only it must stay as it is.
        let free = fill_free_space(&plain, &mut rng);
        let inner = MemoryDevice::new(std::fs::read(&plain).unwrap());
        let recovery = RecoveryPassword::generate(&mut rng);
        let text = recovery.expose();
        let bek = directory.path().join("startup.BEK");

        // Readers try one passphrase of a volume, so there is a volume for each.
        let passphrase = [ASCII, OTHER][self.number / 2 % 2];
        for (passphrase, whole) in [(passphrase, true), ([ASCII, OTHER][(self.number / 2 + 1) % 2], false)] {
            if !whole && !every_secret() {
                break;
            }
            let image = directory.path().join("volume.img");
            std::fs::File::create(&image).unwrap().set_len(SIZE).unwrap();
            lay_old_content(&image, &free, &inner);
            let volume = self.create(&image, &inner, &recovery, passphrase, &mut rng);
            self.check_own_view(&volume, &inner, &free, &image);
            if self.number % 2 == 1 || every_secret() {
                add_tpm_protectors(&volume, &mut rng);
            }
            write_bek(&volume, &bek);
            let readers = Readers {
                image: &image,
                plain: all_of(&volume),
            };
            let turn = self.number % 3;
            if turn == 0 || every_secret() {
                readers.cryptsetup(Secret::Recovery(&text));
                readers.refuse(Secret::Recovery(
                    "000011-000022-000033-000044-000055-000066-000077-000088",
                ));
                readers.others(Secret::Recovery(&text), true);
            }
            if turn != 0 || every_secret() {
                // Of anything but ASCII cryptsetup 2.6 hashes zeros behind the passphrase (as many UTF-16 units as UTF-8 has
                // bytes), and dislocker 0.7.3 crashes.
                if passphrase.is_ascii() {
                    readers.cryptsetup(Secret::Passphrase(passphrase));
                }
                readers.others(Secret::Passphrase(passphrase), passphrase.is_ascii());
            }
            readers.cryptsetup(Secret::Bek(&bek));
            readers.others(Secret::Bek(&bek), true);
            // cryptsetup 2.6 refuses a suspended volume.
            volume.suspend(&mut context(&mut rng), Some(1)).unwrap();
            readers.others(Secret::Clear, true);
            volume.resume(&mut context(&mut rng)).unwrap();
            if whole {
                compare_files(&readers.plain, directory.path(), &files);
            }
        }
    }

    fn create(
        &self,
        image: &Path,
        inner: &MemoryDevice,
        recovery: &RecoveryPassword,
        passphrase: &str,
        rng: &mut ChaCha20Rng,
    ) -> UnlockedVolume<FileDevice> {
        let external = ExternalKey::generate(rng);
        let options = CreateOptions {
            method: self.method,
            description: Some("MACHINE DATA 24.11.2026"),
            protectors: &[
                NewProtector::RecoveryPassword(recovery),
                NewProtector::Passphrase(&Passphrase::new(passphrase)),
                NewProtector::ExternalKey(&external),
            ],
            placement: match self.extent {
                Extent::Full => free_places(inner, self.sector_size),
                Extent::UsedOnly => Placement::InFileSystem,
            },
            used_space_only: self.extent == Extent::UsedOnly,
        };
        create(
            FileDevice::open_write(image).unwrap(),
            inner,
            &options,
            &mut context(rng),
        )
        .unwrap()
    }

    /// Full: the view is the image with the regions as zeros. Used space only: everything in use is, and what was free is
    /// not even encrypted.
    fn check_own_view(
        &self,
        volume: &UnlockedVolume<FileDevice>,
        inner: &MemoryDevice,
        free: &[std::ops::Range<u64>],
        image: &Path,
    ) {
        let view = all_of(volume);
        match self.extent {
            Extent::Full => {
                let mut expected = inner.to_vec();
                let Placement::At { regions, .. } = free_places(inner, self.sector_size) else {
                    unreachable!("free_places gives places")
                };
                let mut clear = |at: u64, len: u64| expected[at as usize..(at + len) as usize].fill(0);
                regions.metadata.iter().for_each(|&at| clear(at, 65536));
                clear(regions.header, 8192);
                assert_eq!(Sha256::digest(&view), Sha256::digest(&expected), "the plain text");
            }
            Extent::UsedOnly => {
                let expected = inner.to_vec();
                let changed = ntfs::used_extents(inner)
                    .unwrap()
                    .into_iter()
                    .flat_map(|range| (range.start..range.end.min(SIZE)).step_by(4096))
                    .filter(|&at| view[at as usize..][..4096] != expected[at as usize..][..4096])
                    .count();
                // $Bitmap, the MFT and its mirror and bitmap, and System Volume Information.
                assert!(changed < 40, "{changed} clusters in use differ");
                let disk = std::fs::read(image).unwrap();
                let used = ntfs::used_extents(&MemoryDevice::new(view)).unwrap();
                let untouched = free
                    .iter()
                    .flat_map(|range| (range.start..range.end).step_by(4096))
                    .filter(|at| !used.iter().any(|used| used.contains(at)))
                    .inspect(|&at| assert!(disk[at as usize..][..4096] == expected[at as usize..][..4096], "{at}"))
                    .count();
                assert!(untouched > 100, "{untouched} free clusters looked at");
            }
        }
    }
}

fn every_secret() -> bool {
    std::env::var_os("CLAVIGER_FULL_MATRIX").is_some()
}

fn context(rng: &mut ChaCha20Rng) -> Context<'_> {
    Context {
        now: FileTime(133_700_000_000_000_000),
        rng,
    }
}

fn all_of(device: &dyn ReadAt) -> Vec<u8> {
    let mut bytes = vec![0; device.size() as usize];
    device.read_at(0, &mut bytes).unwrap();
    bytes
}

fn add_tpm_protectors(volume: &UnlockedVolume<FileDevice>, rng: &mut ChaCha20Rng) {
    for kind in [ProtectorKind::Tpm, ProtectorKind::TpmPin] {
        let id = volume
            .add_tpm(&mut context(rng), kind, 0x815, b"sealed object", &[5; 32])
            .unwrap();
        assert!(
            volume
                .protectors()
                .unwrap()
                .iter()
                .any(|info| info.id == id && info.tpm.is_some())
        );
    }
}

fn write_bek(volume: &UnlockedVolume<FileDevice>, path: &Path) {
    let infos = volume.protectors().unwrap();
    let external = infos
        .iter()
        .find(|info| info.kind == ProtectorKind::ExternalKey)
        .unwrap();
    let bytes = volume.bek(external.id).unwrap().to_bytes();
    assert_eq!(bytes.len(), 156);
    std::fs::write(path, bytes).unwrap();
}
