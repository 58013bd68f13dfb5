//! Builds volumes byte by byte as the format is described, without the crate's own writing half.

use aes::Aes256;
use ccm::aead::generic_array::GenericArray;
use ccm::aead::generic_array::typenum::{U12, U16};
use ccm::aead::{AeadInPlace, KeyInit};
use fve::{Guid, VolumeMasterKey};
use sha2::{Digest, Sha256};

use crate::cipher;

pub(crate) const NORMAL: &str = "4967d63b-2e29-4ad8-8399-f6a339e3d001";
pub(crate) const EOW: &str = "92a84d3b-dd80-4d0e-9e4e-b1e3284eaed8";
pub(crate) const VMK: [u8; 32] = [0x5A; 32];
pub(crate) const VOLUME: [u8; 16] = [7; 16];

pub(crate) fn vmk() -> VolumeMasterKey {
    VolumeMasterKey::from_bytes(VMK)
}

pub(crate) fn guid(text: &str) -> [u8; 16] {
    *text.parse::<Guid>().unwrap().as_bytes()
}

/// A datum: size, role, type, flags 1, body.
pub(crate) fn datum(role: u16, kind: u16, body: &[u8]) -> Vec<u8> {
    flagged(role, kind, 1, body)
}

pub(crate) fn flagged(role: u16, kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
    let len = u16::try_from(8 + body.len()).unwrap();
    let mut bytes: Vec<u8> = [len, role, kind, flags]
        .iter()
        .flat_map(|field| field.to_le_bytes())
        .collect();
    bytes.extend_from_slice(body);
    bytes
}

pub(crate) fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
}

/// A KEY datum; in clear on the disk (flags 1) or as what is wrapped (flags 0).
pub(crate) fn key(flags: u16, key_type: u16, key: &[u8]) -> Vec<u8> {
    let mut body = key_type.to_le_bytes().to_vec();
    body.extend_from_slice(&[0, 0]);
    body.extend_from_slice(key);
    flagged(0, 1, flags, &body)
}

/// An AES-CCM datum around whole datums.
pub(crate) fn sealed(role: u16, with: &[u8; 32], plain: &[u8]) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(with);
    hash.update(plain);
    // A nonce for each content: this is a test, and nothing is sealed twice.
    let nonce = &hash.finalize()[..12];
    let cipher = ccm::Ccm::<Aes256, U16, U12>::new(GenericArray::from_slice(with));
    let mut text = plain.to_vec();
    let tag = cipher
        .encrypt_in_place_detached(GenericArray::from_slice(nonce), &[], &mut text)
        .unwrap();
    datum(role, 5, &[nonce, tag.as_slice(), &text].concat())
}

/// A protector around its parts; the sealed VMK comes last.
pub(crate) fn protector(id: u8, priority: u16, flags: u16, parts: &[Vec<u8>]) -> Vec<u8> {
    let mut body = vec![id; 16];
    body.extend_from_slice(&132_000_000_000_000_000_u64.to_le_bytes());
    body.extend_from_slice(&[0, 0]);
    body.extend_from_slice(&priority.to_le_bytes());
    parts.iter().for_each(|part| body.extend_from_slice(part));
    flagged(2, 8, flags, &body)
}

pub(crate) fn clear_key(id: u8) -> Vec<u8> {
    let clear = [id; 32];
    let parts = [key(1, 0x2000, &clear), sealed(0, &clear, &key(0, 0x2003, &VMK))];
    protector(id, 0, 1, &parts)
}

pub(crate) fn external_key(id: u8, external: [u8; 32]) -> Vec<u8> {
    let mut body = 0x2002_u16.to_le_bytes().to_vec();
    body.extend_from_slice(&[0, 0]);
    body.extend_from_slice(&sealed(0, &VMK, &key(0, 0x2002, &external)));
    protector(
        id,
        0x0200,
        1,
        &[
            datum(0, 2, &utf16("ExternalKey")),
            datum(0, 4, &body),
            sealed(0, &external, &key(0, 0x2003, &VMK)),
        ],
    )
}

/// A stretched secret: `hash` is the first hash, of a password (0x1000) or a passphrase (0x1001).
pub(crate) fn stretched(id: u8, key_type: u16, hash: [u8; 32], more: &[Vec<u8>]) -> Vec<u8> {
    let salt = [id ^ 0xA5; 16];
    let mut state = [0; 88];
    state[32..64].copy_from_slice(&hash);
    state[64..80].copy_from_slice(&salt);
    for round in 0..0x10_0000_u64 {
        state[80..].copy_from_slice(&round.to_le_bytes());
        let last = Sha256::digest(state);
        state[..32].copy_from_slice(&last);
    }
    let stretched: [u8; 32] = state[..32].try_into().unwrap();
    let mut body = key_type.to_le_bytes().to_vec();
    body.extend_from_slice(&[0, 0]);
    body.extend_from_slice(&salt);
    let copy_type = if key_type == 0x1000 { 0x2008 } else { 0x2007 };
    body.extend_from_slice(&sealed(0, &VMK, &key(0, copy_type, &stretched)));
    let mut parts = more.to_vec();
    parts.push(datum(0, 3, &body));
    parts.push(sealed(0, &stretched, &key(0, 0x2003, &VMK)));
    protector(id, if key_type == 0x1000 { 0x0800 } else { 0x2000 }, 1, &parts)
}

pub(crate) fn recovery_hash(raw: [u8; 16]) -> [u8; 32] {
    Sha256::digest(raw).into()
}

pub(crate) fn passphrase_hash(text: &str) -> [u8; 32] {
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    Sha256::digest(Sha256::digest(utf16)).into()
}

/// How the first sector looks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Boot {
    Fixed,
    ToGo,
    Eow([u64; 2]),
}

/// A volume to be built.
#[derive(Clone)]
pub(crate) struct Builder {
    pub(crate) boot: Boot,
    /// What the boot sector gives as bytes per sector.
    pub(crate) boot_bytes_per_sector: u16,
    /// Where in the boot sector the layout GUID lies.
    pub(crate) guid_at: usize,
    pub(crate) sector: u64,
    pub(crate) size: u64,
    pub(crate) method: u16,
    pub(crate) states: [u16; 2],
    pub(crate) watermark: u64,
    pub(crate) state_size: u32,
    pub(crate) copies: [u64; 3],
    pub(crate) header: u64,
    pub(crate) header_len: u64,
    pub(crate) next_nonce: u32,
    /// Flags of the extended information; `None` leaves it out, as Windows 7 does.
    pub(crate) extended: Option<u64>,
    /// The virtualization datum comes first, as on Windows 7.
    pub(crate) virtualization_first: bool,
    /// Datums besides FVEK and virtualization.
    pub(crate) datums: Vec<Vec<u8>>,
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

impl Builder {
    pub(crate) fn new(method: u16, sector: u64) -> Self {
        Self {
            boot: Boot::Fixed,
            boot_bytes_per_sector: sector as u16,
            guid_at: 0xA0,
            sector,
            size: 2 * MIB,
            method,
            states: [4, 4],
            watermark: 2 * MIB,
            state_size: 0,
            copies: [512 * KIB, MIB, MIB + 512 * KIB],
            header: 640 * KIB,
            header_len: 8192,
            next_nonce: 10,
            extended: Some(0x0A),
            virtualization_first: false,
            datums: vec![datum(7, 2, &utf16("PC data 1.1.2024")), clear_key(1)],
        }
    }

    pub(crate) fn fvek(&self) -> Vec<u8> {
        (0..cipher::key_len(self.method))
            .map(|index| (index * 5 + 3) as u8)
            .collect()
    }

    fn virtualization(&self) -> Vec<u8> {
        let mut body = self.header.to_le_bytes().to_vec();
        body.extend_from_slice(&self.header_len.to_le_bytes());
        if let Some(flags) = self.extended {
            let mut extended = vec![0; 76];
            let mut put = |at: usize, bytes: &[u8]| extended[at..at + bytes.len()].copy_from_slice(bytes);
            put(0, &[5, 0, 76, 0]);
            put(8, &flags.to_le_bytes());
            put(28, &(self.sector as u32).to_le_bytes());
            put(32, &(self.sector as u32).to_le_bytes());
            put(36, &10_u32.to_le_bytes());
            put(44, &19041_u32.to_le_bytes());
            put(48, &2_u32.to_le_bytes());
            put(56, &[0x10, 0x01, 1, 2]);
            put(60, &(self.header + self.header_len).to_le_bytes());
            put(68, &0x1_0000_u64.to_le_bytes());
            body.extend_from_slice(&extended);
        }
        datum(0xF, 0xF, &body)
    }

    fn datum_bytes(&self) -> Vec<u8> {
        let fvek = sealed(3, &VMK, &key(0, self.method, &self.fvek()));
        let mut all = self.datums.clone();
        all.push(fvek);
        let place = if self.virtualization_first { 0 } else { all.len() };
        all.insert(place, self.virtualization());
        all.concat()
    }

    /// The 64 KiB of a metadata copy.
    pub(crate) fn metadata(&self) -> Vec<u8> {
        let datums = self.datum_bytes();
        let end = 48 + datums.len() as u32;
        let mut area = b"-FVE-FS-".to_vec();
        let hashed = (64 + end as usize).next_multiple_of(16);
        area.extend_from_slice(&u16::try_from(hashed / 16).unwrap().to_le_bytes());
        for field in [2, self.states[0], self.states[1]] {
            area.extend_from_slice(&field.to_le_bytes());
        }
        area.extend_from_slice(&self.watermark.to_le_bytes());
        area.extend_from_slice(&self.state_size.to_le_bytes());
        area.extend_from_slice(&((self.header_len / self.sector) as u32).to_le_bytes());
        for offset in self.copies.iter().chain([&self.header]) {
            area.extend_from_slice(&offset.to_le_bytes());
        }
        for field in [end, 1, 48, end] {
            area.extend_from_slice(&field.to_le_bytes());
        }
        area.extend_from_slice(&VOLUME);
        area.extend_from_slice(&self.next_nonce.to_le_bytes());
        area.extend_from_slice(&self.method.to_le_bytes());
        area.extend_from_slice(&[0, 0]);
        area.extend_from_slice(&131_000_000_000_000_000_u64.to_le_bytes());
        area.extend_from_slice(&datums);
        area.resize(hashed, 0);
        validate(area)
    }

    /// The first sector.
    pub(crate) fn boot_sector(&self) -> Vec<u8> {
        let mut sector = vec![0; self.sector as usize];
        let mut put = |at: usize, bytes: &[u8]| sector[at..at + bytes.len()].copy_from_slice(bytes);
        let to_go = self.boot == Boot::ToGo;
        put(0, &[0xEB, 0x58, 0x90]);
        put(3, if to_go { b"MSWIN4.1" } else { b"-FVE-FS-" });
        put(0x0B, &self.boot_bytes_per_sector.to_le_bytes());
        put(0x0D, &[8]);
        put(0x15, &[0xF8]);
        let at = if to_go { 0x1A8 } else { self.guid_at };
        put(at, &guid(if matches!(self.boot, Boot::Eow(_)) { EOW } else { NORMAL }));
        let infos = match self.boot {
            Boot::Eow(infos) => infos.to_vec(),
            _ => Vec::new(),
        };
        for (index, offset) in self.copies.iter().chain(&infos).enumerate() {
            put(at + 16 + 8 * index, &offset.to_le_bytes());
        }
        put(0x1FE, &[0x55, 0xAA]);
        sector
    }

    /// Encrypts what lies at `offset`.
    pub(crate) fn encrypt(&self, offset: u64, data: &mut [u8]) {
        let fvek = self.fvek();
        let offsets = (offset..).step_by(self.sector as usize);
        for (offset, sector) in offsets.zip(data.chunks_mut(self.sector as usize)) {
            cipher::encrypt(self.method, &fvek, offset, sector);
        }
    }

    /// The ranges that read as zeros.
    pub(crate) fn holes(&self) -> Vec<std::ops::Range<u64>> {
        let mut holes: Vec<_> = self.copies.iter().map(|&offset| offset..offset + 65536).collect();
        holes.push(self.header..self.header + self.header_len);
        holes
    }

    /// The inner file system to encrypt: noise behind a boot sector, zeros where the view has zeros.
    pub(crate) fn plain(&self) -> Vec<u8> {
        let mut state = 0x1234_5678_9ABC_DEF1_u64;
        let mut plain: Vec<u8> = (0..self.size / 8)
            .flat_map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state.to_le_bytes()
            })
            .collect();
        plain[3..11].copy_from_slice(b"NTFS    ");
        // As much of a parameter block as readers look at.
        plain[0x0B..0x54].fill(0);
        plain[0x0B..0x0D].copy_from_slice(&(self.sector as u16).to_le_bytes());
        (plain[0x0D], plain[0x15], plain[0x40], plain[0x44]) = (8, 0xF8, 0xF6, 1);
        plain[0x28..0x30].copy_from_slice(&(self.size / self.sector).to_le_bytes());
        plain[0x30] = 4;
        plain[0x38] = 8;
        plain[0x1FE..0x200].copy_from_slice(&[0x55, 0xAA]);
        for hole in self.holes() {
            plain[hole.start as usize..hole.end as usize].fill(0);
        }
        plain
    }

    /// The whole volume: `encrypted` says whether the sector at a place is.
    pub(crate) fn image_with(&self, encrypted: impl Fn(u64) -> bool) -> Vec<u8> {
        let plain = self.plain();
        let mut image = plain.clone();
        let header_len = self.header_len as usize;
        image[self.header as usize..][..header_len].copy_from_slice(&plain[..header_len]);
        for offset in (0..self.size).step_by(self.sector as usize) {
            if encrypted(offset) {
                self.encrypt(offset, &mut image[offset as usize..][..self.sector as usize]);
            }
        }
        image[..header_len].fill(0xEE);
        let boot = self.boot_sector();
        image[..boot.len()].copy_from_slice(&boot);
        let metadata = self.metadata();
        for copy in self.copies {
            image[copy as usize..][..65536].copy_from_slice(&metadata);
        }
        image
    }

    pub(crate) fn image(&self) -> Vec<u8> {
        self.image_with(|offset| offset < self.watermark)
    }
}

/// Appends checksum and sealed hash to what they cover, and zeros to 64 KiB.
pub(crate) fn validate(mut area: Vec<u8>) -> Vec<u8> {
    let hash = Sha256::digest(&area);
    let crc = crc32fast::hash(&area);
    let tail = u16::try_from(65536 - area.len()).unwrap();
    area.extend_from_slice(&tail.to_le_bytes());
    area.extend_from_slice(&2_u16.to_le_bytes());
    area.extend_from_slice(&crc.to_le_bytes());
    area.extend_from_slice(&sealed(0, &VMK, &key(0, 0x2005, &hash)));
    area.resize(65536, 0);
    area
}
