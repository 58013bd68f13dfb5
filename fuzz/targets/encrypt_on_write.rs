//! Encrypt-on-write information and bitmaps, as they are and with their checksums mended.
#![no_main]

use fve::format::read::{read_eow_bitmap, read_eow_info};

fn mend(bytes: &mut [u8], len: usize, field: usize) {
    let len = len.min(bytes.len());
    if len >= field + 4 {
        bytes[field..field + 4].fill(0);
        let crc = crc32fast::hash(&bytes[..len]);
        bytes[field..field + 4].copy_from_slice(&crc.to_le_bytes());
    }
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = (read_eow_info(bytes), read_eow_bitmap(bytes));
    let mut info = bytes.to_vec();
    if let Some(&[low, high]) = info.get(10..12) {
        mend(&mut info, u16::from_le_bytes([low, high]).into(), 36);
    }
    let _ = read_eow_info(&info);
    let mut bitmap = bytes.to_vec();
    mend(&mut bitmap, 512, 56);
    for record in [512, 1024] {
        if let Some(record) = bitmap.get_mut(record..record + 512) {
            mend(record, 512, 32);
        }
    }
    let _ = read_eow_bitmap(&bitmap);
});
