//! A FAT16, FAT32 or exFAT of up to 48 MiB: named, looked at, planned on, changed, and the change taken back.
#![no_main]

use fve::inner::{self, RegionRequest};
use fve_fuzz::device::Sparse;

libfuzzer_sys::fuzz_target!(|patches: &[u8]| {
    let device = Sparse::from_patches(48 << 20, patches);
    let _ = inner::identify(&device);
    let _ = inner::used_extents(&device);
    let request = RegionRequest {
        metadata_len: 65536,
        header_len: 8192,
        ice_len: 65536,
        log_len: 1 << 20,
    };
    if let Ok(plan) = inner::plan(&device, &request, fve_fuzz::NOW) {
        let _ = (plan.regions(), plan.describe());
        if plan.apply(&device).is_ok() {
            let _ = inner::release(&device);
        }
    }
});
