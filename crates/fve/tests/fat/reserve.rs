//! Reserving and releasing.

use std::fs;

use fve::fat::{self, FatError};
use fve::inner::{InnerFileSystem, identify};
use fve::io::ReadAt;

use crate::support::{Form, NOW, REQUEST, SYSTEM, Volume, assert_untouched, flip, plant, sample};

pub(crate) const FORMS: [(u64, Form); 8] = [
    (64, Form::Fat(32, 512, 1, 2)),
    (300, Form::Fat(32, 512, 8, 2)),
    (40, Form::Fat(32, 512, 1, 1)),
    (300, Form::Fat(32, 4096, 1, 2)),
    (64, Form::Fat(16, 512, 4, 2)),
    (96, Form::Fat(16, 512, 32, 2)),
    (64, Form::ExFat(4096)),
    (96, Form::ExFat(131_072)),
];

#[test]
fn a_volume_gets_its_regions_and_gives_them_back() {
    for (mib, form) in FORMS {
        let volume = Volume::make(mib, form);
        volume.copy_in(sample(40).path());
        let before = volume.hashes();
        assert_eq!(before.len(), 40);
        let info = fat::probe(&volume.device()).unwrap();
        let named = match form {
            Form::Fat(32, ..) => InnerFileSystem::Fat32,
            Form::Fat(..) => InnerFileSystem::Fat16,
            Form::ExFat(_) => InnerFileSystem::ExFat,
        };
        assert_eq!((&info.kind, info.label.as_str(), info.dirty), (&named, "TEST", false));
        assert_eq!(identify(&volume.device()).unwrap(), named);
        let free = free_bytes(&volume);

        let regions = volume.reserve();
        volume.check_clean();
        plant(&volume, &regions);
        volume.check_regions(&regions);
        assert_eq!(volume.hashes(), before, "{form:?}");
        let again = fat::plan(&volume.device(), &REQUEST, NOW).unwrap();
        assert_eq!((again.regions(), again.describe()), (regions, Vec::new()));

        fat::release(&volume.device()).unwrap();
        volume.check_clean();
        assert_eq!(volume.hashes(), before, "{form:?}");
        let out = volume.copy_out();
        assert_eq!(fs::read_dir(out.path().join(SYSTEM)).unwrap().count(), 0, "{form:?}");
        let kept = free - free_bytes(&volume);
        assert!(kept <= 4 * info.cluster_size, "{form:?} keeps {kept}");
        let image = volume.bytes();
        fat::release(&volume.device()).unwrap();
        assert!(volume.bytes() == image, "nothing left to release");
        volume.reserve();
        volume.check_clean();
    }
}

fn free_bytes(volume: &Volume) -> u64 {
    let device = volume.device();
    let used: u64 = fat::used_extents(&device)
        .unwrap()
        .iter()
        .map(|range| range.end - range.start)
        .sum();
    device.size() - used
}

#[test]
fn filling_the_volume_leaves_the_regions_alone() {
    for form in [Form::Fat(32, 512, 1, 2), Form::ExFat(4096)] {
        let volume = Volume::make(36, form);
        let regions = volume.reserve();
        plant(&volume, &regions);
        volume.fill();
        volume.check_clean();
        assert_untouched(&volume, &regions);
        assert!(
            fat::plan(&volume.device(), &REQUEST, NOW)
                .unwrap()
                .describe()
                .is_empty()
        );
    }
}

#[test]
fn an_existing_directory_keeps_its_files_and_grows_when_it_has_to() {
    for form in [Form::Fat(32, 512, 1, 2), Form::Fat(16, 512, 4, 2), Form::ExFat(4096)] {
        for count in [1, 3, 14, 60] {
            if form == Form::ExFat(4096) && count > 14 {
                continue;
            }
            let volume = Volume::make(40, form);
            let source = tempfile::tempdir().unwrap();
            fs::create_dir(source.path().join(SYSTEM)).unwrap();
            for number in 0..count {
                let name = format!("a file of Windows with a long name {number}");
                fs::write(source.path().join(SYSTEM).join(name), format!("{number}")).unwrap();
            }
            volume.copy_in(source.path());
            let regions = volume.reserve();
            volume.check_clean();
            plant(&volume, &regions);
            volume.check_regions(&regions);
            let files = fs::read_dir(volume.copy_out().path().join(SYSTEM)).unwrap().count();
            assert_eq!(files, count + 6, "{form:?}");
            fat::release(&volume.device()).unwrap();
            volume.check_clean();
            assert_eq!(
                fs::read_dir(volume.copy_out().path().join(SYSTEM)).unwrap().count(),
                count
            );
        }
    }
}

#[test]
fn a_root_directory_that_is_full_grows_or_says_that_it_cannot() {
    for form in [Form::Fat(32, 512, 1, 2), Form::Fat(16, 512, 4, 2)] {
        let volume = Volume::make(40, form);
        let source = tempfile::tempdir().unwrap();
        // The label takes one of 16 slots in a cluster of FAT32, and of 512 in FAT16.
        let slots = if matches!(form, Form::Fat(32, ..)) { 15 } else { 511 };
        for number in 0..slots {
            fs::write(source.path().join(format!("F{number}")), "").unwrap();
        }
        volume.copy_in(source.path());
        match (form, fat::plan(&volume.device(), &REQUEST, NOW)) {
            (Form::Fat(32, ..), Ok(plan)) => {
                plan.apply(&volume.device()).unwrap();
                volume.check_clean();
                volume.check_regions(&plan.regions());
            }
            (Form::Fat(16, ..), Err(FatError::Unsupported(why))) => {
                assert!(why.contains("root directory is full"), "{why}");
            }
            (_, other) => panic!("{form:?}: {other:?}"),
        }
    }
}

#[test]
fn a_volume_that_is_not_clean_is_refused_and_unchanged() {
    // The mark in the table, the byte in the boot sector; of exFAT a flag.
    for (form, places) in [
        (
            Form::Fat(32, 512, 8, 2),
            &[(32 * 512 + 7, 0x08), (32 * 512 + 7, 0x04), (65, 1)][..],
        ),
        (Form::Fat(16, 512, 4, 2), &[(4 * 512 + 3, 0x80), (37, 1)]),
        (Form::ExFat(4096), &[(106, 2), (106, 4)]),
    ] {
        for &(at, mask) in places {
            let volume = Volume::make(40, form);
            flip(&volume, at, mask);
            let before = volume.bytes();
            let refused = fat::plan(&volume.device(), &REQUEST, NOW).unwrap_err();
            assert!(matches!(refused, FatError::Dirty(_)), "{form:?}, {at}: {refused}");
            assert!(matches!(fat::release(&volume.device()), Err(FatError::Dirty(_))));
            assert!(fat::probe(&volume.device()).unwrap().dirty);
            assert!(volume.bytes() == before);
        }
    }
}

#[test]
fn two_tables_that_differ_are_refused() {
    let volume = Volume::make(40, Form::Fat(32, 512, 1, 2));
    let source = sample(12);
    volume.copy_in(source.path());
    // In the second table, in the middle of a file.
    let table = u64::from(volume.bytes()[36]) | u64::from(volume.bytes()[37]) << 8;
    flip(&volume, (32 + table) * 512 + 4 * 20, 1);
    let refused = fat::plan(&volume.device(), &REQUEST, NOW).unwrap_err();
    assert!(refused.to_string().contains("tables differ"), "{refused}");
}

#[test]
fn a_volume_without_room_is_refused_with_figures_and_unchanged() {
    for form in [Form::Fat(32, 512, 1, 2), Form::ExFat(4096)] {
        let volume = Volume::make(36, form);
        volume.fill();
        let before = volume.bytes();
        match fat::plan(&volume.device(), &REQUEST, NOW) {
            Err(FatError::NoSpace { needed, free }) => assert!(needed == 598_016 && needed > free, "{needed} {free}"),
            other => panic!("{other:?}"),
        }
        assert!(volume.bytes() == before);
        // Two holes of 64 KiB are not enough for any.
        volume.remove("fill 4194304 1");
        assert!(fat::plan(&volume.device(), &REQUEST, NOW).is_ok());
    }
}

#[test]
fn small_holes_are_refused_with_figures() {
    let volume = Volume::make(36, Form::Fat(32, 512, 1, 2));
    let source = tempfile::tempdir().unwrap();
    for number in 0..154 {
        fs::write(source.path().join(format!("piece {number:03}")), vec![1; 240_000]).unwrap();
    }
    volume.copy_in(source.path());
    for number in (0..154).step_by(2) {
        volume.remove(&format!("piece {number:03}"));
    }
    match fat::plan(&volume.device(), &REQUEST, NOW) {
        Err(FatError::NoRun { what, needed, longest }) => {
            assert_eq!(what, "conversion log");
            assert!(needed > longest, "{needed} {longest}");
        }
        other => panic!("{other:?}"),
    }
}
