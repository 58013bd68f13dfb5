//! TPM protectors: what is in their datum, and how they are sealed anew.
//!
//! The datum holds the sealed object (`tpm::SealedKey`); behind it, for TPM+PIN, the PIN's authorization value wrapped by a
//! key that is derived from the volume master key. So ending a suspension can seal to new measurements without asking
//! for the PIN; whoever can read it holds the volume's key already.

use aes_gcm::aead::{Aead, KeyInit};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use fve::io::{ReadAt, WriteAt};
use fve::{Context, Guid, ProtectorInfo, ProtectorKind, UnlockedVolume, VolumeMasterKey};
use zeroize::Zeroizing;

use super::tpm::{PcrSelection, PinAuth, SealedKey, Tpm};
use crate::provider::{Code, ProviderError, Result};

const PURPOSE: &str = "Claviger: PIN of a TPM protector";
const NONCE: usize = 12;
/// Nonce, wrapped value, tag.
const WRAPPED: usize = NONCE + 48 + 16;

/// Seals a new key; gives it and the bytes for the datum.
pub(super) fn seal<D: ReadAt>(
    volume: &UnlockedVolume<D>,
    tpm: &Tpm,
    pin: Option<&PinAuth>,
    ctx: &mut Context<'_>,
) -> Result<(Zeroizing<[u8; 32]>, Vec<u8>)> {
    let mut key = Zeroizing::new([0; 32]);
    ctx.rng.fill_bytes(&mut *key);
    let mut bytes = tpm.seal(&key, PcrSelection::UEFI, pin, ctx.rng)?.to_bytes();
    if let Some(pin) = pin {
        let mut nonce = [0; NONCE];
        ctx.rng.fill_bytes(&mut nonce);
        let wrapped = cipher(volume.master_key())
            .encrypt(Nonce::from_slice(&nonce), pin.to_bytes().as_slice())
            .map_err(|_| ProviderError::new(Code::InvalidArgument, "wrapping the PIN"))?;
        bytes.extend_from_slice(&nonce);
        bytes.extend_from_slice(&wrapped);
    }
    Ok((key, bytes))
}

/// Asks the TPM for the key of a protector.
pub(super) fn unseal(
    protector: &ProtectorInfo,
    tpm: &Tpm,
    pin: Option<&str>,
    ctx: &mut Context<'_>,
) -> Result<Zeroizing<[u8; 32]>> {
    let blob = protector.tpm.as_ref().map_or(&[][..], |datum| &datum.blob);
    let sealed = SealedKey::from_bytes(blob)?;
    Ok(tpm.unseal(&sealed, pin, ctx.rng)?)
}

/// Puts a TPM protector's key into the TPM anew, for the measurements of now and, if given, another PIN.
pub(super) fn reseal<D: WriteAt>(
    volume: &UnlockedVolume<D>,
    tpm: &Tpm,
    protector: &ProtectorInfo,
    new_pin: Option<&PinAuth>,
    ctx: &mut Context<'_>,
) -> Result<()> {
    let kept;
    let pin = match (protector.kind, new_pin) {
        (ProtectorKind::TpmPin, None) => {
            kept = kept_pin(volume, protector)?;
            Some(&kept)
        }
        (_, pin) => pin,
    };
    let (key, blob) = seal(volume, tpm, pin, ctx)?;
    Ok(volume.replace_tpm(ctx, protector.id, PcrSelection::UEFI.bitmap(), &blob, &key)?)
}

/// Adds a TPM protector.
pub(super) fn add<D: WriteAt>(
    volume: &UnlockedVolume<D>,
    tpm: &Tpm,
    pin: Option<&PinAuth>,
    ctx: &mut Context<'_>,
) -> Result<Guid> {
    let kind = if pin.is_some() {
        ProtectorKind::TpmPin
    } else {
        ProtectorKind::Tpm
    };
    let (key, blob) = seal(volume, tpm, pin, ctx)?;
    Ok(volume.add_tpm(ctx, kind, PcrSelection::UEFI.bitmap(), &blob, &key)?)
}

fn kept_pin<D: ReadAt>(volume: &UnlockedVolume<D>, protector: &ProtectorInfo) -> Result<PinAuth> {
    let failed = || ProviderError::new(Code::TpmAuthFail, "the protector keeps no PIN; set a new one");
    let blob = protector.tpm.as_ref().map_or(&[][..], |datum| &datum.blob);
    let at = SealedKey::from_bytes(blob)?.to_bytes().len();
    let wrapped = blob.get(at..at + WRAPPED).ok_or_else(failed)?;
    let (nonce, wrapped) = wrapped.split_at(NONCE);
    let bytes = cipher(volume.master_key())
        .decrypt(Nonce::from_slice(nonce), wrapped)
        .map(Zeroizing::new)
        .map_err(|_| failed())?;
    let bytes: &[u8; 48] = bytes.as_slice().try_into().map_err(|_| failed())?;
    Ok(PinAuth::from_bytes(bytes))
}

fn cipher(vmk: &VolumeMasterKey) -> Aes256Gcm {
    Aes256Gcm::new(Key::<Aes256Gcm>::from_slice(&*vmk.derive(PURPOSE)))
}
