//! One conversation with the TPM, and the commands that need no session.

use zeroize::Zeroizing;

use super::kdf::sha256;
use super::transport::{TpmAddress, Transport};
use super::wire::{self, Cc, Reader, Writer};
use super::{ALG_AES, ALG_CFB, ALG_ECC, ALG_NULL, ALG_SHA256, PcrSelection, TpmError};

const RH_OWNER: u32 = 0x4000_0001;
const CAP_HANDLES: u32 = 1;
const CAP_TPM_PROPERTIES: u32 = 6;
/// First handles of loaded transient objects, HMAC sessions and policy sessions.
const STALE: [u32; 3] = [0x8000_0000, 0x0200_0000, 0x0300_0000];
/// `TPM_RC_RETRY`, `TPM_RC_YIELDED`, `TPM_RC_TESTING`: send the command again.
const AGAIN: [u32; 3] = [0x922, 0x908, 0x90A];
const TRIES: usize = 50;

/// Attributes of the storage key: fixed to this TPM, restricted, decrypting, made inside, no lock-out.
const STORAGE_ATTRIBUTES: u32 = 0x0003_0472;
const CURVE_P256: u16 = 3;

/// The storage key that sealed objects hang under: an ECC P-256 primary key of the owner hierarchy by a fixed template, so
/// the TPM makes the same key each time until somebody clears it.
pub(super) struct PrimaryKey {
    pub(super) handle: u32,
    /// Hash algorithm and hash of its public area.
    pub(super) name: [u8; 34],
    pub(super) x: [u8; 32],
    pub(super) y: [u8; 32],
}

/// An open conversation.
pub(super) struct Connection {
    transport: Transport,
}

impl Connection {
    /// Opens, and clears away what a killed predecessor left: there is room for three objects only.
    pub(super) fn open(address: &TpmAddress) -> Result<Self, TpmError> {
        let mut connection = Self {
            transport: Transport::open(address)?,
        };
        if connection.transport.keeps_handles() {
            for first in STALE {
                for handle in connection.handles(first)? {
                    connection.flush(handle);
                }
            }
        }
        Ok(connection)
    }

    /// Sends a command and receives the response, again when the TPM asks for that.
    pub(super) fn transact(&mut self, code: Cc, command: &[u8]) -> Result<Zeroizing<Vec<u8>>, TpmError> {
        for _ in 0..TRIES {
            let response = self.transport.transact(command)?;
            let mut reader = Reader::new(&response);
            reader.bytes(6)?;
            if !AGAIN.contains(&reader.u32()?) {
                return Ok(response);
            }
        }
        Err(TpmError::Refused {
            rc: AGAIN[0],
            command: code,
        })
    }

    /// Forgets an object or session. A failure is not reported: nothing depends on it but room.
    pub(super) fn flush(&mut self, handle: u32) {
        let parameters = Writer::new().u32(handle).finish();
        let outcome = self
            .transact(
                Cc::FlushContext,
                &wire::plain_command(Cc::FlushContext, &[], &parameters),
            )
            .and_then(|response| wire::parse(Cc::FlushContext, &response).map(|_| ()));
        if let Err(error) = outcome {
            tracing::debug!(%error, "flushing a TPM handle");
        }
    }

    /// Makes the storage key.
    pub(super) fn create_primary(&mut self) -> Result<PrimaryKey, TpmError> {
        let template = Writer::new()
            .u16(ALG_ECC)
            .u16(ALG_SHA256)
            .u32(STORAGE_ATTRIBUTES)
            .sized(&[])
            .u16(ALG_AES)
            .u16(128)
            .u16(ALG_CFB)
            .u16(ALG_NULL)
            .u16(CURVE_P256)
            .u16(ALG_NULL)
            .sized(&[])
            .sized(&[])
            .finish();
        // Sensitive part: an empty authorization value and no data; no creation data either.
        let parameters = Writer::new().u16(4).u32(0).sized(&template).u16(0).u32(0).finish();
        let response = self.transact(
            Cc::CreatePrimary,
            &wire::password_command(Cc::CreatePrimary, &[RH_OWNER], &parameters),
        )?;
        let response = wire::parse(Cc::CreatePrimary, &response)?;
        let handle = response.handle;
        primary_key(handle, response.parameters).inspect_err(|_| self.flush(handle))
    }

    /// Loads a sealed object; gives its handle.
    pub(super) fn load(&mut self, parent: &PrimaryKey, private: &[u8], public: &[u8]) -> Result<u32, TpmError> {
        let parameters = Writer::new().sized(private).sized(public).finish();
        let response = self.transact(
            Cc::Load,
            &wire::password_command(Cc::Load, &[parent.handle], &parameters),
        )?;
        Ok(wire::parse(Cc::Load, &response)?.handle)
    }

    /// SHA-256 over the values of the selected registers.
    pub(super) fn pcr_digest(&mut self, selection: PcrSelection) -> Result<[u8; 32], TpmError> {
        let parameters = selection.wire();
        let response = self.transact(Cc::PcrRead, &wire::plain_command(Cc::PcrRead, &[], &parameters))?;
        let response = wire::parse(Cc::PcrRead, &response)?;
        let mut reader = Reader::new(response.parameters);
        reader.u32()?;
        if reader.bytes(parameters.len())? != parameters.as_slice() {
            return Err(TpmError::Malformed("the TPM has no SHA-256 bank for these registers"));
        }
        let count = reader.u32()?;
        let mut values = Vec::new();
        for _ in 0..count {
            values.push(reader.sized()?);
        }
        Ok(sha256(&values))
    }

    /// `TPM2_PolicyPCR` with the expected digest.
    pub(super) fn policy_pcr(&mut self, session: u32, selection: PcrSelection, digest: &[u8]) -> Result<(), TpmError> {
        let parameters = Writer::new().sized(digest).bytes(&selection.wire()).finish();
        let response = self.transact(
            Cc::PolicyPcr,
            &wire::plain_command(Cc::PolicyPcr, &[session], &parameters),
        )?;
        wire::parse(Cc::PolicyPcr, &response).map(|_| ())
    }

    /// `TPM2_PolicyAuthValue`.
    pub(super) fn policy_auth_value(&mut self, session: u32) -> Result<(), TpmError> {
        let response = self.transact(
            Cc::PolicyAuthValue,
            &wire::plain_command(Cc::PolicyAuthValue, &[session], &[]),
        )?;
        wire::parse(Cc::PolicyAuthValue, &response).map(|_| ())
    }

    /// A fixed property (`TPM_PT`).
    pub(super) fn property(&mut self, property: u32) -> Result<u32, TpmError> {
        let response = self.capability(CAP_TPM_PROPERTIES, property, 1)?;
        let mut reader = Reader::new(&response);
        if reader.u32()? == 0 || reader.u32()? != property {
            return Err(TpmError::Malformed("property"));
        }
        reader.u32()
    }

    fn handles(&mut self, first: u32) -> Result<Vec<u32>, TpmError> {
        let response = self.capability(CAP_HANDLES, first, 64)?;
        let mut reader = Reader::new(&response);
        (0..reader.u32()?).map(|_| reader.u32()).collect()
    }

    fn capability(&mut self, capability: u32, first: u32, count: u32) -> Result<Vec<u8>, TpmError> {
        let parameters = Writer::new().u32(capability).u32(first).u32(count).finish();
        let response = self.transact(
            Cc::GetCapability,
            &wire::plain_command(Cc::GetCapability, &[], &parameters),
        )?;
        let response = wire::parse(Cc::GetCapability, &response)?;
        let mut reader = Reader::new(response.parameters);
        reader.u8()?;
        if reader.u32()? != capability {
            return Err(TpmError::Malformed("capability"));
        }
        Ok(reader.rest().to_vec())
    }
}

fn primary_key(handle: u32, parameters: &[u8]) -> Result<PrimaryKey, TpmError> {
    let public = Reader::new(parameters).sized()?;
    let mut name = [0; 34];
    name[..2].copy_from_slice(&ALG_SHA256.to_be_bytes());
    name[2..].copy_from_slice(&sha256(&[public]));
    // Type, hash, attributes; policy; symmetric algorithm, scheme, curve, derivation.
    let mut reader = Reader::new(public);
    reader.bytes(8)?;
    reader.sized()?;
    reader.bytes(12)?;
    Ok(PrimaryKey {
        handle,
        name,
        x: coordinate(reader.sized()?)?,
        y: coordinate(reader.sized()?)?,
    })
}

/// A TPM may leave out leading zeros.
fn coordinate(bytes: &[u8]) -> Result<[u8; 32], TpmError> {
    let start = 32usize
        .checked_sub(bytes.len())
        .ok_or(TpmError::Malformed("coordinate"))?;
    let mut out = [0; 32];
    out[start..].copy_from_slice(bytes);
    Ok(out)
}
