//! Salted sessions. The salt is sent encrypted to the storage key, so that somebody who merely listens on the bus between
//! processor and TPM sees neither the sealed key nor anything from which the PIN could be guessed.

use p256::elliptic_curve::sec1::{FromEncodedPoint, ToEncodedPoint};
use p256::{EncodedPoint, PublicKey, SecretKey};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::connection::{Connection, PrimaryKey};
use super::kdf::{cfb_decrypt, cfb_encrypt, hmac_sha256, hmac_verifies, kdfa, kdfe, sha256};
use super::wire::{self, Cc, Reader, Writer};
use super::{ALG_AES, ALG_CFB, ALG_SHA256, TpmError};

const RH_NULL: u32 = 0x4000_0007;
/// `continueSession`: the session outlives the command, until it is flushed.
const CONTINUE: u8 = 0x01;
/// The first parameter of the command is encrypted.
const DECRYPT: u8 = 0x20;
/// The first parameter of the response is encrypted.
const ENCRYPT: u8 = 0x40;

/// Kinds of session (`TPM_SE`).
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
pub(super) enum SessionKind {
    Hmac = 0,
    Policy = 1,
}

/// Which first parameter travels encrypted.
#[derive(Clone, Copy, Debug)]
pub(super) enum Hide {
    Command,
    Response,
}

/// A started session; flushed by [`Connection::flush`] with its handle.
pub(super) struct Session {
    pub(super) handle: u32,
    key: Zeroizing<[u8; 32]>,
    nonce_tpm: Vec<u8>,
}

impl Session {
    /// Starts a session salted to `parent`.
    pub(super) fn start(
        connection: &mut Connection,
        parent: &PrimaryKey,
        kind: SessionKind,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, TpmError> {
        let (salt, encrypted_salt) = salt_for(parent, rng)?;
        let nonce_caller = nonce(rng);
        let parameters = Writer::new()
            .sized(&nonce_caller)
            .sized(&encrypted_salt)
            .u8(kind as u8)
            .u16(ALG_AES)
            .u16(128)
            .u16(ALG_CFB)
            .u16(ALG_SHA256)
            .finish();
        let response = connection.transact(
            Cc::StartAuthSession,
            &wire::plain_command(Cc::StartAuthSession, &[parent.handle, RH_NULL], &parameters),
        )?;
        let response = wire::parse(Cc::StartAuthSession, &response)?;
        let nonce_tpm = Reader::new(response.parameters).sized()?.to_vec();
        Ok(Self {
            handle: response.handle,
            key: kdfa(&*salt, b"ATH", &nonce_tpm, &nonce_caller),
            nonce_tpm,
        })
    }

    /// Carries out a command whose first handle is authorized by this session. `names` are the names of the handles;
    /// `auth_value` is the authorization value of the first handle's object and `prove_auth` says whether the proof
    /// includes it. Gives the parameters of the response in the clear.
    #[expect(clippy::too_many_arguments, reason = "one per part of an authorized command")]
    pub(super) fn run(
        &mut self,
        connection: &mut Connection,
        code: Cc,
        handle: u32,
        name: &[u8],
        mut parameters: Zeroizing<Vec<u8>>,
        auth_value: &[u8],
        hide: Hide,
        rng: &mut dyn CryptoRng,
    ) -> Result<Zeroizing<Vec<u8>>, TpmError> {
        let nonce_caller = nonce(rng);
        let attributes = CONTINUE
            | match hide {
                Hide::Command => DECRYPT,
                Hide::Response => ENCRYPT,
            };
        let key = self.keyed_with(auth_value);
        if matches!(hide, Hide::Command) {
            let material = kdfa(&key, b"CFB", &nonce_caller, &self.nonce_tpm);
            cfb_encrypt(&material, first_parameter(&mut parameters)?);
        }
        let cp_hash = sha256(&[&(code as u32).to_be_bytes(), name, &parameters]);
        let proof = hmac_sha256(&key, &[&cp_hash, &nonce_caller, &self.nonce_tpm, &[attributes]]);
        let auth = Writer::new()
            .u32(self.handle)
            .sized(&nonce_caller)
            .u8(attributes)
            .sized(&proof)
            .finish();
        let answer = connection.transact(
            code,
            &wire::frame(wire::ST_SESSIONS, code, &[handle], &auth, &parameters),
        )?;
        let response = wire::parse(code, &answer)?;

        let mut area = Reader::new(response.auth);
        let nonce_tpm = area.sized()?.to_vec();
        let attributes = area.u8()?;
        let proof = area.sized()?;
        let rp_hash = sha256(&[&0u32.to_be_bytes(), &(code as u32).to_be_bytes(), response.parameters]);
        if !hmac_verifies(&key, &[&rp_hash, &nonce_tpm, &nonce_caller, &[attributes]], proof) {
            return Err(TpmError::Forged);
        }
        self.nonce_tpm = nonce_tpm;
        let mut parameters = Zeroizing::new(response.parameters.to_vec());
        if matches!(hide, Hide::Response) {
            let material = kdfa(&key, b"CFB", &self.nonce_tpm, &nonce_caller);
            cfb_decrypt(&material, first_parameter(&mut parameters)?);
        }
        Ok(parameters)
    }

    /// Session key and authorization value in one: the key of proofs and of parameter encryption. (The TPM drops trailing
    /// zeros of an authorization value; HMAC pads keys with zeros, so it makes no difference.)
    fn keyed_with(&self, auth_value: &[u8]) -> Zeroizing<Vec<u8>> {
        let mut key = Zeroizing::new(Vec::with_capacity(64));
        key.extend_from_slice(&*self.key);
        key.extend_from_slice(auth_value);
        key
    }
}

fn nonce(rng: &mut dyn CryptoRng) -> [u8; 32] {
    let mut nonce = [0; 32];
    rng.fill_bytes(&mut nonce);
    nonce
}

fn first_parameter(parameters: &mut [u8]) -> Result<&mut [u8], TpmError> {
    let len = usize::from(Reader::new(parameters).u16()?);
    parameters
        .get_mut(2..2 + len)
        .ok_or(TpmError::Malformed("first parameter"))
}

/// A shared secret with the storage key (Part 1, C.6.3 "ECDH"), and the ephemeral point that lets the TPM find it too.
fn salt_for(parent: &PrimaryKey, rng: &mut dyn CryptoRng) -> Result<(Zeroizing<[u8; 32]>, Vec<u8>), TpmError> {
    let point = EncodedPoint::from_affine_coordinates(&parent.x.into(), &parent.y.into(), false);
    let theirs: PublicKey =
        Option::from(PublicKey::from_encoded_point(&point)).ok_or(TpmError::Malformed("storage key"))?;
    let ours = ephemeral(rng);
    let shared = p256::ecdh::diffie_hellman(ours.to_nonzero_scalar(), theirs.as_affine());
    let point = ours.public_key().to_encoded_point(false);
    let (Some(x), Some(y)) = (point.x(), point.y()) else {
        return Err(TpmError::Malformed("ephemeral key"));
    };
    let salt = kdfe(shared.raw_secret_bytes(), b"SECRET", x, &parent.x);
    let point = Writer::new().sized(x).sized(y).finish();
    Ok((salt, point.to_vec()))
}

fn ephemeral(rng: &mut dyn CryptoRng) -> SecretKey {
    loop {
        let mut bytes = Zeroizing::new([0u8; 32]);
        rng.fill_bytes(&mut *bytes);
        if let Ok(key) = SecretKey::from_slice(&*bytes) {
            return key;
        }
    }
}
