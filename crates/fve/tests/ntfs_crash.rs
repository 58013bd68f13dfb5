//! The power fails before every single write of an apply or a release.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod ntfs_support;

use fve::io::MemoryDevice;
use fve::ntfs;
use ntfs_support::{Failing, NOW, REQUEST, Volume, hashes_of_all, populate};

/// Volumes that lead to different kinds of changes.
fn images() -> Vec<(&'static str, Vec<u8>)> {
    let mut images = Vec::new();
    for (what, in_root, in_system) in [
        ("fresh", 0, None),
        ("large root", 60, None),
        ("full root block", 23, None),
        ("a directory of Windows", 3, Some(20)),
    ] {
        let volume = Volume::make(24, 512, 4096);
        volume.mounted(|root| {
            populate(root, in_root);
            if let Some(count) = in_system {
                let system = root.join("System Volume Information");
                std::fs::create_dir(&system).unwrap();
                populate(&system, count);
            }
        });
        images.push((what, std::fs::read(volume.path()).unwrap()));
    }
    images
}

fn theirs(files: Vec<(String, String)>) -> Vec<(String, String)> {
    files
        .into_iter()
        .filter(|(path, _)| !path.contains("/FVE2.") && !path.ends_with("/later"))
        .collect()
}

#[test]
fn planning_and_applying_again_after_any_crash_ends_well() {
    for (what, image) in images() {
        let before = Volume::from_bytes(&image, 4096).mounted(hashes_of_all);
        let plan = ntfs::plan(&MemoryDevice::new(image.clone()), &REQUEST, NOW).unwrap();
        let writes = plan.describe().len();
        assert!(writes > 15, "{what}: {:#?}", plan.describe());
        for crash in 0..=writes {
            let crashed = Failing::new(&image, crash);
            assert_eq!(plan.apply(&crashed).is_ok(), crash == writes);
            assert_eq!(crashed.left(), 0);

            // The same plan once more.
            let again = MemoryDevice::new(crashed.inner.to_vec());
            plan.apply(&again).unwrap();
            assert_eq!(
                ntfs::plan(&again, &REQUEST, NOW).unwrap().describe(),
                Vec::<String>::new(),
                "{what}, crash {crash}"
            );

            // A new plan.
            let next = ntfs::plan(&crashed.inner, &REQUEST, NOW).unwrap();
            assert_eq!(next.regions(), plan.regions(), "{what}, crash {crash}");
            next.apply(&crashed.inner).unwrap();
            let volume = Volume::from_bytes(&crashed.inner.to_vec(), 4096);
            volume.check_clean();
            volume.check_files(&next.regions());
            assert_eq!(theirs(volume.mounted(hashes_of_all)), before, "{what}, crash {crash}");
        }
    }
}

#[test]
fn a_volume_in_use_between_crash_and_second_plan_loses_nothing() {
    for (what, image) in images() {
        let before = Volume::from_bytes(&image, 4096).mounted(hashes_of_all);
        let plan = ntfs::plan(&MemoryDevice::new(image.clone()), &REQUEST, NOW).unwrap();
        let steps = plan.describe();
        for (crash, step) in steps.iter().enumerate() {
            // ntfs-3g does not mount while the mirror of $MFT is one write behind.
            if step.contains("mirror") {
                continue;
            }
            let crashed = Failing::new(&image, crash);
            assert!(plan.apply(&crashed).is_err());
            let volume = Volume::from_bytes(&crashed.inner.to_vec(), 4096);
            volume.mounted(|root| std::fs::write(root.join("later"), vec![1; 3 << 20]).unwrap());
            let next = ntfs::plan(&volume.device(), &REQUEST, NOW)
                .unwrap_or_else(|error| panic!("{what}, crash {crash}: {error}"));
            next.apply(&volume.device()).unwrap();
            volume.check_files(&next.regions());
            let after = volume.mounted(hashes_of_all);
            assert_eq!(theirs(after.clone()), before, "{what}, crash {crash}");
            assert!(after.iter().any(|(path, _)| path == "/later"));
            volume.check_clean();
        }
    }
}

#[test]
fn releasing_again_after_any_crash_ends_well() {
    for (what, image) in images() {
        let before = Volume::from_bytes(&image, 4096).mounted(hashes_of_all);
        let device = MemoryDevice::new(image);
        let plan = ntfs::plan(&device, &REQUEST, NOW).unwrap();
        plan.apply(&device).unwrap();
        let reserved = device.to_vec();
        for crash in 0.. {
            let crashed = Failing::new(&reserved, crash);
            let done = ntfs::release(&crashed).is_ok();

            // Reserving instead of releasing.
            let other = MemoryDevice::new(crashed.inner.to_vec());
            let next =
                ntfs::plan(&other, &REQUEST, NOW).unwrap_or_else(|error| panic!("{what}, crash {crash}: {error}"));
            next.apply(&other).unwrap();
            let volume = Volume::from_bytes(&other.to_vec(), 4096);
            volume.check_clean();
            volume.check_files(&next.regions());

            ntfs::release(&crashed.inner).unwrap();
            let volume = Volume::from_bytes(&crashed.inner.to_vec(), 4096);
            volume.check_clean();
            assert_eq!(volume.mounted(hashes_of_all), before, "{what}, crash {crash}");
            if done {
                assert!(crash > 5);
                break;
            }
        }
    }
}
