//! Operations on protectors. Each is one atomic metadata update.

use super::unlocked::{State, UnlockedVolume};
use super::update::Edit;
use crate::Error;
use crate::context::Context;
use crate::format::Datum;
use crate::format::constants::{key_type, kind, role};
use crate::format::write::unicode;
use crate::guid::Guid;
use crate::io::{ReadAt, WriteAt};
use crate::keychain::wrapped_secret;
use crate::protector::build::{TpmSeal, clear_key_flags};
use crate::protector::{ProtectorInfo, ProtectorKind, list};
use crate::secret::{Bek, ExternalKey, Passphrase, RecoveryPassword};

impl<D: ReadAt> UnlockedVolume<D> {
    /// The protectors in their order on disk.
    pub fn protectors(&self) -> Result<Vec<ProtectorInfo>, Error> {
        Ok(list(&self.state().metadata)?
            .into_iter()
            .map(|(_, info)| info)
            .collect())
    }

    /// Reads back a recovery password, which the volume master key wraps a copy of.
    pub fn recovery_password(&self, id: Guid) -> Result<RecoveryPassword, Error> {
        let state = self.state();
        let datum = datum_of(&state, id, ProtectorKind::RecoveryPassword)?;
        let raw = wrapped_secret(datum, &self.vmk, kind::STRETCH, key_type::RECOVERY_PASSWORD);
        let raw = raw.and_then(|raw| raw.as_slice().try_into().ok());
        raw.map(RecoveryPassword::from_bytes)
            .ok_or(Error::Unsupported("a recovery password without a copy of itself"))
    }

    /// Reads back an external key.
    pub fn external_key(&self, id: Guid) -> Result<ExternalKey, Error> {
        let state = self.state();
        let datum = datum_of(&state, id, ProtectorKind::ExternalKey)?;
        let raw = wrapped_secret(datum, &self.vmk, kind::USE_KEY, key_type::EXTERNAL_KEY);
        let raw = raw.and_then(|raw| raw.as_slice().try_into().ok());
        raw.map(ExternalKey::from_bytes)
            .ok_or(Error::Unsupported("an external key without a copy of itself"))
    }

    /// The `.BEK` file of an external key protector, in the 156-byte form that every reader takes.
    pub fn bek(&self, id: Guid) -> Result<Bek, Error> {
        let created = Self::find(&self.state(), id)?.1.created;
        Ok(Bek {
            protector: id,
            created,
            volume: None,
            key: self.external_key(id)?,
        })
    }

    /// Whether protection is suspended: a clear key lies on the volume.
    pub fn is_suspended(&self) -> Result<bool, Error> {
        Ok(self
            .protectors()?
            .iter()
            .any(|info| info.kind == ProtectorKind::ClearKey))
    }

    /// Reboots until protection resumes; `None` when it is not suspended or stays so until resumed.
    pub fn suspend_count(&self) -> Result<Option<u8>, Error> {
        Ok(self.protectors()?.iter().find_map(|info| info.suspend_count))
    }
}

impl<D: WriteAt> UnlockedVolume<D> {
    /// Adds a recovery password, a new random one when none is given. Its GUID is the recovery key ID.
    pub fn add_recovery_password(
        &self,
        ctx: &mut Context<'_>,
        password: Option<&RecoveryPassword>,
        name: Option<&str>,
    ) -> Result<Guid, Error> {
        let drawn = password.cloned().unwrap_or_else(|| RecoveryPassword::generate(ctx.rng));
        self.update(ctx, |edit| {
            add(edit, |builder, id| builder.recovery_password(id, &drawn, name))
        })
    }

    /// Adds a passphrase.
    pub fn add_passphrase(
        &self,
        ctx: &mut Context<'_>,
        passphrase: &Passphrase,
        name: Option<&str>,
    ) -> Result<Guid, Error> {
        self.update(ctx, |edit| {
            add(edit, |builder, id| builder.passphrase(id, passphrase, name))
        })
    }

    /// Adds an external key, a new random one when none is given; [`bek`](Self::bek) gives its file.
    pub fn add_external_key(
        &self,
        ctx: &mut Context<'_>,
        key: Option<&ExternalKey>,
        name: Option<&str>,
    ) -> Result<Guid, Error> {
        let drawn = key.cloned().unwrap_or_else(|| ExternalKey::generate(ctx.rng));
        self.update(ctx, |edit| {
            add(edit, |builder, id| builder.external_key(id, &drawn, name))
        })
    }

    /// Adds a TPM or TPM+PIN protector: `blob` is what the TPM made of `key`. The blob's layout
    /// is this project's own, so Windows cannot open the volume by this protector.
    pub fn add_tpm(
        &self,
        ctx: &mut Context<'_>,
        kind: ProtectorKind,
        pcr_bitmap: u32,
        blob: &[u8],
        key: &[u8; 32],
    ) -> Result<Guid, Error> {
        check_tpm_kind(kind)?;
        let seal = TpmSeal {
            kind,
            pcr_bitmap,
            blob,
            key,
        };
        self.update(ctx, |edit| add(edit, |builder, id| builder.tpm(id, &seal, None)))
    }

    /// Seals anew: a TPM protector gets another object (new PIN, new PCR values) and keeps its GUID and kind.
    pub fn replace_tpm(
        &self,
        ctx: &mut Context<'_>,
        id: Guid,
        pcr_bitmap: u32,
        blob: &[u8],
        key: &[u8; 32],
    ) -> Result<(), Error> {
        let (index, info) = Self::find(&self.state(), id)?;
        check_tpm_kind(info.kind).map_err(|_| Error::WrongProtectorKind(id))?;
        let seal = TpmSeal {
            kind: info.kind,
            pcr_bitmap,
            blob,
            key,
        };
        self.update(ctx, |edit| {
            replace(edit, index, id, |edit| {
                edit.builder().tpm(id, &seal, info.name.as_deref())
            })
        })
    }

    /// Changes a passphrase; the protector keeps its GUID.
    pub fn change_passphrase(&self, ctx: &mut Context<'_>, id: Guid, passphrase: &Passphrase) -> Result<(), Error> {
        let (index, info) = Self::find(&self.state(), id)?;
        if info.kind != ProtectorKind::Passphrase {
            return Err(Error::WrongProtectorKind(id));
        }
        self.update(ctx, |edit| {
            replace(edit, index, id, |edit| {
                edit.builder().passphrase(id, passphrase, info.name.as_deref())
            })
        })
    }

    /// Removes one protector. The last one cannot be removed; which others must stay is for the caller to say.
    pub fn remove_protector(&self, ctx: &mut Context<'_>, id: Guid) -> Result<(), Error> {
        self.update(ctx, |edit| {
            let index = index_of(&edit.datums, id).ok_or(Error::NoSuchProtector(id))?;
            edit.datums.remove(index);
            has_protector(edit)
        })
    }

    /// Replaces a recovery password by a new one in one update: at no instant are both or neither valid.
    /// The new protector has a new GUID. Keys do not change: who kept the old password **and** the
    /// old metadata can still open the volume.
    pub fn rotate_recovery_password(&self, ctx: &mut Context<'_>, id: Guid) -> Result<(Guid, RecoveryPassword), Error> {
        let (index, info) = Self::find(&self.state(), id)?;
        if info.kind != ProtectorKind::RecoveryPassword {
            return Err(Error::WrongProtectorKind(id));
        }
        let password = RecoveryPassword::generate(ctx.rng);
        let new = self.update(ctx, |edit| {
            let new = Guid::random(edit.ctx.rng);
            replace(edit, index, id, |edit| {
                edit.builder().recovery_password(new, &password, info.name.as_deref())
            })?;
            Ok(new)
        })?;
        Ok((new, password))
    }

    /// Suspends protection: the key lies in clear until [`resume`](Self::resume), or for `reboot_count`
    /// reboots as counted by whoever counts them. Suspending a suspended volume sets the count.
    pub fn suspend(&self, ctx: &mut Context<'_>, reboot_count: Option<u8>) -> Result<(), Error> {
        if self.is_suspended()? {
            return self.set_suspend_count(ctx, reboot_count);
        }
        self.update(ctx, |edit| {
            add(edit, |builder, id| builder.clear_key(id, reboot_count)).map(|_| ())
        })
    }

    /// Ends suspension: the clear key goes. Fails when nothing else could open the volume.
    pub fn resume(&self, ctx: &mut Context<'_>) -> Result<(), Error> {
        if !self.is_suspended()? {
            return Ok(());
        }
        self.update(ctx, |edit| {
            edit.datums.retain(|datum| !is_clear_key(datum));
            has_protector(edit)
        })
    }

    /// Sets how many reboots a suspension lasts.
    pub fn set_suspend_count(&self, ctx: &mut Context<'_>, reboot_count: Option<u8>) -> Result<(), Error> {
        self.update(ctx, |edit| {
            let clear = edit.datums.iter_mut().find(|datum| is_clear_key(datum));
            clear.ok_or(Error::InvalidState("protection is not suspended"))?.flags = clear_key_flags(reboot_count);
            Ok(())
        })
    }

    /// Sets the description that Windows shows on the recovery screen.
    pub fn set_description(&self, ctx: &mut Context<'_>, description: &str) -> Result<(), Error> {
        self.update(ctx, |edit| {
            edit.datums.retain(|datum| datum.role != role::DESCRIPTION);
            edit.datums.insert(0, unicode(role::DESCRIPTION, description));
            Ok(())
        })
    }
}

type Build<'b, 'c> = crate::protector::build::Builder<'b, 'c>;

fn add(
    edit: &mut Edit<'_, '_>,
    build: impl FnOnce(&mut Build<'_, '_>, Guid) -> Result<Datum, Error>,
) -> Result<Guid, Error> {
    let id = Guid::random(edit.ctx.rng);
    let datum = build(&mut edit.builder(), id)?;
    // Windows keeps the virtualization datum last.
    let place = edit
        .datums
        .iter()
        .position(|datum| datum.role == role::VIRTUALIZATION && datum.body.len() > 16);
    edit.datums.insert(place.unwrap_or(edit.datums.len()), datum);
    Ok(id)
}

fn replace(
    edit: &mut Edit<'_, '_>,
    index: usize,
    id: Guid,
    build: impl FnOnce(&mut Edit<'_, '_>) -> Result<Datum, Error>,
) -> Result<(), Error> {
    if index_of(&edit.datums, id) != Some(index) {
        return Err(Error::NoSuchProtector(id));
    }
    edit.datums[index] = build(edit)?;
    Ok(())
}

fn is_protector(datum: &Datum) -> bool {
    datum.role == role::VMK_INFO && datum.kind == kind::VMK_INFO
}

fn is_clear_key(datum: &Datum) -> bool {
    let priority = datum.body.get(26..28).and_then(|word| <[u8; 2]>::try_from(word).ok());
    is_protector(datum)
        && priority
            .is_some_and(|word| ProtectorKind::from_priority(u16::from_le_bytes(word)) == ProtectorKind::ClearKey)
}

pub(super) fn index_of(datums: &[Datum], id: Guid) -> Option<usize> {
    datums
        .iter()
        .position(|datum| is_protector(datum) && datum.body.get(..16) == Some(id.as_bytes().as_slice()))
}

fn has_protector(edit: &Edit<'_, '_>) -> Result<(), Error> {
    if edit.datums.iter().any(is_protector) {
        Ok(())
    } else {
        Err(Error::LastProtector)
    }
}

fn check_tpm_kind(kind: ProtectorKind) -> Result<(), Error> {
    match kind {
        ProtectorKind::Tpm | ProtectorKind::TpmPin => Ok(()),
        _ => Err(Error::InvalidArgument(
            "only TPM and TPM+PIN protectors hold a sealed object",
        )),
    }
}

fn datum_of(state: &State, id: Guid, kind: ProtectorKind) -> Result<&Datum, Error> {
    let (index, info) = list(&state.metadata)?
        .into_iter()
        .find(|(_, info)| info.id == id)
        .ok_or(Error::NoSuchProtector(id))?;
    if info.kind == kind {
        Ok(&state.metadata.datums[index])
    } else {
        Err(Error::WrongProtectorKind(id))
    }
}
