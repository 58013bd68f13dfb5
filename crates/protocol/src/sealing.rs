//! Sealing of secrets from the device to the organisation's recovery key: HPKE (RFC 9180), base mode, with
//! DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and AES-256-GCM.
//!
//! The associated data names device, volume and protector, so a sealed password moved to another record does not open.

use domain::ids::{DeviceId, ProtectorId, VolumeId};
use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

type Suite = X25519HkdfSha256;
const INFO: &[u8] = b"claviger escrow v1";

/// The organisation's recovery public key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecoveryPublicKey {
    /// Version: 1, 2, …; a sealed secret names the version that opens it.
    pub version: u32,
    /// X25519 public key, 32 bytes, hexadecimal.
    pub public_key: String,
}

/// A sealed secret: ciphertext only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedSecret {
    /// Version of the recovery key.
    pub key_version: u32,
    /// HPKE encapsulated key, 32 bytes, hexadecimal.
    pub encapsulated_key: String,
    /// Ciphertext with tag, hexadecimal.
    pub ciphertext: String,
}

/// To what a secret belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The device that escrows.
    pub device: DeviceId,
    /// The volume.
    pub volume: VolumeId,
    /// The protector.
    pub protector: ProtectorId,
}

impl Binding {
    fn associated_data(&self) -> [u8; 48] {
        let mut data = [0; 48];
        data[..16].copy_from_slice(self.device.0.as_bytes());
        data[16..32].copy_from_slice(self.volume.0.as_bytes());
        data[32..].copy_from_slice(self.protector.0.as_bytes());
        data
    }
}

/// Why sealing or opening failed. Says nothing about the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealingError {
    /// The public key is not 32 bytes of hexadecimal, or not a valid key.
    #[error("the organisation's recovery key is malformed")]
    PublicKey,
    /// The sealed secret's fields are not what they should be.
    #[error("the sealed secret is malformed")]
    Malformed,
    /// It does not open: another key, another binding, or changed.
    #[error("the sealed secret does not open with this key for this device, volume and protector")]
    DoesNotOpen,
}

/// Seals a secret.
///
/// # Errors
/// [`SealingError::PublicKey`] when the key is unusable.
pub fn seal(
    key: &RecoveryPublicKey,
    binding: &Binding,
    secret: &[u8],
    rng: &mut dyn CryptoRng,
) -> Result<SealedSecret, SealingError> {
    let bytes = hex::decode(&key.public_key).map_err(|_| SealingError::PublicKey)?;
    let public = <Suite as Kem>::PublicKey::from_bytes(&bytes).map_err(|_| SealingError::PublicKey)?;
    let mut rng = rng;
    let (encapsulated, ciphertext) = hpke::single_shot_seal::<AesGcm256, HkdfSha256, Suite, _>(
        &OpModeS::Base,
        &public,
        INFO,
        secret,
        &binding.associated_data(),
        &mut rng,
    )
    .map_err(|_| SealingError::PublicKey)?;
    Ok(SealedSecret {
        key_version: key.version,
        encapsulated_key: hex::encode(encapsulated.to_bytes()),
        ciphertext: hex::encode(ciphertext),
    })
}

/// The private half of a recovery key. Only the server's sealing module holds one.
pub struct RecoveryPrivateKey {
    version: u32,
    key: <Suite as Kem>::PrivateKey,
}

impl std::fmt::Debug for RecoveryPrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RecoveryPrivateKey {{ version: {}, key: [redacted] }}", self.version)
    }
}

impl RecoveryPrivateKey {
    /// Derives a key pair from 32 random bytes.
    #[must_use]
    pub fn derive(version: u32, seed: &[u8; 32]) -> Self {
        let (key, _) = Suite::derive_keypair(seed);
        Self { version, key }
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> RecoveryPublicKey {
        RecoveryPublicKey {
            version: self.version,
            public_key: hex::encode(Suite::sk_to_pk(&self.key).to_bytes()),
        }
    }

    /// Opens a sealed secret.
    ///
    /// # Errors
    /// [`SealingError::Malformed`] or [`SealingError::DoesNotOpen`].
    pub fn open(&self, sealed: &SealedSecret, binding: &Binding) -> Result<Zeroizing<Vec<u8>>, SealingError> {
        if sealed.key_version != self.version {
            return Err(SealingError::DoesNotOpen);
        }
        let encapsulated = hex::decode(&sealed.encapsulated_key).map_err(|_| SealingError::Malformed)?;
        let encapsulated =
            <Suite as Kem>::EncappedKey::from_bytes(&encapsulated).map_err(|_| SealingError::Malformed)?;
        let ciphertext = hex::decode(&sealed.ciphertext).map_err(|_| SealingError::Malformed)?;
        hpke::single_shot_open::<AesGcm256, HkdfSha256, Suite>(
            &OpModeR::Base,
            &self.key,
            &encapsulated,
            INFO,
            &ciphertext,
            &binding.associated_data(),
        )
        .map(Zeroizing::new)
        .map_err(|_| SealingError::DoesNotOpen)
    }
}
