//! $MFT records and their attributes.

use super::bytes::{align8, index, put, slice, u8_at, u16_at, u32_at, u64_at};
use super::runs::{self, Run};
use super::{NtfsError, fixup};

pub(super) const STANDARD_INFORMATION: u32 = 0x10;
pub(super) const ATTRIBUTE_LIST: u32 = 0x20;
pub(super) const FILE_NAME: u32 = 0x30;
pub(super) const OBJECT_ID: u32 = 0x40;
pub(super) const SECURITY_DESCRIPTOR: u32 = 0x50;
pub(super) const VOLUME_NAME: u32 = 0x60;
pub(super) const VOLUME_INFORMATION: u32 = 0x70;
pub(super) const DATA: u32 = 0x80;
pub(super) const INDEX_ROOT: u32 = 0x90;
pub(super) const INDEX_ALLOCATION: u32 = 0xA0;
pub(super) const BITMAP: u32 = 0xB0;
pub(super) const REPARSE_POINT: u32 = 0xC0;

pub(super) const IN_USE: u16 = 1;
pub(super) const DIRECTORY: u16 = 2;

const END: u32 = u32::MAX;
const USA_OFFSET: usize = 0x30;

/// One record, its attributes apart.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) number: u64,
    pub(super) sequence: u16,
    pub(super) flags: u16,
    /// Reference of the base record; 0 in a base record.
    pub(super) base: u64,
    pub(super) attrs: Vec<Attr>,
    links: u16,
    log_sequence: u64,
    update: u16,
    next_instance: u16,
}

impl Record {
    /// An empty record that is not in use.
    pub(super) fn blank(number: u64) -> Self {
        Self {
            number,
            sequence: 1,
            flags: 0,
            base: 0,
            attrs: Vec::new(),
            links: 0,
            log_sequence: 0,
            update: 0,
            next_instance: 0,
        }
    }

    /// Takes a record from the disk apart.
    pub(super) fn parse(mut bytes: Vec<u8>, number: u64) -> Result<Self, NtfsError> {
        let update = u16_at(&bytes, usize::from(u16_at(&bytes, 4)?))?;
        fixup::open(&mut bytes, b"FILE")?;
        let used = (u32_at(&bytes, 0x18)? as usize).min(bytes.len());
        let mut at = usize::from(u16_at(&bytes, 0x14)?);
        let mut attrs = Vec::new();
        while u32_at(&bytes[..used], at)? != END {
            let len = u32_at(&bytes, at + 4)? as usize;
            if len < 24 || !len.is_multiple_of(8) {
                return Err(NtfsError::Damaged(format!(
                    "$MFT record {number} has an attribute of {len} bytes"
                )));
            }
            attrs.push(Attr(slice(&bytes[..used], at, len)?.to_vec()));
            at += len;
        }
        Ok(Self {
            number,
            sequence: u16_at(&bytes, 0x10)?,
            flags: u16_at(&bytes, 0x16)?,
            base: u64_at(&bytes, 0x20)?,
            attrs,
            links: u16_at(&bytes, 0x12)?,
            log_sequence: u64_at(&bytes, 8)?,
            update,
            next_instance: u16_at(&bytes, 0x28)?,
        })
    }

    /// The bytes for the disk, or nothing when they do not fit.
    pub(super) fn to_bytes(&self, size: usize) -> Option<Vec<u8>> {
        self.to_bytes_with(size, fixup::next(self.update))
    }

    /// The same with this update sequence number.
    pub(super) fn to_bytes_with(&self, size: usize, update: u16) -> Option<Vec<u8>> {
        let strides = size / 512;
        let first = align8(USA_OFFSET + 2 * (strides + 1));
        let used = first + self.attrs.iter().map(|attr| attr.0.len()).sum::<usize>() + 8;
        if used > size {
            return None;
        }
        let mut bytes = vec![0; size];
        put(&mut bytes, 0, b"FILE");
        put(&mut bytes, 4, &(USA_OFFSET as u16).to_le_bytes());
        put(&mut bytes, 6, &(strides as u16 + 1).to_le_bytes());
        put(&mut bytes, 8, &self.log_sequence.to_le_bytes());
        put(&mut bytes, 0x10, &self.sequence.to_le_bytes());
        put(&mut bytes, 0x12, &self.links.to_le_bytes());
        put(&mut bytes, 0x14, &(first as u16).to_le_bytes());
        put(&mut bytes, 0x16, &self.flags.to_le_bytes());
        put(&mut bytes, 0x18, &(used as u32).to_le_bytes());
        put(&mut bytes, 0x1C, &(size as u32).to_le_bytes());
        put(&mut bytes, 0x20, &self.base.to_le_bytes());
        put(&mut bytes, 0x28, &self.next_instance.to_le_bytes());
        put(&mut bytes, 0x2C, &(self.number as u32).to_le_bytes());
        let mut at = first;
        for attr in &self.attrs {
            put(&mut bytes, at, &attr.0);
            at += attr.0.len();
        }
        put(&mut bytes, at, &END.to_le_bytes());
        fixup::close(&mut bytes, update).ok()?;
        Some(bytes)
    }

    /// This record emptied, its counters kept.
    pub(super) fn emptied(self) -> Self {
        Self {
            flags: 0,
            base: 0,
            attrs: Vec::new(),
            links: 0,
            next_instance: 0,
            ..self
        }
    }

    /// This record with other flags.
    pub(super) fn with_flags(&self, flags: u16) -> Self {
        Self {
            flags,
            update: fixup::next(self.update),
            ..self.clone()
        }
    }

    pub(super) fn in_use(&self) -> bool {
        self.flags & IN_USE != 0
    }

    /// What directory entries call this record.
    pub(super) fn reference(&self) -> u64 {
        self.number | u64::from(self.sequence) << 48
    }

    pub(super) fn find(&self, kind: u32, name: &str) -> Option<&Attr> {
        self.attrs.iter().find(|attr| attr.is(kind, name))
    }

    /// Puts `attr` in the place of the one of its kind and name, or where a new
    /// one of that kind belongs.
    pub(super) fn replace(&mut self, mut attr: Attr) {
        let kind = attr.kind();
        let name = attr.name();
        match self
            .attrs
            .iter()
            .position(|old| old.kind() == kind && old.name() == name)
        {
            Some(place) => {
                attr.set_instance(self.attrs[place].instance());
                self.attrs[place] = attr;
            }
            None => {
                attr.set_instance(self.next_instance);
                self.next_instance = self.next_instance.wrapping_add(1);
                if kind == FILE_NAME {
                    self.links += 1;
                }
                let place = self
                    .attrs
                    .iter()
                    .position(|old| old.kind() > kind)
                    .unwrap_or(self.attrs.len());
                self.attrs.insert(place, attr);
            }
        }
    }

    pub(super) fn remove(&mut self, kind: u32, name: &str) {
        self.attrs.retain(|attr| !attr.is(kind, name));
    }
}

/// One attribute, header and all.
#[derive(Clone, Debug)]
pub(super) struct Attr(Vec<u8>);

impl Attr {
    /// A resident attribute. `indexed` marks a name that a directory lists.
    pub(super) fn resident(kind: u32, name: &str, value: &[u8], indexed: bool) -> Self {
        let (mut bytes, at) = Self::header(kind, name, 24);
        put(&mut bytes, 16, &(value.len() as u32).to_le_bytes());
        put(&mut bytes, 20, &(at as u16).to_le_bytes());
        bytes[22] = u8::from(indexed);
        bytes.resize(at, 0);
        bytes.extend_from_slice(value);
        Self::finish(bytes)
    }

    /// A non-resident attribute that begins at its first cluster.
    pub(super) fn non_resident(kind: u32, name: &str, stream: &Stream, cluster: u64) -> Self {
        let (mut bytes, at) = Self::header(kind, name, 64);
        let total = stream.clusters();
        bytes[8] = 1;
        put(&mut bytes, 24, &total.wrapping_sub(1).to_le_bytes());
        put(&mut bytes, 32, &(at as u16).to_le_bytes());
        put(&mut bytes, 40, &(total * cluster).to_le_bytes());
        put(&mut bytes, 48, &stream.size.to_le_bytes());
        put(&mut bytes, 56, &stream.initialised.to_le_bytes());
        bytes.resize(at, 0);
        bytes.extend(runs::encode(&stream.runs));
        Self::finish(bytes)
    }

    /// This attribute with other runs of the same total length.
    pub(super) fn with_runs(&self, runs: &[Run]) -> Result<Self, NtfsError> {
        let at = usize::from(u16_at(&self.0, 32)?);
        let name_end = usize::from(u16_at(&self.0, 10)?) + 2 * usize::from(u8_at(&self.0, 9)?);
        if self.is_resident() || at < 64 || (u8_at(&self.0, 9)? > 0 && name_end > at) {
            return Err(NtfsError::Unsupported(format!(
                "attribute {:#x} has its parts in an unusual order",
                self.kind()
            )));
        }
        let mut bytes = slice(&self.0, 0, at)?.to_vec();
        bytes.extend(runs::encode(runs));
        Ok(Self::finish(bytes))
    }

    fn header(kind: u32, name: &str, len: usize) -> (Vec<u8>, usize) {
        let units: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut bytes = vec![0; len];
        put(&mut bytes, 0, &kind.to_le_bytes());
        bytes[9] = (units.len() / 2) as u8;
        put(&mut bytes, 10, &(len as u16).to_le_bytes());
        bytes.extend(units);
        let end = align8(bytes.len());
        (bytes, end)
    }

    fn finish(mut bytes: Vec<u8>) -> Self {
        bytes.resize(align8(bytes.len()), 0);
        let len = bytes.len() as u32;
        put(&mut bytes, 4, &len.to_le_bytes());
        Self(bytes)
    }

    pub(super) fn kind(&self) -> u32 {
        u32_at(&self.0, 0).unwrap_or(END)
    }

    pub(super) fn is(&self, kind: u32, name: &str) -> bool {
        self.kind() == kind
            && self
                .name()
                .is_some_and(|own| own.iter().copied().eq(name.encode_utf16()))
    }

    fn name(&self) -> Option<Vec<u16>> {
        let len = 2 * usize::from(u8_at(&self.0, 9).ok()?);
        let at = usize::from(u16_at(&self.0, 10).ok()?);
        let bytes = slice(&self.0, at, len).ok()?;
        Some(
            bytes
                .chunks_exact(2)
                .map(|unit| u16::from_le_bytes([unit[0], unit[1]]))
                .collect(),
        )
    }

    pub(super) fn is_resident(&self) -> bool {
        self.0[8] == 0
    }

    /// Compressed (1), encrypted (0x4000), sparse (0x8000).
    pub(super) fn flags(&self) -> u16 {
        u16_at(&self.0, 12).unwrap_or(u16::MAX)
    }

    fn instance(&self) -> u16 {
        u16_at(&self.0, 14).unwrap_or(0)
    }

    fn set_instance(&mut self, instance: u16) {
        put(&mut self.0, 14, &instance.to_le_bytes());
    }

    /// The value of a resident attribute.
    pub(super) fn value(&self) -> Result<&[u8], NtfsError> {
        if !self.is_resident() {
            return Err(NtfsError::Damaged(format!(
                "attribute {:#x} is not resident",
                self.kind()
            )));
        }
        let len = u32_at(&self.0, 16)? as usize;
        slice(&self.0, usize::from(u16_at(&self.0, 20)?), len)
    }

    /// First cluster of this piece within the whole attribute; 0 for residents.
    pub(super) fn first_vcn(&self) -> Result<u64, NtfsError> {
        if self.is_resident() { Ok(0) } else { u64_at(&self.0, 16) }
    }

    /// The runs of this piece of a non-resident attribute.
    pub(super) fn runs(&self, clusters: u64) -> Result<Vec<Run>, NtfsError> {
        if self.is_resident() {
            return Err(NtfsError::Damaged(format!("attribute {:#x} is resident", self.kind())));
        }
        let at = usize::from(u16_at(&self.0, 32)?);
        let pairs = self
            .0
            .get(at..)
            .ok_or_else(|| NtfsError::Damaged("a run list outside its attribute".to_owned()))?;
        runs::decode(pairs, clusters)
    }

    /// The sizes, which the first piece alone holds, with this piece's runs.
    pub(super) fn stream(&self, clusters: u64) -> Result<Stream, NtfsError> {
        let runs = self.runs(clusters)?;
        Ok(Stream {
            runs,
            size: u64_at(&self.0, 48)?,
            initialised: u64_at(&self.0, 56)?,
        })
    }
}

/// A non-resident attribute's clusters and sizes in bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Stream {
    pub(super) runs: Vec<Run>,
    pub(super) size: u64,
    pub(super) initialised: u64,
}

impl Stream {
    /// `len` bytes in one run from `lcn` on.
    pub(super) fn contiguous(lcn: u64, len: u64, cluster: u64) -> Self {
        let run = Run {
            lcn: Some(lcn),
            len: len.div_ceil(cluster),
        };
        Self {
            runs: vec![run],
            size: len,
            initialised: len,
        }
    }

    pub(super) fn clusters(&self) -> u64 {
        self.runs.iter().map(|run| run.len).sum()
    }

    /// The volume offset of byte `at`, and how many bytes follow it there; no
    /// offset within a hole.
    pub(super) fn locate(&self, at: u64, cluster: u64) -> Result<(Option<u64>, u64), NtfsError> {
        let mut start = 0_u64;
        for run in &self.runs {
            let len = run.len.saturating_mul(cluster);
            let within = at - start;
            if within < len {
                return Ok((run.lcn.map(|lcn| lcn * cluster + within), len - within));
            }
            start = start.saturating_add(len);
        }
        Err(NtfsError::Damaged(format!("byte {at} of an attribute has no cluster")))
    }

    /// The size as an index into memory, refused beyond what its clusters hold.
    pub(super) fn len(&self, cluster: u64) -> Result<usize, NtfsError> {
        if self.size > self.clusters().saturating_mul(cluster) {
            return Err(NtfsError::Damaged("an attribute longer than its clusters".to_owned()));
        }
        index(self.size)
    }
}
