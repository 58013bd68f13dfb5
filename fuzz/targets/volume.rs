//! A whole small device: boot sector, three copies, log. All copies are mended, then the volume is opened, read,
//! changed and converted a little. The first byte says what is done.
#![no_main]

use fve::io::{ReadAt, WriteAt};
use fve::{ConversionMode, Credential, Volume, VolumeMasterKey};
use fve_fuzz::device::Sparse;
use fve_fuzz::{MASTER_KEY, area, with_context};

const SIZE: u64 = 3 << 20;

fn mend_copies(device: &Sparse) {
    let mut boot = [0; 512];
    if device.read_at(0, &mut boot).is_err() {
        return;
    }
    let Ok(boot) = fve::format::read::read_boot_sector(&boot) else {
        return;
    };
    for place in boot.metadata {
        let mut bytes = vec![0; area::LEN];
        if device.read_at(place, &mut bytes).is_ok() && bytes.starts_with(b"-FVE-FS-") {
            area::mend(&mut bytes);
            let _ = device.write_at(place, &bytes);
        }
    }
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((&act, patches)) = input.split_first() else {
        return;
    };
    let device = Sparse::from_patches(SIZE, patches);
    if act & 0x80 == 0 {
        mend_copies(&device);
    }
    let Ok(volume) = Volume::open(&device) else {
        return;
    };
    let _ = volume.info();
    let Ok(volume) = volume.unlock(&Credential::Vmk(&VolumeMasterKey::from_bytes(MASTER_KEY))) else {
        return;
    };
    let mut buffer = vec![0; 10_000];
    for offset in [0, 1, 8000, 100_000, 1 << 20, SIZE - 10_000] {
        let _ = volume.read_at(offset, &mut buffer);
    }
    with_context(|ctx| {
        let _ = volume.recover(ctx);
        let begun = match act & 0x0F {
            0 => volume.begin_encryption(ctx, ConversionMode::Full),
            1 => volume.begin_encryption(ctx, ConversionMode::UsedSpaceOnly),
            2 => volume.begin_decryption(ctx),
            3 => volume.resume_conversion(ctx),
            4 => volume.suspend(ctx, None),
            _ => volume.add_external_key(ctx, None, None).map(drop),
        };
        if begun.is_ok() {
            for _ in 0..4 {
                let _ = volume.convert_step(ctx);
            }
            let _ = volume.pause(ctx);
        }
    });
    let _ = volume.write_at(8_001, &buffer);
});
