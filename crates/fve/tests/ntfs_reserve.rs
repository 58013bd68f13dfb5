//! The reservation, judged by ntfs-3g: real `mkntfs` volumes, mounted, filled and checked.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod ntfs_support;

use fve::io::{FileDevice, ReadAt};
use fve::ntfs::{self, NtfsError};
use ntfs_support::{NOW, REQUEST, Volume, assert_regions_untouched, plant_patterns};

fn reserve(volume: &Volume) -> ntfs::Regions {
    let device = volume.device();
    let plan = ntfs::plan(&device, &REQUEST, NOW).unwrap();
    plan.apply(&device).unwrap();
    plan.regions()
}

#[test]
fn a_fresh_volume_gets_its_regions_and_stays_clean_for_other_tools() {
    for (mib, sector, cluster) in [
        (64, 512, 4096),
        (160, 512, 4096),
        (32, 512, 512),
        (40, 512, 1024),
        (64, 512, 8192),
        (64, 512, 65536),
        (64, 4096, 4096),
        (96, 4096, 65536),
    ] {
        let volume = Volume::make(mib, sector, cluster);
        let before = volume.mounted(|root| ntfs_support::populate(root, 40));
        let regions = reserve(&volume);
        volume.check_clean();
        volume.check_files(&regions);
        assert_eq!(
            volume.mounted(ntfs_support::hashes),
            before,
            "{mib} MiB, {sector}, {cluster}"
        );
        if mib >= 99 {
            assert!(regions.metadata[0] >= 33 << 20);
        }
        let again = ntfs::plan(&volume.device(), &REQUEST, NOW).unwrap();
        assert_eq!(again.regions(), regions);
        assert_eq!(again.describe(), Vec::<String>::new());
    }
}

#[test]
fn filling_the_volume_to_the_last_byte_leaves_the_regions_alone() {
    let volume = Volume::make(64, 512, 4096);
    let regions = reserve(&volume);
    plant_patterns(&volume, &regions);
    volume.mounted(ntfs_support::fill);
    volume.check_clean();
    assert_regions_untouched(&volume, &regions);
    assert!(
        ntfs::plan(&volume.device(), &REQUEST, NOW).is_ok(),
        "nothing left to do on a full volume"
    );
}

#[test]
fn a_root_directory_of_many_files_is_split_correctly() {
    for names in [8, 12, 30, 60, 300, 3000] {
        let volume = Volume::make(48, 512, 4096);
        let before = volume.mounted(|root| ntfs_support::populate(root, names));
        let regions = reserve(&volume);
        volume.check_clean();
        volume.check_files(&regions);
        assert_eq!(volume.mounted(ntfs_support::hashes), before, "{names} names");
    }
}

#[test]
fn every_place_where_a_block_may_be_full_is_split_correctly() {
    let mut splits = 0;
    for names in (1..36).chain(296..323) {
        let volume = Volume::make(16, 512, 4096);
        let before = volume.mounted(|root| {
            for number in 0..names {
                std::fs::write(root.join(format!("S{number:04} a name of some length.txt")), "").unwrap();
            }
            ntfs_support::hashes(root)
        });
        let device = volume.device();
        let plan = ntfs::plan(&device, &REQUEST, NOW).unwrap();
        splits += usize::from(
            plan.describe()
                .iter()
                .any(|line| line.contains("block of the root directory")),
        );
        plan.apply(&device).unwrap();
        volume.check_clean();
        let after = volume.mounted(|root| {
            // The driver walks the tree to find one, and the blocks to list all.
            assert!(
                root.join("System Volume Information/FVE2.{24e6f0ae-6a00-4f73-984b-75ce9942852d}")
                    .is_file()
            );
            std::fs::write(root.join("T one more"), "").unwrap();
            std::fs::remove_file(root.join("T one more")).unwrap();
            ntfs_support::hashes(root)
        });
        assert_eq!(after, before, "{names} names");
    }
    assert!(splits >= 3, "only {splits} volumes had a full block");
}

#[test]
fn release_gives_everything_back() {
    let volume = Volume::make(64, 512, 4096);
    let before = volume.mounted(|root| ntfs_support::populate(root, 60));
    let free = volume.free_clusters();
    reserve(&volume);
    ntfs::release(&volume.device()).unwrap();
    volume.check_clean();
    assert_eq!(volume.mounted(ntfs_support::hashes), before);
    assert!(volume.system_files().is_empty());
    // What $MFT grew by stays with it.
    assert!(
        free - volume.free_clusters() < 20,
        "{free} before, {} after",
        volume.free_clusters()
    );
    ntfs::release(&volume.device()).unwrap();
    let regions = reserve(&volume);
    volume.check_clean();
    volume.check_files(&regions);
}

#[test]
fn an_existing_system_volume_information_keeps_its_content() {
    for names in [0, 1, 5, 20, 200] {
        let volume = Volume::make(64, 512, 4096);
        let before = volume.mounted(|root| {
            let system = root.join("System Volume Information");
            std::fs::create_dir(&system).unwrap();
            ntfs_support::populate(&system, names);
            ntfs_support::hashes_of_all(root)
        });
        let regions = reserve(&volume);
        volume.check_clean();
        volume.check_files(&regions);
        let ours = |(path, _): &(String, String)| !path.contains("FVE2.");
        let now: Vec<_> = volume
            .mounted(ntfs_support::hashes_of_all)
            .into_iter()
            .filter(ours)
            .collect();
        assert_eq!(now, before, "{names} names");
        ntfs::release(&volume.device()).unwrap();
        volume.check_clean();
        assert_eq!(volume.mounted(ntfs_support::hashes_of_all), before);
    }
}

#[test]
fn used_extents_are_what_the_bitmap_says() {
    let volume = Volume::make(64, 512, 4096);
    volume.mounted(|root| ntfs_support::populate(root, 40));
    let device = volume.device();
    let used = ntfs::used_extents(&device).unwrap();
    let total: u64 = used.iter().map(|range| range.end - range.start).sum();
    let tail = device.size() % 4096;
    assert_eq!((device.size() - total) / 4096, volume.free_clusters() as u64);
    assert!(used.windows(2).all(|pair| pair[0].end < pair[1].start));
    assert_eq!(used.last().unwrap().end, device.size(), "tail of {tail}");
}

#[test]
fn other_file_systems_are_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(1 << 20).unwrap();
    let found = |boot: &[u8]| {
        let mut sector = [0; 512];
        sector[..boot.len()].copy_from_slice(boot);
        std::os::unix::fs::FileExt::write_all_at(file.as_file(), &sector, 0).unwrap();
        match ntfs::probe(&FileDevice::open_read(file.path()).unwrap()) {
            Err(NtfsError::NotNtfs { found }) => found,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(found(b"\xEB\x76\x90EXFAT   "), "exFAT");
    assert_eq!(found(b"\xEB\x58\x90-FVE-FS-"), "BitLocker");
    assert_eq!(found(b""), "an empty sector");
}

#[test]
fn a_volume_that_is_not_clean_is_refused() {
    let volume = Volume::make(32, 512, 4096);
    let probe = ntfs::probe(&volume.device()).unwrap();
    assert_eq!(
        (
            probe.cluster_size,
            probe.bytes_per_sector,
            probe.label.as_str(),
            probe.dirty
        ),
        (4096, 512, "test", false)
    );
    ntfs_support::set_dirty(&volume);
    assert!(ntfs::probe(&volume.device()).unwrap().dirty);
    let before = std::fs::read(volume.path()).unwrap();
    assert!(matches!(
        ntfs::plan(&volume.device(), &REQUEST, NOW),
        Err(NtfsError::Dirty(_))
    ));
    assert!(matches!(ntfs::release(&volume.device()), Err(NtfsError::Dirty(_))));
    assert_eq!(std::fs::read(volume.path()).unwrap(), before);
}

#[test]
fn a_hibernated_windows_is_refused() {
    let volume = Volume::make(32, 512, 4096);
    volume.mounted(|root| {
        let mut image = vec![7; 10000];
        image[..4].copy_from_slice(b"HIBR");
        std::fs::write(root.join("hiberfil.sys"), image).unwrap();
    });
    let refused = ntfs::plan(&volume.device(), &REQUEST, NOW).unwrap_err();
    assert!(refused.to_string().contains("hibernated"), "{refused}");
}

#[test]
fn a_full_volume_is_refused_with_figures_and_unchanged() {
    let volume = Volume::make(32, 512, 4096);
    volume.mounted(ntfs_support::fill);
    let before = std::fs::read(volume.path()).unwrap();
    match ntfs::plan(&volume.device(), &REQUEST, NOW) {
        Err(NtfsError::NoSpace { needed, free }) => assert!(needed > free && needed >= 1_384_448),
        Err(NtfsError::NoRun { needed, longest, .. }) => assert!(needed > longest),
        other => panic!("{other:?}"),
    }
    assert_eq!(std::fs::read(volume.path()).unwrap(), before);
}

#[test]
fn a_region_longer_than_what_lies_between_fixed_things_is_refused_with_figures() {
    let volume = Volume::make(32, 512, 4096);
    // The mirror of $MFT lies in the middle.
    let request = ntfs::RegionRequest {
        log_len: 18 << 20,
        ..REQUEST
    };
    match ntfs::plan(&volume.device(), &request, NOW) {
        Err(NtfsError::NoRun { what, needed, longest }) => {
            assert_eq!((what, needed), ("conversion log", 18 << 20));
            assert!(longest < 17 << 20, "{longest}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_fragmented_mft_with_an_attribute_list_is_read() {
    let volume = Volume::make(16, 512, 4096);
    let before = volume.mounted(|root| {
        ntfs_support::fragment_mft(root, true);
        ntfs_support::hashes(root)
    });
    assert!(before.len() > 1000);
    let list = volume.info(&["-v", "-i", "0"]);
    assert!(list.contains("$ATTRIBUTE_LIST"), "{list}");
    let regions = reserve(&volume);
    volume.check_clean();
    volume.check_files(&regions);
    assert_eq!(volume.mounted(ntfs_support::hashes), before);
    ntfs::release(&volume.device()).unwrap();
    volume.check_clean();
    assert_eq!(volume.mounted(ntfs_support::hashes), before);
}

#[test]
fn a_volume_too_fragmented_to_rearrange_is_refused_with_the_reason() {
    let volume = Volume::make(16, 512, 4096);
    volume.mounted(|root| ntfs_support::fragment_mft(root, false));
    match ntfs::plan(&volume.device(), &REQUEST, NOW) {
        Err(NtfsError::Unsupported(why)) => assert!(
            why.contains("attribute list") || why.contains("too fragmented to grow"),
            "{why}"
        ),
        other => panic!("{other:?}"),
    }
}

/// A restart page of $LogFile with one client; `clean` says that nothing is left to be carried out.
fn restart_page(clean: bool) -> Vec<u8> {
    let mut page = vec![0; 4096];
    let mut put = |at: usize, bytes: &[u8]| page[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"RSTR");
    put(4, &0x1E_u16.to_le_bytes());
    put(6, &9_u16.to_le_bytes());
    put(0x10, &4096_u32.to_le_bytes());
    put(0x14, &4096_u32.to_le_bytes());
    put(0x18, &0x30_u16.to_le_bytes());
    put(0x1A, &1_u16.to_le_bytes());
    put(0x1C, &1_u16.to_le_bytes());
    // The restart area: sequence, one client, none free, the first in use.
    put(0x30, &1000_u64.to_le_bytes());
    put(0x38, &1_u16.to_le_bytes());
    put(0x3A, &0xFFFF_u16.to_le_bytes());
    put(0x3C, &0_u16.to_le_bytes());
    put(0x3E, &(if clean { 2_u16 } else { 0 }).to_le_bytes());
    // Bits of a sequence number, for a log of 2 MiB.
    put(0x40, &(67_u32 - 22).to_le_bytes());
    put(0x44, &0xE0_u16.to_le_bytes());
    put(0x46, &0x40_u16.to_le_bytes());
    put(0x48, &(2_u64 << 20).to_le_bytes());
    put(0x54, &0x30_u16.to_le_bytes());
    put(0x56, &0x40_u16.to_le_bytes());
    // The client.
    put(0x70 + 0x10, &0xFFFF_u16.to_le_bytes());
    put(0x70 + 0x12, &0xFFFF_u16.to_le_bytes());
    put(0x70 + 0x1C, &8_u32.to_le_bytes());
    put(0x70 + 0x20, &[b'N', 0, b'T', 0, b'F', 0, b'S', 0]);
    let number = 7_u16.to_le_bytes();
    page[0x1E..0x20].copy_from_slice(&number);
    for stride in 0..8 {
        let tail = 512 * (stride + 1) - 2;
        let saved = [page[tail], page[tail + 1]];
        page[0x20 + 2 * stride..0x22 + 2 * stride].copy_from_slice(&saved);
        page[tail..tail + 2].copy_from_slice(&number);
    }
    page
}

#[test]
fn an_open_journal_is_refused_as_ntfs_3g_refuses_it() {
    for clean in [true, false] {
        let volume = Volume::make(32, 512, 4096);
        let mut image = std::fs::read(volume.path()).unwrap();
        let start = ntfs_support::check::log_file(&image);
        let page = restart_page(clean);
        for copy in 0..2 {
            image[start + copy * 4096..start + (copy + 1) * 4096].copy_from_slice(&page);
        }
        std::fs::write(volume.path(), &image).unwrap();
        assert_eq!(ntfs_support::mounts(&volume), clean, "ntfs-3g");
        std::fs::write(volume.path(), &image).unwrap();
        match ntfs::plan(&volume.device(), &REQUEST, NOW) {
            Ok(_) => assert!(clean),
            Err(NtfsError::Dirty(why)) => assert!(!clean && why.contains("$LogFile"), "{why}"),
            Err(other) => panic!("{other}"),
        }
        assert!(std::fs::read(volume.path()).unwrap() == image);
    }
}
