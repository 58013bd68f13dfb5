//! The keys, datums and boot sector of a new volume.

use super::layout::Layout;
use crate::Error;
use crate::context::Context;
use crate::crypto::ccm::NonceSource;
use crate::format::constants::{HEADER_LEN, role};
use crate::format::read::{BootSector, read_boot_sector, read_metadata};
use crate::format::write::{boot_sector, metadata_area, unicode, virtualization, wrapped};
use crate::format::{BlockHeader, DatasetHeader, Datum, EncryptionMethod, ExtendedInfo, Metadata, VirtualizationInfo};
use crate::guid::Guid;
use crate::io::WriteAt;
use crate::protector::build::Builder;
use crate::secret::{ExternalKey, Passphrase, RecoveryPassword, VolumeMasterKey};

/// A protector that a new volume begins with.
#[derive(Clone, Copy, Debug)]
pub enum NewProtector<'a> {
    /// A recovery password.
    RecoveryPassword(&'a RecoveryPassword),
    /// A passphrase.
    Passphrase(&'a Passphrase),
    /// An external key.
    ExternalKey(&'a ExternalKey),
    /// A key in clear: the volume is encrypted but not protected yet.
    ClearKey,
}

impl NewProtector<'_> {
    fn build(&self, builder: &mut Builder<'_, '_>) -> Result<Datum, Error> {
        let id = Guid::random(builder.ctx.rng);
        match self {
            Self::RecoveryPassword(password) => builder.recovery_password(id, password, None),
            Self::Passphrase(passphrase) => builder.passphrase(id, passphrase, None),
            Self::ExternalKey(key) => builder.external_key(id, key, Some("ExternalKey")),
            Self::ClearKey => builder.clear_key(id, None),
        }
    }
}

/// What a new volume is to be.
pub(super) struct Plan<'a> {
    pub(super) method: EncryptionMethod,
    pub(super) description: Option<&'a str>,
    pub(super) protectors: &'a [NewProtector<'a>],
    /// `constants::state`, current and next alike.
    pub(super) state: u16,
    pub(super) watermark: u64,
}

/// Everything that lies on a new volume besides its data.
pub(super) struct Parts {
    pub(super) vmk: VolumeMasterKey,
    pub(super) metadata: Metadata,
    pub(super) boot: BootSector,
    boot_sector: Vec<u8>,
}

impl Parts {
    /// Draws the keys and builds the metadata. `inner` is the inner file system's boot sector.
    pub(super) fn new(
        layout: &Layout,
        plan: &Plan<'_>,
        inner: &[u8; 512],
        ctx: &mut Context<'_>,
    ) -> Result<Self, Error> {
        if !plan.method.can_create() {
            return Err(Error::Unsupported(EncryptionMethod::READ_ONLY));
        }
        let vmk = VolumeMasterKey::from_bytes(*ctx.random::<32>());
        let mut fvek = ctx.random::<64>();
        let fvek = &mut fvek[..plan.method.key_len()];
        let mut nonces = NonceSource::new(ctx.now, 1);
        let mut datums: Vec<Datum> = plan
            .description
            .map(|text| unicode(role::DESCRIPTION, text))
            .into_iter()
            .collect();
        let mut builder = Builder {
            ctx,
            nonces: &mut nonces,
            vmk: &vmk,
        };
        for protector in if plan.protectors.is_empty() {
            &[NewProtector::ClearKey]
        } else {
            plan.protectors
        } {
            datums.push(protector.build(&mut builder)?);
        }
        datums.push(wrapped(
            role::FVEK,
            vmk.as_bytes(),
            nonces.draw()?,
            plan.method.number(),
            fvek,
        ));
        datums.push(virtualization(&virtualization_info(layout)));
        let nonce = nonces.draw()?;
        let dataset = DatasetHeader {
            volume: Guid::random(ctx.rng),
            next_nonce: nonces.next(),
            method: plan.method.number(),
            preferred_method: plan.method.number(),
            created: ctx.now,
        };
        let area = metadata_area(&block_header(layout, plan), &dataset, &datums, vmk.as_bytes(), nonce)?;
        let boot_sector = whole_boot_sector(layout, inner);
        let head = boot_sector
            .first_chunk::<512>()
            .ok_or(Error::InvalidArgument("the sector size"))?;
        Ok(Self {
            vmk,
            metadata: read_metadata(&area)?,
            boot: read_boot_sector(head)?,
            boot_sector,
        })
    }

    /// Writes the three metadata copies, each durable before the next.
    pub(super) fn write_metadata(&self, device: &dyn WriteAt) -> Result<(), Error> {
        for offset in self.boot.metadata {
            device.write_at(offset, &self.metadata.area)?;
            device.flush()?;
        }
        Ok(())
    }

    /// Writes the boot sector: with its first 512 bytes the volume becomes a BitLocker volume, so the first write
    /// changes nothing else, even where a sector has 4096 of them. The rest of the outer header is wiped
    /// afterwards, for it is relocated.
    pub(super) fn write_boot(&self, device: &dyn WriteAt) -> Result<(), Error> {
        replace_head(device, &self.boot_sector)?;
        let mut header = self.boot_sector.clone();
        header.resize(usize::try_from(HEADER_LEN).map_err(std::io::Error::other)?, 0);
        let from = if self.boot_sector.len() == HEAD { HEAD } else { 0 };
        device.write_at(from as u64, &header[from..])?;
        Ok(device.flush()?)
    }
}

/// What every disk writes as a whole.
pub(super) const HEAD: usize = 512;

/// Makes the first 512 bytes of the device those of `sector`, durably, and changes nothing else.
pub(super) fn replace_head(device: &dyn WriteAt, sector: &[u8]) -> Result<(), Error> {
    let mut first = vec![0; sector.len()];
    device.read_at(0, &mut first)?;
    let head = HEAD.min(sector.len());
    first[..head].copy_from_slice(&sector[..head]);
    device.write_at(0, &first)?;
    Ok(device.flush()?)
}

fn whole_boot_sector(layout: &Layout, inner: &[u8; 512]) -> Vec<u8> {
    let sector_size = u16::try_from(layout.sector_size).unwrap_or(512);
    let mut sector = boot_sector(inner, sector_size, layout.regions.metadata).to_vec();
    sector.resize(usize::from(sector_size), 0);
    sector
}

fn virtualization_info(layout: &Layout) -> VirtualizationInfo {
    let log = if layout.log_len == 0 { 0 } else { layout.regions.log };
    let extended = ExtendedInfo::ours(layout.sector_size, layout.regions.ice, log, layout.log_len);
    VirtualizationInfo {
        header_offset: layout.regions.header,
        header_len: HEADER_LEN,
        extended: Some(extended),
    }
}

fn block_header(layout: &Layout, plan: &Plan<'_>) -> BlockHeader {
    BlockHeader {
        current_state: plan.state,
        next_state: plan.state,
        state_offset: plan.watermark,
        state_size: 0,
        header_sectors: if layout.sector_size == 4096 { 2 } else { 16 },
        copies: layout.regions.metadata,
        header_offset: layout.regions.header,
    }
}
