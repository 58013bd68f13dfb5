//! Re-encryption: from one volume encryption key to another, in place.
//!
//! Each chunk is decrypted with the old key and encrypted with the new one, and passes through the log as in every
//! conversion; it is never plain on the disk. Meanwhile the metadata holds both keys, under roles of ours, and the
//! method number is one that no other reader knows: each of them refuses the volume instead of reading half of
//! it wrongly. The last metadata update publishes the new method and key, and the old key is gone.

use super::log::{ConversionMode, page};
use crate::Error;
use crate::context::Context;
use crate::format::constants::{METHOD_REENCRYPTING, kind, role, state as number};
use crate::format::read::Bytes;
use crate::format::write::wrapped;
use crate::format::{Datum, EncryptionMethod, Metadata};
use crate::io::WriteAt;
use crate::keychain::{Credential, is_sector_key};
use crate::volume::{ConversionStatus, Edit, MasterKeyRotation, UnlockedVolume, Volume};

/// How a volume is to be re-encrypted.
#[derive(Clone, Copy, Debug)]
pub struct ReencryptOptions<'a> {
    /// `Full`, the default, leaves nothing on the disk that the old key opens. `UsedSpaceOnly` leaves free space as it
    /// is: whoever has the old key can still read old content there.
    pub mode: ConversionMode,
    /// Also give the volume a new master key, before all else. Together they revoke every old secret together with
    /// every old copy of the metadata.
    pub new_master_key: Option<MasterKeyRotation<'a>>,
}

impl Default for ReencryptOptions<'_> {
    fn default() -> Self {
        Self {
            mode: ConversionMode::Full,
            new_master_key: None,
        }
    }
}

/// The way of a re-encryption.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Reencryption {
    /// The method of the sectors that are still to be done.
    pub from: EncryptionMethod,
    /// The method of the sectors that are done.
    pub to: EncryptionMethod,
    /// Where the two meet: bytes from the front that are done.
    pub done_bytes: u64,
}

/// Length of the body of the describing datum: its version, the two methods.
const BODY_LEN: usize = 6;
const VERSION: u16 = 1;

impl Reencryption {
    /// From the metadata; `None` when the volume is not being re-encrypted.
    pub(crate) fn of(metadata: &Metadata) -> Option<Self> {
        (metadata.dataset.method == METHOD_REENCRYPTING)
            .then(|| Self::find(&metadata.datums, metadata.header.state_offset))
            .flatten()
    }

    fn find(datums: &[Datum], done_bytes: u64) -> Option<Self> {
        let datum = datums.iter().find(|datum| is_ours(datum))?;
        let body = Bytes::new(&datum.body, "the state of a re-encryption");
        let [from, to] = [2, 4].map(|at| EncryptionMethod::from_number(body.u16(at).ok()?));
        (body.u16(0).ok()? == VERSION).then_some(Self {
            from: from?,
            to: to?,
            done_bytes,
        })
    }

    fn datum(&self) -> Datum {
        let mut body = Vec::with_capacity(BODY_LEN);
        for field in [VERSION, self.from.number(), self.to.number()] {
            body.extend_from_slice(&field.to_le_bytes());
        }
        Datum::new(role::REENCRYPTION, kind::OURS, body)
    }
}

fn is_ours(datum: &Datum) -> bool {
    datum.role == role::REENCRYPTION && datum.kind == kind::OURS
}

impl<D: WriteAt> UnlockedVolume<D> {
    /// Begins to give the volume a new volume encryption key, for `method`, which may be the one it has;
    /// [`convert_step`](Self::convert_step) does the work. The volume can be read and written all the while, by this
    /// crate only. Master key and protectors stay.
    ///
    /// # Errors
    /// [`Error::InvalidState`] unless the volume is fully encrypted; [`Error::Unsupported`] for methods that are only
    /// read and for volumes without a conversion log of ours ([`adopt`](Self::adopt) gives them one); what
    /// [`rotate_master_key`](Self::rotate_master_key) says. Nothing has been changed then.
    pub fn begin_reencryption(
        mut self,
        ctx: &mut Context<'_>,
        method: EncryptionMethod,
        options: &ReencryptOptions<'_>,
    ) -> Result<Self, Error> {
        if !method.can_create() {
            return Err(Error::Unsupported(EncryptionMethod::READ_ONLY));
        }
        let from = self.method();
        self.recover(ctx)?;
        match self.conversion_status() {
            ConversionStatus::FullyEncrypted => {}
            status if status.is_reencryption() => return Err(Error::InvalidState(REENCRYPTING)),
            _ => return Err(Error::InvalidState("only a fully encrypted volume is re-encrypted")),
        }
        let log = Self::log_of(&self.state())?;
        if let Some(rotation) = &options.new_master_key {
            self.rotate_master_key(ctx, rotation)?;
        }
        {
            let state = &mut *self.write_state();
            self.write_view(state, log.page, &page(state.metadata.dataset.volume, options.mode))?;
            self.device.flush()?;
            self.update_state(state, ctx, |edit| edit.begin_reencryption(from, method))?;
        }
        let vmk = self.vmk.clone();
        Volume::open(self.into_device())?.unlock(&Credential::Vmk(&vmk))
    }
}

/// Why other conversions have to wait.
pub(super) const REENCRYPTING: &str = "the volume is being re-encrypted: that has to end first";

impl Edit<'_, '_> {
    fn begin_reencryption(&mut self, from: EncryptionMethod, to: EncryptionMethod) -> Result<(), Error> {
        let place = self
            .datums
            .iter()
            .position(|datum| datum.role == role::FVEK && is_sector_key(datum))
            .ok_or(Error::NoKeys)?;
        let fvek = self.ctx.random::<64>();
        let key = fvek.get(..to.key_len()).unwrap_or_default();
        let builder = self.builder();
        let next = wrapped(
            role::NEXT_FVEK,
            builder.vmk.as_bytes(),
            builder.nonces.draw()?,
            to.number(),
            key,
        );
        self.datums[place].role = role::PREVIOUS_FVEK;
        self.datums.insert(place + 1, next);
        let done_bytes = 0;
        self.datums
            .insert(place + 2, Reencryption { from, to, done_bytes }.datum());
        self.method = METHOD_REENCRYPTING;
        (self.header.current_state, self.header.next_state) = (number::SWITCHING, number::ENCRYPTED);
        self.header.state_offset = done_bytes;
        Ok(())
    }

    /// The new key is the key; the old one is forgotten.
    pub(super) fn end_reencryption(&mut self) -> Result<(), Error> {
        let way = Reencryption::find(&self.datums, 0).ok_or(Error::NoKeys)?;
        self.datums
            .retain(|datum| !(is_ours(datum) || (datum.role == role::PREVIOUS_FVEK && is_sector_key(datum))));
        let next = self
            .datums
            .iter_mut()
            .find(|datum| datum.role == role::NEXT_FVEK && is_sector_key(datum));
        next.ok_or(Error::NoKeys)?.role = role::FVEK;
        self.method = way.to.number();
        Ok(())
    }
}
