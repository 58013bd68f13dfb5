//! Windows 10 conversions in progress: information, bitmaps and their two records.

use std::ops::Range;

use fve::io::MemoryDevice;
use fve::{ConversionStatus, Credential, Volume};

use crate::builder::{Boot, Builder, vmk};
use crate::foreign::assert_view;

const KIB: u64 = 1 << 10;
const CHUNK: u64 = 64 * KIB;
const LOG_LEN: u64 = 16 * KIB;

/// One region with its two records; each record is sequence number, flags and bits.
#[derive(Clone)]
pub(crate) struct Region {
    range: Range<u64>,
    pub(crate) bitmap: u64,
    log: u64,
    records: [(u64, Vec<bool>); 2],
}

#[derive(Clone)]
pub(crate) struct Eow {
    volume: Builder,
    pub(crate) infos: [u64; 2],
    pub(crate) regions: Vec<Region>,
}

fn with_crc(mut bytes: Vec<u8>, field: usize) -> Vec<u8> {
    let crc = crc32fast::hash(&bytes);
    bytes[field..field + 4].copy_from_slice(&crc.to_le_bytes());
    bytes
}

impl Eow {
    /// Four regions: before the header's place, that place, two behind; their borders are no multiples of the chunk.
    pub(crate) fn new(method: u16, sector: u64) -> Self {
        let mut volume = Builder::new(method, sector);
        let infos = [200 * KIB, 216 * KIB];
        (volume.boot, volume.extended) = (Boot::Eow(infos), Some(0x4A));
        let borders = [8192, volume.header, volume.header + 8192, 1220 * KIB, volume.size];
        let region = |index: usize| {
            let range = borders[index]..borders[index + 1];
            let chunks = (range.end - range.start).div_ceil(CHUNK) as usize;
            let live: Vec<bool> = (0..chunks).map(|chunk| !(chunk + index).is_multiple_of(3)).collect();
            let stale = live.iter().map(|bit| !bit).collect();
            Region {
                range,
                bitmap: (232 + 16 * index as u64) * KIB,
                log: (300 + 16 * index as u64) * KIB,
                // The live record is now the first, now the second.
                records: if index.is_multiple_of(2) {
                    [(7, live), (6, stale)]
                } else {
                    [(8, stale), (9, live)]
                },
            }
        };
        let regions = (0..4).map(region).collect();
        Self { volume, infos, regions }
    }

    fn info(&self) -> Vec<u8> {
        let total = 56 + 8 * self.regions.len();
        let mut bytes = b"FVE-EOW\0".to_vec();
        bytes.extend_from_slice(&56_u16.to_le_bytes());
        bytes.extend_from_slice(&(total as u16).to_le_bytes());
        let fields = [
            self.volume.sector,
            4096,
            CHUNK,
            LOG_LEN,
            LOG_LEN / 2,
            self.regions.len() as u64,
            0,
        ];
        fields
            .iter()
            .for_each(|&field| bytes.extend_from_slice(&(field as u32).to_le_bytes()));
        self.infos
            .iter()
            .for_each(|offset| bytes.extend_from_slice(&offset.to_le_bytes()));
        self.regions
            .iter()
            .for_each(|region| bytes.extend_from_slice(&region.bitmap.to_le_bytes()));
        with_crc(bytes, 36)
    }

    fn record(record: &(u64, Vec<bool>)) -> Vec<u8> {
        let mut bytes = b"FVE-EOWBR\0".to_vec();
        bytes.extend_from_slice(&36_u16.to_le_bytes());
        bytes.extend_from_slice(&512_u32.to_le_bytes());
        bytes.extend_from_slice(&(record.1.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&record.0.to_le_bytes());
        bytes.extend_from_slice(&2_u32.to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.resize(512, 0);
        for (index, _) in record.1.iter().enumerate().filter(|(_, bit)| **bit) {
            bytes[36 + index / 8] |= 1 << (index % 8);
        }
        with_crc(bytes, 32)
    }

    fn bitmap(region: &Region, index: usize) -> Vec<u8> {
        let mut bytes = b"FVE-EOWBM\0".to_vec();
        bytes.extend_from_slice(&60_u16.to_le_bytes());
        bytes.extend_from_slice(&1536_u32.to_le_bytes());
        bytes.extend_from_slice(&(index as u32).to_le_bytes());
        for field in [region.range.start, region.range.end - region.range.start, region.log] {
            bytes.extend_from_slice(&field.to_le_bytes());
        }
        for field in [0x200, 0x400, 0x200, 0_u32] {
            bytes.extend_from_slice(&field.to_le_bytes());
        }
        bytes.resize(512, 0);
        let mut bytes = with_crc(bytes, 56);
        region
            .records
            .iter()
            .for_each(|record| bytes.extend_from_slice(&Self::record(record)));
        bytes
    }

    fn encrypted(&self, offset: u64) -> bool {
        self.regions.iter().any(|region| {
            let live = region.records.iter().max_by_key(|record| record.0).unwrap();
            let chunk = offset
                .checked_sub(region.range.start)
                .map(|within| (within / CHUNK) as usize);
            region.range.contains(&offset) && chunk.is_some_and(|chunk| live.1[chunk])
        })
    }

    fn holes(&self) -> Vec<Range<u64>> {
        let mut holes = self.infos.map(|offset| offset..offset + 4096).to_vec();
        for region in &self.regions {
            holes.push(region.bitmap..region.bitmap + 4096);
            holes.push(region.log..region.log + LOG_LEN);
        }
        holes
    }

    fn plain(&self) -> Vec<u8> {
        let mut plain = self.volume.plain();
        for hole in self.holes() {
            plain[hole.start as usize..hole.end as usize].fill(0);
        }
        plain
    }

    pub(crate) fn image(&self) -> Vec<u8> {
        let mut image = self.volume.image_with(|offset| self.encrypted(offset));
        for hole in self.holes() {
            image[hole.start as usize..hole.end as usize].fill(0xDD);
        }
        for index in 0..2 {
            let info = self.info();
            image[self.infos[index] as usize..][..info.len()].copy_from_slice(&info);
        }
        for (index, region) in self.regions.iter().enumerate() {
            let bitmap = Self::bitmap(region, index);
            image[region.bitmap as usize..][..bitmap.len()].copy_from_slice(&bitmap);
        }
        image
    }
}

#[test]
fn both_halves_of_a_conversion_read_right_whatever_a_read_begins_with() {
    for (method, sector) in [(0x8004, 512), (0x8005, 4096), (0x8002, 512), (0x8003, 4096)] {
        let eow = Eow::new(method, sector);
        assert_view(eow.image(), &eow.plain());
    }
}

#[test]
fn the_share_that_is_encrypted_is_counted_to_the_byte() {
    let eow = Eow::new(0x8004, 512);
    let bytes = (8192..eow.volume.size)
        .step_by(512)
        .filter(|&offset| eow.encrypted(offset))
        .count() as u64
        * 512;
    let info = Volume::open(MemoryDevice::new(eow.image())).unwrap().info();
    assert_eq!(info.encrypted_bytes, bytes);
    assert_eq!(u64::from(info.percent), bytes * 100 / (eow.volume.size - 8192));
    assert_eq!(info.status, ConversionStatus::EncryptionInProgress);
    let shown = info.eow.unwrap();
    assert_eq!((shown.chunk_size, shown.regions, shown.problem), (CHUNK, 4, None));
}

#[test]
fn decrypting_is_told_from_encrypting() {
    let mut eow = Eow::new(0x8004, 512);
    eow.volume.extended = Some(0x14A);
    assert_view(eow.image(), &eow.plain());
    let info = Volume::open(MemoryDevice::new(eow.image())).unwrap().info();
    assert_eq!(info.status, ConversionStatus::DecryptionInProgress);
}

#[test]
fn a_damaged_record_falls_to_the_other_one() {
    let mut eow = Eow::new(0x8004, 512);
    let image = eow.image();
    for index in 0..4 {
        // The live record is damaged; what the stale one says is then believed, in the image as in the expectation.
        let live = usize::from(eow.regions[index].records[1].0 > eow.regions[index].records[0].0);
        let at = eow.regions[index].bitmap as usize + 0x200 * (live + 1);
        let before = eow.clone();
        eow.regions[index].records[live].0 = 0;
        let mut image = eow.image();
        image[at + 40] ^= 1;
        assert_view(image, &eow.plain());
        eow = before;
    }
    assert_view(image, &eow.plain());
}

#[test]
fn a_damaged_information_sector_falls_to_the_other_one() {
    let eow = Eow::new(0x8004, 512);
    for damaged in 0..2 {
        let mut image = eow.image();
        image[eow.infos[damaged] as usize + 20] ^= 1;
        assert_view(image, &eow.plain());
    }
}

#[test]
fn without_a_sound_bitmap_nothing_is_guessed() {
    let eow = Eow::new(0x8004, 512);
    let mut image = eow.image();
    for record in 1..3 {
        image[eow.regions[2].bitmap as usize + 0x200 * record + 50] ^= 1;
    }
    let volume = Volume::open(MemoryDevice::new(image)).unwrap();
    assert!(volume.info().eow.unwrap().problem.is_some());
    let volume = volume.unlock(&Credential::Vmk(&vmk())).unwrap();
    assert!(fve::io::ReadAt::read_at(&volume, 0, &mut [0; 512]).is_err());
}

#[test]
fn information_with_many_regions_is_longer_than_a_sector() {
    let mut eow = Eow::new(0x8004, 512);
    // 80 regions of one chunk each behind the header's place; their bitmaps lie where the last region was.
    eow.regions.truncate(2);
    let start = eow.volume.header + 8192;
    eow.volume.size = 16 << 20;
    eow.volume.watermark = eow.volume.size;
    for index in 0..80_u64 {
        let end = if index == 79 {
            eow.volume.size
        } else {
            start + (index + 1) * CHUNK
        };
        let range = start + index * CHUNK..end;
        let chunks = (range.end - range.start).div_ceil(CHUNK) as usize;
        eow.regions.push(Region {
            bitmap: (8 << 20) + index * 4096,
            log: (9 << 20) + index * LOG_LEN,
            records: [(1, vec![index % 2 == 0; chunks]), (0, vec![false; chunks])],
            range,
        });
    }
    assert_view(eow.image(), &eow.plain());
}

#[test]
fn a_conversion_whose_boot_sector_is_lost_is_rescued_with_its_bitmaps() {
    let eow = Eow::new(0x8004, 512);
    let mut image = eow.image();
    image[..512].fill(0);
    let device = MemoryDevice::new([vec![0; 1 << 20], image].concat());
    let go_on = &mut |_| std::ops::ControlFlow::Continue(());
    let findings = fve::repair::examine(&device, &fve::repair::ExamineOptions::default(), go_on).unwrap();
    let rescue = fve::repair::rescue(&device, &findings, &fve::repair::RescueOptions::default()).unwrap();
    let rescued = rescue.unlock(&Credential::ClearKey).unwrap();
    assert!(crate::foreign::all_of(rescued.volume()) == eow.plain());
    let mut rng = <rand_chacha::ChaCha20Rng as rand::SeedableRng>::seed_from_u64(4);
    let mut ctx = fve::Context {
        now: fve::FileTime(134_000_000_000_000_000),
        rng: &mut rng,
    };
    rescued.apply(&mut ctx).unwrap();
    let mended = device.to_vec()[1 << 20..].to_vec();
    assert_view(mended, &eow.plain());
}
