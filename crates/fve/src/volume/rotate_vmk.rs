//! A new volume master key: every protector, the volume encryption key and all else that the old one wraps is wrapped
//! anew, without asking anybody for a secret.
//!
//! It works because the VMK wraps copies of the protectors' secrets (BitLocker format notes §6). A protector is kept when
//! one of the keys that can be reached from the old VMK is seen to open it; nothing is assumed about its kind.
//!
//! Afterwards the old VMK opens nothing on the volume. It does not undo the past: sectors stay encrypted with the same
//! FVEK, which an **old metadata copy** still gives to whoever has a secret of that time. Only encrypting the volume
//! with a new key revokes that.

use zeroize::Zeroizing;

use super::plan::{MetadataTouched, ProtectorSummary, touched};
use super::unlocked::UnlockedVolume;
use super::update::Edit;
use crate::Error;
use crate::context::Context;
use crate::crypto::ccm;
use crate::crypto::stretch::{recovery_hash, stretch};
use crate::format::Datum;
use crate::format::constants::{key_type, kind, nesting_offset, role};
use crate::format::read::{Bytes, key_of, nested, parse_key};
use crate::format::write::{key, rewrapped, with_nested, wrapped};
use crate::guid::Guid;
use crate::io::{ReadAt, WriteAt};
use crate::keychain::is_sector_key;
use crate::protector;
use crate::secret::{RecoveryPassword, VolumeMasterKey};

/// What a rotation of the master key needs from outside.
#[derive(Clone, Copy, Debug, Default)]
pub struct MasterKeyRotation<'a> {
    /// For protectors of which the volume holds no copy of the secret: what a TPM unsealed, by protector.
    pub keys: &'a [(Guid, ProtectorKey<'a>)],
    /// Protectors to give up.
    pub drop: &'a [Guid],
}

/// A protector's 32-byte key, which wraps the VMK.
#[derive(Clone, Copy)]
pub struct ProtectorKey<'a>(pub &'a [u8; 32]);

impl std::fmt::Debug for ProtectorKey<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

/// What a rotation of the master key would do. Nothing has been changed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct MasterKeyRotationPlan {
    /// Protectors that stay as they are for their users, GUID, name and secret.
    pub kept: Vec<ProtectorSummary>,
    /// Clear keys: they stay, with a new key in clear.
    pub redrawn: Vec<ProtectorSummary>,
    /// Protectors that cannot be kept unless their key is passed in.
    pub key_needed: Vec<ProtectorSummary>,
    /// Further data wrapped by the VMK, which is wrapped anew: role and type of each datum.
    pub rewrapped: Vec<(u16, u16)>,
    /// Wrapped data that the VMK does not open. They stay untouched.
    pub not_opened: Vec<(u16, u16)>,
    /// Keys in clear at the top of the metadata that hold the old VMK. They go.
    pub removed: Vec<(u16, u16)>,
    /// What is written.
    pub touched: MetadataTouched,
}

impl MasterKeyRotationPlan {
    /// The plan for a person, a sentence each.
    #[must_use]
    pub fn describe(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut list = |text: &str, protectors: &[ProtectorSummary]| {
            lines.extend(protectors.iter().map(|protector| format!("{text}: {protector}")));
        };
        list("keep, with the same secret", &self.kept);
        list("keep, with a new key in clear", &self.redrawn);
        list("cannot be kept unless its key is given", &self.key_needed);
        let mut list = |text: &str, datums: &[(u16, u16)]| {
            let name = |&(role, kind): &(u16, u16)| format!("{text}: {}", datum_name(role, kind));
            lines.extend(datums.iter().map(name));
        };
        list("wrap anew", &self.rewrapped);
        list("leave as it is, for the master key does not open it", &self.not_opened);
        list("remove, for it holds the old master key in clear", &self.removed);
        lines.extend(self.touched.describe());
        lines
    }
}

fn datum_name(role: u16, kind: u16) -> String {
    match role {
        role::FVEK | role::NEXT_FVEK => "the volume encryption key".to_owned(),
        role::PREVIOUS_FVEK => "the previous volume encryption key".to_owned(),
        role::AUTO_UNLOCK => "the auto-unlock key".to_owned(),
        role::IDENTIFICATION => "the identification field".to_owned(),
        _ => format!("a datum with role {role:#x} and type {kind:#x}"),
    }
}

impl<D: ReadAt> UnlockedVolume<D> {
    /// What [`rotate_master_key`](Self::rotate_master_key) would do.
    pub fn rotate_master_key_plan(&self, rotation: &MasterKeyRotation<'_>) -> Result<MasterKeyRotationPlan, Error> {
        let state = self.state();
        let mut plan = MasterKeyRotationPlan {
            kept: Vec::new(),
            redrawn: Vec::new(),
            key_needed: Vec::new(),
            rewrapped: Vec::new(),
            not_opened: Vec::new(),
            removed: Vec::new(),
            touched: touched(&state, 0)?,
        };
        let infos = protector::list(&state.metadata)?;
        for id in rotation.drop.iter().chain(rotation.keys.iter().map(|(id, _)| id)) {
            if !infos.iter().any(|(_, info)| info.id == *id) {
                return Err(Error::NoSuchProtector(*id));
            }
        }
        let mut after = 0_usize;
        for (index, datum) in state.metadata.datums.iter().enumerate() {
            let info = infos.iter().find(|(place, _)| *place == index).map(|(_, info)| info);
            after += datum.len();
            if let Some(info) = info {
                if rotation.drop.contains(&info.id) {
                    after -= datum.len();
                    continue;
                }
                let list = match Way::find(datum, &self.vmk, supplied(rotation, info.id))? {
                    None => &mut plan.key_needed,
                    Some(Way::Clear) => &mut plan.redrawn,
                    Some(Way::Key(_)) => &mut plan.kept,
                };
                list.push(ProtectorSummary::from(info));
            } else if holds_vmk_in_clear(datum) {
                after -= datum.len();
                plan.removed.push((datum.role, datum.kind));
            } else {
                match reach(datum, &self.vmk) {
                    Some(true) => plan.rewrapped.push((datum.role, datum.kind)),
                    Some(false) => plan.not_opened.push((datum.role, datum.kind)),
                    None => {}
                }
            }
        }
        plan.touched = touched(&state, after)?;
        Ok(plan)
    }
}

impl<D: WriteAt> UnlockedVolume<D> {
    /// Gives the volume a new master key, in one atomic metadata update. Protectors keep their GUIDs, names, secrets,
    /// places and backup records; a suspended volume stays suspended, with a new key in clear.
    ///
    /// What its owner derived from the old key ([`VolumeMasterKey::derive`]) is to be derived again.
    ///
    /// ```
    /// use fve::io::MemoryDevice;
    /// use fve::{Context, CreateOptions, Credential, ExternalKey, FileTime, MasterKeyRotation, NewProtector, Placement, Volume};
    /// # use rand::SeedableRng;
    /// # fn main() -> Result<(), fve::Error> {
    /// # let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(1);
    /// let mut ctx = Context { now: FileTime(133_600_000_000_000_000), rng: &mut rng };
    /// let key = ExternalKey::generate(ctx.rng);
    /// # let regions = fve::ntfs::Regions { metadata: [65536, 131072, 196608], header: 262144, ice: 270336, log: 0 };
    /// # let placement = Placement::At { regions, sector_size: 512, log_len: 0 };
    /// let options = CreateOptions { protectors: &[NewProtector::ExternalKey(&key)], placement, ..CreateOptions::default() };
    /// let plain = MemoryDevice::new(vec![0; 1 << 20]);
    /// let mut volume = fve::create(MemoryDevice::new(vec![0; 1 << 20]), &plain, &options, &mut ctx)?;
    ///
    /// let old = volume.master_key().clone();
    /// let nothing = MasterKeyRotation::default();
    /// for line in volume.rotate_master_key_plan(&nothing)?.describe() {
    ///     // "keep, with the same secret: external key {…}", "write the metadata copy at …"
    ///     assert!(!line.is_empty());
    /// }
    /// volume.rotate_master_key(&mut ctx, &nothing)?;
    ///
    /// let device = volume.into_device();
    /// assert!(Volume::open(&device)?.unlock(&Credential::ExternalKey(&key)).is_ok());
    /// assert!(Volume::open(&device)?.unlock(&Credential::Vmk(&old)).is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::ProtectorsNeedKeys`] names the protectors whose key is neither on the volume nor passed in: nothing has
    /// been changed then. [`Error::WrongProtectorKey`] when a key that was passed in does not open its protector.
    pub fn rotate_master_key(&mut self, ctx: &mut Context<'_>, rotation: &MasterKeyRotation<'_>) -> Result<(), Error> {
        let plan = self.rotate_master_key_plan(rotation)?;
        let wrong = plan.key_needed.iter().find(|p| supplied(rotation, p.id).is_some());
        if let Some(protector) = wrong {
            return Err(Error::WrongProtectorKey(protector.id));
        }
        if !plan.key_needed.is_empty() {
            return Err(Error::ProtectorsNeedKeys(plan.key_needed));
        }
        if plan.kept.is_empty() && plan.redrawn.is_empty() {
            return Err(Error::LastProtector);
        }
        let new = VolumeMasterKey::from_bytes(*ctx.random::<32>());
        let old = &self.vmk;
        self.recover(ctx)?;
        self.update_under(&mut self.write_state(), &new, ctx, |edit| {
            let datums = std::mem::take(&mut edit.datums);
            for datum in datums {
                if let Some(datum) = rotated(edit, datum, old, &new, rotation)? {
                    edit.datums.push(datum);
                }
            }
            has_fvek(&edit.datums, &new)
        })?;
        self.vmk = new;
        Ok(())
    }
}

/// One top-level datum under the new VMK; `None` when it goes.
fn rotated(
    edit: &mut Edit<'_, '_>,
    datum: Datum,
    old: &VolumeMasterKey,
    new: &VolumeMasterKey,
    rotation: &MasterKeyRotation<'_>,
) -> Result<Option<Datum>, Error> {
    if datum.role != role::VMK_INFO || datum.kind != kind::VMK_INFO {
        let gone = holds_vmk_in_clear(&datum);
        return if gone {
            Ok(None)
        } else {
            rewrap(edit, datum, old, new).map(Some)
        };
    }
    let id = Bytes::new(&datum.body, "a protector").guid(0)?;
    if rotation.drop.contains(&id) {
        return Ok(None);
    }
    let way = Way::find(&datum, old, supplied(rotation, id))?.ok_or(Error::WrongProtectorKey(id))?;
    let mut inner = Vec::new();
    let protector_key = match &way {
        Way::Key(key) => key.clone(),
        Way::Clear => edit.ctx.random::<32>(),
    };
    for child in nested(&datum)? {
        let opened = match &way {
            Way::Key(key) => opens_vmk(&child, key),
            Way::Clear => child.kind == kind::AES_CCM,
        };
        let is_clear_key = key_of(&child).is_ok_and(|key| key.key_type == key_type::CLEAR_KEY);
        inner.push(if opened {
            let nonce = edit.builder().nonces.draw()?;
            let mut copy = wrapped(child.role, &protector_key, nonce, key_type::VMK, new.as_bytes());
            copy.flags = child.flags;
            copy
        } else if matches!(way, Way::Clear) && is_clear_key {
            let mut lying_open = key(child.role, key_type::CLEAR_KEY, protector_key.as_slice());
            lying_open.flags = child.flags;
            lying_open
        } else {
            rewrap(edit, child, old, new)?
        });
    }
    Ok(Some(with_nested(&datum, &inner)?))
}

/// Wraps anew whatever in `datum` the old VMK opens, at any depth.
fn rewrap(edit: &mut Edit<'_, '_>, datum: Datum, old: &VolumeMasterKey, new: &VolumeMasterKey) -> Result<Datum, Error> {
    if datum.kind == kind::AES_CCM {
        return match ccm::unwrap(old.as_bytes(), &datum.body) {
            None => Ok(datum),
            Some(plain) => {
                let nonce = edit.builder().nonces.draw()?;
                Ok(rewrapped(&datum, new.as_bytes(), nonce, &plain))
            }
        };
    }
    let inner = nested(&datum).unwrap_or_default();
    if inner.is_empty() {
        return Ok(datum);
    }
    let inner: Result<Vec<_>, Error> = inner.into_iter().map(|child| rewrap(edit, child, old, new)).collect();
    Ok(with_nested(&datum, &inner?)?)
}

/// How the key of a protector is come by.
enum Way {
    /// It lies in clear, and is to be drawn anew.
    Clear,
    /// This is the key.
    Key(Zeroizing<[u8; 32]>),
}

impl Way {
    /// Looks for a key that is seen to open the protector.
    fn find(datum: &Datum, vmk: &VolumeMasterKey, supplied: Option<&[u8; 32]>) -> Result<Option<Self>, Error> {
        let inner = nested(datum)?;
        let opens = |key: &[u8; 32]| inner.iter().any(|child| opens_vmk(child, key));
        let clear = inner
            .iter()
            .filter_map(|child| key_of(child).ok())
            .filter(|key| key.key_type == key_type::CLEAR_KEY)
            .filter_map(|key| <[u8; 32]>::try_from(key.key.as_slice()).ok().map(Zeroizing::new));
        if clear.into_iter().any(|key| opens(&key)) {
            return Ok(Some(Self::Clear));
        }
        let mut reached = Vec::new();
        inner.iter().for_each(|child| secrets(child, vmk, None, &mut reached));
        let direct = reached.iter().filter_map(Secret::key);
        let supplied = supplied.map(|key| Zeroizing::new(*key));
        if let Some(key) = supplied.into_iter().chain(direct).find(|key| opens(key)) {
            return Ok(Some(Self::Key(key)));
        }
        // Windows 7 keeps no stretched copy of a recovery password: a tenth of a second.
        let stretched = reached.iter().filter_map(Secret::stretched);
        Ok(stretched.into_iter().find(|key| opens(key)).map(Self::Key))
    }
}

/// Something that the VMK wraps inside a protector.
struct Secret {
    bytes: Zeroizing<Vec<u8>>,
    salt: Option<[u8; 16]>,
}

impl Secret {
    fn key(&self) -> Option<Zeroizing<[u8; 32]>> {
        self.bytes.as_slice().try_into().ok().map(Zeroizing::new)
    }

    fn stretched(&self) -> Option<Zeroizing<[u8; 32]>> {
        let raw = self.bytes.as_slice().try_into().ok()?;
        Some(stretch(&recovery_hash(&RecoveryPassword::from_bytes(raw)), &self.salt?))
    }
}

fn secrets(datum: &Datum, vmk: &VolumeMasterKey, salt: Option<[u8; 16]>, found: &mut Vec<Secret>) {
    if datum.kind == kind::AES_CCM {
        let key = ccm::unwrap(vmk.as_bytes(), &datum.body).and_then(|plain| parse_key(&plain).ok());
        found.extend(key.map(|key| Secret { bytes: key.key, salt }));
        return;
    }
    let salt = match datum.kind {
        kind::STRETCH => Bytes::new(&datum.body, "a stretched key").array(4).ok(),
        _ => salt,
    };
    for child in nested(datum).unwrap_or_default() {
        secrets(&child, vmk, salt, found);
    }
}

/// Whether `key` opens the datum and finds a VMK in it.
fn opens_vmk(datum: &Datum, key: &[u8; 32]) -> bool {
    datum.kind == kind::AES_CCM
        && ccm::unwrap(key, &datum.body)
            .and_then(|plain| parse_key(&plain).ok())
            .is_some_and(|plain| plain.key_type == key_type::VMK)
}

/// Whether the VMK opens anything in the datum; `None` when nothing in it is wrapped.
fn reach(datum: &Datum, vmk: &VolumeMasterKey) -> Option<bool> {
    if datum.kind == kind::AES_CCM {
        return Some(ccm::unwrap(vmk.as_bytes(), &datum.body).is_some());
    }
    nesting_offset(datum.kind)?;
    let inner = nested(datum).unwrap_or_default();
    inner.iter().filter_map(|child| reach(child, vmk)).reduce(|a, b| a || b)
}

fn holds_vmk_in_clear(datum: &Datum) -> bool {
    key_of(datum).is_ok_and(|key| key.key_type == key_type::VMK)
}

/// The last check before anything is written: the new key opens the volume encryption key.
fn has_fvek(datums: &[Datum], vmk: &VolumeMasterKey) -> Result<(), Error> {
    let mut fveks = datums.iter().filter(|datum| is_sector_key(datum));
    let opens = fveks.clone().count() > 0 && fveks.all(|datum| reach(datum, vmk) == Some(true));
    if opens { Ok(()) } else { Err(Error::NoKeys) }
}

fn supplied<'a>(rotation: &MasterKeyRotation<'a>, id: Guid) -> Option<&'a [u8; 32]> {
    rotation.keys.iter().find(|(of, _)| *of == id).map(|(_, key)| key.0)
}

#[cfg(test)]
mod tests;
