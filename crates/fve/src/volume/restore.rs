//! Putting metadata back from a backup: after it was lost or damaged on the disk.
//!
//! The wrong backup would make a good volume unreadable, so nothing is taken on trust: the credential has to open it and
//! its integrity hash has to hold, what is still sound on the disk must not contradict it, and its key has to decrypt
//! the inner file system.

use super::backup::MetadataBackup;
use super::copies::Copies;
use super::eow::EowMap;
use super::open::Volume;
use super::unlocked::UnlockedVolume;
use crate::Error;
use crate::context::Context;
use crate::format::Metadata;
use crate::format::constants::METADATA_LEN;
use crate::format::read::{BootSector, Layout, read_boot_sector};
use crate::format::write::boot_sector;
use crate::guid::Guid;
use crate::io::{ReadAt, WriteAt};
use crate::keychain::{Credential, check_integrity, volume_encryption_key, volume_master_key};
use crate::secret::VolumeMasterKey;

/// Why a backup is not restored. Nothing has been changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreRefusal {
    /// The disk holds another volume.
    #[error("the disk holds volume {disk} and the backup belongs to {backup}")]
    OtherVolume {
        /// On the disk.
        disk: Guid,
        /// In the backup.
        backup: Guid,
    },
    /// The device is not as long as the one that the backup was taken from.
    #[error("the device has {device} bytes and the backup is of one with {backup}")]
    Size {
        /// Length of the device.
        device: u64,
        /// Length when the backup was taken.
        backup: u64,
    },
    /// The volume was converted further, or its regions moved, since the backup was taken.
    #[error("since the backup was taken the volume changed: {what} was {backup} and is {disk}")]
    Changed {
        /// What differs.
        what: &'static str,
        /// In the backup.
        backup: u64,
        /// On the disk.
        disk: u64,
    },
    /// The volume was encrypted with a new key since.
    #[error("since the backup was taken the volume was encrypted with a new key")]
    OtherKey,
    /// The device begins with a file system in clear.
    #[error("the device begins with a file system that is not encrypted")]
    PlainFileSystem,
    /// The key of the backup makes no sense of what is on the disk.
    #[error("the key of the backup does not decrypt this disk: {0} is not found")]
    NothingDecrypted(&'static str),
    /// The first sector is lost and cannot be made anew.
    #[error("the first sector is lost, and a bare metadata area is not enough to make that of this layout")]
    BootSectorLost,
}

/// What a restoration would do. Nothing has been changed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct RestorePlan {
    /// The volume.
    pub volume: Guid,
    /// The file system that the backup's key decrypts, by its own signature.
    pub file_system: &'static str,
    /// What was found by decrypting.
    pub evidence: Vec<String>,
    /// The places of the metadata copies, each with what is there now.
    pub copies: Vec<(u64, String)>,
    /// What happens to the first sector.
    pub boot_sector: BootSectorPlan,
    /// Whether metadata on the disk is newer than the backup: protectors added since are lost, and those removed since
    /// come back.
    pub disk_is_newer: bool,
}

/// What happens to the first sector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BootSectorPlan {
    /// It is right and stays.
    Keep,
    /// It comes from the backup.
    FromBackup,
    /// It is made anew from the inner file system's.
    Rebuild,
}

impl RestorePlan {
    /// The plan for a person, a sentence each.
    #[must_use]
    pub fn describe(&self) -> Vec<String> {
        let mut lines = vec![format!("restore the metadata of volume {}", self.volume)];
        lines.extend(
            self.evidence
                .iter()
                .map(|found| format!("the backup's key fits: {found}")),
        );
        lines.extend(self.copies.iter().map(|(at, now)| {
            let end = at.saturating_add(METADATA_LEN as u64);
            format!("write the metadata copy at {at}..{end}, where there is now: {now}")
        }));
        lines.push(match self.boot_sector {
            BootSectorPlan::Keep => "leave the first sector as it is".to_owned(),
            BootSectorPlan::FromBackup => "write the first sector, from the backup".to_owned(),
            BootSectorPlan::Rebuild => "write the first sector, made anew".to_owned(),
        });
        if self.disk_is_newer {
            lines.push(
                "the disk's metadata is newer: protectors added since are lost, and those removed since open the volume \
                 again"
                    .to_owned(),
            );
        }
        lines
    }
}

/// Everything that is known once a restoration has been found to be right.
struct Ready {
    plan: RestorePlan,
    vmk: VolumeMasterKey,
    /// The whole first sector, unless the one there is right.
    first: Option<Vec<u8>>,
    /// Places of the copies: sound ones last, so that one is there at every instant.
    order: Vec<u64>,
    /// Higher than any counter seen on the disk or in the backup.
    next_nonce: u32,
}

/// Looks what [`restore_metadata`] would do. Only reads.
///
/// # Errors
/// [`Error::RestoreRefused`] says why the backup is not the right one; [`Error::WrongCredential`],
/// [`Error::IntegrityFailed`] and the like concern the backup itself.
pub fn restore_metadata_plan(
    device: &dyn ReadAt,
    backup: &MetadataBackup,
    credential: &Credential<'_>,
) -> Result<RestorePlan, Error> {
    Ok(prepare(device, backup, credential)?.plan)
}

/// Writes the metadata of `backup` to all three places, and the first sector where it is lost. `credential` has to open
/// the backup. The nonce counter goes on behind the highest that was ever seen.
///
/// # Errors
/// As [`restore_metadata_plan`]: nothing has been changed then.
pub fn restore_metadata<D: WriteAt>(
    device: D,
    backup: &MetadataBackup,
    credential: &Credential<'_>,
    ctx: &mut Context<'_>,
) -> Result<UnlockedVolume<D>, Error> {
    let ready = prepare(&device, backup, credential)?;
    let area = resigned(backup.metadata(), &ready.vmk, ready.next_nonce, ctx)?;
    for offset in ready.order {
        device.write_at(offset, &area)?;
        device.flush()?;
    }
    if let Some(first) = &ready.first {
        device.write_at(0, first)?;
        device.flush()?;
    }
    Volume::open(device)?.unlock(&Credential::Vmk(&ready.vmk))
}

/// The same datums with another counter, vouched for anew.
fn resigned(metadata: &Metadata, vmk: &VolumeMasterKey, next_nonce: u32, ctx: &Context<'_>) -> Result<Vec<u8>, Error> {
    let mut nonces = crate::crypto::ccm::NonceSource::new(ctx.now, next_nonce);
    let nonce = nonces.draw()?;
    let mut dataset = metadata.dataset;
    dataset.next_nonce = nonces.next();
    Ok(crate::format::write::metadata_area(
        &metadata.header,
        &dataset,
        &metadata.datums,
        vmk.as_bytes(),
        nonce,
    )?)
}

fn prepare(device: &dyn ReadAt, backup: &MetadataBackup, credential: &Credential<'_>) -> Result<Ready, Error> {
    let metadata = backup.metadata();
    let (vmk, _) = volume_master_key(metadata, credential)?;
    check_integrity(metadata, &vmk)?;
    if let Some(size) = backup.device_size().filter(|&size| size != device.size()) {
        return refused(RestoreRefusal::Size {
            device: device.size(),
            backup: size,
        });
    }
    let mut first = vec![0; backup.sector_size().ok_or(Error::Unsupported("the sector size"))? as usize];
    device.read_at(0, &mut first)?;
    let on_disk = first.first_chunk::<512>().and_then(|head| read_boot_sector(head).ok());
    if on_disk.is_none() && file_system(&first).is_some() {
        return refused(RestoreRefusal::PlainFileSystem);
    }
    let kept = on_disk.filter(|boot| boot.metadata == metadata.header.copies);
    if let Some(other) = on_disk.filter(|_| kept.is_none()) {
        for copy in Copies::read(device, &other).by_age() {
            compare(copy, metadata, &vmk)?;
        }
    }
    let boot = kept.or(backup.boot()).unwrap_or_else(|| plain_boot(backup));
    let copies = Copies::read(device, &boot);
    let sound = copies.by_age();
    for copy in &sound {
        compare(copy, metadata, &vmk)?;
    }
    let newest = sound.iter().map(|copy| copy.dataset.next_nonce).max().unwrap_or(0);
    let inner = inner_view(device, boot, metadata, &vmk)?;
    let (file_system, evidence) = probe(&inner)?;
    let boot_plan = match (kept, backup.boot()) {
        (Some(_), _) => BootSectorPlan::Keep,
        (None, Some(_)) => BootSectorPlan::FromBackup,
        (None, None) if backup.is_ordinary() => BootSectorPlan::Rebuild,
        (None, None) => return refused(RestoreRefusal::BootSectorLost),
    };
    let first = match boot_plan {
        BootSectorPlan::Keep => None,
        BootSectorPlan::FromBackup => backup.boot_sector().map(<[u8]>::to_vec),
        BootSectorPlan::Rebuild => Some(rebuilt(&inner, boot)?),
    };
    let infos = copies.infos(metadata);
    let mut order: Vec<_> = infos.iter().map(|info| (info.problem.is_none(), info.offset)).collect();
    order.sort_unstable_by_key(|(sound, _)| *sound);
    let plan = RestorePlan {
        volume: backup.volume(),
        file_system,
        evidence,
        copies: infos
            .iter()
            .map(|info| {
                let now = match (&info.problem, info.current) {
                    (Some(problem), _) => problem.clone(),
                    (None, true) => "the same".to_owned(),
                    (None, false) => "other sound metadata of this volume".to_owned(),
                };
                (info.offset, now)
            })
            .collect(),
        boot_sector: boot_plan,
        disk_is_newer: newest > metadata.dataset.next_nonce,
    };
    Ok(Ready {
        plan,
        vmk,
        first,
        order: order.into_iter().map(|(_, offset)| offset).collect(),
        next_nonce: newest.max(metadata.dataset.next_nonce),
    })
}

fn refused<T>(refusal: RestoreRefusal) -> Result<T, Error> {
    Err(Error::RestoreRefused(refusal))
}

/// Where the metadata says that it is itself.
fn plain_boot(backup: &MetadataBackup) -> BootSector {
    BootSector {
        layout: Layout::Fixed,
        sector_size: backup.sector_size().unwrap_or(512),
        metadata: backup.metadata().header.copies,
        eow_info: [0; 2],
    }
}

/// Sound metadata on the disk must not contradict the backup.
fn compare(disk: &Metadata, backup: &Metadata, vmk: &VolumeMasterKey) -> Result<(), Error> {
    if disk.dataset.volume != backup.dataset.volume {
        return refused(RestoreRefusal::OtherVolume {
            disk: disk.dataset.volume,
            backup: backup.dataset.volume,
        });
    }
    let (there, here) = (&disk.header, &backup.header);
    for (what, disk, backup) in [
        (
            "the encryption method",
            disk.dataset.method.into(),
            backup.dataset.method.into(),
        ),
        ("the state", there.current_state.into(), here.current_state.into()),
        (
            "the state worked towards",
            there.next_state.into(),
            here.next_state.into(),
        ),
        ("how far it is encrypted", there.state_offset, here.state_offset),
        (
            "the place of the relocated header",
            there.header_offset,
            here.header_offset,
        ),
        (
            "the length of the relocated header",
            there.header_sectors.into(),
            here.header_sectors.into(),
        ),
    ] {
        if disk != backup {
            return refused(RestoreRefusal::Changed { what, backup, disk });
        }
    }
    // Under another master key nothing can be compared; decrypting the file system decides then.
    if check_integrity(disk, vmk).is_ok() {
        let (theirs, ours) = (volume_encryption_key(disk, vmk)?, volume_encryption_key(backup, vmk)?);
        if theirs != ours {
            return refused(RestoreRefusal::OtherKey);
        }
    }
    Ok(())
}

/// The volume as it would be.
fn inner_view<'d>(
    device: &'d dyn ReadAt,
    boot: BootSector,
    metadata: &Metadata,
    vmk: &VolumeMasterKey,
) -> Result<UnlockedVolume<&'d dyn ReadAt>, Error> {
    let mut volume = Volume::from_parts(device, boot, metadata.clone())?;
    volume.eow = EowMap::read(device, &boot);
    UnlockedVolume::new(volume, vmk.clone())
}

/// The file system whose signature a first sector has.
fn file_system(first: &[u8]) -> Option<&'static str> {
    let has = |at: usize, text: &[u8]| first.get(at..at + text.len()) == Some(text);
    [
        (3, &b"NTFS    "[..], "NTFS"),
        (3, b"EXFAT   ", "exFAT"),
        (3, b"ReFS\0\0\0\0", "ReFS"),
        (0x52, b"FAT32   ", "FAT32"),
        (0x36, b"FAT1", "FAT"),
    ]
    .into_iter()
    .find_map(|(at, text, name)| has(at, text).then_some(name))
}

/// Looks for the inner file system through the backup's key: its first sector, and with NTFS two places far from it.
fn probe(inner: &dyn ReadAt) -> Result<(&'static str, Vec<String>), Error> {
    let mut first = [0; 512];
    inner.read_at(0, &mut first)?;
    let Some(name) = file_system(&first) else {
        return refused(RestoreRefusal::NothingDecrypted("a file system"));
    };
    let mut evidence = vec![format!("the relocated header holds the first sector of {name}")];
    if name == "NTFS" {
        let word = |at: usize| u64::from_le_bytes(first[at..at + 8].try_into().unwrap_or_default());
        let sector = u64::from(u16::from_le_bytes([first[0x0B], first[0x0C]]));
        // From 0x80 on the byte is a negative power of two.
        let cluster = match first[0x0D] {
            count @ 0..=0x80 => sector.saturating_mul(count.into()),
            power => sector.checked_shl(u32::from(power.wrapping_neg())).unwrap_or(0),
        };
        for (at, what) in [(0x30, "the first record of the MFT"), (0x38, "the mirror of the MFT")] {
            let mut signature = [0; 4];
            let offset = word(at).saturating_mul(cluster);
            if inner.read_at(offset, &mut signature).is_err() || &signature != b"FILE" {
                return refused(RestoreRefusal::NothingDecrypted(what));
            }
            evidence.push(format!("{what} is at {offset}"));
        }
    }
    Ok((name, evidence))
}

fn rebuilt(inner: &dyn ReadAt, boot: BootSector) -> Result<Vec<u8>, Error> {
    let mut first = [0; 512];
    inner.read_at(0, &mut first)?;
    let sector_size = u16::try_from(boot.sector_size).map_err(|_| Error::Unsupported("the sector size"))?;
    let mut sector = boot_sector(&first, sector_size, boot.metadata).to_vec();
    sector.resize(usize::from(sector_size), 0);
    Ok(sector)
}
