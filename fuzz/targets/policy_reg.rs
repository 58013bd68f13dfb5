//! Files of the registry editor.
#![no_main]

use domain::policy::interchange::reg::{export, import};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(imported) = import(bytes) else { return };
    let document = imported.document;
    assert_eq!(
        import(&export(&document).output)
            .expect("what was written reads back")
            .document,
        document
    );
});
