//! Small volumes, whose regions lie in any order and at any place, so that a whole one is checked in a millisecond.

use std::ops::Range;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use fve::inner::Regions;
use fve::{
    Context, ConversionMode, EncryptionMethod, ExternalKey, InitOptions, Passphrase, Placement, ProtectorKind,
    RecoveryPassword, UnlockedVolume, initialise,
};
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::common::NOW;
use crate::disk::Disk;
use crate::recorder::Recorder;
use crate::run::View;
use crate::secrets::{Protectors, Secret};

const KIB: u64 = 1 << 10;
const HEADER_LEN: u64 = 8 * KIB;
const METADATA_LEN: u64 = 64 * KIB;
const ICE_LEN: u64 = 64 * KIB;
const PAGE: u64 = 4 * KIB;

/// Where everything is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) size: u64,
    pub(crate) sector_size: u32,
    pub(crate) regions: Regions,
    pub(crate) log_len: u64,
    pub(crate) method: EncryptionMethod,
}

impl Shape {
    pub(crate) fn random(size: u64, log_lens: &[u64], rng: &mut ChaCha8Rng) -> Self {
        let log_len = *log_lens.choose(rng).unwrap();
        let mut lens = [METADATA_LEN, METADATA_LEN, METADATA_LEN, HEADER_LEN + ICE_LEN, log_len];
        let mut order = [0, 1, 2, 3, 4];
        order.shuffle(rng);
        let mut room = size - HEADER_LEN - lens.iter().sum::<u64>();
        let mut at = HEADER_LEN;
        let mut starts = [0; 5];
        for index in order {
            let gap = rng.random_range(0..=room / 2 / PAGE) * PAGE;
            (starts[index], at, room) = (at + gap, at + gap + lens[index], room - gap);
        }
        lens.sort_unstable();
        Self {
            size,
            sector_size: *[512, 512, 4096].choose(rng).unwrap(),
            regions: Regions {
                metadata: [starts[0], starts[1], starts[2]],
                header: starts[3],
                ice: starts[3] + HEADER_LEN,
                log: starts[4],
            },
            log_len,
            method: *[EncryptionMethod::AesXts128, EncryptionMethod::AesXts256]
                .choose(rng)
                .unwrap(),
        }
    }

    pub(crate) fn placement(&self) -> Placement {
        Placement::At {
            regions: self.regions,
            sector_size: self.sector_size,
            log_len: self.log_len as u32,
        }
    }

    pub(crate) fn metadata(&self) -> Vec<Range<u64>> {
        self.regions.metadata.map(|start| start..start + METADATA_LEN).to_vec()
    }

    pub(crate) fn header(&self) -> Range<u64> {
        self.regions.header..self.regions.header + HEADER_LEN
    }

    pub(crate) fn log(&self) -> Range<u64> {
        self.regions.log..self.regions.log + self.log_len
    }

    /// The page that describes the log.
    pub(crate) fn log_page(&self) -> Range<u64> {
        self.regions.log..self.regions.log + PAGE
    }

    /// Ranges that belong to nobody inside.
    pub(crate) fn reserved(&self) -> Vec<Range<u64>> {
        let mut reserved = self.metadata();
        reserved.extend([self.header(), self.log()]);
        reserved
    }

    /// A range of whole sectors that the file system inside may write to.
    pub(crate) fn inner_range(&self, rng: &mut ChaCha8Rng) -> Range<u64> {
        let sector = u64::from(self.sector_size);
        loop {
            let start = rng.random_range(0..self.size / sector) * sector;
            let end = (start + rng.random_range(1..=16) * sector).min(self.size);
            if !self
                .reserved()
                .iter()
                .any(|range| range.start < end && start < range.end)
            {
                return start..end;
            }
        }
    }

    /// What `plain` shows once the regions are taken out of it; the log's page is left open.
    fn view(&self, plain: &Disk) -> View {
        let mut view = plain.clone();
        for range in self.reserved() {
            view.write(range.start, &vec![0; (range.end - range.start) as usize])
                .unwrap();
        }
        view.settle();
        View::new(view, vec![self.log_page()])
    }
}

/// A volume to begin with: nothing of it is encrypted, and it has protectors of every kind.
pub(crate) struct Start {
    pub(crate) shape: Shape,
    pub(crate) plain: Disk,
    pub(crate) image: Disk,
    pub(crate) encrypted: Disk,
    pub(crate) protectors: Protectors,
    pub(crate) view: View,
}

/// Lengths of logs with one, two and more slots.
const LOG_LENS: [u64; 4] = [16 * KIB, 36 * KIB, 68 * KIB, 260 * KIB];
const SIZE: u64 = 1 << 20;

impl Start {
    /// One of a few volumes: their passwords are stretched once only.
    pub(crate) fn pick(rng: &mut ChaCha8Rng) -> Arc<Self> {
        static POOL: LazyLock<Mutex<Vec<Arc<Start>>>> = LazyLock::new(Mutex::default);
        const POOL_SIZE: usize = 12;
        let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
        let index = rng.random_range(0..POOL_SIZE);
        while pool.len() <= index {
            let seed = pool.len() as u64;
            pool.push(Arc::new(Self::make(&mut ChaCha8Rng::seed_from_u64(seed))));
        }
        Arc::clone(&pool[index])
    }

    fn make(rng: &mut ChaCha8Rng) -> Self {
        Self::with(Shape::random(SIZE, &LOG_LENS, rng), rng)
    }

    pub(crate) fn with(shape: Shape, rng: &mut ChaCha8Rng) -> Self {
        let plain = noise(&shape, rng);
        let options = InitOptions {
            method: shape.method,
            placement: shape.placement(),
            ..InitOptions::default()
        };
        let recorder = Recorder::new(plain.clone());
        let volume = initialise(&recorder, &options, &mut ctx(rng)).unwrap();
        let protectors = equip(&volume, rng);
        let (view, mut image) = (shape.view(&plain), recorder.disk());
        image.settle();
        view.check(&volume)
            .unwrap_or_else(|loss| panic!("initialised, {shape:?}: {loss}"));
        volume.begin_encryption(&mut ctx(rng), ConversionMode::Full).unwrap();
        while !volume.convert_step(&mut ctx(rng)).unwrap().finished {}
        view.check(&volume)
            .unwrap_or_else(|loss| panic!("encrypted, {shape:?}: {loss}"));
        let mut encrypted = recorder.disk();
        encrypted.settle();
        Self {
            shape,
            plain,
            image,
            encrypted,
            protectors,
            view,
        }
    }
}

/// Adds a protector of each kind that a person or a service holds.
pub(crate) fn equip(volume: &UnlockedVolume<&Recorder>, rng: &mut ChaCha8Rng) -> Protectors {
    let clear = volume.protectors().unwrap();
    let clear = clear.iter().find(|info| info.kind == ProtectorKind::ClearKey);
    let mut protectors = Protectors(clear.map(|info| (info.id, Secret::Clear)).into_iter().collect());
    let password = RecoveryPassword::generate(rng);
    let passphrase = Passphrase::new("correct horse battery");
    let key = ExternalKey::generate(rng);
    let id = volume
        .add_recovery_password(&mut ctx(rng), Some(&password), None)
        .unwrap();
    protectors.0.push((id, Secret::Recovery(password)));
    let id = volume.add_passphrase(&mut ctx(rng), &passphrase, None).unwrap();
    protectors.0.push((id, Secret::Passphrase(passphrase)));
    let id = volume.add_external_key(&mut ctx(rng), Some(&key), None).unwrap();
    protectors.0.push((id, Secret::External(key)));
    protectors
}

/// An image that looks like a file system from the outside and holds nothing that is there twice.
pub(crate) fn noise(shape: &Shape, rng: &mut ChaCha8Rng) -> Disk {
    let mut image = vec![0; shape.size as usize];
    rng.fill_bytes(&mut image);
    // A file system that is known by name and that nobody looks into.
    image[..11].copy_from_slice(b"\xEB\x52\x90ReFS\0\0\0\0");
    image[0x0B..0x0D].copy_from_slice(&(shape.sector_size as u16).to_le_bytes());
    image[510..512].copy_from_slice(&[0x55, 0xAA]);
    Disk::new(image)
}

pub(crate) fn ctx(rng: &mut ChaCha8Rng) -> Context<'_> {
    Context { now: NOW, rng }
}
