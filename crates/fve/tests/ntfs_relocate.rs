//! Volumes without a free run that is long enough: files move, or the refusal is exact.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod ntfs_support;

use std::fs;
use std::path::Path;

use fve::io::MemoryDevice;
use fve::ntfs::{self, NtfsError};
use ntfs_support::{NOW, REQUEST, Volume, assert_regions_untouched, hashes, plant_patterns, shred};

fn reserve(volume: &Volume) -> (ntfs::Regions, Vec<String>) {
    let device = volume.device();
    let plan = ntfs::plan(&device, &REQUEST, NOW).unwrap();
    plan.apply(&device).unwrap();
    (plan.regions(), plan.describe())
}

fn moves(plan: &[String]) -> usize {
    plan.iter().filter(|line| line.contains(" moves: clusters ")).count()
}

#[test]
fn files_move_out_of_the_way_on_a_fragmented_volume() {
    for (sector, cluster) in [(512, 4096), (512, 512), (4096, 4096), (512, 16384), (512, 65536)] {
        let volume = Volume::make(40, sector, cluster);
        let piece = (cluster as usize).max(32768);
        let pieces = [piece, 3 * piece, 2 * piece + 100];
        let before = shred(&volume, &pieces);
        volume.check_exact();
        let (regions, plan) = reserve(&volume);
        assert!(moves(&plan) > 0, "{cluster}: {plan:#?}");
        volume.check_clean();
        volume.check_exact();
        volume.check_files(&regions);
        assert_eq!(volume.mounted(hashes), before, "{sector}, {cluster}");
        plant_patterns(&volume, &regions);
        volume.mounted(ntfs_support::fill);
        assert_regions_untouched(&volume, &regions);
        volume.check_exact();
        assert_eq!(
            ntfs::plan(&volume.device(), &REQUEST, NOW).unwrap().describe(),
            Vec::<String>::new()
        );
    }
}

/// A sparse file, a compressed one, a directory and a second stream, with small holes-to-be between them.
fn group(root: &Path, number: usize, noise: &[u8]) -> std::io::Result<()> {
    let between = |part| fs::write(root.join(format!("between {number} {part}")), vec![0xEE; 3 * 4096]);
    if number == 0 {
        fs::create_dir(root.join("compressed"))?;
        ntfs_support::compress(&root.join("compressed"));
    }
    let sparse = fs::File::create(root.join(format!("sparse {number}")))?;
    std::os::unix::fs::FileExt::write_all_at(&sparse, &noise[..20_000], 1 << 20)?;
    std::os::unix::fs::FileExt::write_all_at(&sparse, &noise[..9_000], 3 << 20)?;
    drop(sparse);
    between("a")?;
    let text: Vec<u8> = noise.iter().flat_map(|&byte| [byte; 3]).take(200_000).collect();
    fs::write(root.join(format!("compressed/packed {number}")), text)?;
    between("b")?;
    let folder = root.join(format!("directory {number}"));
    fs::create_dir(&folder)?;
    for name in 0..12 {
        fs::write(folder.join(format!("a file with a fairly long name {name}")), "small")?;
    }
    if number < 8 {
        ntfs_support::add_stream(&root.join(format!("sparse {number}")), "more", &noise[..30_000]);
    }
    between("c")
}

#[test]
fn every_kind_of_attribute_moves() {
    let volume = Volume::make(20, 512, 4096);
    let before = volume.mounted(|root| {
        let noise: Vec<u8> = (0..100_000_u32)
            .map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8)
            .collect();
        let mut number = 0;
        while group(root, number, &noise).is_ok() {
            number += 1;
        }
        assert!(number > 20);
        for number in 0..=number {
            for part in ["a", "b", "c"] {
                let _ = fs::remove_file(root.join(format!("between {number} {part}")));
            }
        }
        hashes(root)
    });
    volume.check_exact();
    let (regions, plan) = reserve(&volume);
    let moved = |name: &str| plan.iter().any(|line| line.contains(name) && line.contains(" moves: "));
    assert!(moves(&plan) > 10, "{plan:#?}");
    for kind in ["\"sparse", "\"packed", "\"directory"] {
        assert!(moved(kind), "{kind}: {:#?}", &plan[..100.min(plan.len())]);
    }
    volume.check_clean();
    volume.check_exact();
    volume.check_files(&regions);
    assert_eq!(volume.mounted(hashes), before);
}

#[test]
fn a_volume_filled_but_for_what_is_needed_gets_its_regions_or_stays_as_it_is() {
    let mut done = 0;
    for spare in [82, 84, 86, 88, 100] {
        let volume = Volume::make(32, 512, 4096);
        let before = volume.mounted(|root| {
            let mut number = 0;
            let mut rest = fs::File::create(root.join("rest")).unwrap();
            while fs::write(root.join(format!("piece {number:05}")), vec![number as u8; 16384]).is_ok() {
                number += 1;
            }
            while std::io::Write::write_all(&mut rest, &[0x55; 4096]).is_ok() {}
            drop(rest);
            // Free clusters in fours, all over it.
            for piece in 0..spare {
                let _ = fs::remove_file(root.join(format!("piece {:05}", piece * (number / 101))));
            }
            hashes(root)
        });
        let image = fs::read(volume.path()).unwrap();
        match ntfs::plan(&volume.device(), &REQUEST, NOW) {
            Ok(plan) => {
                done += 1;
                plan.apply(&volume.device()).unwrap();
                volume.check_clean();
                volume.check_exact();
                volume.check_files(&plan.regions());
                assert_eq!(volume.mounted(hashes), before, "{spare}");
            }
            Err(NtfsError::NoSpace { needed, free }) => {
                assert!(needed > free, "{needed} {free}");
                assert!(fs::read(volume.path()).unwrap() == image, "changed by a refusal");
            }
            Err(NtfsError::NoRun { needed, longest, .. }) => assert!(needed > longest, "{needed} {longest}"),
            Err(other) => panic!("{spare}: {other}"),
        }
    }
    assert!((1..5).contains(&done), "{done} of 5 volumes got their regions");
}

#[test]
fn the_plan_names_each_file_that_moves_and_where_to() {
    let volume = Volume::make(16, 512, 4096);
    shred(&volume, &[80_000]);
    let plan = ntfs::plan(&volume.device(), &REQUEST, NOW).unwrap().describe();
    let line = plan
        .iter()
        .find(|line| line.contains("\"piece 0") && line.contains(" moves: "))
        .unwrap();
    assert!(line.contains("$MFT record ") && line.contains(" to "), "{line}");
    assert!(plan.iter().any(|line| line.starts_with("copy of clusters ")));
}

#[test]
fn planning_again_after_a_crash_between_any_two_writes_of_a_move_ends_well() {
    let volume = Volume::make(12, 512, 4096);
    let before = shred(&volume, &[4096 * 29, 4096 * 15]);
    let image = fs::read(volume.path()).unwrap();
    let plan = ntfs::plan(&MemoryDevice::new(image.clone()), &REQUEST, NOW).unwrap();
    let writes = plan.describe().len();
    assert!(moves(&plan.describe()) >= 3);
    for crash in 0..=writes {
        let crashed = ntfs_support::Failing::new(&image, crash);
        assert_eq!(plan.apply(&crashed).is_ok(), crash == writes);
        // Seen by the driver in between, every file is whole.
        if crash % 9 == 0 && !plan.describe().get(crash).is_some_and(|step| step.contains("mirror")) {
            let seen = Volume::from_bytes(&crashed.inner.to_vec(), 4096);
            assert_eq!(seen.mounted(hashes), before, "crash {crash}");
        }
        let same = MemoryDevice::new(crashed.inner.to_vec());
        plan.apply(&same).unwrap();
        assert!(ntfs_support::check::complaints(&same.to_vec()).is_empty());
        let next = ntfs::plan(&crashed.inner, &REQUEST, NOW).unwrap_or_else(|error| panic!("crash {crash}: {error}"));
        next.apply(&crashed.inner).unwrap();
        let wrong = ntfs_support::check::complaints(&crashed.inner.to_vec());
        assert!(wrong.is_empty(), "crash {crash}: {wrong:#?}");
        if crash % 9 == 0 {
            let done = Volume::from_bytes(&crashed.inner.to_vec(), 4096);
            done.check_files(&next.regions());
            assert_eq!(done.mounted(hashes), before, "crash {crash}");
        }
    }
}
