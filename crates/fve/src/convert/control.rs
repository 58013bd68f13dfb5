//! Starting, pausing and turning a conversion.

use super::log::{ConversionMode, page};
use super::reencrypt::REENCRYPTING;
use crate::Error;
use crate::context::Context;
use crate::format::EncryptionMethod;
use crate::format::constants::state as number;
use crate::io::WriteAt;
use crate::volume::{ConversionStatus, State, UnlockedVolume};

impl<D: WriteAt> UnlockedVolume<D> {
    /// Begins to encrypt, or turns a decryption round; [`convert_step`](Self::convert_step) does the work.
    pub fn begin_encryption(&self, ctx: &mut Context<'_>, mode: ConversionMode) -> Result<(), Error> {
        let state = &mut *self.write_state();
        self.recover_state(state, ctx)?;
        match self.status_of(state) {
            ConversionStatus::EncryptionInProgress => Ok(()),
            ConversionStatus::FullyEncrypted => Err(Error::InvalidState("the volume is fully encrypted")),
            status if status.is_reencryption() => Err(Error::InvalidState(REENCRYPTING)),
            ConversionStatus::EncryptionPaused if self.method.can_create() => {
                self.set_states(state, ctx, number::SWITCHING, number::ENCRYPTED)
            }
            _ if !self.method.can_create() => Err(Error::Unsupported(EncryptionMethod::READ_ONLY)),
            _ => {
                let log = Self::log_of(state)?;
                self.write_view(state, log.page, &page(state.metadata.dataset.volume, mode))?;
                self.device.flush()?;
                self.set_states(state, ctx, number::SWITCHING, number::ENCRYPTED)
            }
        }
    }

    /// Begins to decrypt, or turns an encryption round; [`convert_step`](Self::convert_step) does the work.
    pub fn begin_decryption(&self, ctx: &mut Context<'_>) -> Result<(), Error> {
        let state = &mut *self.write_state();
        self.recover_state(state, ctx)?;
        match self.status_of(state) {
            ConversionStatus::DecryptionInProgress => Ok(()),
            ConversionStatus::FullyDecrypted => Err(Error::InvalidState("the volume is fully decrypted")),
            status if status.is_reencryption() => Err(Error::InvalidState(REENCRYPTING)),
            _ => {
                Self::log_of(state)?;
                self.set_states(state, ctx, number::SWITCHING, number::DECRYPTED)
            }
        }
    }

    /// Lets a conversion stand still. Every reader then sees the volume rightly.
    pub fn pause(&self, ctx: &mut Context<'_>) -> Result<(), Error> {
        let state = &mut *self.write_state();
        self.recover_state(state, ctx)?;
        if !self.status_of(state).in_progress() {
            return Err(Error::InvalidState("no conversion runs"));
        }
        let log = Self::log_of(state)?;
        self.make_durable(state)?;
        self.clear_ring(state, &log)?;
        let next = state.metadata.header.next_state;
        self.set_states(state, ctx, number::PAUSED, next)
    }

    /// Lets a paused conversion go on.
    pub fn resume_conversion(&self, ctx: &mut Context<'_>) -> Result<(), Error> {
        let state = &mut *self.write_state();
        match self.status_of(state) {
            status if status.is_paused() => {
                Self::log_of(state)?;
                let next = state.metadata.header.next_state;
                self.set_states(state, ctx, number::SWITCHING, next)
            }
            _ => Err(Error::InvalidState("no conversion is paused")),
        }
    }

    fn set_states(&self, state: &mut State, ctx: &mut Context<'_>, current: u16, next: u16) -> Result<(), Error> {
        self.update_state(state, ctx, |edit| {
            (edit.header.current_state, edit.header.next_state) = (current, next);
            Ok(())
        })
    }
}
