//! A conversion log alone, beside regions that someone else reserved; and taking all of it away.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod ntfs_support;

use fve::ntfs::{self, NtfsError, RegionRequest};
use ntfs_support::{NOW, REQUEST, Volume, hashes, populate};

const WITHOUT_LOG: RegionRequest = RegionRequest { log_len: 0, ..REQUEST };
const LOG: &str = "FVE2.{5b0f3c1e-9d0a-4b57-8c66-2f7e41a9d5b3}";

/// A volume with the files that Windows leaves on it, one of them with a short name too.
fn as_windows_leaves_it() -> (Volume, Vec<(String, String)>) {
    let volume = Volume::make(64, 512, 4096);
    let before = volume.mounted(|root| populate(root, 40));
    let device = volume.device();
    ntfs::plan(&device, &WITHOUT_LOG, NOW).unwrap().apply(&device).unwrap();
    volume.mounted(|root| {
        let system = root.join("System Volume Information");
        for number in 1..=2 {
            let name = system.join(format!("FVE2.{{aff97bac-a69b-45da-aba1-2cfbce434750}}.{number}"));
            std::fs::write(&name, vec![1; 100_000]).unwrap();
            ntfs_support::set_short_name(&name, &format!("FVE2~{number}"));
        }
        std::fs::write(system.join("tracking.log"), [2; 20480]).unwrap();
    });
    (volume, before)
}

#[test]
fn a_log_is_added_to_the_files_that_windows_made_and_all_go_together() {
    let (volume, before) = as_windows_leaves_it();
    let files = volume.system_files();
    assert_eq!(files.len(), 8);
    let device = volume.device();
    let plan = ntfs::plan_log(&device, REQUEST.log_len, NOW).unwrap();
    plan.apply(&device).unwrap();
    let log = plan.regions().log;
    assert!(log > 0 && log.is_multiple_of(4096));
    assert_eq!(plan.regions().metadata, [0; 3]);
    volume.check_clean();
    let mut with_log = files;
    with_log.push(LOG.to_owned());
    with_log.sort();
    assert_eq!(volume.system_files(), with_log);
    let info = volume.info(&["-v", "-F", &format!("System Volume Information/{LOG}")]);
    let run = format!("{:#x}", log / 4096);
    assert!(info.contains(&run), "{run} in {info}");
    let again = ntfs::plan_log(&device, REQUEST.log_len, NOW).unwrap();
    assert_eq!((again.regions(), again.describe()), (plan.regions(), Vec::new()));
    assert_eq!(volume.mounted(hashes), before);

    ntfs::release(&volume.device()).unwrap();
    volume.check_clean();
    assert_eq!(volume.system_files(), ["tracking.log"]);
    assert_eq!(volume.mounted(hashes), before);
}

#[test]
fn a_log_of_another_length_is_not_replaced() {
    let (volume, _) = as_windows_leaves_it();
    let device = volume.device();
    ntfs::plan_log(&device, REQUEST.log_len, NOW)
        .unwrap()
        .apply(&device)
        .unwrap();
    let refused = ntfs::plan_log(&device, 2 * REQUEST.log_len, NOW).unwrap_err();
    assert!(matches!(refused, NtfsError::Unsupported(_)), "{refused}");
}
