//! Looking: what the volumes and the machine are like right now.

use domain::inventory::{Inventory, ProtectorReport, Tpm, VolumeReport};
use domain::plan::Blocked;
use domain::volume::{ConversionStatus, EncryptionExtent, EncryptionMethod, LockStatus, ProtectionStatus, VolumeKind};
use protocol::limits::{MAX_PROTECTORS, MAX_TEXT, MAX_VOLUMES, MAX_WORDS};

use crate::provider::{Code, Conversion, EncryptableVolume, Provider, ProviderError, Result};

pub use facts::Facts;

mod facts;

/// What was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The inventory, as it is reported.
    pub inventory: Inventory,
    /// Its digest ([`protocol::messages::digest`]).
    pub digest: String,
    /// Volumes that could not be read, and why. They are in the inventory as locked and unknown.
    pub unreadable: Vec<Blocked>,
}

/// Observes all volumes.
///
/// # Errors
/// When the provider does not list its volumes. A single unreadable volume does not fail the others; it is reported as
/// locked, without id and protectors, so that nobody takes it for decrypted or its keys for gone.
pub fn observe(provider: &mut dyn Provider, facts: &Facts) -> Result<Observation> {
    let mut unreadable = Vec::new();
    let mut volumes = Vec::new();
    for mut volume in provider.volumes()?.into_iter().take(MAX_VOLUMES) {
        volumes.push(report(&mut *volume).unwrap_or_else(|error| {
            unreadable.push(Blocked {
                device: volume.device_id(),
                reason: format!("the volume cannot be read: {error}"),
            });
            unknown(&*volume)
        }));
    }
    let inventory = Inventory {
        hostname: facts.hostname.clone(),
        os: facts.os.clone(),
        os_version: facts.os_version.clone(),
        manufacturer: facts.manufacturer.clone(),
        model: facts.model.clone(),
        hardware_id: facts.hardware_id.clone(),
        portable: facts.portable,
        virtual_machine: facts.virtual_machine,
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        tpm: tpm(provider),
        users: facts.users.clone(),
        volumes,
        os_kind: facts.os_kind,
        utc_offset_minutes: Some(facts.utc_offset),
        ..Inventory::default()
    };
    let digest = protocol::messages::digest(&inventory)
        .map_err(|e| ProviderError::new(Code::InvalidArgument, format!("the inventory cannot be written: {e}")))?;
    Ok(Observation {
        inventory,
        digest,
        unreadable,
    })
}

fn tpm(provider: &mut dyn Provider) -> Tpm {
    match provider.tpm() {
        Tpm::Absent => Tpm::Absent,
        Tpm::NotReady { reason, cause } => Tpm::NotReady {
            reason: bounded_words(&reason),
            cause,
        },
        Tpm::Ready {
            manufacturer,
            spec_version,
        } => Tpm::Ready {
            manufacturer: bounded(manufacturer),
            spec_version: bounded(spec_version),
        },
    }
}

fn report(volume: &mut dyn EncryptableVolume) -> Result<VolumeReport> {
    let id = volume.persistent_volume_id()?;
    let protection = volume.protection_status()?;
    let conversion = when_locked(
        volume.conversion_status(),
        Conversion {
            status: ConversionStatus::FullyEncrypted,
            encrypted_basis_points: 10_000,
            extent: EncryptionExtent::Full,
        },
    )?;
    let kind = volume.volume_type();
    let method = when_locked(volume.encryption_method(), EncryptionMethod::Unknown)?;
    Ok(VolumeReport {
        letter: volume.drive_letter().map(bounded),
        kind,
        label: bounded(volume.label()),
        file_system: bounded(volume.file_system()),
        size: volume.size(),
        volume: id,
        protection,
        conversion: conversion.status,
        encrypted_basis_points: conversion.encrypted_basis_points,
        method,
        lock: volume.lock_status()?,
        suspend_count: suspend_count(volume)?,
        auto_unlock: auto_unlock(volume, kind)?,
        protectors: protectors(volume)?,
        extent: Some(conversion.extent),
        ..VolumeReport::plain(&volume.device_id(), kind)
    })
}

/// A volume of which only the name is known.
fn unknown(volume: &dyn EncryptableVolume) -> VolumeReport {
    VolumeReport {
        letter: volume.drive_letter().map(bounded),
        size: volume.size(),
        protection: ProtectionStatus::Unknown,
        conversion: ConversionStatus::FullyEncrypted,
        encrypted_basis_points: 10_000,
        method: EncryptionMethod::Unknown,
        lock: LockStatus::Locked,
        ..VolumeReport::plain(&volume.device_id(), volume.volume_type())
    }
}

/// An error other than "not activated" goes up: a list cut short would look as if keys had been removed.
fn protectors(volume: &mut dyn EncryptableVolume) -> Result<Vec<ProtectorReport>> {
    let ids = match volume.key_protectors(None) {
        Err(error) if error.code == Code::NotActivated => Vec::new(),
        other => other?,
    };
    if ids.len() > MAX_PROTECTORS {
        return Err(ProviderError::new(
            Code::NotSupported,
            format!("more than {MAX_PROTECTORS} protectors"),
        ));
    }
    ids.into_iter()
        .map(|id| {
            Ok(ProtectorReport {
                id,
                kind: volume.key_protector_type(id)?,
                name: volume.key_protector_friendly_name(id)?.map(bounded),
            })
        })
        .collect()
}

fn suspend_count(volume: &mut dyn EncryptableVolume) -> Result<Option<u8>> {
    match volume.suspend_count() {
        Ok(count) => Ok(Some(count)),
        Err(error) if not_applicable(error.code) => Ok(None),
        Err(error) => Err(error),
    }
}

fn auto_unlock(volume: &mut dyn EncryptableVolume, kind: VolumeKind) -> Result<Option<bool>> {
    if kind == VolumeKind::Os {
        return Ok(None);
    }
    match volume.is_auto_unlock_enabled() {
        Ok(protector) => Ok(Some(protector.is_some())),
        Err(error) if error.code == Code::NotDataVolume => Ok(None),
        Err(error) if not_applicable(error.code) => Ok(Some(false)),
        Err(error) => Err(error),
    }
}

fn not_applicable(code: Code) -> bool {
    matches!(
        code,
        Code::NotSupported | Code::NotActivated | Code::NotEncrypted | Code::LockedVolume | Code::VolumeNotBound
    )
}

fn when_locked<T>(answer: Result<T>, otherwise: T) -> Result<T> {
    match answer {
        Err(error) if error.code == Code::LockedVolume => Ok(otherwise),
        other => other,
    }
}

/// Makes a short text what the protocol carries: bounded, and without control characters, which anybody who names a
/// volume could put there.
fn bounded(text: String) -> String {
    let text = match text.contains(char::is_control) {
        true => text.replace(char::is_control, " "),
        false => text,
    };
    cut(text, MAX_TEXT)
}

/// Makes a sentence what the protocol carries.
pub(crate) fn bounded_words(text: &str) -> String {
    cut(text.replace(char::is_control, " "), MAX_WORDS)
}

fn cut(mut text: String, most: usize) -> String {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}
