//! Wiping free space.

use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;

use fve::io::{FileDevice, ReadAt, WriteAt};
use fve::{ConversionMode, Error, InitOptions, RecoveryPassword, initialise};
use rand::RngCore;

use crate::common::oracle::{self, Secret};
use crate::common::{World, all_of, sum_of};

/// Where nothing lies on a fresh NTFS of 48 MiB.
const OLD: u64 = 40 << 20;

#[test]
fn wiping_destroys_the_old_plain_text_in_free_space_and_touches_nothing_that_is_used() {
    let mut world = World::new(80);
    let image = world.ntfs("volume.img", 48, 512);
    let mut old = vec![0; 100_000];
    world.rng.fill_bytes(&mut old);
    let file = std::fs::OpenOptions::new().write(true).open(&image).unwrap();
    file.write_all_at(&old, OLD).unwrap();
    let mut content = vec![0; 3_000_001];
    world.rng.fill_bytes(&mut content);
    std::fs::write(world.path("source"), &content).unwrap();
    let (copy, source) = (image.clone(), world.path("source"));
    crate::common::run(
        std::process::Command::new("ntfscp")
            .args(["-f", "-q"])
            .arg(&copy)
            .arg(&source)
            .arg("kept"),
    );

    let volume = initialise(
        FileDevice::open_write(&image).unwrap(),
        &InitOptions::default(),
        &mut world.ctx(),
    )
    .unwrap();
    let recovery = RecoveryPassword::generate(&mut world.rng);
    volume
        .add_recovery_password(&mut world.ctx(), Some(&recovery), None)
        .unwrap();
    volume.resume(&mut world.ctx()).unwrap();
    let nothing = |_| ControlFlow::Continue(());
    let early = volume.wipe_free_space(&mut world.ctx(), 0, &mut { nothing });
    assert!(matches!(early, Err(Error::InvalidState(_))), "nothing is encrypted yet");
    volume
        .begin_encryption(&mut world.ctx(), ConversionMode::UsedSpaceOnly)
        .unwrap();
    volume.convert_step(&mut world.ctx()).unwrap();
    volume.pause(&mut world.ctx()).unwrap();
    let early = volume.wipe_free_space(&mut world.ctx(), 0, &mut { nothing });
    assert!(matches!(early, Err(Error::InvalidState(_))), "not while converting");
    volume.resume_conversion(&mut world.ctx()).unwrap();
    while !volume.convert_step(&mut world.ctx()).unwrap().finished {}

    let before = all_of(volume.device());
    assert!(
        before[OLD as usize..][..old.len()] == old,
        "the old plain text is still there"
    );
    let used = fve::ntfs::used_extents(&volume).unwrap();
    let plan = volume.wipe_plan().unwrap();
    assert!(!plan.describe().is_empty());

    // Interrupted twice, and gone on.
    let mut rounds = 0;
    let mut progress = volume
        .wipe_free_space(&mut world.ctx(), 0, &mut |_| ControlFlow::Break(()))
        .unwrap();
    assert!(!progress.finished && progress.done_bytes > 0);
    while !progress.finished {
        progress = volume
            .wipe_free_space(&mut world.ctx(), progress.next, &mut |_| {
                rounds += 1;
                if rounds == 3 {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            })
            .unwrap();
    }
    assert_eq!((progress.done_bytes, progress.total_bytes), (plan.bytes, plan.bytes));

    let after = all_of(volume.device());
    let view = all_of(&volume);
    let in_used = |at: u64| used.iter().any(|range| range.contains(&at));
    let in_plan = |at: u64| plan.ranges.iter().any(|range| range.contains(&at));
    for at in (0..after.len() as u64).step_by(512) {
        let sector = at as usize..at as usize + 512;
        if in_plan(at) {
            assert!(!in_used(at), "{at} is in use");
            assert!(
                view[sector.clone()].iter().all(|&byte| byte == 0),
                "{at} reads as zeros"
            );
            assert!(
                after[sector.clone()].iter().any(|&byte| byte != 0),
                "{at} is ciphertext"
            );
        } else {
            assert!(before[sector.clone()] == after[sector], "{at} was not to be touched");
        }
    }
    for piece in old.chunks_exact(512) {
        assert!(
            !after.chunks_exact(512).any(|sector| sector == piece),
            "old plain text is left"
        );
    }
    assert_eq!(
        volume.conversion_mode().unwrap(),
        Some(ConversionMode::UsedSpaceOnly),
        "not in one go"
    );
    let done = volume.wipe_free_space(&mut world.ctx(), 0, &mut { nothing }).unwrap();
    assert!(done.finished);
    assert_eq!(volume.conversion_mode().unwrap(), Some(ConversionMode::Full));

    let text = recovery.expose();
    let (sum, plain) = oracle::libbde(&image, Secret::Recovery(&text)).expect("libbde opens");
    assert_eq!(sum, sum_of(&volume));
    std::fs::write(world.path("plain.img"), plain).unwrap();
    let read = std::process::Command::new("ntfscat")
        .arg("-f")
        .arg(world.path("plain.img"))
        .arg("kept")
        .output()
        .expect("ntfscat runs");
    assert!(read.stdout == content, "the file is whole");
}

#[test]
fn a_file_system_that_was_not_left_in_order_is_not_wiped() {
    let mut world = World::new(81);
    let image = world.ntfs("volume.img", 48, 512);
    let volume = initialise(
        FileDevice::open_write(&image).unwrap(),
        &InitOptions::default(),
        &mut world.ctx(),
    )
    .unwrap();
    volume
        .begin_encryption(&mut world.ctx(), ConversionMode::UsedSpaceOnly)
        .unwrap();
    while !volume.convert_step(&mut world.ctx()).unwrap().finished {}
    // $Volume is record 3; the flags of its $VOLUME_INFORMATION begin with "dirty".
    let mut boot = [0; 512];
    volume.read_at(0, &mut boot).unwrap();
    let cluster = u64::from(boot[13]) * 512;
    let mft = u64::from_le_bytes(boot[48..56].try_into().unwrap()) * cluster;
    let mut record = vec![0; 1024];
    volume.read_at(mft + 3 * 1024, &mut record).unwrap();
    let mut at = usize::from(u16::from_le_bytes([record[20], record[21]]));
    while record[at] != 0x70 {
        at += u32::from_le_bytes(record[at + 4..at + 8].try_into().unwrap()) as usize;
    }
    let value = at + usize::from(u16::from_le_bytes([record[at + 20], record[at + 21]]));
    record[value + 10] |= 1;
    volume.write_at(mft + 3 * 1024, &record).unwrap();
    let before = all_of(volume.device());
    let refused = volume.wipe_free_space(&mut world.ctx(), 0, &mut |_| ControlFlow::Continue(()));
    assert!(matches!(refused, Err(Error::Ntfs(_))), "{refused:?}");
    assert!(all_of(volume.device()) == before, "nothing was written");
}
