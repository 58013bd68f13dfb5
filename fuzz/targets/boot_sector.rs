//! Boot sectors: fixed, To Go, encrypt-on-write.
#![no_main]

use fve::format::read::read_boot_sector;

libfuzzer_sys::fuzz_target!(|sector: [u8; 512]| {
    let _ = read_boot_sector(&sector);
});
