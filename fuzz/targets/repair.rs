//! A device that lost something, and a backup that may help: looked at, opened in memory, mended.
//! The first byte says how; the next two how long the backup is; then the backup, then the device's pages.
#![no_main]

use std::ops::ControlFlow;

use fve::io::ReadAt;
use fve::repair::{ExamineOptions, Extent, RescueOptions, ScanMode, examine, rescue};
use fve::{Credential, VolumeMasterKey};
use fve_fuzz::device::Sparse;
use fve_fuzz::{MASTER_KEY, area, with_context};

const SIZE: u64 = 3 << 20;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let [act, low, high, rest @ ..] = input else {
        return;
    };
    let len = usize::from(u16::from_le_bytes([*low, *high])).min(rest.len());
    let (backup, patches) = rest.split_at(len);
    let mut backup = backup.to_vec();
    if backup.starts_with(b"-FVE-FS-") {
        area::mend(&mut backup);
    }
    let backups: &[&[u8]] = if backup.is_empty() { &[] } else { &[&backup] };
    let device = Sparse::from_patches(SIZE, patches);
    let options = ExamineOptions {
        scan: if act & 1 == 0 { ScanMode::Always } else { ScanMode::Auto },
        backups,
        resume: None,
    };
    let Ok(findings) = examine(&device, &options, &mut |_| ControlFlow::Continue(())) else {
        return;
    };
    let _ = (findings.healthy(), findings.describe());
    let options = RescueOptions {
        accept_damaged: act & 2 != 0,
        sector_size: (act & 4 != 0).then_some(4096),
        extent: (act & 8 != 0).then_some(Extent::Encrypted),
        volume: None,
    };
    let Ok(rescue) = rescue(&device, &findings, &options) else {
        return;
    };
    let _ = rescue.info();
    let Ok(rescued) = rescue.unlock(&Credential::Vmk(&VolumeMasterKey::from_bytes(MASTER_KEY))) else {
        return;
    };
    let mut buffer = vec![0; 9000];
    for offset in [0, 8000, 1 << 20] {
        let _ = rescued.volume().read_at(offset, &mut buffer);
    }
    let _ = rescued.plan().describe();
    if let Ok(undo) = with_context(|ctx| rescued.apply(ctx)) {
        undo.revert(&device).expect("what was mended can be taken back");
    }
});
