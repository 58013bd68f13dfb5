//! Power cuts: every write is a place where the power can go, and what was not
//! flushed may be there, not be there, or be there in part.

use std::io;
use std::sync::Mutex;

use fve::io::{MemoryDevice, ReadAt, WriteAt};
use fve::{
    ConversionMode, ConversionStatus, Credential, InitOptions, RecoveryPassword, UnlockedVolume, Volume, initialise,
};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;

use crate::common::{World, expected_view, free_regions, load, view_of};

/// A device that notes every write and flush on top of a start image.
struct Recorder {
    now: MemoryDevice,
    events: Mutex<Vec<Event>>,
}

#[derive(Clone)]
enum Event {
    Write { offset: u64, data: Vec<u8> },
    Flush,
}

impl Recorder {
    fn new(start: Vec<u8>) -> Self {
        Self {
            now: MemoryDevice::new(start),
            events: Mutex::default(),
        }
    }

    fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap().clone()
    }
}

impl ReadAt for Recorder {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.now.read_at(offset, buf)
    }

    fn size(&self) -> u64 {
        self.now.size()
    }
}

impl WriteAt for Recorder {
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.events.lock().unwrap().push(Event::Write {
            offset,
            data: data.to_vec(),
        });
        self.now.write_at(offset, data)
    }

    fn flush(&self) -> io::Result<()> {
        self.events.lock().unwrap().push(Event::Flush);
        Ok(())
    }
}

/// What the disk holds when the power goes after `events`: everything flushed; of the rest each
/// write whole, not at all, or only some of its sectors.
struct Disk {
    flushed: Vec<u8>,
    unflushed: Vec<(u64, Vec<u8>)>,
}

impl Disk {
    fn new(start: Vec<u8>) -> Self {
        Self {
            flushed: start,
            unflushed: Vec::new(),
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Write { offset, data } => self.unflushed.push((offset, data)),
            Event::Flush => {
                for (offset, data) in std::mem::take(&mut self.unflushed) {
                    self.flushed[offset as usize..][..data.len()].copy_from_slice(&data);
                }
            }
        }
    }

    fn power_cut(&self, rng: &mut ChaCha20Rng) -> MemoryDevice {
        let mut disk = self.flushed.clone();
        for (offset, data) in &self.unflushed {
            let fate = *[Fate::Whole, Fate::Lost, Fate::Torn].choose(rng).unwrap();
            for (index, sector) in data.chunks(512).enumerate() {
                let stays = match fate {
                    Fate::Whole => true,
                    Fate::Lost => false,
                    Fate::Torn => rng.random(),
                };
                if stays {
                    disk[*offset as usize + index * 512..][..sector.len()].copy_from_slice(sector);
                }
            }
        }
        MemoryDevice::new(disk)
    }
}

#[derive(Clone, Copy)]
enum Fate {
    Whole,
    Lost,
    Torn,
}

struct Start {
    world: World,
    plain: Vec<u8>,
    image: Vec<u8>,
    recovery: RecoveryPassword,
}

/// A 12 MiB volume, initialised, with one recovery password. Its noise is where the conversion passes.
fn start(seed: u64) -> Start {
    let mut world = World::new(seed);
    let path = world.ntfs("plain.img", 12, 512);
    world.sprinkle(&path);
    let plain = std::fs::read(&path).unwrap();
    let options = InitOptions {
        placement: free_regions(512),
        ..InitOptions::default()
    };
    let volume = initialise(load(&path), &options, &mut world.ctx()).unwrap();
    let recovery = RecoveryPassword::generate(&mut world.rng);
    volume
        .add_recovery_password(&mut world.ctx(), Some(&recovery), None)
        .unwrap();
    let image = volume.into_device().to_vec();
    Start {
        world,
        plain,
        image,
        recovery,
    }
}

fn unlock<D: ReadAt>(device: D, vmk: &fve::VolumeMasterKey) -> UnlockedVolume<D> {
    Volume::open(device)
        .expect("opens after the crash")
        .unlock(&Credential::Vmk(vmk))
        .expect("unlocks after the crash")
}

fn seed() -> u64 {
    let seed = std::env::var("CLAVIGER_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(20_261_124);
    eprintln!("CLAVIGER_SEED={seed}");
    seed
}

/// Runs `work` on a recording device, then cuts the power after each event and hands the disk to `check`.
fn cut_everywhere(
    start: Vec<u8>,
    work: impl FnOnce(Recorder) -> Recorder,
    mut check: impl FnMut(usize, MemoryDevice),
) -> usize {
    let mut rng = ChaCha20Rng::seed_from_u64(seed());
    let recorder = work(Recorder::new(start.clone()));
    let mut disk = Disk::new(start);
    let events = recorder.events();
    let cuts = events.len();
    for (index, event) in events.into_iter().enumerate() {
        disk.happen(event);
        check(index, disk.power_cut(&mut rng));
    }
    cuts
}

#[test]
fn a_conversion_cut_at_any_write_loses_nothing_and_goes_on() {
    let Start {
        mut world,
        plain,
        image,
        recovery,
    } = start(seed());
    let expected = expected_view(&plain);
    let opened = Volume::open(MemoryDevice::new(image.clone()))
        .unwrap()
        .unlock(&Credential::RecoveryPassword(&recovery))
        .unwrap();
    let vmk = opened.master_key().clone();
    let mut other = World::new(seed() + 1);
    let work = |recorder| {
        let volume = unlock(recorder, &vmk);
        let ctx = &mut world.ctx();
        volume.begin_encryption(ctx, ConversionMode::Full).unwrap();
        for step in 0.. {
            if volume.convert_step(ctx).unwrap().finished {
                break;
            }
            match step {
                9 => {
                    volume.pause(ctx).unwrap();
                    volume.resume_conversion(ctx).unwrap();
                }
                18 => volume.begin_decryption(ctx).unwrap(),
                22 => volume.begin_encryption(ctx, ConversionMode::Full).unwrap(),
                _ => {}
            }
        }
        volume.begin_decryption(ctx).unwrap();
        while !volume.convert_step(ctx).unwrap().finished {}
        volume.into_device()
    };
    let mut last_stretch = 0;
    let cuts = cut_everywhere(image, work, |index, disk| {
        let volume = unlock(disk, &vmk);
        assert!(view_of(&volume) == expected, "cut {index}: the view before recovery");
        // The stretch is slow and the password never changes here: now and then is enough.
        if index >= last_stretch + 100 {
            last_stretch = index;
            let disk = MemoryDevice::new(volume.device().to_vec());
            Volume::open(disk)
                .unwrap()
                .unlock(&Credential::RecoveryPassword(&recovery))
                .expect("the password opens");
        }
        let ctx = &mut other.ctx();
        volume.recover(ctx).unwrap();
        assert!(view_of(&volume) == expected, "cut {index}: the view after recovery");
        if volume.conversion_status().in_progress() {
            volume.convert_step(ctx).unwrap();
            volume.convert_step(ctx).unwrap();
            assert!(view_of(&volume) == expected, "cut {index}: the view after going on");
        }
        if index % 97 == 0 && volume.conversion_status().in_progress() {
            while !volume.convert_step(ctx).unwrap().finished {}
            assert!(view_of(&volume) == expected, "cut {index}: the view at the end");
        }
        let volume = unlock(volume.into_device(), &vmk);
        assert!(
            view_of(&volume) == expected && !volume.needs_recovery(),
            "cut {index}: the view when opened again"
        );
    });
    eprintln!("{cuts} power cuts");
    assert!(cuts > 800, "{cuts}");
}

#[test]
fn a_recovery_that_is_cut_itself_loses_nothing() {
    let Start {
        mut world,
        plain,
        image,
        recovery,
    } = start(seed() + 2);
    let expected = expected_view(&plain);
    let opened = Volume::open(MemoryDevice::new(image.clone()))
        .unwrap()
        .unlock(&Credential::RecoveryPassword(&recovery))
        .unwrap();
    let vmk = opened.master_key().clone();
    let mut other = World::new(seed() + 3);
    let work = |recorder| {
        let volume = unlock(recorder, &vmk);
        let ctx = &mut world.ctx();
        volume.begin_encryption(ctx, ConversionMode::Full).unwrap();
        for _ in 0..12 {
            volume.convert_step(ctx).unwrap();
        }
        volume.into_device()
    };
    let mut cuts = 0;
    cut_everywhere(image, work, |_, disk| {
        let start = disk.to_vec();
        if !unlock(MemoryDevice::new(start.clone()), &vmk).needs_recovery() {
            return;
        }
        let recovering = |recorder| {
            let volume = unlock(recorder, &vmk);
            volume.recover(&mut other.ctx()).unwrap();
            volume.into_device()
        };
        cuts += cut_everywhere(start, recovering, |index, disk| {
            let volume = unlock(disk, &vmk);
            assert!(view_of(&volume) == expected, "cut {index}");
        });
    });
    assert!(cuts > 50, "{cuts}");
}

#[test]
fn a_metadata_update_cut_at_any_write_leaves_the_old_or_the_new_protectors_and_heals() {
    let Start {
        mut world,
        image,
        recovery,
        ..
    } = start(seed() + 4);
    let opened = Volume::open(MemoryDevice::new(image.clone()))
        .unwrap()
        .unlock(&Credential::RecoveryPassword(&recovery))
        .unwrap();
    let vmk = opened.master_key().clone();
    let old = opened.protectors().unwrap().last().unwrap().id;
    let mut passwords = vec![(old, recovery)];
    let mut other = World::new(seed() + 5);
    let recorder = {
        let volume = unlock(Recorder::new(image.clone()), &vmk);
        let ctx = &mut world.ctx();
        volume.resume(ctx).unwrap();
        for _ in 0..2 {
            let (id, _) = passwords.last().cloned().unwrap();
            passwords.push(volume.rotate_recovery_password(ctx, id).unwrap());
        }
        volume.suspend(ctx, Some(1)).unwrap();
        volume.into_device()
    };
    let mut rng = ChaCha20Rng::seed_from_u64(seed());
    let mut disk = Disk::new(image);
    for event in recorder.events() {
        disk.happen(event);
        // Several throws of the dice for each event.
        for _ in 0..10 {
            let volume = Volume::open(disk.power_cut(&mut rng)).expect("opens after the crash");
            let ids: Vec<_> = volume.protectors().iter().map(|info| info.id).collect();
            let valid = passwords.iter().filter(|(id, _)| ids.contains(id)).collect::<Vec<_>>();
            assert_eq!(valid.len(), 1, "exactly one recovery password at every instant");
            let volume = volume.unlock(&Credential::Vmk(&vmk)).unwrap();
            assert_eq!(volume.recovery_password(valid[0].0).unwrap(), valid[0].1);
            volume.set_description(&mut other.ctx(), "healed").unwrap();
            let healed = Volume::open(volume.into_device()).unwrap();
            assert!(healed.info().copies.iter().all(|copy| copy.current));
        }
    }
}

#[test]
fn an_update_keeps_the_only_sound_copy_until_another_is_durable() {
    let Start {
        mut world,
        image,
        recovery,
        ..
    } = start(seed() + 6);
    let opened = Volume::open(MemoryDevice::new(image.clone()))
        .unwrap()
        .unlock(&Credential::RecoveryPassword(&recovery))
        .unwrap();
    let vmk = opened.master_key().clone();
    let offsets = opened.copies().map(|copy| copy.offset as usize);
    for sound in 0..3 {
        let mut broken = image.clone();
        for (index, offset) in offsets.iter().enumerate() {
            broken[offset + 100] ^= u8::from(index != sound);
        }
        let mut work = |recorder| {
            let volume = unlock(recorder, &vmk);
            volume.set_description(&mut world.ctx(), "changed").unwrap();
            volume.into_device()
        };
        let recorder = work(Recorder::new(broken.clone()));
        let mut rng = ChaCha20Rng::seed_from_u64(seed());
        let mut disk = Disk::new(broken);
        for (index, event) in recorder.events().into_iter().enumerate() {
            disk.happen(event);
            for _ in 0..20 {
                assert!(
                    Volume::open(disk.power_cut(&mut rng)).is_ok(),
                    "copy {sound} alone was sound, cut {index}"
                );
            }
        }
    }
}

#[test]
fn initialising_cut_at_any_write_leaves_the_plain_volume_or_the_new_one() {
    let mut world = World::new(seed() + 7);
    let path = world.ntfs("plain.img", 12, 512);
    world.sprinkle(&path);
    let plain = std::fs::read(&path).unwrap();
    let expected = expected_view(&plain);
    let options = InitOptions {
        placement: free_regions(512),
        ..InitOptions::default()
    };
    let work = |recorder| initialise(recorder, &options, &mut world.ctx()).unwrap().into_device();
    let mut seen = [0, 0];
    cut_everywhere(plain, work, |index, disk| match fve::is_fve(&disk) {
        Ok(true) => {
            let volume = Volume::open(disk).unwrap().unlock(&Credential::ClearKey).unwrap();
            assert_eq!(volume.conversion_status(), ConversionStatus::FullyDecrypted);
            assert!(view_of(&volume) == expected, "cut {index}");
            seen[1] += 1;
        }
        found => {
            assert!(matches!(found, Ok(false)), "cut {index}");
            assert!(expected_view(&disk.to_vec()) == expected, "cut {index}");
            seen[0] += 1;
        }
    });
    assert!(seen.iter().all(|&count| count > 1), "{seen:?}");
}
