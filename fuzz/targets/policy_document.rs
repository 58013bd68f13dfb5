//! Policies as people and programs write them.
#![no_main]

use domain::policy::document::{Document, edit};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Document::parse(text) {
        Ok(parsed) => {
            let _ = (parsed.faults(), parsed.warnings());
            let document = parsed.document;
            for again in [document.to_toml(), document.to_json()] {
                assert_eq!(
                    Document::parse(&again).expect("what was written reads back").document,
                    document
                );
            }
            let edited = edit(text, "os.min_pin_length", Some("7")).expect("a sound document can be edited");
            let edited = Document::parse(&edited).expect("what was edited reads back").document;
            assert_eq!(edited.assignments.get("os.min_pin_length"), Some("7"));
        }
        Err(faults) => {
            for fault in faults {
                assert!(fault.line > 0 && fault.column > 0 && !fault.to_string().is_empty());
            }
        }
    }
});
