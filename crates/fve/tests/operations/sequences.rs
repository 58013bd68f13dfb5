//! Random sequences of operations on one small volume.

use fve::io::{MemoryDevice, WriteAt};
use fve::ntfs::Regions;
use fve::{
    Context, CreateOptions, Credential, FileTime, NewProtector, Passphrase, Placement, RecoveryPassword,
    UnlockedVolume, Volume, create,
};
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha20Rng;

pub(crate) const NOW: FileTime = FileTime(133_600_000_000_000_000);
const SIZE: usize = 1 << 20;

pub(crate) fn context(rng: &mut ChaCha20Rng) -> Context<'_> {
    Context { now: NOW, rng }
}

/// A volume of 1 MiB of noise, with a recovery password and a passphrase.
pub(crate) struct Small {
    pub(crate) rng: ChaCha20Rng,
    pub(crate) recovery: RecoveryPassword,
    device: Option<MemoryDevice>,
}

pub(crate) const PASSPHRASE: &str = "Größe \u{1F511} und ключ";

impl Small {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let mut noise = vec![0; SIZE];
        rng.fill_bytes(&mut noise);
        // The probe for a file system looks at these.
        noise[3..11].copy_from_slice(b"ReFS\0\0\0\0");
        let recovery = RecoveryPassword::generate(&mut rng);
        let options = CreateOptions {
            description: Some("MACHINE DATA"),
            protectors: &[
                NewProtector::RecoveryPassword(&recovery),
                NewProtector::Passphrase(&Passphrase::new(PASSPHRASE)),
            ],
            placement: Placement::At {
                regions: Regions {
                    metadata: [256 << 10, 384 << 10, 512 << 10],
                    header: 640 << 10,
                    ice: (640 << 10) + 8192,
                    log: 0,
                },
                sector_size: 512,
                log_len: 0,
            },
            ..CreateOptions::default()
        };
        let device = MemoryDevice::new(vec![0; SIZE]);
        let volume = create(device, &MemoryDevice::new(noise), &options, &mut context(&mut rng)).unwrap();
        volume.flush().unwrap();
        Self {
            rng,
            recovery,
            device: Some(volume.into_device()),
        }
    }

    /// The volume, once.
    pub(crate) fn unlock(&mut self) -> UnlockedVolume<MemoryDevice> {
        let device = self.device.take().unwrap();
        let credential = Credential::RecoveryPassword(&self.recovery);
        Volume::open(device).unwrap().unlock(&credential).unwrap()
    }
}
