//! The rules of the conversion log, one by one: what is durable before what, and which records count. The crash model
//! finds what follows from breaking them.

use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use fve::io::{MemoryDevice, ReadAt, WriteAt};
use fve::{ConversionMode, Credential, Error, UnlockedVolume, Volume, VolumeMasterKey};

use crate::common::{LOG_LEN, World, all_of, expected_view, view_of};
use crate::conversion::{Started, start};

/// Where [`free_regions`](crate::common::free_regions) has the slots.
const RING: std::ops::Range<u64> = (10 << 20) + 4096..(10 << 20) + LOG_LEN as u64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Write(u64),
    Flush,
}

/// A device that notes what happens, and whose writes fail from a given one on.
struct Watched {
    memory: MemoryDevice,
    left: AtomicI64,
    events: Mutex<Vec<Event>>,
}

impl Watched {
    fn new(image: Vec<u8>) -> Self {
        Self {
            memory: MemoryDevice::new(image),
            left: i64::MAX.into(),
            events: Mutex::default(),
        }
    }

    fn works_for(&self, writes: i64) {
        self.left.store(writes, Ordering::Relaxed);
    }

    fn note(&self, event: Event) -> io::Result<()> {
        if self.left.fetch_sub(1, Ordering::Relaxed) <= 0 {
            return Err(io::Error::other("the device fails"));
        }
        self.events.lock().unwrap().push(event);
        Ok(())
    }

    fn forget_events(&self) {
        self.events.lock().unwrap().clear();
    }

    /// Whether a flush came before the first write for which `of` holds.
    fn flushed_before(&self, of: impl Fn(u64) -> bool) -> bool {
        let events = self.events.lock().unwrap();
        let write = events
            .iter()
            .position(|event| matches!(event, Event::Write(at) if of(*at)))
            .expect("something is written");
        events[..write].contains(&Event::Flush)
    }
}

impl ReadAt for Watched {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.memory.read_at(offset, buf)
    }

    fn size(&self) -> u64 {
        self.memory.size()
    }
}

impl WriteAt for Watched {
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.note(Event::Write(offset))?;
        self.memory.write_at(offset, data)
    }

    fn flush(&self) -> io::Result<()> {
        self.note(Event::Flush)
    }
}

fn unlock(image: Vec<u8>, vmk: &VolumeMasterKey) -> UnlockedVolume<Watched> {
    let locked = Volume::open(Watched::new(image)).unwrap();
    locked.unlock(&Credential::Vmk(vmk)).unwrap()
}

/// A volume one step into its encryption: its content, its key, what it shows.
fn under_way(world: &mut World) -> (Vec<u8>, VolumeMasterKey, Vec<u8>) {
    let Started { volume, plain, .. } = start(world, 512);
    let vmk = volume.master_key().clone();
    volume.begin_encryption(&mut world.ctx(), ConversionMode::Full).unwrap();
    volume.convert_step(&mut world.ctx()).unwrap();
    (all_of(volume.device()), vmk, expected_view(&plain))
}

#[test]
fn a_step_on_a_failing_device_leaves_the_view_right_refuses_writes_and_is_tried_again() {
    let mut world = World::new(16);
    let (image, vmk, expected) = under_way(&mut world);
    let mut refused = 0;
    for left in 0..22 {
        let volume = unlock(image.clone(), &vmk);
        volume.device().works_for(left);
        let failed = volume.convert_step(&mut world.ctx()).is_err();
        assert!(view_of(&volume) == expected, "after {left} writes");
        volume.device().works_for(i64::MAX);
        if failed && volume.needs_recovery() {
            // A write in between would be undone by the records.
            assert!(volume.write_at(3 << 20, &[1]).is_err(), "after {left} writes");
            refused += 1;
        }
        if !matches!(volume.convert_step(&mut world.ctx()), Err(Error::Stale)) {
            while !volume.convert_step(&mut world.ctx()).unwrap().finished {}
        }
        let volume = unlock(all_of(volume.device()), &vmk);
        assert!(view_of(&volume) == expected, "after {left} writes, opened anew");
    }
    assert!(refused > 3, "{refused}");
}

#[test]
fn a_record_of_an_earlier_lap_is_not_carried_out_when_the_watermark_stands_where_it_begins() {
    let mut world = World::new(17);
    let (image, vmk, mut expected) = under_way(&mut world);
    let volume = unlock(image, &vmk);
    // The first record is whole, its sync fails: the lap ends before it began.
    volume.device().works_for(2);
    volume.convert_step(&mut world.ctx()).unwrap_err();
    volume.device().works_for(i64::MAX);
    volume.recover(&mut world.ctx()).unwrap();
    let watermark = volume.progress().done_bytes;
    volume.write_at(watermark, &[0xA5; 4096]).unwrap();
    expected[watermark as usize..][..4096].fill(0xA5);
    let image = all_of(volume.device());
    let slot = RING.start as usize;
    assert_eq!(&image[slot..slot + 8], b"CLAVREC2", "the record is still there");
    assert_eq!(
        image[slot + 40..slot + 48],
        watermark.to_le_bytes(),
        "and begins at the watermark"
    );
    let volume = unlock(image, &vmk);
    assert!(!volume.needs_recovery());
    assert!(view_of(&volume) == expected, "what was written since is there");
}

#[test]
fn records_are_made_durable_before_a_recovery_touches_a_chunk() {
    let mut world = World::new(18);
    let (image, vmk, expected) = under_way(&mut world);
    let volume = unlock(image, &vmk);
    volume.device().works_for(5);
    volume.convert_step(&mut world.ctx()).unwrap_err();
    let volume = unlock(all_of(volume.device()), &vmk);
    assert!(volume.needs_recovery());
    volume.recover(&mut world.ctx()).unwrap();
    assert!(volume.device().flushed_before(|at| !RING.contains(&at)));
    assert!(view_of(&volume) == expected);
}

#[test]
fn what_an_earlier_program_wrote_is_made_durable_before_a_slot_is_used_again() {
    let mut world = World::new(19);
    let (image, vmk, _) = under_way(&mut world);
    let volume = unlock(image.clone(), &vmk);
    volume.convert_step(&mut world.ctx()).unwrap();
    assert!(volume.device().flushed_before(|at| RING.contains(&at)));
    // Afterwards each chunk costs one sync.
    volume.device().forget_events();
    volume.convert_step(&mut world.ctx()).unwrap();
    let events = volume.device().events.lock().unwrap().clone();
    let records = events
        .iter()
        .filter(|e| matches!(e, Event::Write(at) if RING.contains(at)))
        .count();
    let flushes = events.iter().filter(|&&event| event == Event::Flush).count();
    assert_eq!(flushes, 1 + records + 3, "{events:?}");
    // Pausing wipes the slots, so the same holds.
    let volume = unlock(image, &vmk);
    volume.pause(&mut world.ctx()).unwrap();
    assert!(volume.device().flushed_before(|at| RING.contains(&at)));
}

#[test]
fn a_change_of_protectors_first_carries_out_what_the_log_holds() {
    let mut world = World::new(20);
    let (image, vmk, expected) = under_way(&mut world);
    for left in 3..9 {
        let volume = unlock(image.clone(), &vmk);
        volume.device().works_for(left);
        volume.convert_step(&mut world.ctx()).unwrap_err();
        let volume = unlock(all_of(volume.device()), &vmk);
        assert!(volume.needs_recovery(), "after {left} writes");
        volume.set_description(&mut world.ctx(), "changed").unwrap();
        let volume = unlock(all_of(volume.device()), &vmk);
        assert!(view_of(&volume) == expected, "after {left} writes");
    }
}
