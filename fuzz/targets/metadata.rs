//! One metadata area as evidence, as it is and with its checksum mended.
#![no_main]

use fve::format::read::{nested, parse_key, read_metadata, text, virtualization_info};
use fve_fuzz::area;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = fve::evidence_contents(bytes);
    let mut mended = bytes.to_vec();
    area::mend(&mut mended);
    let _ = fve::evidence_contents(&mended);
    let Ok(metadata) = read_metadata(&mended) else {
        return;
    };
    let _ = virtualization_info(&metadata.datums);
    for datum in &metadata.datums {
        let _ = (text(datum), parse_key(&datum.body));
        if let Ok(inner) = nested(datum) {
            for datum in &inner {
                let _ = (text(datum), parse_key(&datum.body), nested(datum));
            }
        }
    }
});
