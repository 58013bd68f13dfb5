//! Sealing a key to a TPM 2.0 and its measurements, with or without a PIN (`docs/decisions/0010-tpm.md`).
//!
//! The key is a sealed data object under an ECC storage key of the owner hierarchy. Its policy is `PolicyPCR` over registers of
//! the SHA-256 bank and, with a PIN, `PolicyAuthValue`; the object with a PIN is under the TPM's dictionary attack protection.
//! The key and the PIN's proof cross the bus only inside salted sessions with parameter encryption, and every handle is
//! flushed whatever happens.

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use self::connection::{Connection, PrimaryKey};
use self::kdf::sha256;
use self::session::{Hide, Session, SessionKind};
use self::wire::{Cc, Reader, Writer};

pub use self::blob::SealedKey;
pub use self::error::TpmError;
pub use self::pcr::PcrSelection;
pub use self::pin::PinAuth;
pub use self::transport::TpmAddress;

mod blob;
mod connection;
mod error;
mod kdf;
mod pcr;
mod pin;
mod session;
mod transport;
mod wire;

const ALG_AES: u16 = 0x0006;
const ALG_KEYEDHASH: u16 = 0x0008;
const ALG_SHA256: u16 = 0x000B;
const ALG_NULL: u16 = 0x0010;
const ALG_ECC: u16 = 0x0023;
const ALG_CFB: u16 = 0x0043;

/// `fixedTPM | fixedParent`: opens only by policy, only here.
const SEALED_ATTRIBUTES: u32 = 0x12;
/// `noDA`: wrong values do not count towards lock-out.
const NO_LOCKOUT: u32 = 0x400;

const PT_LEVEL: u32 = 0x101;
const PT_REVISION: u32 = 0x102;
const PT_MANUFACTURER: u32 = 0x105;

/// A TPM 2.0 at an address. Nothing is held open between operations.
#[derive(Clone, Debug)]
pub struct Tpm {
    address: TpmAddress,
}

/// What a TPM says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TpmInfo {
    /// Four letters.
    pub manufacturer: String,
    /// Specification version and revision, as Win32_Tpm writes them: `2.0, 0, 1.64`.
    pub spec_version: String,
}

impl Tpm {
    /// The TPM at an address.
    #[must_use]
    pub fn new(address: TpmAddress) -> Self {
        Self { address }
    }

    /// Manufacturer and version.
    ///
    /// # Errors
    /// When the TPM does not answer.
    pub fn info(&self) -> Result<TpmInfo, TpmError> {
        let mut connection = Connection::open(&self.address)?;
        let manufacturer = connection.property(PT_MANUFACTURER)?.to_be_bytes();
        let level = connection.property(PT_LEVEL)?;
        let revision = connection.property(PT_REVISION)?;
        Ok(TpmInfo {
            manufacturer: manufacturer
                .iter()
                .filter(|byte| byte.is_ascii_graphic())
                .map(|byte| char::from(*byte))
                .collect(),
            spec_version: format!("2.0, {level}, {}.{:02}", revision / 100, revision % 100),
        })
    }

    /// Seals a key to the registers as they are now, and to a PIN when one is given. Opens it once to be sure.
    ///
    /// # Errors
    /// When the TPM does not answer or refuses.
    pub fn seal(
        &self,
        key: &[u8; 32],
        pcrs: PcrSelection,
        pin: Option<&PinAuth>,
        rng: &mut dyn CryptoRng,
    ) -> Result<SealedKey, TpmError> {
        let mut connection = Connection::open(&self.address)?;
        let sealed = connection.with_primary(|connection, parent| {
            let session = Session::start(connection, parent, SessionKind::Hmac, rng)?;
            connection.with_session(session, |connection, session| {
                seal(connection, parent, session, key, pcrs, pin, rng)
            })
        })?;
        let opened =
            connection.with_primary(|connection, parent| open(connection, parent, &sealed, pin_value(pin), rng))?;
        if *opened == *key {
            Ok(sealed)
        } else {
            Err(TpmError::Forged)
        }
    }

    /// Opens a sealed key.
    ///
    /// # Errors
    /// `TpmError::PcrChanged` when the measurements differ, [`TpmError::WrongPin`], `TpmError::LockedOut`,
    /// [`TpmError::OtherTpm`]; or the TPM does not answer.
    pub fn unseal(
        &self,
        sealed: &SealedKey,
        pin: Option<&str>,
        rng: &mut dyn CryptoRng,
    ) -> Result<Zeroizing<[u8; 32]>, TpmError> {
        if sealed.needs_pin != pin.is_some() {
            return Err(TpmError::WrongPin);
        }
        let mut connection = Connection::open(&self.address)?;
        let pin = pin.map(|pin| PinAuth::with_salt(pin, sealed.pin_salt));
        connection.with_primary(|connection, parent| open(connection, parent, sealed, pin_value(pin.as_ref()), rng))
    }
}

impl Connection {
    fn with_primary<T>(
        &mut self,
        body: impl FnOnce(&mut Self, &PrimaryKey) -> Result<T, TpmError>,
    ) -> Result<T, TpmError> {
        let parent = self.create_primary()?;
        let outcome = body(self, &parent);
        self.flush(parent.handle);
        outcome
    }

    fn with_session<T>(
        &mut self,
        mut session: Session,
        body: impl FnOnce(&mut Self, &mut Session) -> Result<T, TpmError>,
    ) -> Result<T, TpmError> {
        let outcome = body(self, &mut session);
        self.flush(session.handle);
        outcome
    }

    fn with_loaded<T>(
        &mut self,
        parent: &PrimaryKey,
        sealed: &SealedKey,
        body: impl FnOnce(&mut Self, u32) -> Result<T, TpmError>,
    ) -> Result<T, TpmError> {
        let handle = self.load(parent, &sealed.private, &sealed.public)?;
        let outcome = body(self, handle);
        self.flush(handle);
        outcome
    }
}

fn seal(
    connection: &mut Connection,
    parent: &PrimaryKey,
    session: &mut Session,
    key: &[u8; 32],
    pcrs: PcrSelection,
    pin: Option<&PinAuth>,
    rng: &mut dyn CryptoRng,
) -> Result<SealedKey, TpmError> {
    let pcr_digest = connection.pcr_digest(pcrs)?;
    let attributes = SEALED_ATTRIBUTES | if pin.is_some() { 0 } else { NO_LOCKOUT };
    let template = Writer::new()
        .u16(ALG_KEYEDHASH)
        .u16(ALG_SHA256)
        .u32(attributes)
        .sized(&policy(pcrs, &pcr_digest, pin.is_some()))
        .u16(ALG_NULL)
        .sized(&[])
        .finish();
    let sensitive = Writer::new().sized(pin_value(pin)).sized(key).finish();
    let parameters = Writer::new().sized(&sensitive).sized(&template).u16(0).u32(0).finish();
    let response = session.run(
        connection,
        Cc::Create,
        parent.handle,
        &parent.name,
        parameters,
        &[],
        Hide::Command,
        rng,
    )?;
    let mut reader = Reader::new(&response);
    let private = reader.sized()?.to_vec();
    let public = reader.sized()?.to_vec();
    Ok(SealedKey {
        needs_pin: pin.is_some(),
        pcrs,
        pcr_digest,
        pin_salt: pin.map_or([0; 16], |pin| pin.salt),
        parent_name: parent.name,
        public,
        private,
    })
}

fn open(
    connection: &mut Connection,
    parent: &PrimaryKey,
    sealed: &SealedKey,
    auth: &[u8],
    rng: &mut dyn CryptoRng,
) -> Result<Zeroizing<[u8; 32]>, TpmError> {
    if parent.name != sealed.parent_name {
        return Err(TpmError::OtherTpm);
    }
    let session = Session::start(connection, parent, SessionKind::Policy, rng)?;
    let response = connection.with_session(session, |connection, session| {
        connection.policy_pcr(session.handle, sealed.pcrs, &sealed.pcr_digest)?;
        if sealed.needs_pin {
            connection.policy_auth_value(session.handle)?;
        }
        connection.with_loaded(parent, sealed, |connection, object| {
            let name = object_name(&sealed.public);
            let nothing = Writer::new().finish();
            session.run(
                connection,
                Cc::Unseal,
                object,
                &name,
                nothing,
                auth,
                Hide::Response,
                rng,
            )
        })
    })?;
    let mut key = Zeroizing::new([0; 32]);
    let data = Reader::new(&response).sized()?;
    if data.len() != key.len() {
        return Err(TpmError::BadBlob);
    }
    key.copy_from_slice(data);
    Ok(key)
}

/// The name of an object: hash algorithm and hash of its public area.
fn object_name(public: &[u8]) -> [u8; 34] {
    let mut name = [0; 34];
    name[..2].copy_from_slice(&ALG_SHA256.to_be_bytes());
    name[2..].copy_from_slice(&sha256(&[public]));
    name
}

/// The digest that a policy session must have reached (Part 3, 23.7 `PolicyPCR` and 23.17 `PolicyAuthValue`).
fn policy(pcrs: PcrSelection, pcr_digest: &[u8; 32], needs_pin: bool) -> [u8; 32] {
    let code = (Cc::PolicyPcr as u32).to_be_bytes();
    let digest = sha256(&[&[0; 32], &code, &pcrs.wire(), pcr_digest]);
    if needs_pin {
        sha256(&[&digest, &(Cc::PolicyAuthValue as u32).to_be_bytes()])
    } else {
        digest
    }
}

fn pin_value(pin: Option<&PinAuth>) -> &[u8] {
    pin.map_or(&[], |pin| pin.value.as_slice())
}
