//! The power fails before every single write.

use fve::fat;
use fve::io::MemoryDevice;

use crate::support::{Failing, Form, NOW, REQUEST, SYSTEM, Volume, sample};

/// A volume and the hashes of its files.
type Image = (Form, Vec<u8>, Vec<(String, String)>);

fn images() -> Vec<Image> {
    let mut images = Vec::new();
    for (form, with_directory) in [
        (Form::Fat(32, 512, 1, 2), false),
        (Form::Fat(32, 512, 1, 2), true),
        (Form::Fat(16, 512, 4, 2), false),
        (Form::ExFat(4096), false),
        (Form::ExFat(4096), true),
    ] {
        let volume = Volume::make(40, form);
        let files = sample(12);
        if with_directory {
            let system = files.path().join(SYSTEM);
            std::fs::create_dir(&system).unwrap();
            std::fs::write(system.join("IndexerVolumeGuid"), "x").unwrap();
        }
        volume.copy_in(files.path());
        images.push((form, volume.bytes(), volume.hashes()));
    }
    images
}

#[test]
fn reserving_again_after_any_crash_ends_well() {
    for (form, image, before) in images() {
        let plan = fat::plan(&MemoryDevice::new(image.clone()), &REQUEST, NOW).unwrap();
        let writes = plan.describe().len();
        assert!(writes > 6, "{:#?}", plan.describe());
        for crash in 0..=writes {
            let crashed = Failing::new(&image, crash);
            assert_eq!(plan.apply(&crashed).is_ok(), crash == writes);
            let again = MemoryDevice::new(crashed.inner.to_vec());
            plan.apply(&again).unwrap();
            assert!(fat::plan(&again, &REQUEST, NOW).unwrap().describe().is_empty());

            let next = fat::plan(&crashed.inner, &REQUEST, NOW).unwrap_or_else(|error| panic!("{crash}: {error}"));
            assert_eq!(next.regions(), plan.regions(), "{form:?}, crash {crash}");
            next.apply(&crashed.inner).unwrap();
            let volume = Volume::from_bytes(&crashed.inner.to_vec(), form);
            volume.check_clean();
            volume.check_regions(&next.regions());
            if crash % 5 == 0 {
                assert_eq!(volume.hashes(), before, "{form:?}, crash {crash}");
            }
        }
    }
}

#[test]
fn releasing_again_after_any_crash_ends_well() {
    for (form, image, before) in images() {
        let device = MemoryDevice::new(image);
        fat::plan(&device, &REQUEST, NOW).unwrap().apply(&device).unwrap();
        let reserved = device.to_vec();
        for crash in 0.. {
            let crashed = Failing::new(&reserved, crash);
            let done = fat::release(&crashed).is_ok();
            fat::release(&crashed.inner).unwrap();
            let volume = Volume::from_bytes(&crashed.inner.to_vec(), form);
            volume.check_clean();
            if done || crash % 5 == 0 {
                assert_eq!(volume.hashes(), before, "{form:?}, crash {crash}");
            }
            if done {
                assert!(crash > 3);
                break;
            }
        }
    }
}

#[test]
fn a_volume_in_use_between_crash_and_second_plan_loses_nothing() {
    for (form, image, before) in images() {
        let plan = fat::plan(&MemoryDevice::new(image.clone()), &REQUEST, NOW).unwrap();
        let writes = plan.describe().len();
        for crash in (0..writes).step_by(3) {
            let crashed = Failing::new(&image, crash);
            assert!(plan.apply(&crashed).is_err());
            let volume = Volume::from_bytes(&crashed.inner.to_vec(), form);
            let later = tempfile::tempdir().unwrap();
            // Long enough to lie where the regions were to go.
            std::fs::write(later.path().join("later"), vec![7; 34 << 20]).unwrap();
            volume.copy_in(later.path());
            let regions = volume.reserve();
            volume.check_regions(&regions);
            let mut after = volume.hashes();
            assert_eq!(after.len(), before.len() + 1);
            after.retain(|(path, _)| path != "later");
            assert_eq!(after, before, "{form:?}, crash {crash}");
            let content = std::fs::read(volume.copy_out().path().join("later")).unwrap();
            assert!(content == vec![7; 34 << 20], "{form:?}, crash {crash}");
        }
    }
}
