//! Registry.pol.
#![no_main]

use domain::policy::interchange::registry_pol::{export, import, read, write};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(entries) = read(bytes) else { return };
    assert_eq!(
        read(&write(&entries)).expect("what was written reads back").len(),
        entries.len()
    );
    let document = import(bytes).expect("it was read").document;
    assert_eq!(
        import(&export(&document).output)
            .expect("what was written reads back")
            .document,
        document
    );
});
