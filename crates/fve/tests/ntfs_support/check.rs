//! A checker of its own, which shares no code with the crate: every cluster belongs to exactly one
//! attribute, $Bitmap says so, the mirror is equal, and records agree with their bitmap.

use std::collections::BTreeMap;

/// What is wrong with a plain NTFS image; empty when nothing is.
pub(crate) fn complaints(image: &[u8]) -> Vec<String> {
    let boot = &image[..512];
    let cluster = usize::from(word(boot, 11)) * usize::from(boot[13]);
    let clusters = (long(boot, 0x28) as usize * usize::from(word(boot, 11))) / cluster;
    let record_len = match boot[0x40] as i8 {
        power if power < 0 => 1 << -power,
        count => count as usize * cluster,
    };
    let ntfs = Ntfs { image, cluster };
    let mft_at = long(boot, 0x30) as usize * cluster;
    let first = fixed(&image[mft_at..mft_at + record_len], b"FILE").expect("record 0");
    let mut mft = stream_of(&first, 0x80);
    // Pieces of $MFT in further records, found through the pieces before them.
    let mut wrong = Vec::new();
    let mut vcn = mft.iter().map(|run| run.1).sum::<usize>();
    while let Some(more) = extension(&ntfs, &mft, record_len, vcn) {
        vcn += more.iter().map(|run| run.1).sum::<usize>();
        mft.extend(more);
    }
    let table = ntfs.read(&mft);
    let mut owner: BTreeMap<usize, String> = BTreeMap::new();
    let mut in_use = Vec::new();
    let (mut bitmap, mut record_bitmap) = (Vec::new(), Vec::new());
    let size = data_size(&first, 0x80);
    for (number, raw) in table[..size].chunks_exact(record_len).enumerate() {
        let Some(record) = fixed(raw, b"FILE") else {
            in_use.push(false);
            if &raw[..4] == b"FILE" || &raw[..4] == b"BAAD" {
                wrong.push(format!("record {number} is torn"));
            }
            continue;
        };
        in_use.push(word(&record, 0x16) & 1 != 0);
        if word(&record, 0x16) & 1 == 0 {
            continue;
        }
        if u32::from_le_bytes(record[0x2C..0x30].try_into().unwrap()) as usize != number {
            wrong.push(format!("record {number} has another's number"));
        }
        let mut last_kind = 0;
        for attr in attrs(&record) {
            let kind = int(attr, 0);
            if kind < last_kind {
                wrong.push(format!("record {number}: attribute {kind:#x} behind {last_kind:#x}"));
            }
            last_kind = kind;
            if attr[8] == 0 {
                continue;
            }
            let what = format!("record {number}, attribute {kind:#x}");
            let runs = decode(&attr[usize::from(word(attr, 32))..]);
            let total: usize = runs.iter().map(|run| run.1).sum();
            if long(attr, 24) as i64 - long(attr, 16) as i64 + 1 != total as i64 {
                wrong.push(format!(
                    "{what}: VCNs {}..{} but {total} clusters",
                    long(attr, 16),
                    long(attr, 24)
                ));
            }
            let mapped: usize = runs.iter().filter(|run| run.0.is_some()).map(|run| run.1).sum();
            let flags = word(attr, 12);
            let whole = long(attr, 16) == 0 && flags == 0 && !has_list(&record);
            if whole && (long(attr, 40) as usize != total * cluster || (mapped != total && number != 8)) {
                wrong.push(format!("{what}: allocated {} for {total} clusters", long(attr, 40)));
            }
            for (lcn, len) in runs {
                let Some(lcn) = lcn else { continue };
                for at in lcn..lcn + len {
                    if at >= clusters {
                        wrong.push(format!("{what}: cluster {at} of {clusters}"));
                    } else if let Some(other) = owner.insert(at, what.clone()) {
                        wrong.push(format!("cluster {at}: {other} and {what}"));
                    }
                }
            }
            if number == 6 && kind == 0x80 {
                bitmap = ntfs.read(&stream_of(&record, 0x80));
            }
            if number == 0 && kind == 0xB0 {
                record_bitmap = ntfs.read(&stream_of(&record, 0xB0));
            }
        }
    }
    for at in 0..clusters {
        let marked = bitmap[at / 8] >> (at % 8) & 1 == 1;
        match (marked, owner.get(&at)) {
            (true, None) => wrong.push(format!("cluster {at} is allocated and nobody's")),
            (false, Some(owner)) => wrong.push(format!("cluster {at} is free and of {owner}")),
            _ => {}
        }
    }
    for (number, &used) in in_use.iter().enumerate() {
        let marked = record_bitmap[number / 8] >> (number % 8) & 1 == 1;
        if used && !marked {
            wrong.push(format!("record {number} is in use and free in the bitmap"));
        }
        // Records 12 to 23 are reserved by their bits alone.
        if marked && !used && number >= 24 {
            wrong.push(format!("record {number} is not in use and taken in the bitmap"));
        }
    }
    let mirror_at = long(boot, 0x38) as usize * cluster;
    if image[mirror_at..mirror_at + 4 * record_len] != table[..4 * record_len] {
        wrong.push("the mirror of $MFT differs".to_owned());
    }
    wrong.truncate(20);
    wrong
}

struct Ntfs<'a> {
    image: &'a [u8],
    cluster: usize,
}

type Runs = Vec<(Option<usize>, usize)>;

impl Ntfs<'_> {
    fn read(&self, runs: &Runs) -> Vec<u8> {
        let mut bytes = Vec::new();
        for &(lcn, len) in runs {
            match lcn {
                Some(lcn) => bytes.extend(&self.image[lcn * self.cluster..(lcn + len) * self.cluster]),
                None => bytes.resize(bytes.len() + len * self.cluster, 0),
            }
        }
        bytes
    }
}

/// The piece of $MFT's data that begins at `vcn`, from a record that the pieces so far hold.
fn extension(ntfs: &Ntfs<'_>, mft: &Runs, record_len: usize, vcn: usize) -> Option<Runs> {
    let table = ntfs.read(mft);
    table.chunks_exact(record_len).skip(1).find_map(|raw| {
        let record = fixed(raw, b"FILE")?;
        let of_mft = long(&record, 0x20) != 0 && long(&record, 0x20) & 0xFFFF_FFFF_FFFF == 0;
        let attr = attrs(&record).find(|attr| int(attr, 0) == 0x80 && attr[8] == 1 && long(attr, 16) == vcn as u64)?;
        of_mft.then(|| decode(&attr[usize::from(word(attr, 32))..]))
    })
}

fn fixed(raw: &[u8], magic: &[u8; 4]) -> Option<Vec<u8>> {
    let mut record = raw.to_vec();
    if &record[..4] != magic {
        return None;
    }
    let array = usize::from(word(&record, 4));
    for stride in 0..record.len() / 512 {
        let tail = 512 * (stride + 1) - 2;
        if record[tail..tail + 2] != record[array..array + 2] {
            return None;
        }
        let saved = array + 2 + 2 * stride;
        let bytes = [record[saved], record[saved + 1]];
        record[tail..tail + 2].copy_from_slice(&bytes);
    }
    Some(record)
}

fn attrs(record: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut at = usize::from(word(record, 0x14));
    std::iter::from_fn(move || {
        if int(record, at) == u32::MAX {
            return None;
        }
        let attr = &record[at..at + int(record, at + 4) as usize];
        at += attr.len();
        Some(attr)
    })
}

fn has_list(record: &[u8]) -> bool {
    attrs(record).any(|attr| int(attr, 0) == 0x20) || long(record, 0x20) != 0
}

fn stream_of(record: &[u8], kind: u32) -> Runs {
    attrs(record)
        .find(|attr| int(attr, 0) == kind && attr[8] == 1 && attr[9] == 0)
        .map_or_else(Vec::new, |attr| decode(&attr[usize::from(word(attr, 32))..]))
}

fn data_size(record: &[u8], kind: u32) -> usize {
    attrs(record)
        .find(|attr| int(attr, 0) == kind && attr[8] == 1)
        .map_or(0, |attr| long(attr, 48) as usize)
}

fn decode(mut pairs: &[u8]) -> Runs {
    let (mut runs, mut lcn) = (Vec::new(), 0_i64);
    while pairs[0] != 0 {
        let (lens, lcns) = (usize::from(pairs[0] & 15), usize::from(pairs[0] >> 4));
        let signed = |bytes: &[u8]| {
            bytes.iter().rev().fold(
                if bytes.last().is_some_and(|top| *top > 127) {
                    -1
                } else {
                    0
                },
                |value: i64, &byte| value << 8 | i64::from(byte),
            )
        };
        let len = signed(&pairs[1..=lens]) as usize;
        lcn += signed(&pairs[1 + lens..1 + lens + lcns]);
        runs.push(((lcns > 0).then_some(lcn as usize), len));
        pairs = &pairs[1 + lens + lcns..];
    }
    runs
}

fn word(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap())
}

fn int(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn long(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

/// The names of the files that have clusters, by where these begin.
pub(crate) fn by_place(image: &[u8]) -> Vec<String> {
    let boot = &image[..512];
    let cluster = usize::from(word(boot, 11)) * usize::from(boot[13]);
    let record_len = if boot[0x40] > 127 {
        1 << -(boot[0x40] as i8)
    } else {
        cluster * usize::from(boot[0x40])
    };
    let mft_at = long(boot, 0x30) as usize * cluster;
    let first = fixed(&image[mft_at..mft_at + record_len], b"FILE").expect("record 0");
    let table = Ntfs { image, cluster }.read(&stream_of(&first, 0x80));
    let mut files: Vec<(usize, String)> = table
        .chunks_exact(record_len)
        .filter_map(|raw| fixed(raw, b"FILE").filter(|record| word(record, 0x16) & 1 != 0))
        .filter_map(|record| {
            let place = stream_of(&record, 0x80).first()?.0?;
            let key = attrs(&record).find(|attr| int(attr, 0) == 0x30)?;
            let key = &key[usize::from(word(key, 20))..];
            let units = key[66..66 + 2 * usize::from(key[64])].chunks_exact(2);
            let name: Vec<u16> = units.map(|unit| u16::from_le_bytes([unit[0], unit[1]])).collect();
            Some((place, String::from_utf16(&name).unwrap()))
        })
        .collect();
    files.sort();
    files.into_iter().map(|(_, name)| name).collect()
}

/// Where $LogFile begins.
pub(crate) fn log_file(image: &[u8]) -> usize {
    let boot = &image[..512];
    let cluster = usize::from(word(boot, 11)) * usize::from(boot[13]);
    let record = long(boot, 0x30) as usize * cluster + 2 * 1024;
    let record = fixed(&image[record..record + 1024], b"FILE").expect("record 2");
    stream_of(&record, 0x80)[0].0.expect("clusters") * cluster
}
