//! The bytes of TPM 2.0 commands and responses (TCG "TPM 2.0 Library, Part 1: Architecture", 18 "Command/Response
//! structure"): big-endian integers and byte strings with a 16-bit length in front.

use zeroize::Zeroizing;

use super::TpmError;

/// Longest frame that a TPM may take or give.
pub(super) const MAX_FRAME: usize = 4096;

/// `TPM_ST_NO_SESSIONS`.
pub(super) const ST_NO_SESSIONS: u16 = 0x8001;
/// `TPM_ST_SESSIONS`.
pub(super) const ST_SESSIONS: u16 = 0x8002;

/// `TPM_RS_PW`: authorization by a password, which for us is always the empty one.
const RS_PASSWORD: u32 = 0x4000_0009;

/// Command codes in use (Part 2, 6.5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Cc {
    CreatePrimary = 0x131,
    Create = 0x153,
    Load = 0x157,
    Unseal = 0x15E,
    FlushContext = 0x165,
    PolicyAuthValue = 0x16B,
    StartAuthSession = 0x176,
    GetCapability = 0x17A,
    PcrRead = 0x17E,
    PolicyPcr = 0x17F,
}

impl Cc {
    /// Whether a response begins with a handle.
    fn returns_handle(self) -> bool {
        matches!(self, Self::CreatePrimary | Self::Load | Self::StartAuthSession)
    }
}

/// Builds a run of bytes; cleared from memory when dropped, since keys and PIN proofs pass through it. The room is
/// reserved at once, so that growing leaves no copies behind.
pub(super) struct Writer(Zeroizing<Vec<u8>>);

impl Writer {
    pub(super) fn new() -> Self {
        Self(Zeroizing::new(Vec::with_capacity(MAX_FRAME)))
    }

    pub(super) fn u8(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }

    pub(super) fn u16(mut self, value: u16) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    pub(super) fn u32(mut self, value: u32) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    pub(super) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// A `TPM2B`: length, then bytes. Everything that we send is far shorter than 64 KiB; anything longer is cut to an
    /// empty string, which the TPM refuses.
    pub(super) fn sized(self, bytes: &[u8]) -> Self {
        match u16::try_from(bytes.len()) {
            Ok(len) => self.u16(len).bytes(bytes),
            Err(_) => self.u16(0),
        }
    }

    pub(super) fn finish(self) -> Zeroizing<Vec<u8>> {
        self.0
    }
}

/// Reads a run of bytes.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn bytes(&mut self, len: usize) -> Result<&'a [u8], TpmError> {
        let (head, tail) = self.0.split_at_checked(len).ok_or(TpmError::Malformed("too short"))?;
        self.0 = tail;
        Ok(head)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], TpmError> {
        let mut out = [0; N];
        out.copy_from_slice(self.bytes(N)?);
        Ok(out)
    }

    pub(super) fn u8(&mut self) -> Result<u8, TpmError> {
        Ok(self.array::<1>()?[0])
    }

    pub(super) fn u16(&mut self) -> Result<u16, TpmError> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub(super) fn u32(&mut self) -> Result<u32, TpmError> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub(super) fn sized(&mut self) -> Result<&'a [u8], TpmError> {
        let len = self.u16()?;
        self.bytes(usize::from(len))
    }

    pub(super) fn rest(self) -> &'a [u8] {
        self.0
    }
}

/// A command without authorization.
pub(super) fn plain_command(code: Cc, handles: &[u32], parameters: &[u8]) -> Zeroizing<Vec<u8>> {
    frame(ST_NO_SESSIONS, code, handles, &[], parameters)
}

/// A command whose first handle is authorized by the empty password.
pub(super) fn password_command(code: Cc, handles: &[u32], parameters: &[u8]) -> Zeroizing<Vec<u8>> {
    let auth = Writer::new().u32(RS_PASSWORD).sized(&[]).u8(0).sized(&[]).finish();
    frame(ST_SESSIONS, code, handles, &auth, parameters)
}

/// A command with the given authorization area.
pub(super) fn frame(tag: u16, code: Cc, handles: &[u32], auth: &[u8], parameters: &[u8]) -> Zeroizing<Vec<u8>> {
    let auth_len = if tag == ST_SESSIONS { 4 + auth.len() } else { 0 };
    let len = 10 + 4 * handles.len() + auth_len + parameters.len();
    let mut writer = Writer::new().u16(tag).u32(saturate(len)).u32(code as u32);
    for handle in handles {
        writer = writer.u32(*handle);
    }
    if tag == ST_SESSIONS {
        writer = writer.u32(saturate(auth.len())).bytes(auth);
    }
    writer.bytes(parameters).finish()
}

fn saturate(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

/// A response taken apart.
#[derive(Debug)]
pub(super) struct Response<'a> {
    /// The handle that the command gave, or 0.
    pub(super) handle: u32,
    /// The parameters, still encrypted if a session encrypts them.
    pub(super) parameters: &'a [u8],
    /// The authorization area.
    pub(super) auth: &'a [u8],
}

/// Takes a successful response apart.
///
/// # Errors
/// [`TpmError::Refused`] with the response code when the TPM did not carry the command out.
pub(super) fn parse(code: Cc, bytes: &[u8]) -> Result<Response<'_>, TpmError> {
    let mut reader = Reader::new(bytes);
    let tag = reader.u16()?;
    let size = reader.u32()?;
    let rc = reader.u32()?;
    if usize::try_from(size).ok() != Some(bytes.len()) {
        return Err(TpmError::Malformed("length of the response"));
    }
    if rc != 0 {
        return Err(TpmError::Refused { rc, command: code });
    }
    let handle = if code.returns_handle() { reader.u32()? } else { 0 };
    if tag != ST_SESSIONS {
        return Ok(Response {
            handle,
            parameters: reader.rest(),
            auth: &[],
        });
    }
    let len = reader.u32()?;
    let parameters = reader.bytes(usize::try_from(len).map_err(|_| TpmError::Malformed("parameter size"))?)?;
    Ok(Response {
        handle,
        parameters,
        auth: reader.rest(),
    })
}
