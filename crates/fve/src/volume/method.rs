//! Choosing the encryption method late: a volume may be initialised, and its keys escrowed, before it is known how it
//! will be encrypted.

use super::open::Volume;
use super::status::ConversionStatus;
use super::unlocked::UnlockedVolume;
use crate::Error;
use crate::context::Context;
use crate::format::EncryptionMethod;
use crate::format::constants::{kind, role};
use crate::format::write::wrapped;
use crate::io::WriteAt;
use crate::keychain::Credential;

impl<D: WriteAt> UnlockedVolume<D> {
    /// Gives a volume on which nothing is encrypted another method, with a new volume encryption key. Its master key,
    /// protectors and GUID stay.
    ///
    /// # Errors
    /// [`Error::InvalidState`] as soon as anything is encrypted; [`Error::Unsupported`] for methods that are only read.
    pub fn change_method(self, ctx: &mut Context<'_>, method: EncryptionMethod) -> Result<Self, Error> {
        if self.conversion_status() != ConversionStatus::FullyDecrypted {
            return Err(Error::InvalidState("the method is fixed once anything is encrypted"));
        }
        if !method.can_create() {
            return Err(Error::Unsupported(EncryptionMethod::READ_ONLY));
        }
        if method == self.method() {
            return Ok(self);
        }
        let vmk = self.vmk.clone();
        self.update(ctx, |edit| {
            let fvek = edit.ctx.random::<64>();
            let nonce = edit.builder().nonces.draw()?;
            let key = &fvek[..method.key_len()];
            let datum = wrapped(role::FVEK, vmk.as_bytes(), nonce, method.number(), key);
            let place = edit
                .datums
                .iter()
                .position(|d| d.role == role::FVEK && d.kind == kind::AES_CCM)
                .ok_or(Error::NoKeys)?;
            edit.datums[place] = datum;
            edit.method = method.number();
            Ok(())
        })?;
        Volume::open(self.into_device())?.unlock(&Credential::Vmk(&vmk))
    }
}
