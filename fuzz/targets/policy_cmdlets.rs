//! Scripts of Configuration Manager's cmdlets.
#![no_main]

use domain::policy::interchange::cmdlets::{export, import};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(imported) = import(text) else { return };
    let exported = export(&imported.document);
    let Ok(again) = import(&exported.output) else { return };
    for (id, value) in imported.document.assignments.iter() {
        let named = exported.inexpressible.iter().any(|cannot| cannot.setting == id);
        assert!(named || again.document.assignments.get(id) == Some(value), "{id}");
    }
});
