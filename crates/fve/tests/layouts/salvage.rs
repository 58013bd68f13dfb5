//! Copying past unreadable sectors.

use std::io;
use std::ops::{ControlFlow, Range};
use std::sync::Mutex;

use fve::io::{MemoryDevice, ReadAt};
use fve::repair::{BlockStatus, Map, SalvageEvent, SalvageOptions, SalvagePhase, salvage};
use proptest::prelude::*;

/// A device on which some sectors cannot be read; it notes what is asked of it.
pub(crate) struct Faulty {
    pub(crate) bytes: Vec<u8>,
    pub(crate) bad: Vec<Range<u64>>,
    pub(crate) reads: Mutex<Vec<Range<u64>>>,
}

impl Faulty {
    pub(crate) fn new(bytes: Vec<u8>, bad: Vec<Range<u64>>) -> Self {
        Self {
            bytes,
            bad,
            reads: Mutex::new(Vec::new()),
        }
    }
}

impl ReadAt for Faulty {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let range = offset..offset + buf.len() as u64;
        self.reads.lock().unwrap().push(range.clone());
        if self
            .bad
            .iter()
            .any(|bad| bad.start < range.end && range.start < bad.end)
        {
            return Err(io::Error::other("medium error"));
        }
        let bytes = self.bytes.get(range.start as usize..range.end as usize);
        buf.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }
}

/// One range.
pub(crate) fn one(start: u64, len: u64) -> Vec<Range<u64>> {
    std::iter::once(start..start + len).collect()
}

fn noise(len: usize) -> Vec<u8> {
    (0..len as u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8 | 1)
        .collect()
}

fn options() -> SalvageOptions {
    SalvageOptions {
        piece: 16 << 10,
        ..SalvageOptions::default()
    }
}

#[test]
fn everything_readable_is_copied_and_nothing_else_is_claimed() {
    let bad = vec![512..1024, 40_960..57_344, 100_352..100_864, 199_680..200_192];
    let source = Faulty::new(noise(200_192), bad.clone());
    let target = MemoryDevice::new(vec![9; 200_192]);
    let mut map = Map::new(source.size());
    let finished = salvage(&source, &target, &mut map, &options(), &mut |_| {
        ControlFlow::Continue(())
    })
    .unwrap();
    assert!(finished);
    assert_eq!(map.missing(), bad);
    let mut expected = source.bytes.clone();
    bad.iter()
        .for_each(|range| expected[range.start as usize..range.end as usize].fill(0));
    assert!(target.to_vec() == expected);
}

#[test]
fn a_marker_makes_lost_sectors_known() {
    let source = Faulty::new(noise(8192), one(1024, 1024));
    let target = MemoryDevice::new(vec![0; 8192]);
    let options = SalvageOptions {
        marker: Some(b"LOST".to_vec()),
        ..options()
    };
    salvage(&source, &target, &mut Map::new(8192), &options, &mut |_| {
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(&target.to_vec()[1024..2048], b"LOST".repeat(256).as_slice());
}

#[test]
fn retries_fetch_what_has_become_readable() {
    let source = Faulty::new(noise(8192), one(1024, 1024));
    let target = MemoryDevice::new(vec![0; 8192]);
    let mut map = Map::new(8192);
    salvage(&source, &target, &mut map, &options(), &mut |_| {
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(map.bytes(BlockStatus::BadSector), 1024);
    let healed = Faulty::new(source.bytes, one(1024, 512));
    let options = SalvageOptions {
        retries: 2,
        ..options()
    };
    let mut last = None;
    let mut note = |event: SalvageEvent<'_>| {
        if let SalvageEvent::Progress(progress) = event {
            last = Some(progress);
        }
        ControlFlow::Continue(())
    };
    salvage(&healed, &target, &mut map, &options, &mut note).unwrap();
    let last = last.unwrap();
    assert_eq!(
        (last.phase, last.rescued, last.bad),
        (SalvagePhase::Retrying, 7680, 512)
    );
    assert_eq!(map.missing(), one(1024, 512));
    assert!(target.to_vec()[1536..] == healed.bytes[1536..]);
}

#[test]
fn a_large_bad_place_costs_few_reads_before_the_rest_is_safe() {
    let source = Faulty::new(noise(8 << 20), one(1 << 20, 2 << 20));
    let target = MemoryDevice::new(vec![0; 8 << 20]);
    let mut map = Map::new(source.size());
    let mut reads_before_the_end = 0;
    let mut stop_at_trimming = |event: SalvageEvent<'_>| match event {
        SalvageEvent::Progress(progress) if progress.phase == SalvagePhase::Copying => {
            if progress.position == 8 << 20 && reads_before_the_end == 0 {
                reads_before_the_end = source.reads.lock().unwrap().len();
            }
            ControlFlow::Continue(())
        }
        SalvageEvent::Progress(_) => ControlFlow::Break(()),
        SalvageEvent::Checkpoint(_) => ControlFlow::Continue(()),
    };
    salvage(&source, &target, &mut map, &options(), &mut stop_at_trimming).unwrap();
    // 8 MiB in pieces of 16 KiB are 512 reads; the bad 2 MiB alone would be 128 of them.
    assert!(
        (200..512 - 80).contains(&reads_before_the_end),
        "{reads_before_the_end}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn interrupted_at_any_point_and_resumed_from_the_saved_map_the_copy_is_the_same(
        bad in prop::collection::vec((0..390_u64, 1..40_u64), 0..8),
        stops in prop::collection::vec(1..60_usize, 0..12),
    ) {
        let mut bytes = noise(200_192);
        let bad: Vec<_> = bad.iter().map(|&(start, len)| start * 512..((start + len) * 512).min(200_192)).collect();
        let source = Faulty::new(bytes.clone(), bad.clone());
        let target = MemoryDevice::new(vec![0; bytes.len()]);
        let mut saved = Map::new(source.size()).to_string();
        for stop in stops.into_iter().chain([usize::MAX]) {
            let mut map = Map::parse(&saved).unwrap();
            let mut left = stop;
            let mut listener = |event: SalvageEvent<'_>| {
                if let SalvageEvent::Checkpoint(map) = event {
                    saved = map.to_string();
                }
                left = left.saturating_sub(1);
                if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            salvage(&source, &target, &mut map, &options(), &mut listener).unwrap();
        }
        let map = Map::parse(&saved).unwrap();
        let lost = |at: u64| bad.iter().any(|range| range.contains(&at));
        for at in (0..200_192).step_by(512) {
            prop_assert_eq!(map.missing().iter().any(|range| range.contains(&at)), lost(at), "{}", at);
            if lost(at) {
                bytes[at as usize..][..512].fill(0);
            }
        }
        prop_assert!(target.to_vec() == bytes);
    }
}

#[test]
fn a_map_of_another_device_and_a_target_that_is_too_small_are_refused() {
    let source = Faulty::new(noise(8192), Vec::new());
    let mut go_on = |_: SalvageEvent<'_>| ControlFlow::Continue(());
    let target = MemoryDevice::new(vec![0; 8192]);
    assert!(salvage(&source, &target, &mut Map::new(4096), &options(), &mut go_on).is_err());
    let small = MemoryDevice::new(vec![0; 4096]);
    assert!(salvage(&source, &small, &mut Map::new(8192), &options(), &mut go_on).is_err());
}

#[test]
fn lost_sectors_are_named_by_the_files_they_belong_to() {
    let dir = tempfile::tempdir().unwrap();
    let (image, content) = (dir.path().join("ntfs.img"), dir.path().join("content"));
    std::fs::File::create(&image).unwrap().set_len(12 << 20).unwrap();
    std::fs::write(&content, noise(600_000)).unwrap();
    let run = |command: &mut std::process::Command| {
        let output = command.output().unwrap();
        assert!(
            output.status.success(),
            "{command:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    };
    run(std::process::Command::new("mkntfs")
        .args(["-F", "-Q", "-q", "-p", "0", "-H", "0", "-S", "0"])
        .arg(&image));
    run(std::process::Command::new("ntfscp")
        .arg(&image)
        .arg(&content)
        .arg("ledger of 2026.xlsx"));
    let bytes = std::fs::read(&image).unwrap();
    let start = bytes.windows(64).position(|window| window == &noise(64)[..]).unwrap() as u64;
    let device = MemoryDevice::new(bytes);
    let lost = start + 4096..start + 8192;
    let files = fve::repair::affected_files(&device, std::slice::from_ref(&lost)).unwrap();
    assert_eq!(files.len(), 1, "{files:?}");
    assert_eq!(
        (files[0].path.as_str(), &files[0].lost[0]),
        ("\\ledger of 2026.xlsx", &lost)
    );
    let mft = fve::repair::affected_files(&device, &one(16384, 512)).unwrap();
    assert_eq!(mft[0].path, "\\$MFT");
    assert!(fve::repair::affected_files(&device, &[]).unwrap().is_empty());
}
