//! Opening what was found, in memory, and proving it by decryption.

use std::sync::Arc;

use super::examine::{AreaSource, Findings, Found, layout_of, look_at_boot};
use super::plan::{Plan, Step, replaced};
use super::proof::{Proof, inner_at};
use super::undo::Undo;
use super::window::Window;
use crate::Error;
use crate::context::Context;
use crate::crypto::ccm::NonceSource;
use crate::format::Metadata;
use crate::format::constants::{kind, role, state};
use crate::format::read::{BootSector, Layout, read_metadata, virtualization_info};
use crate::format::write::metadata_area;
use crate::guid::Guid;
use crate::io::{ReadAt, WriteAt};
use crate::keychain::{Credential, check_integrity, volume_encryption_key, volume_master_key};
use crate::secret::VolumeMasterKey;
use crate::volume::{UnlockedVolume, Volume, VolumeInfo};

/// How much of a volume is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Extent {
    /// All of it.
    Encrypted,
    /// Nothing.
    Plain,
    /// Everything below this offset.
    Watermark(u64),
}

/// What to open.
#[derive(Clone, Copy, Debug, Default)]
pub struct RescueOptions {
    /// Which volume, when several were found.
    pub volume: Option<Guid>,
    /// Use areas whose checksum or integrity hash is wrong. What cannot be vouched for then is in [`Proof::notes`].
    pub accept_damaged: bool,
    /// 512 or 4096, when the metadata does not tell.
    pub sector_size: Option<u32>,
    /// How much is encrypted, when a backup is too old to tell.
    pub extent: Option<Extent>,
}

/// A volume opened from what was found. Nothing has been written.
pub struct Rescue<D> {
    device: Arc<D>,
    options: RescueOptions,
    start: u64,
    candidates: Vec<Candidate>,
    /// The boot sector in place, if it can be used.
    boot: Option<BootSector>,
}

#[derive(Clone)]
struct Candidate {
    metadata: Metadata,
    boot: BootSector,
    /// The whole first sector, from a backup.
    boot_bytes: Option<Vec<u8>>,
    source: AreaSource,
    problem: Option<String>,
}

impl<D> std::fmt::Debug for Rescue<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rescue")
            .field("start", &self.start)
            .finish_non_exhaustive()
    }
}

/// Opens a volume of which something was found.
///
/// # Errors
/// [`Error::InvalidArgument`] when no volume, or not the wanted one, was found; [`Error::NoSoundMetadata`] when all there is
/// is damaged and [`RescueOptions::accept_damaged`] does not say to go on.
pub fn rescue<D: ReadAt>(device: D, findings: &Findings, options: &RescueOptions) -> Result<Rescue<D>, Error> {
    let wanted = |volume: &Guid| options.volume.is_none_or(|wanted| wanted == *volume);
    let volume = findings
        .volumes
        .iter()
        .find(|found| wanted(&found.volume))
        .ok_or(Error::InvalidArgument("no such volume was found on the device"))?;
    let mut areas: Vec<_> = findings
        .found
        .iter()
        .filter(|found| {
            found
                .metadata
                .as_ref()
                .is_some_and(|m| m.dataset.volume == volume.volume)
        })
        .filter(|found| options.accept_damaged || found.is_sound())
        .filter(|found| found.offset.is_none() || found.starts().contains(&volume.start))
        .collect();
    if areas.is_empty() {
        let problems = findings.found.iter().filter_map(|found| found.problem.clone());
        let mut problems = problems.chain(std::iter::repeat(String::new()));
        return Err(Error::NoSoundMetadata(Box::new(std::array::from_fn(|_| {
            problems.next().unwrap_or_default()
        }))));
    }
    // Sound before damaged, the device's own before backups, new before old.
    areas.sort_by_key(|found| {
        let age = found
            .metadata
            .as_ref()
            .map_or(0, |metadata| metadata.dataset.next_nonce);
        (!found.is_sound(), found.offset.is_none(), std::cmp::Reverse(age))
    });
    let eow = findings.scan.as_ref().map_or(&[][..], |scan| &scan.eow);
    let eow: Vec<u64> = eow
        .iter()
        .filter_map(|offset| offset.checked_sub(volume.start))
        .collect();
    let boot = if volume.start == 0 {
        findings.boot.sector
    } else {
        look_at_boot(&Window::new(&device, volume.start, u64::MAX)).sector
    };
    Ok(Rescue {
        candidates: areas
            .into_iter()
            .filter_map(|found| candidate(found, boot, &eow, options))
            .collect(),
        device: Arc::new(device),
        options: *options,
        start: volume.start,
        boot,
    })
}

fn candidate(found: &Found, boot: Option<BootSector>, eow: &[u64], options: &RescueOptions) -> Option<Candidate> {
    let metadata = found.metadata.clone()?;
    let backup = found.backup.as_ref();
    let in_place = boot.filter(|boot| boot.metadata == metadata.header.copies);
    let boot = in_place
        .or_else(|| backup.and_then(crate::volume::MetadataBackup::boot))
        .unwrap_or_else(|| BootSector {
            layout: layout_of(&metadata, eow),
            sector_size: sector_size_of(&metadata),
            metadata: metadata.header.copies,
            eow_info: [
                eow.first().copied().unwrap_or_default(),
                eow.get(1).copied().unwrap_or_default(),
            ],
        });
    let boot = BootSector {
        sector_size: options.sector_size.unwrap_or(boot.sector_size),
        ..boot
    };
    Some(Candidate {
        boot_bytes: backup.and_then(|backup| backup.boot_sector().map(<[u8]>::to_vec)),
        boot,
        source: found.source,
        problem: found.problem.clone(),
        metadata,
    })
}

/// What the metadata says of the sector size, without the boot sector.
fn sector_size_of(metadata: &Metadata) -> u32 {
    let info = virtualization_info(&metadata.datums).ok().flatten();
    let recorded = info
        .and_then(|info| info.extended)
        .map_or(0, |extended| extended.sector_size);
    let per_sector = info
        .and_then(|info| info.header_len.checked_div(metadata.header.header_sectors.into()))
        .unwrap_or(0);
    match (recorded, per_sector, metadata.header.header_sectors) {
        (4096, ..) | (0, 4096, _) | (0, 0, 2) => 4096,
        _ => 512,
    }
}

impl<D: ReadAt> Rescue<D> {
    /// What the best metadata says, as for any locked volume.
    ///
    /// # Errors
    /// When it points beyond the device.
    pub fn info(&self) -> Result<VolumeInfo, Error> {
        let best = self.best()?;
        Ok(Volume::from_parts(self.window(best), best.boot, best.metadata.clone())?.info())
    }

    /// Unlocks the volume and proves it: the first metadata that the credential opens, that its key vouches for
    /// (unless damaged metadata is accepted) and that lets the inner file system's boot sector appear.
    ///
    /// # Errors
    /// As for [`Volume::unlock`](crate::Volume::unlock).
    pub fn unlock(self, credential: &Credential<'_>) -> Result<Rescued<D>, Error> {
        let mut last = None;
        let mut unproven = None;
        let mut vmks: Vec<VolumeMasterKey> = Vec::new();
        for candidate in &self.candidates {
            // The key that one copy gave spares the slow way for the others.
            let known = vmks.iter().find_map(|vmk| {
                let credential = Credential::Vmk(vmk);
                volume_master_key(&candidate.metadata, &credential).ok()
            });
            let vmk = match known.map_or_else(|| volume_master_key(&candidate.metadata, credential), Ok) {
                Ok((vmk, _)) => vmk,
                Err(error) => {
                    last.get_or_insert(error);
                    continue;
                }
            };
            let found = self.open(candidate, &vmk);
            vmks.push(vmk);
            match found {
                Ok(rescued) if rescued.proof.inner.is_some() => return Ok(rescued),
                Ok(rescued) => _ = unproven.get_or_insert(rescued),
                Err(error) => _ = last.get_or_insert(error),
            }
        }
        unproven.ok_or_else(|| last.unwrap_or(Error::WrongCredential))
    }

    fn best(&self) -> Result<&Candidate, Error> {
        self.candidates
            .first()
            .ok_or(Error::InvalidArgument("nothing of the volume can be used"))
    }

    fn window(&self, candidate: &Candidate) -> Window<Arc<D>> {
        let header = &candidate.metadata.header;
        // The end of a lost partition is where the metadata says that the volume ends, and one sector for the
        // inner file system's own backup boot sector (BitLocker format notes §11.1).
        let len = if self.start != 0 && header.current_state == state::ENCRYPTED && header.state_offset != 0 {
            header.state_offset.saturating_add(candidate.boot.sector_size.into())
        } else {
            u64::MAX
        };
        Window::new(Arc::clone(&self.device), self.start, len)
    }

    fn open(&self, candidate: &Candidate, vmk: &VolumeMasterKey) -> Result<Rescued<D>, Error> {
        let mut proof = Proof::default();
        proof.notes.extend(
            candidate
                .problem
                .iter()
                .map(|problem| format!("the metadata is damaged: {problem}")),
        );
        match check_integrity(&candidate.metadata, vmk) {
            Ok(()) => proof.integrity = true,
            Err(_) if self.options.accept_damaged => proof.notes.push(
                "the integrity hash does not match: places, states and names in the metadata are not vouched for"
                    .to_owned(),
            ),
            Err(error) => return Err(error),
        }
        let mut metadata = candidate.metadata.clone();
        self.find_volume_key(&mut metadata, vmk, &mut proof)?;
        let extents = self.extents(candidate, &metadata);
        let sizes = self.sector_sizes(candidate);
        let mut best: Option<Rescued<D>> = None;
        let mut refused = None;
        for (extent, sector_size) in extents
            .iter()
            .flat_map(|extent| sizes.iter().map(move |size| (*extent, *size)))
        {
            let boot = BootSector {
                sector_size,
                ..candidate.boot
            };
            let changed = with_extent(&metadata, extent, self.window(candidate).size());
            let volume = Volume::from_parts(self.window(candidate), boot, changed.clone())
                .and_then(|volume| UnlockedVolume::new(volume, vmk.clone()));
            let volume = match volume {
                Ok(volume) => volume,
                // With the other sector size the places may not even be possible.
                Err(error) => {
                    refused.get_or_insert(error);
                    continue;
                }
            };
            let score = score(&volume);
            let rescued = Rescued {
                proof: Proof {
                    inner: inner_at(&volume, 0),
                    ..proof.clone()
                },
                plan: Plan::default(),
                new_header: extent.is_some(),
                boot_bytes: candidate.boot_bytes.clone(),
                metadata: changed,
                volume,
                score,
            };
            if best.as_ref().is_none_or(|best| score > best.score) {
                best = Some(rescued);
            }
        }
        let mut best = best.ok_or_else(|| refused.unwrap_or(Error::InvalidArgument("the sector size")))?;
        best.explain(candidate);
        let copies_lost = self
            .boot
            .is_none_or(|boot| boot.metadata != best.metadata.header.copies);
        best.make_plan(copies_lost);
        Ok(best)
    }

    /// A damaged volume key is taken from another area of the same volume: the master key opens it there.
    fn find_volume_key(&self, metadata: &mut Metadata, vmk: &VolumeMasterKey, proof: &mut Proof) -> Result<(), Error> {
        let Err(error) = volume_encryption_key(metadata, vmk) else {
            return Ok(());
        };
        let keys = self.candidates.iter().flat_map(|other| &other.metadata.datums);
        for datum in keys.filter(|datum| datum.role == role::FVEK && datum.kind == kind::AES_CCM) {
            let mut mended = metadata.clone();
            mended.datums.retain(|d| d.role != role::FVEK);
            mended.datums.push(datum.clone());
            if volume_encryption_key(&mended, vmk).is_ok() {
                proof
                    .notes
                    .push("the volume key was taken from another copy of the metadata".to_owned());
                *metadata = mended;
                return Ok(());
            }
        }
        Err(error)
    }

    /// What to try for how much is encrypted; `None` is what the metadata says.
    fn extents(&self, candidate: &Candidate, metadata: &Metadata) -> Vec<Option<Extent>> {
        if let Some(extent) = self.options.extent {
            return vec![Some(extent)];
        }
        let in_place = candidate.problem.is_none() && !matches!(candidate.source, AreaSource::Backup(_));
        if in_place || candidate.boot.layout == Layout::Eow || metadata.header.current_state == state::SWITCHING_DIRTY {
            return vec![None];
        }
        // What a backup says may be older than the volume: a conversion has ended since.
        vec![None, Some(Extent::Encrypted), Some(Extent::Plain)]
    }

    fn sector_sizes(&self, candidate: &Candidate) -> Vec<u32> {
        match self.options.sector_size {
            Some(size) => vec![size],
            None if self.boot.is_some() => vec![candidate.boot.sector_size],
            None if candidate.boot.sector_size == 4096 => vec![4096, 512],
            None => vec![512, 4096],
        }
    }
}

/// How much of the view shows what a file system has to show: its boot sector, and the backup of that at the end.
fn score<D: ReadAt>(volume: &UnlockedVolume<D>) -> u32 {
    let front = inner_at(volume, 0);
    let sector = u64::from(volume.sector_size());
    let back = volume
        .size()
        .checked_sub(sector)
        .and_then(|offset| inner_at(volume, offset));
    u32::from(front.is_some()) * 2 + u32::from(front.is_some() && back == front)
}

fn with_extent(metadata: &Metadata, extent: Option<Extent>, size: u64) -> Metadata {
    let mut changed = metadata.clone();
    let header = &mut changed.header;
    (header.current_state, header.next_state, header.state_offset) = match extent {
        None => return changed,
        Some(Extent::Encrypted) => (state::ENCRYPTED, state::ENCRYPTED, size),
        Some(Extent::Plain) => (state::DECRYPTED, state::DECRYPTED, 0),
        Some(Extent::Watermark(offset)) => (state::PAUSED, state::ENCRYPTED, offset),
    };
    changed
}

/// An unlocked volume with the proof that it is opened rightly, and the plan of what mending would write.
pub struct Rescued<D> {
    volume: UnlockedVolume<Window<Arc<D>>>,
    proof: Proof,
    plan: Plan,
    metadata: Metadata,
    new_header: bool,
    boot_bytes: Option<Vec<u8>>,
    score: u32,
}

impl<D> std::fmt::Debug for Rescued<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rescued")
            .field("proof", &self.proof)
            .field("plan", &self.plan)
            .finish_non_exhaustive()
    }
}

impl<D: ReadAt> Rescued<D> {
    /// The plain view: to be mounted, exported or salvaged from.
    pub fn volume(&self) -> &UnlockedVolume<Window<Arc<D>>> {
        &self.volume
    }

    /// The same, to keep.
    pub fn into_volume(self) -> UnlockedVolume<Window<Arc<D>>> {
        self.volume
    }

    /// What shows that it is opened rightly, and what cannot be vouched for.
    pub fn proof(&self) -> &Proof {
        &self.proof
    }

    /// What [`apply`](Self::apply) would write.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What now lies where the plan would write, to be saved before [`apply`](Self::apply).
    pub fn undo(&self) -> Undo {
        self.plan
            .undo(self.volume.device().device().as_ref(), self.volume.device().start())
    }

    fn explain(&mut self, candidate: &Candidate) {
        let header = self.metadata.header;
        if self.new_header {
            self.proof.notes.push(format!(
                "{} says that {} bytes are encrypted; decryption shows {}",
                source_name(candidate.source),
                candidate.metadata.header.state_offset,
                if header.current_state == state::ENCRYPTED {
                    "that all are"
                } else {
                    "that none is"
                },
            ));
        }
        if matches!(candidate.source, AreaSource::Backup(_)) {
            self.proof
                .notes
                .push("protectors changed after the backup was taken are as they were in it".to_owned());
        }
        if self.proof.inner.is_none() {
            self.proof
                .notes
                .push("no file system appears at the start of the plain view".to_owned());
        }
    }

    fn make_plan(&mut self, boot_lost: bool) {
        let window = self.volume.device();
        let area = &self.metadata.area;
        let mut steps = Vec::new();
        for (index, offset) in (0..).zip(self.metadata.header.copies) {
            if offset
                .checked_add(area.len() as u64)
                .is_none_or(|end| end > window.size())
            {
                continue;
            }
            let anew = if self.new_header {
                Some("what it says is older than the volume")
            } else if self.proof.integrity {
                None
            } else {
                Some("it is damaged")
            };
            if let Some(why) = replaced(window, offset, area).or_else(|| anew.map(str::to_owned)) {
                steps.push(Step::WriteCopy { index, offset, why });
            }
        }
        if boot_lost {
            let exact = self.boot_bytes.is_some();
            steps.push(Step::WriteBootSector { exact });
        }
        self.plan = Plan {
            start: window.start(),
            steps,
        };
    }

    fn boot_sector(&self) -> Vec<u8> {
        if let Some(bytes) = &self.boot_bytes {
            return bytes.clone();
        }
        let mut inner = [0; 512];
        // Without the inner boot sector its geometry fields stay zero, which every reader takes.
        let _ = self.volume.read_at(0, &mut inner);
        super::plan::boot_sector(&inner, self.volume.boot_sector())
    }
}

impl<D: WriteAt> Rescued<D> {
    /// Carries the plan out: metadata copies one by one, each durable before the next, the boot sector last.
    ///
    /// # Errors
    /// [`Error::InvalidState`] without proof that the volume is opened rightly, or when the metadata's key does not vouch
    /// for what would be written.
    pub fn apply(&self, ctx: &mut Context<'_>) -> Result<Undo, Error> {
        if self.proof.inner.is_none() {
            return Err(Error::InvalidState(
                "nothing proves yet that the volume is opened rightly",
            ));
        }
        if self.metadata.header.copies != self.volume.boot_sector().metadata {
            return Err(Error::InvalidState("the metadata does not agree with itself"));
        }
        let undo = self.undo();
        let device = self.volume.device();
        let area = self.area(ctx)?;
        for step in &self.plan.steps {
            match step {
                Step::WriteCopy { offset, .. } => device.write_at(*offset, &area)?,
                Step::WriteBootSector { .. } => device.write_at(0, &self.boot_sector())?,
            }
            device.flush()?;
        }
        Ok(undo)
    }

    /// The area to write: as it was found when its key vouches for it, and otherwise made anew, vouched for by the key.
    fn area(&self, ctx: &mut Context<'_>) -> Result<Vec<u8>, Error> {
        if self.proof.integrity && !self.new_header {
            return Ok(self.metadata.area.clone());
        }
        let mut nonces = NonceSource::new(ctx.now, self.metadata.dataset.next_nonce);
        let nonce = nonces.draw()?;
        let mut dataset = self.metadata.dataset;
        dataset.next_nonce = nonces.next();
        let vmk = self.volume.master_key();
        let area = metadata_area(
            &self.metadata.header,
            &dataset,
            &self.metadata.datums,
            vmk.as_bytes(),
            nonce,
        )?;
        read_metadata(&area)?;
        Ok(area)
    }
}

fn source_name(source: AreaSource) -> String {
    match source {
        AreaSource::Copy(index) => format!("metadata copy {index}"),
        AreaSource::Scan => "the metadata found by looking".to_owned(),
        AreaSource::Backup(index) => format!("backup {index}"),
        AreaSource::Reconstructed => "the metadata put together".to_owned(),
    }
}
