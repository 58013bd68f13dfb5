//! An NTFS volume through its staged changes: records, attributes, streams.

use super::boot::{self, Geometry};
use super::bytes::{u8_at, u16_at, u32_at, u64_at};
use super::record::{ATTRIBUTE_LIST, Attr, BITMAP, DATA, Record, Stream};
use super::{NtfsError, bytes};
use crate::inner::bits::Bits;
use crate::inner::stage::Staged;
use crate::io::ReadAt;
use std::ops::Range;

pub(super) const MFT: u64 = 0;
pub(super) const MFT_MIRROR: u64 = 1;
pub(super) const LOG_FILE: u64 = 2;
pub(super) const VOLUME: u64 = 3;
pub(super) const ROOT: u64 = 5;
pub(super) const CLUSTER_BITMAP: u64 = 6;
pub(super) const UPCASE: u64 = 10;

/// The part of a file reference that is not the sequence number.
pub(super) const RECORD_NUMBER: u64 = (1 << 48) - 1;

/// Attributes that are loaded whole are never larger, bitmaps apart.
const MAX_LOADED: u64 = 16 << 20;

/// A volume, read through the changes staged so far.
pub(super) struct Volume<'a> {
    pub(super) stage: Staged<'a>,
    pub(super) geo: Geometry,
    pub(super) mft: Stream,
    mirror: Stream,
}

/// An attribute put together from all its pieces.
pub(super) enum Content {
    Resident(Vec<u8>),
    Stream(Stream),
}

impl<'a> Volume<'a> {
    pub(super) fn open(device: &'a dyn ReadAt) -> Result<Self, NtfsError> {
        let geo = boot::read(device)?;
        let stage = Staged::new(device);
        let mut volume = Self {
            stage,
            geo,
            mft: Stream::default(),
            mirror: Stream::default(),
        };
        volume.load_mft()?;
        if let Some(Content::Stream(mirror)) = volume.content(&volume.record(MFT_MIRROR)?, DATA, "")? {
            volume.mirror = mirror;
        }
        Ok(volume)
    }

    /// The first piece of $MFT lies in its own record 0, found by the boot sector.
    fn load_mft(&mut self) -> Result<(), NtfsError> {
        let mut raw = vec![0; self.geo.record];
        self.stage.read(self.geo.mft_lcn * self.geo.cluster, &mut raw)?;
        let own = Record::parse(raw, MFT)?;
        let first = own.find(DATA, "").ok_or_else(|| damaged("$MFT has no data"))?;
        self.mft = first.stream(self.geo.clusters)?;
        // Further pieces are described by records in the pieces before them.
        for piece in self.list(&own)?.unwrap_or_default() {
            if piece.kind != DATA || !piece.name_is("") || piece.vcn == 0 {
                continue;
            }
            if piece.vcn != self.mft.clusters() {
                return Err(damaged("the pieces of $MFT do not follow each other"));
            }
            let record = self.record(piece.record)?;
            let attr = find_piece(&record, &piece)?;
            self.mft.runs.extend(attr.runs(self.geo.clusters)?);
        }
        if self.mft.runs.iter().any(|run| run.lcn.is_none()) || self.mft.clusters() > self.geo.clusters {
            return Err(damaged("$MFT has holes or more clusters than the volume"));
        }
        self.mft.len(self.geo.cluster)?;
        Ok(())
    }

    /// How many records $MFT has.
    pub(super) fn records(&self) -> u64 {
        self.mft.size.min(self.mft.initialised) / self.geo.record as u64
    }

    pub(super) fn raw_record(&self, number: u64) -> Result<Vec<u8>, NtfsError> {
        let mut raw = vec![0; self.geo.record];
        let at = number
            .checked_mul(self.geo.record as u64)
            .filter(|_| number < self.mft.size / self.geo.record as u64);
        let at = at.ok_or_else(|| damaged(&format!("$MFT has no record {number}")))?;
        self.read_stream(&self.mft, at, &mut raw)?;
        Ok(raw)
    }

    pub(super) fn record(&self, number: u64) -> Result<Record, NtfsError> {
        Record::parse(self.raw_record(number)?, number)
    }

    /// Stages a record, and its copy in $MFTMirr when it has one there.
    pub(super) fn write_record(&mut self, record: &Record, what: &str) -> Result<(), NtfsError> {
        let size = self.geo.record;
        let mut bytes = record.to_bytes(size).ok_or_else(|| no_room(record.number))?;
        let mut at = record.number * size as u64;
        match &self.changed_strides(record)[..] {
            [] => return Ok(()),
            [(within, stride)] => {
                at += *within as u64;
                bytes.clone_from(stride);
            }
            _ => {}
        }
        let what = format!("$MFT record {} ({what})", record.number);
        let mft = self.mft.clone();
        self.write_stream(&mft, at, &bytes, &what)?;
        if at + bytes.len() as u64 <= self.mirror.size {
            let mirror = self.mirror.clone();
            self.write_stream(&mirror, at, &bytes, &format!("{what}, mirror"))?;
        }
        Ok(())
    }

    /// The 512-byte strides in which a record changes when its update sequence number stays, and their places in
    /// it. One of them alone cannot be torn. The whole record when the old one is none.
    fn changed_strides(&self, record: &Record) -> Vec<(usize, Vec<u8>)> {
        let strides = || {
            let old = self.raw_record(record.number).ok()?;
            Record::parse(old.clone(), record.number).ok()?;
            let update = u16_at(&old, usize::from(u16_at(&old, 4).ok()?)).ok()?;
            let new = record.to_bytes_with(self.geo.record, update)?;
            let pairs = new.chunks(512).zip(old.chunks(512)).enumerate();
            let changed = pairs.filter(|(_, (new, old))| new != old);
            Some(changed.map(|(index, (new, _))| (512 * index, new.to_vec())).collect())
        };
        strides().unwrap_or_else(|| vec![(0, Vec::new()); 2])
    }

    /// Makes the mirror of the first four records agree with them again.
    pub(super) fn heal_mirror(&mut self) -> Result<(), NtfsError> {
        let size = self.geo.record as u64;
        for number in 0..4 {
            if (number + 1) * size <= self.mirror.size {
                let raw = self.raw_record(number)?;
                let mirror = self.mirror.clone();
                self.write_stream(&mirror, number * size, &raw, &format!("mirror of $MFT record {number}"))?;
            }
        }
        Ok(())
    }

    /// The attribute of this kind and name, with the pieces in other records.
    pub(super) fn content(&self, record: &Record, kind: u32, name: &str) -> Result<Option<Content>, NtfsError> {
        let Some(list) = self.list(record)? else {
            return record.find(kind, name).map(|attr| self.whole(attr)).transpose();
        };
        let mut found: Option<Content> = None;
        for piece in list.iter().filter(|piece| piece.kind == kind && piece.name_is(name)) {
            let other;
            let holder = if piece.record == record.number {
                record
            } else {
                other = self.record(piece.record)?;
                &other
            };
            let attr = find_piece(holder, piece)?;
            match &mut found {
                None => found = Some(self.whole(attr)?),
                Some(Content::Stream(stream)) if stream.clusters() == piece.vcn => {
                    stream.runs.extend(attr.runs(self.geo.clusters)?);
                }
                Some(_) => return Err(damaged("the pieces of an attribute do not follow each other")),
            }
        }
        Ok(found)
    }

    fn whole(&self, attr: &Attr) -> Result<Content, NtfsError> {
        if attr.is_resident() {
            return Ok(Content::Resident(attr.value()?.to_vec()));
        }
        if attr.flags() != 0 {
            return Err(NtfsError::Unsupported(
                "a compressed, encrypted or sparse system attribute".to_owned(),
            ));
        }
        Ok(Content::Stream(attr.stream(self.geo.clusters)?))
    }

    /// The whole of an attribute in memory; refused beyond any sensible size.
    pub(super) fn bytes(&self, content: &Content) -> Result<Vec<u8>, NtfsError> {
        match content {
            Content::Resident(value) => Ok(value.clone()),
            Content::Stream(stream) => self.stream_bytes(stream, MAX_LOADED),
        }
    }

    fn stream_bytes(&self, stream: &Stream, limit: u64) -> Result<Vec<u8>, NtfsError> {
        if stream.clusters() > self.geo.clusters || stream.size > limit {
            return Err(damaged("a system attribute of impossible size"));
        }
        let mut value = vec![0; stream.len(self.geo.cluster)?];
        self.read_stream(stream, 0, &mut value)?;
        Ok(value)
    }

    /// The record's attribute list, if it has one.
    fn list(&self, record: &Record) -> Result<Option<Vec<Piece>>, NtfsError> {
        let Some(attr) = record.find(ATTRIBUTE_LIST, "") else {
            return Ok(None);
        };
        let value = self.bytes(&self.whole(attr)?)?;
        let mut pieces = Vec::new();
        let mut at = 0;
        while at + 26 <= value.len() {
            let len = usize::from(u16_at(&value, at + 4)?);
            if len < 26 {
                return Err(damaged("an attribute list with an entry too short"));
            }
            let name_at = at + usize::from(u8_at(&value, at + 7)?);
            let name = bytes::slice(&value, name_at, 2 * usize::from(u8_at(&value, at + 6)?))?;
            pieces.push(Piece {
                kind: u32_at(&value, at)?,
                name: name
                    .chunks_exact(2)
                    .map(|unit| u16::from_le_bytes([unit[0], unit[1]]))
                    .collect(),
                vcn: u64_at(&value, at + 8)?,
                record: u64_at(&value, at + 16)? & RECORD_NUMBER,
            });
            at += len;
        }
        Ok(Some(pieces))
    }

    /// Reads `buf.len()` bytes of `stream` from `at` on; beyond the initialised
    /// part and in holes they are zero.
    pub(super) fn read_stream(&self, stream: &Stream, at: u64, buf: &mut [u8]) -> Result<(), NtfsError> {
        let mut done = 0;
        while done < buf.len() {
            let (place, follow) = stream.locate(at + done as u64, self.geo.cluster)?;
            let len = usize::try_from(follow).unwrap_or(usize::MAX).min(buf.len() - done);
            let part = &mut buf[done..done + len];
            match place {
                Some(offset) => self.stage.read(offset, part)?,
                None => part.fill(0),
            }
            done += len;
        }
        let valid = usize::try_from(stream.initialised.saturating_sub(at)).unwrap_or(usize::MAX);
        if valid < buf.len() {
            buf[valid..].fill(0);
        }
        Ok(())
    }

    /// Stages a write of whole 512-byte blocks into the clusters of `stream`.
    pub(super) fn write_stream(&mut self, stream: &Stream, at: u64, data: &[u8], what: &str) -> Result<(), NtfsError> {
        let mut done = 0;
        while done < data.len() {
            let (place, follow) = stream.locate(at + done as u64, self.geo.cluster)?;
            let len = usize::try_from(follow).unwrap_or(usize::MAX).min(data.len() - done);
            let offset = place.ok_or_else(|| damaged("a system file has a hole"))?;
            self.stage.write(offset, data[done..done + len].to_vec(), what)?;
            done += len;
        }
        Ok(())
    }

    /// The cluster bitmap, and where it lies.
    pub(super) fn cluster_bitmap(&self) -> Result<(Bits, Stream), NtfsError> {
        match self.content(&self.record(CLUSTER_BITMAP)?, DATA, "")? {
            Some(Content::Stream(stream)) => {
                let bits = self.bits(&stream, self.geo.clusters)?;
                if (bits.0.len() as u64) < self.geo.clusters.div_ceil(8) {
                    return Err(damaged("$Bitmap is shorter than the volume"));
                }
                Ok((bits, stream))
            }
            _ => Err(damaged("$Bitmap has no clusters")),
        }
    }

    /// The bitmap of $MFT records, and where it lies.
    pub(super) fn record_bitmap(&self) -> Result<(Bits, Stream), NtfsError> {
        match self.content(&self.record(MFT)?, BITMAP, "")? {
            Some(Content::Stream(stream)) => Ok((self.bits(&stream, self.records())?, stream)),
            _ => Err(NtfsError::Unsupported(
                "the bitmap of $MFT is not in clusters of its own".to_owned(),
            )),
        }
    }

    /// A bitmap that needs `count` bits and may have some to spare.
    fn bits(&self, stream: &Stream, count: u64) -> Result<Bits, NtfsError> {
        self.stream_bytes(stream, count / 8 + MAX_LOADED).map(Bits)
    }

    /// Stages the 512-byte blocks in which `new` differs from what is there.
    pub(super) fn write_bits(&mut self, stream: &Stream, new: &Bits, what: &str) -> Result<(), NtfsError> {
        self.write_bits_of(stream, new, 0..new.0.len() as u64 * 8, what)
    }

    /// The same for the blocks that hold `bits` alone.
    pub(super) fn write_bits_of(
        &mut self,
        stream: &Stream,
        new: &Bits,
        bits: Range<u64>,
        what: &str,
    ) -> Result<(), NtfsError> {
        const BITS: u64 = 512 * 8;
        for block in bits.start / BITS..bits.end.div_ceil(BITS) {
            let at = block * 512;
            let start = bytes::index(at)?;
            let part = new.0.get(start..new.0.len().min(start + 512)).unwrap_or_default();
            let mut data = vec![0; 512];
            let (place, _) = stream.locate(at, self.geo.cluster)?;
            let offset = place.ok_or_else(|| damaged("a bitmap has a hole"))?;
            self.stage.read(offset, &mut data)?;
            data[..part.len()].copy_from_slice(part);
            self.stage.write(offset, data, what)?;
        }
        Ok(())
    }
}

struct Piece {
    kind: u32,
    name: Vec<u16>,
    vcn: u64,
    record: u64,
}

impl Piece {
    fn name_is(&self, name: &str) -> bool {
        self.name.iter().copied().eq(name.encode_utf16())
    }
}

fn find_piece<'r>(record: &'r Record, piece: &Piece) -> Result<&'r Attr, NtfsError> {
    let name = String::from_utf16_lossy(&piece.name);
    let matches = |attr: &&Attr| attr.is(piece.kind, &name) && attr.first_vcn().is_ok_and(|vcn| vcn == piece.vcn);
    record.attrs.iter().find(matches).ok_or_else(|| {
        damaged(&format!(
            "$MFT record {} lacks the attribute that a list names",
            record.number
        ))
    })
}

pub(super) fn no_room(number: u64) -> NtfsError {
    NtfsError::Unsupported(format!(
        "$MFT record {number} has no room left and would need an attribute list"
    ))
}

pub(super) fn damaged(what: &str) -> NtfsError {
    NtfsError::Damaged(what.to_owned())
}
