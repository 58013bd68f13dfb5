//! Protectors, and whether a volume opens with each of them.

use std::collections::HashSet;
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
    // What is said before unlocking is not vouched for yet; a copy torn in its signature loses only then.
    let quick = |secret: &&Secret| matches!(secret, Secret::External(_) | Secret::Clear);
    let secrets = || {
        allowed
            .iter()
            .flat_map(|protectors| protectors.0.iter().map(|(_, secret)| secret))
    };
    let slow = secrets().filter(|secret| !quick(secret));
    let mut refused = String::from("no protectors");
    let opened = secrets().filter(quick).chain(slow).find_map(|secret| {
        let unlocked = Volume::open(disk).and_then(|volume| volume.unlock(&secret.credential()));
        unlocked.map_err(|error| refused = error.to_string()).ok()
    });
    let volume = opened.ok_or_else(|| format!("it does not unlock: {refused}"))?;
    let infos = volume.protectors().map_err(|error| error.to_string())?;
    let mut ids: Vec<_> = infos.iter().map(|info| info.id).collect();
    ids.sort_unstable();
    let area = volume.metadata_bytes();
    let mut refused = format!("its protectors are neither the old nor the new ones: {ids:?}");
    'sets: for (which, protectors) in allowed.iter().enumerate().filter(|(_, set)| set.ids() == ids) {
        for (id, secret) in &protectors.0 {
            if let Err(error) = opens(disk, &area, *id, secret) {
                let kind = infos.iter().find(|info| info.id == *id).map(|info| info.kind);
                let kind = kind.unwrap_or(ProtectorKind::Unknown(0));
                refused = format!("{kind:?} {id} does not open it: {error}");
                continue 'sets;
            }
        }
        return Ok((volume, which));
    }
    Err(refused)
}

/// Whether the protector in the metadata `area` opens with its secret. A million rounds of SHA-256 for every schedule
/// are too many; the same datum with the same secret gives the same key, so each is tried once.
fn opens(disk: &Recorder, area: &[u8], id: Guid, secret: &Secret) -> Result<(), String> {
    static TRIED: LazyLock<Mutex<HashSet<Vec<u8>>>> = LazyLock::new(Mutex::default);
    let tried = || TRIED.lock().unwrap_or_else(PoisonError::into_inner);
    let datum = datum(area, id).ok_or("it is not there")?;
    if !tried().contains(datum) {
        unlocks(disk, secret)?;
        tried().insert(datum.to_vec());
    }
    Ok(())
}

fn unlocks(disk: &Recorder, secret: &Secret) -> Result<(), String> {
    let opened = Volume::open(disk).and_then(|volume| volume.unlock(&secret.credential()));
    opened.map(drop).map_err(|error| error.to_string())
}

/// The bytes of a protector's datum: eight bytes of header, the GUID, the rest.
fn datum(area: &[u8], id: Guid) -> Option<&[u8]> {
    let at = area
        .windows(16)
        .position(|window| window == id.as_bytes())?
        .checked_sub(8)?;
    let len = usize::from(u16::from_le_bytes([area[at], area[at + 1]]));
    area.get(at..at + len)
}
