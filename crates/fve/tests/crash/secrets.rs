//! Protectors, and whether a volume opens with each of them.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use fve::{Credential, ExternalKey, Guid, Passphrase, ProtectorKind, RecoveryPassword, UnlockedVolume, Volume};

use crate::recorder::Recorder;

#[derive(Clone)]
pub(crate) enum Secret {
    Recovery(RecoveryPassword),
    Passphrase(Passphrase),
    External(ExternalKey),
    Clear,
}

impl Secret {
    fn credential(&self) -> Credential<'_> {
        match self {
            Self::Recovery(password) => Credential::RecoveryPassword(password),
            Self::Passphrase(passphrase) => Credential::Passphrase(passphrase),
            Self::External(key) => Credential::ExternalKey(key),
            Self::Clear => Credential::ClearKey,
        }
    }
}

/// The protectors that a volume has.
#[derive(Clone, Default)]
pub(crate) struct Protectors(pub(crate) Vec<(Guid, Secret)>);

impl Protectors {
    fn ids(&self) -> Vec<Guid> {
        let mut ids: Vec<_> = self.0.iter().map(|(id, _)| *id).collect();
        ids.sort_unstable();
        ids
    }

    pub(crate) fn of(&self, wanted: impl Fn(&Secret) -> bool) -> Option<(Guid, Secret)> {
        self.0.iter().rev().find(|(_, secret)| wanted(secret)).cloned()
    }

    pub(crate) fn remove(&mut self, id: Guid) {
        self.0.retain(|(other, _)| *other != id);
    }
}

/// Opens a volume that must have one of the `allowed` sets of protectors, and must open with each protector of it:
/// the volume, and which set it has.
pub(crate) fn open<'d>(
    disk: &'d Recorder,
    allowed: &[&Protectors],
) -> Result<(UnlockedVolume<&'d Recorder>, usize), String> {
    let volume = Volume::open(disk).map_err(|error| format!("it does not open: {error}"))?;
    let mut ids: Vec<_> = volume.protectors().iter().map(|info| info.id).collect();
    ids.sort_unstable();
    let which = allowed
        .iter()
        .position(|protectors| protectors.ids() == ids)
        .ok_or_else(|| format!("its protectors are neither the old nor the new ones: {ids:?}"))?;
    let area = volume.metadata_bytes();
    for (id, secret) in &allowed[which].0 {
        if !opens(disk, &area, *id, secret) {
            let kind = volume.protectors().iter().find(|info| info.id == *id).map(|info| info.kind);
            return Err(format!("{:?} {id} does not open it", kind.unwrap_or(ProtectorKind::Unknown(0))));
        }
    }
    let quick = allowed[which].of(|secret| matches!(secret, Secret::External(_) | Secret::Clear));
    let (_, secret) = quick.or_else(|| allowed[which].of(|_| true)).ok_or("no protectors")?;
    let unlocked = volume.unlock(&secret.credential()).map_err(|error| format!("it does not unlock: {error}"))?;
    Ok((unlocked, which))
}

/// Whether the protector in the metadata `area` opens with its secret. A million rounds of SHA-256 for every schedule
/// are too many; the same datum with the same secret gives the same key, so each is tried once.
fn opens(disk: &Recorder, area: &[u8], id: Guid, secret: &Secret) -> bool {
    static TRIED: LazyLock<Mutex<HashMap<Vec<u8>, bool>>> = LazyLock::new(Mutex::default);
    if matches!(secret, Secret::External(_) | Secret::Clear) {
        return unlocks(disk, secret);
    }
    let Some(datum) = datum(area, id) else {
        return false;
    };
    let known = |key: &[u8]| TRIED.lock().unwrap_or_else(PoisonError::into_inner).get(key).copied();
    known(datum).unwrap_or_else(|| {
        let opens = unlocks(disk, secret);
        TRIED.lock().unwrap_or_else(PoisonError::into_inner).insert(datum.to_vec(), opens);
        opens
    })
}

fn unlocks(disk: &Recorder, secret: &Secret) -> bool {
    Volume::open(disk).is_ok_and(|volume| volume.unlock(&secret.credential()).is_ok())
}

/// The bytes of a protector's datum: eight bytes of header, the GUID, the rest.
fn datum(area: &[u8], id: Guid) -> Option<&[u8]> {
    let at = area.windows(16).position(|window| window == id.as_bytes())?.checked_sub(8)?;
    let len = usize::from(u16::from_le_bytes([area[at], area[at + 1]]));
    area.get(at..at + len)
}
