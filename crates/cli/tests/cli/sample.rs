//! A small volume that four credentials open, for tests that need many of them.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use fve::io::MemoryDevice;
use fve::ntfs::Regions;
use fve::{
    Bek, Context, CreateOptions, ExternalKey, FileTime, Guid, NewProtector, Passphrase, Placement, RecoveryPassword,
    create,
};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use tempfile::TempDir;

pub(crate) const SIZE: usize = 1 << 20;
pub(crate) const PASSPHRASE: &str = "correct horse ünd Batterie";
pub(crate) const METADATA: [usize; 3] = [0x1_0000, 0x4_0000, 0x8_0000];
const HEADER: u64 = 0x2_0000;
const NOW: FileTime = FileTime(133_500_000_000_000_000);

/// A volume and what belongs to it.
pub(crate) struct Sample {
    pub(crate) image: Vec<u8>,
    pub(crate) plain: Vec<u8>,
    pub(crate) password: RecoveryPassword,
    pub(crate) bek: Vec<u8>,
}

/// The volume.
pub(crate) fn sample() -> &'static Sample {
    static SAMPLE: OnceLock<Sample> = OnceLock::new();
    SAMPLE.get_or_init(|| {
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        let mut inner = vec![0; SIZE];
        rng.fill_bytes(&mut inner);
        let regions = Regions {
            metadata: METADATA.map(|offset| offset as u64),
            header: HEADER,
            ice: 0xA_0000,
            log: 0,
        };
        let password = RecoveryPassword::generate(&mut rng);
        let passphrase = Passphrase::new(PASSPHRASE);
        let key = ExternalKey::from_bytes([0x5A; 32]);
        let options = CreateOptions {
            protectors: &[
                NewProtector::ClearKey,
                NewProtector::RecoveryPassword(&password),
                NewProtector::Passphrase(&passphrase),
                NewProtector::ExternalKey(&key),
            ],
            placement: Placement::At {
                regions,
                sector_size: 512,
                log_len: 0,
            },
            ..CreateOptions::default()
        };
        let mut ctx = Context {
            now: NOW,
            rng: &mut rng,
        };
        let volume = create(
            MemoryDevice::new(vec![0; SIZE]),
            &MemoryDevice::new(inner.clone()),
            &options,
            &mut ctx,
        )
        .expect("the sample can be made");
        let bek = Bek {
            protector: Guid::from_bytes_le([1; 16]),
            created: NOW,
            volume: None,
            key,
        };
        // What belongs to BitLocker reads as zeros.
        let mut plain = inner;
        for offset in METADATA {
            plain[offset..offset + 0x1_0000].fill(0);
        }
        plain[HEADER as usize..HEADER as usize + 8192].fill(0);
        Sample {
            image: volume.into_device().to_vec(),
            plain,
            password,
            bek: bek.to_bytes().to_vec(),
        }
    })
}

/// A folder with files in it.
pub(crate) struct Folder(pub(crate) TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("there is room for files"))
    }

    /// A folder with the sample as `volume.img`.
    pub(crate) fn with_sample() -> (Self, PathBuf) {
        let folder = Self::new();
        let image = folder.put("volume.img", &sample().image);
        (folder, image)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file.
    pub(crate) fn put(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.join(name);
        std::fs::write(&path, content).expect("a file can be written");
        path
    }
}

/// Gives a metadata area a right checksum again, so that what was changed reaches the parsers behind it.
pub(crate) fn mend_checksum(area: &mut [u8]) {
    let len = usize::from(u16::from_le_bytes([area[8], area[9]])) * 16;
    if len + 8 <= area.len() {
        let crc = crc32fast::hash(&area[..len]).to_le_bytes();
        area[len + 4..len + 8].copy_from_slice(&crc);
    }
}
