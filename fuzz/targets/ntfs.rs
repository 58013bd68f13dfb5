//! An NTFS of up to 16 MiB: looked at, planned on, changed.
#![no_main]

use fve::ntfs;
use fve_fuzz::device::Sparse;

libfuzzer_sys::fuzz_target!(|patches: &[u8]| {
    let device = Sparse::from_patches(16 << 20, patches);
    let _ = ntfs::probe(&device);
    let _ = ntfs::used_extents(&device);
    let request = ntfs::RegionRequest {
        metadata_len: 65536,
        header_len: 8192,
        ice_len: 65536,
        log_len: 1 << 20,
    };
    if let Ok(plan) = ntfs::plan(&device, &request, fve_fuzz::NOW) {
        let _ = (plan.regions(), plan.describe());
        if plan.apply(&device).is_ok() {
            let _ = ntfs::release(&device);
        }
    }
});
