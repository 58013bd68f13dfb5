//! Metadata copies as evidence: one real volume's, with other names in it. They are sound and name volume and protector;
//! no password opens them, so proofs are recorded without being tried.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::ids::{ProtectorId, VolumeId};
use fve::io::MemoryDevice;
use fve::ntfs::Regions;
use fve::{Context, CreateOptions, FileTime, NewProtector, Placement, RecoveryPassword, create};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

const MIB: u64 = 1 << 20;

/// A metadata area and where its names are.
pub(super) struct Evidence {
    area: Vec<u8>,
    volume: Vec<usize>,
    protector: Vec<usize>,
    /// Where its CRC-32 is; it covers everything up to four bytes before.
    checksum: usize,
}

impl Evidence {
    /// Makes one volume.
    pub(super) fn new() -> Result<Self> {
        let area = metadata()?;
        let contents = fve::evidence_contents(&area)?;
        let protector = *contents.recovery_passwords.first().context("no recovery password")?;
        let mut found = Self {
            volume: places(&area, contents.volume.as_bytes()),
            protector: places(&area, protector.as_bytes()),
            checksum: 0,
            area,
        };
        let sound = |at: &usize| {
            let stored = found.area.get(*at..*at + 4);
            stored.is_some_and(|stored| stored == crc32(&found.area[..*at - 4]).to_le_bytes())
        };
        found.checksum = (4..16 * 1024).step_by(4).find(sound).context("no checksum")?;
        ensure!(!found.volume.is_empty() && !found.protector.is_empty(), "no names");
        Ok(found)
    }

    /// A copy of this volume with this recovery password, base64.
    pub(super) fn of(&self, volume: VolumeId, protector: ProtectorId) -> String {
        let mut area = self.area.clone();
        for (places, id) in [(&self.volume, volume.0), (&self.protector, protector.0)] {
            for at in places {
                area[*at..*at + 16].copy_from_slice(&id.to_bytes_le());
            }
        }
        let checksum = crc32(&area[..self.checksum - 4]).to_le_bytes();
        area[self.checksum..self.checksum + 4].copy_from_slice(&checksum);
        STANDARD.encode(area)
    }
}

fn places(area: &[u8], id: &[u8; 16]) -> Vec<usize> {
    let windows = area.windows(16).enumerate();
    windows.filter(|(_, bytes)| bytes == id).map(|(at, _)| at).collect()
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

fn metadata() -> Result<Vec<u8>> {
    let mut rng = ChaCha20Rng::from_seed([5; 32]);
    let password = RecoveryPassword::generate(&mut rng);
    let regions = Regions {
        metadata: [MIB, 2 * MIB, 3 * MIB],
        header: 4 * MIB,
        ice: 4 * MIB + 8192,
        log: 0,
    };
    let options = CreateOptions {
        protectors: &[NewProtector::RecoveryPassword(&password)],
        placement: Placement::At {
            regions,
            sector_size: 512,
            log_len: 0,
        },
        ..CreateOptions::default()
    };
    let zeros = || MemoryDevice::new(vec![0; 8 << 20]);
    let mut context = Context {
        now: FileTime(134_000_000_000_000_000),
        rng: &mut rng,
    };
    let device = Arc::new(zeros());
    create(Arc::clone(&device), &zeros(), &options, &mut context)?;
    Ok(fve::Volume::open(device)?.metadata_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn a_copy_names_the_volume_and_the_protector_and_is_sound() -> Result<()> {
        let (volume, protector) = (Uuid::from_u128(0xA1), Uuid::from_u128(0xB2));
        let copy = STANDARD.decode(Evidence::new()?.of(VolumeId(volume), ProtectorId(protector)))?;
        let contents = fve::evidence_contents(&copy)?;
        ensure!(contents.volume.as_bytes() == &volume.to_bytes_le());
        ensure!(contents.recovery_passwords.len() == 1);
        ensure!(contents.recovery_passwords[0].as_bytes() == &protector.to_bytes_le());
        Ok(())
    }
}
