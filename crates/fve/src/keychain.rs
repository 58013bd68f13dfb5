//! From a credential to the volume master key, and from there to everything it wraps (BitLocker format notes §1, §6, §7).

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::Error;
use crate::crypto::ccm;
use crate::crypto::stretch::{passphrase_hash, recovery_hash, stretch};
use crate::format::constants::{key_type, kind, role};
use crate::format::read::{Bytes, key_of, nested, parse_key};
use crate::format::{Datum, EncryptionMethod, Metadata};
use crate::guid::Guid;
use crate::protector::{self, ProtectorKind};
use crate::secret::{ExternalKey, Passphrase, RecoveryPassword, VolumeMasterKey};
use crate::volume::is_reencrypting;

/// What unlocks a volume.
#[derive(Clone, Copy, Debug)]
pub enum Credential<'a> {
    /// A 48-digit recovery password.
    RecoveryPassword(&'a RecoveryPassword),
    /// A passphrase.
    Passphrase(&'a Passphrase),
    /// The key of a `.BEK` file.
    ExternalKey(&'a ExternalKey),
    /// The key that lies in clear on a suspended volume.
    ClearKey,
    /// The key that a TPM gave out for one protector.
    Tpm {
        /// The protector whose object was unsealed.
        protector: Guid,
        /// What was sealed.
        key: &'a [u8; 32],
    },
    /// The volume master key itself.
    Vmk(&'a VolumeMasterKey),
}

/// A volume with more protectors of one slow kind than this is hostile; the rest are not tried.
pub(crate) const MAX_STRETCHED: usize = 64;

impl Credential<'_> {
    fn may_open(&self, id: Guid, kind: ProtectorKind) -> bool {
        match self {
            Self::RecoveryPassword(_) => kind == ProtectorKind::RecoveryPassword,
            Self::Passphrase(_) => kind == ProtectorKind::Passphrase,
            Self::ExternalKey(_) => kind == ProtectorKind::ExternalKey,
            Self::ClearKey => kind == ProtectorKind::ClearKey,
            Self::Tpm { protector, .. } => id == *protector,
            Self::Vmk(_) => false,
        }
    }

    fn protector_key(&self, inner: &[Datum]) -> Option<Zeroizing<[u8; 32]>> {
        match self {
            Self::RecoveryPassword(password) => Some(stretch(
                &recovery_hash(password),
                &salt(inner, key_type::RECOVERY_PASSWORD)?,
            )),
            Self::Passphrase(passphrase) => Some(stretch(
                &passphrase_hash(passphrase),
                &salt(inner, key_type::PASSPHRASE)?,
            )),
            Self::ExternalKey(key) => Some(Zeroizing::new(*key.as_bytes())),
            Self::ClearKey => {
                let key = inner
                    .iter()
                    .filter_map(|d| key_of(d).ok())
                    .find(|key| key.key_type == key_type::CLEAR_KEY)?;
                Some(Zeroizing::new(key.key.as_slice().try_into().ok()?))
            }
            Self::Tpm { key, .. } => Some(Zeroizing::new(**key)),
            Self::Vmk(_) => None,
        }
    }
}

/// The salt of the protector with these inner datums, for keys of type `wanted`.
pub(crate) fn salt(inner: &[Datum], wanted: u16) -> Option<[u8; 16]> {
    inner.iter().filter(|d| d.kind == kind::STRETCH).find_map(|d| {
        let bytes = Bytes::new(&d.body, "a stretched key");
        (bytes.u16(0).ok()? == wanted).then(|| bytes.array(4).ok())?
    })
}

/// Finds the VMK; the protector that gave it comes with it.
pub(crate) fn volume_master_key(
    metadata: &Metadata,
    credential: &Credential<'_>,
) -> Result<(VolumeMasterKey, Option<Guid>), Error> {
    if let Credential::Vmk(vmk) = credential {
        let opens = matches!(&metadata.validation.integrity, d if d.kind != kind::AES_CCM || ccm::unwrap(vmk.as_bytes(), &d.body).is_some());
        return if opens {
            Ok(((*vmk).clone(), None))
        } else {
            Err(Error::WrongCredential)
        };
    }
    let protectors = protector::list(metadata)?;
    let mut candidates = protectors
        .iter()
        .filter(|(_, info)| credential.may_open(info.id, info.kind))
        .take(MAX_STRETCHED)
        .peekable();
    if candidates.peek().is_none() {
        return Err(match credential {
            Credential::Tpm { protector, .. } => Error::NoSuchProtector(*protector),
            _ => Error::NoProtectorOfKind,
        });
    }
    for (index, info) in candidates {
        let inner = nested(&metadata.datums[*index])?;
        let Some(key) = credential.protector_key(&inner) else {
            continue;
        };
        if let Some(vmk) = unwrap_vmk(&inner, &key) {
            return Ok((vmk, Some(info.id)));
        }
    }
    Err(Error::WrongCredential)
}

/// Unwraps the VMK by a protector's key.
pub(crate) fn unwrap_vmk(inner: &[Datum], key: &[u8; 32]) -> Option<VolumeMasterKey> {
    inner.iter().filter(|d| d.kind == kind::AES_CCM).find_map(|datum| {
        let plain = parse_key(&ccm::unwrap(key, &datum.body)?).ok()?;
        let bytes = plain.key.as_slice().try_into().ok()?;
        (plain.key_type == key_type::VMK).then(|| VolumeMasterKey::from_bytes(bytes))
    })
}

/// Compares the metadata with the hash that only a holder of the VMK can have written (§4.3).
pub(crate) fn check_integrity(metadata: &Metadata, vmk: &VolumeMasterKey) -> Result<(), Error> {
    let integrity = &metadata.validation.integrity;
    if integrity.kind != kind::AES_CCM {
        return Err(Error::IntegrityFailed);
    }
    let plain = ccm::unwrap(vmk.as_bytes(), &integrity.body).ok_or(Error::IntegrityFailed)?;
    let stored = parse_key(&plain).map_err(|_| Error::IntegrityFailed)?;
    let actual = Sha256::digest(metadata.hashed());
    let same =
        stored.key_type == key_type::INTEGRITY_HASH && bool::from(stored.key.as_slice().ct_eq(actual.as_slice()));
    if same { Ok(()) } else { Err(Error::IntegrityFailed) }
}

/// A full volume encryption key and the method it is for.
pub(crate) type SectorKey = (EncryptionMethod, Zeroizing<Vec<u8>>);

/// Unwraps the full volume encryption key; of a volume that is being re-encrypted, the new one.
pub(crate) fn volume_encryption_key(metadata: &Metadata, vmk: &VolumeMasterKey) -> Result<SectorKey, Error> {
    let role = if is_reencrypting(metadata) {
        role::NEXT_FVEK
    } else {
        role::FVEK
    };
    sector_key(metadata, vmk, role)
}

/// Unwraps the key that the sectors behind the watermark have while a volume is being re-encrypted.
pub(crate) fn previous_encryption_key(metadata: &Metadata, vmk: &VolumeMasterKey) -> Result<Option<SectorKey>, Error> {
    is_reencrypting(metadata)
        .then(|| sector_key(metadata, vmk, role::PREVIOUS_FVEK))
        .transpose()
}

/// Whether a top-level datum holds a volume encryption key wrapped by the VMK.
pub(crate) fn is_sector_key(datum: &Datum) -> bool {
    datum.kind == kind::AES_CCM && matches!(datum.role, role::FVEK | role::PREVIOUS_FVEK | role::NEXT_FVEK)
}

fn sector_key(metadata: &Metadata, vmk: &VolumeMasterKey, role: u16) -> Result<SectorKey, Error> {
    let datum = metadata
        .datums
        .iter()
        .find(|d| d.role == role && is_sector_key(d))
        .ok_or(Error::NoKeys)?;
    let plain = ccm::unwrap(vmk.as_bytes(), &datum.body).ok_or(Error::WrongCredential)?;
    let fvek = parse_key(&plain)?;
    let method = EncryptionMethod::from_number(fvek.key_type).ok_or(Error::Unsupported("the encryption method"))?;
    if fvek.key.len() != method.key_len() {
        return Err(Error::Unsupported("the length of the volume encryption key"));
    }
    Ok((method, fvek.key))
}

/// Reads back the secret of a protector that the VMK wraps a copy of.
pub(crate) fn wrapped_secret(
    datum: &Datum,
    vmk: &VolumeMasterKey,
    holder: u16,
    wanted: u16,
) -> Option<Zeroizing<Vec<u8>>> {
    let holders = nested(datum).ok()?;
    let copies = holders
        .iter()
        .filter(|d| d.kind == holder)
        .filter_map(|d| nested(d).ok())
        .flatten();
    copies.filter(|d| d.kind == kind::AES_CCM).find_map(|copy| {
        let plain = parse_key(&ccm::unwrap(vmk.as_bytes(), &copy.body)?).ok()?;
        (plain.key_type == wanted).then_some(plain.key)
    })
}
