//! The default key provider: one file, sealed by a passphrase.
//!
//! JSON: format name, version, argon2id parameters, salt, nonce, and the AES-256-GCM ciphertext of the keys. The
//! parameters are the associated data, so that none can be changed unnoticed. Mode 0600, written beside its place,
//! flushed, then renamed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use argon2::{Algorithm, Argon2, Params, Version};
use protocol::sealing::RecoveryPrivateKey;
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{AuditKey, KeyRing};

const FORMAT: &str = "claviger key file";
const VERSION: u32 = 1;
/// Bounds for parameters read from a file, so that a hostile one cannot exhaust the machine.
const MAX_MEMORY_KIB: u32 = 4 * 1024 * 1024;
const MAX_PASSES: u32 = 64;
const MAX_FILE: u64 = 1024 * 1024;

/// Cost of argon2id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KdfCost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
}

impl Default for KdfCost {
    /// 64 MiB, three passes (RFC 9106, second recommended option, with one lane).
    fn default() -> Self {
        Self {
            memory_kib: 65_536,
            passes: 3,
        }
    }
}

impl KdfCost {
    pub(crate) fn argon2(self) -> Option<Argon2<'static>> {
        if self.memory_kib > MAX_MEMORY_KIB || self.passes > MAX_PASSES {
            return None;
        }
        let params = Params::new(self.memory_kib, self.passes, 1, Some(32)).ok()?;
        Some(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
    }
}

/// Why the key file cannot be used. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The passphrase is wrong, or the file was changed.
    #[error("the passphrase does not open the key file {0}: it is wrong, or the file was changed")]
    WrongPassphrase(PathBuf),
    /// An empty passphrase protects nothing.
    #[error("the passphrase must not be empty")]
    EmptyPassphrase,
    /// Not a key file, or of a version that this program does not know.
    #[error("{0} is not a key file of version 1")]
    NotAKeyFile(PathBuf),
    /// It opened, but the keys inside are unusable.
    #[error("the keys in {0} are damaged")]
    Damaged(PathBuf),
    /// Argon2 parameters out of range.
    #[error("the key derivation cost is out of range: at most 4194304 KiB and 64 passes")]
    Cost,
    /// The database is there but the key file is not: a new key would not open the old records.
    #[error(
        "the key file {0} is missing although the database exists; restore it, because a new one cannot open old records"
    )]
    Missing(PathBuf),
    /// The operating system refused.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What the file holds, opened.
pub(crate) struct Unsealed {
    pub(crate) ring: KeyRing,
    /// PKCS#8 DER of the certificate authority's key.
    pub(crate) authority_key: Zeroizing<Vec<u8>>,
    /// The authority's certificate, PEM; kept inside the seal so that nobody can swap it.
    pub(crate) authority_certificate: String,
}

/// Key material of a new authority.
pub(crate) struct NewAuthority {
    pub(crate) key: Zeroizing<Vec<u8>>,
    pub(crate) certificate: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    format: String,
    version: u32,
    cost: KdfCost,
    salt: String,
    nonce: String,
    sealed: String,
}

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
struct Contents {
    recovery: Vec<RecoverySeed>,
    authority_key: String,
    authority_certificate: String,
    audit_seed: String,
}

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
struct RecoverySeed {
    version: u32,
    seed: String,
}

/// Opens the key file, or makes it when neither it nor a database exists.
///
/// # Errors
/// [`KeyFileError`]; nothing was changed then.
pub(crate) fn open_or_create(
    path: &Path,
    database_exists: bool,
    passphrase: &str,
    cost: KdfCost,
    rng: &mut dyn CryptoRng,
    authority: impl FnOnce(&mut dyn CryptoRng) -> Result<NewAuthority, String>,
) -> Result<Unsealed, KeyFileError> {
    if passphrase.is_empty() {
        return Err(KeyFileError::EmptyPassphrase);
    }
    if !path.try_exists().map_err(|source| at(path, source))? {
        if database_exists {
            return Err(KeyFileError::Missing(path.to_owned()));
        }
        create(path, passphrase, cost, rng, authority)?;
    }
    open(path, passphrase)
}

/// Opens a key file that is there.
///
/// # Errors
/// [`KeyFileError`].
pub(super) fn open(path: &Path, passphrase: &str) -> Result<Unsealed, KeyFileError> {
    let not_a_key_file = || KeyFileError::NotAKeyFile(path.to_owned());
    let length = fs::metadata(path).map_err(|source| at(path, source))?.len();
    if length > MAX_FILE {
        return Err(not_a_key_file());
    }
    let bytes = fs::read(path).map_err(|source| at(path, source))?;
    let envelope: Envelope = serde_json::from_slice(&bytes).map_err(|_| not_a_key_file())?;
    if envelope.format != FORMAT || envelope.version != VERSION {
        return Err(not_a_key_file());
    }
    let sealed = hex::decode(&envelope.sealed).map_err(|_| not_a_key_file())?;
    let nonce: [u8; 12] = array(&envelope.nonce).ok_or_else(not_a_key_file)?;
    let cipher = cipher(&envelope, passphrase)?;
    let payload = Payload {
        msg: &sealed,
        aad: &associated_data(&envelope),
    };
    let plain = cipher
        .decrypt(Nonce::from_slice(&nonce), payload)
        .map(Zeroizing::new)
        .map_err(|_| KeyFileError::WrongPassphrase(path.to_owned()))?;
    let contents: Contents = serde_json::from_slice(&plain).map_err(|_| KeyFileError::Damaged(path.to_owned()))?;
    unseal(&contents).ok_or_else(|| KeyFileError::Damaged(path.to_owned()))
}

fn unseal(contents: &Contents) -> Option<Unsealed> {
    let mut recovery = Vec::with_capacity(contents.recovery.len());
    for key in &contents.recovery {
        let seed = Zeroizing::new(array::<32>(&key.seed)?);
        recovery.push(RecoveryPrivateKey::derive(key.version, &seed));
    }
    let audit_seed = Zeroizing::new(array::<32>(&contents.audit_seed)?);
    Some(Unsealed {
        ring: KeyRing::new(recovery, AuditKey::from_seed(&audit_seed)?)?,
        authority_key: Zeroizing::new(hex::decode(&contents.authority_key).ok()?),
        authority_certificate: contents.authority_certificate.clone(),
    })
}

fn create(
    path: &Path,
    passphrase: &str,
    cost: KdfCost,
    rng: &mut dyn CryptoRng,
    authority: impl FnOnce(&mut dyn CryptoRng) -> Result<NewAuthority, String>,
) -> Result<(), KeyFileError> {
    let authority = authority(rng).map_err(|reason| at(path, io::Error::other(reason)))?;
    let contents = Contents {
        recovery: vec![RecoverySeed {
            version: 1,
            seed: random_hex::<32>(rng).to_string(),
        }],
        authority_key: hex::encode(&*authority.key),
        authority_certificate: authority.certificate,
        audit_seed: random_hex::<32>(rng).to_string(),
    };
    let mut plain = Zeroizing::new(Vec::with_capacity(16 * 1024));
    serde_json::to_writer(&mut *plain, &contents).map_err(|error| at(path, error.into()))?;
    let mut envelope = Envelope {
        format: FORMAT.to_owned(),
        version: VERSION,
        cost,
        salt: random_hex::<16>(rng).to_string(),
        nonce: random_hex::<12>(rng).to_string(),
        sealed: String::new(),
    };
    let nonce: [u8; 12] = array(&envelope.nonce).ok_or(KeyFileError::Cost)?;
    let payload = Payload {
        msg: &plain,
        aad: &associated_data(&envelope),
    };
    let sealed = cipher(&envelope, passphrase)?
        .encrypt(Nonce::from_slice(&nonce), payload)
        .map_err(|_| KeyFileError::Cost)?;
    envelope.sealed = hex::encode(sealed);
    let text = serde_json::to_vec_pretty(&envelope).map_err(|error| at(path, error.into()))?;
    write_durably(path, &text, 0o600).map_err(|source| at(path, source))
}

fn cipher(envelope: &Envelope, passphrase: &str) -> Result<Aes256Gcm, KeyFileError> {
    let salt = hex::decode(&envelope.salt).map_err(|_| KeyFileError::Cost)?;
    let mut key = Zeroizing::new([0_u8; 32]);
    envelope
        .cost
        .argon2()
        .ok_or(KeyFileError::Cost)?
        .hash_password_into(passphrase.as_bytes(), &salt, &mut *key)
        .map_err(|_| KeyFileError::Cost)?;
    Ok(Aes256Gcm::new((&*key).into()))
}

fn associated_data(envelope: &Envelope) -> Vec<u8> {
    let KdfCost { memory_kib, passes } = envelope.cost;
    format!(
        "{FORMAT} v{VERSION} argon2id m={memory_kib} t={passes} salt={}",
        envelope.salt
    )
    .into_bytes()
}

fn random_hex<const N: usize>(rng: &mut dyn CryptoRng) -> Zeroizing<String> {
    let mut bytes = Zeroizing::new([0_u8; N]);
    rng.fill_bytes(&mut *bytes);
    Zeroizing::new(hex::encode(*bytes))
}

fn array<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(bytes)
}

/// Writes a file so that after a crash there is the old one or the new one, never half of one.
pub(crate) fn write_durably(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let beside = path.with_extension("new");
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let mut file = options.open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    match path.parent() {
        Some(parent) if cfg!(unix) => File::open(parent)?.sync_all(),
        _ => Ok(()),
    }
}

fn at(path: &Path, source: io::Error) -> KeyFileError {
    KeyFileError::Io {
        path: path.to_owned(),
        source,
    }
}
