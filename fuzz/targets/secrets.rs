//! What people type and what files hold: recovery passwords, GUIDs, external keys.
#![no_main]

use fve::{Bek, Guid, RecoveryPassword};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(bek) = Bek::parse(bytes) {
        let again = Bek::parse(&bek.to_bytes()).expect("what was written reads back");
        assert_eq!(
            (bek.protector, bek.created, bek.volume),
            (again.protector, again.created, again.volume)
        );
        assert_eq!(bek.key.as_bytes(), again.key.as_bytes());
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(guid) = text.parse::<Guid>() {
        assert_eq!(guid.to_string().parse(), Ok(guid));
    }
    if let Ok(password) = RecoveryPassword::parse(text) {
        let again = RecoveryPassword::parse(&password.expose()).expect("what was written reads back");
        assert_eq!(password.as_bytes(), again.as_bytes());
    }
});
