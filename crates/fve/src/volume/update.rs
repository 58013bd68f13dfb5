//! Changing the metadata: one change, three copies, safe against a crash between any two writes.

use super::unlocked::{State, UnlockedVolume};
use crate::Error;
use crate::context::Context;
use crate::crypto::ccm::NonceSource;
use crate::format::read::read_metadata;
use crate::format::write::metadata_area;
use crate::format::{BlockHeader, Datum};
use crate::io::{ReadAt, WriteAt};
use crate::protector::build::Builder;
use crate::secret::VolumeMasterKey;

/// A change under way: edit the parts, and they become the new metadata.
pub(crate) struct Edit<'a, 'c> {
    pub(crate) header: BlockHeader,
    pub(crate) datums: Vec<Datum>,
    /// Number of the encryption method.
    pub(crate) method: u16,
    pub(crate) ctx: &'a mut Context<'c>,
    nonces: NonceSource,
    /// What the new metadata is wrapped by.
    vmk: &'a VolumeMasterKey,
}

impl<'c> Edit<'_, 'c> {
    pub(crate) fn builder(&mut self) -> Builder<'_, 'c> {
        Builder {
            ctx: self.ctx,
            nonces: &mut self.nonces,
            vmk: self.vmk,
        }
    }
}

impl<D: WriteAt> UnlockedVolume<D> {
    /// Makes one change durable in all copies. When this fails before the first
    /// write nothing has changed; later, the volume has to be opened again.
    pub(super) fn update<T>(
        &self,
        ctx: &mut Context<'_>,
        change: impl FnOnce(&mut Edit<'_, '_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.update_state(&mut self.write_state(), ctx, change)
    }

    pub(crate) fn update_state<T>(
        &self,
        state: &mut State,
        ctx: &mut Context<'_>,
        change: impl FnOnce(&mut Edit<'_, '_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        // New metadata makes the records in the conversion log void, so what they say is carried out first.
        self.recover_state(state, ctx)?;
        self.update_under(state, &self.vmk, ctx, change)
    }

    /// An update that `vmk` vouches for from then on. The caller keeps the keys in step, and has seen to it that
    /// the conversion log holds nothing that is still needed.
    pub(crate) fn update_under<T>(
        &self,
        state: &mut State,
        vmk: &VolumeMasterKey,
        ctx: &mut Context<'_>,
        change: impl FnOnce(&mut Edit<'_, '_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if state.stale {
            return Err(Error::Stale);
        }
        let old = &state.metadata;
        let nonces = NonceSource::new(ctx.now, old.dataset.next_nonce);
        let mut edit = Edit {
            header: old.header,
            datums: old.datums.clone(),
            method: old.dataset.method,
            ctx,
            nonces,
            vmk,
        };
        let result = change(&mut edit)?;
        let Edit {
            header,
            datums,
            method,
            mut nonces,
            ..
        } = edit;
        let nonce = nonces.draw()?;
        let mut dataset = old.dataset;
        dataset.next_nonce = nonces.next();
        if method != dataset.method {
            (dataset.method, dataset.preferred_method) = (method, method);
        }
        let area = metadata_area(&header, &dataset, &datums, vmk.as_bytes(), nonce)?;
        let metadata = read_metadata(&area)?;
        if let Err(error) = self.write_copies(state, &area) {
            state.stale = true;
            return Err(error.into());
        }
        state.metadata = metadata;
        for copy in &mut state.copies {
            (copy.problem, copy.current) = (None, true);
        }
        self.refresh_zero(state);
        Ok(result)
    }

    /// Writes copy by copy, each durable before the next begins.
    fn write_copies(&self, state: &State, area: &[u8]) -> std::io::Result<()> {
        for index in state.write_order() {
            self.device.write_at(state.copies[index].offset, area)?;
            self.device.flush()?;
        }
        Ok(())
    }
}

impl State {
    /// The copies in the order in which they are written. At every instant at least one sound copy is on disk: when only
    /// one is current, it is written last.
    pub(super) fn write_order(&self) -> [usize; 3] {
        let mut order = [0, 1, 2];
        let sole = self.copies.iter().filter(|copy| copy.current).count() < 2;
        order.sort_by_key(|&index| sole && self.copies[index].current);
        order
    }
}

impl<D: ReadAt> UnlockedVolume<D> {
    pub(super) fn find(state: &State, id: crate::Guid) -> Result<(usize, crate::ProtectorInfo), Error> {
        crate::protector::list(&state.metadata)?
            .into_iter()
            .find(|(_, info)| info.id == id)
            .ok_or(Error::NoSuchProtector(id))
    }
}
