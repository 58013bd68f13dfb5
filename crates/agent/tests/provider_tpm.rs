//! Sealing to a real software TPM.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up its parts fails")]

mod common;

use agent::platform::linux::tpm::{PcrSelection, PinAuth, SealedKey, Tpm, TpmAddress, TpmError};
use agent::provider::{Code, ProviderError};
use common::swtpm::Swtpm;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

const KEY: [u8; 32] = *b"the key that a TPM keeps for us.";

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(7)
}

fn code(error: TpmError) -> Code {
    ProviderError::from(error).code
}

fn seal(swtpm: &Swtpm, pin: Option<&str>) -> (Tpm, SealedKey) {
    let tpm = Tpm::new(swtpm.address());
    let pin = pin.map(|pin| PinAuth::new(pin, &mut rng()));
    let sealed = tpm.seal(&KEY, PcrSelection::UEFI, pin.as_ref(), &mut rng()).unwrap();
    (tpm, sealed)
}

#[test]
fn a_sealed_key_opens_again_also_after_a_restart() {
    let mut swtpm = Swtpm::start();
    let (tpm, sealed) = seal(&swtpm, None);
    assert_eq!(*tpm.unseal(&sealed, None, &mut rng()).unwrap(), KEY);
    swtpm.restart();
    assert_eq!(*tpm.unseal(&sealed, None, &mut rng()).unwrap(), KEY);
}

#[test]
fn a_sealed_key_survives_storing() {
    let swtpm = Swtpm::start();
    let (tpm, sealed) = seal(&swtpm, None);
    let mut bytes = sealed.to_bytes();
    bytes.extend_from_slice(&[0; 7]);
    let read = SealedKey::from_bytes(&bytes).unwrap();
    assert_eq!(read, sealed);
    assert_eq!(*tpm.unseal(&read, None, &mut rng()).unwrap(), KEY);
    for len in 0..sealed.to_bytes().len() {
        assert!(SealedKey::from_bytes(&bytes[..len]).is_err(), "{len} bytes");
    }
    for (offset, value) in [(0, b'X'), (4, 2), (5, 2), (11, 0xFF)] {
        let mut wrong = sealed.to_bytes();
        wrong[offset] = value;
        assert!(SealedKey::from_bytes(&wrong).is_err(), "byte {offset}");
    }
}

#[test]
fn changed_measurements_keep_the_key_shut() {
    let mut swtpm = Swtpm::start();
    let (tpm, sealed) = seal(&swtpm, None);
    swtpm.extend(7);
    assert_eq!(
        *tpm.unseal(&sealed, None, &mut rng()).unwrap(),
        KEY,
        "PCR 7 is not bound"
    );
    swtpm.extend(4);
    let error = tpm.unseal(&sealed, None, &mut rng()).unwrap_err();
    assert!(error.to_string().contains("measurements"), "{error}");
    assert_eq!(code(error), Code::TpmAuthFail);
    swtpm.restart();
    assert_eq!(*tpm.unseal(&sealed, None, &mut rng()).unwrap(), KEY);
}

#[test]
fn a_pin_is_needed_where_one_was_given() {
    let swtpm = Swtpm::start();
    let (tpm, sealed) = seal(&swtpm, Some("271828"));
    assert!(sealed.needs_pin());
    assert_eq!(*tpm.unseal(&sealed, Some("271828"), &mut rng()).unwrap(), KEY);
    let error = tpm.unseal(&sealed, Some("271829"), &mut rng()).unwrap_err();
    assert!(error.to_string().contains("wrong PIN"), "{error}");
    assert_eq!(code(error), Code::TpmAuthFail);
    assert_eq!(
        code(tpm.unseal(&sealed, None, &mut rng()).unwrap_err()),
        Code::TpmAuthFail
    );
}

#[test]
fn too_many_wrong_pins_lock_the_tpm_even_for_the_right_one() {
    let swtpm = Swtpm::start();
    let (tpm, sealed) = seal(&swtpm, Some("314159"));
    let mut tries = 0;
    let locked = loop {
        let error = tpm.unseal(&sealed, Some("999999"), &mut rng()).unwrap_err();
        tries += 1;
        match code(error) {
            Code::TpmAuthFail => assert!(tries < 64, "never locked out"),
            other => break other,
        }
    };
    assert_eq!(locked, Code::TpmDefendLockRunning);
    let error = tpm.unseal(&sealed, Some("314159"), &mut rng()).unwrap_err();
    assert_eq!(code(error), Code::TpmDefendLockRunning);
    // A key without a PIN is not affected.
    let (_, without) = seal(&swtpm, None);
    assert_eq!(*tpm.unseal(&without, None, &mut rng()).unwrap(), KEY);
}

#[test]
fn nothing_stays_loaded_after_success_or_failure() {
    let swtpm = Swtpm::start();
    let (tpm, sealed) = seal(&swtpm, Some("271828"));
    for pin in ["271828", "000000", "271828"] {
        let _ = tpm.unseal(&sealed, Some(pin), &mut rng());
        assert_eq!(swtpm.loaded(), 0);
    }
    swtpm.extend(0);
    tpm.unseal(&sealed, Some("271828"), &mut rng()).unwrap_err();
    assert_eq!(swtpm.loaded(), 0);
}

#[test]
fn what_a_killed_program_left_loaded_does_not_stand_in_the_way() {
    let swtpm = Swtpm::start();
    let (tpm, sealed) = seal(&swtpm, None);
    swtpm.fill();
    assert_eq!(swtpm.loaded(), 3);
    assert_eq!(*tpm.unseal(&sealed, None, &mut rng()).unwrap(), KEY);
    assert_eq!(swtpm.loaded(), 0);
}

#[test]
fn another_tpm_does_not_open_the_key() {
    let (first, second) = (Swtpm::start(), Swtpm::start());
    let (_, sealed) = seal(&first, None);
    let error = Tpm::new(second.address())
        .unseal(&sealed, None, &mut rng())
        .unwrap_err();
    assert!(error.to_string().contains("another TPM"), "{error}");
    assert_eq!(code(error), Code::TpmAuthFail);
}

#[test]
fn the_key_does_not_cross_the_bus_in_the_clear() {
    let swtpm = Swtpm::start();
    let (proxy, seen) = swtpm.listen_in(|_, _| {});
    let tpm = Tpm::new(TpmAddress::Unix(proxy));
    let pin = PinAuth::new("271828", &mut rng());
    let sealed = tpm.seal(&KEY, PcrSelection::UEFI, Some(&pin), &mut rng()).unwrap();
    tpm.unseal(&sealed, Some("271828"), &mut rng()).unwrap();
    let seen = seen.lock().unwrap();
    assert!(seen.len() > 2000, "the proxy saw {} bytes", seen.len());
    assert!(seen.windows(8).all(|window| window != &KEY[..8]));
}

#[test]
fn an_answer_that_was_changed_on_the_bus_is_not_believed() {
    let swtpm = Swtpm::start();
    let (_, sealed) = seal(&swtpm, None);
    let (proxy, _) = swtpm.listen_in(|command, response| {
        // TPM2_Unseal: flips a bit of the key.
        if command[6..10] == [0, 0, 1, 0x5E] {
            response[20] ^= 1;
        }
    });
    let error = Tpm::new(TpmAddress::Unix(proxy))
        .unseal(&sealed, None, &mut rng())
        .unwrap_err();
    assert!(matches!(error, TpmError::Forged), "{error}");
    assert_eq!(code(error), Code::TpmAuthFail);
}

#[test]
fn a_missing_tpm_is_said_to_be_missing() {
    let tpm = Tpm::new("unix:/nonexistent/tpm.sock".parse().unwrap());
    assert_eq!(code(tpm.info().unwrap_err()), Code::TpmServiceNotRunning);
    let mut swtpm = Swtpm::start();
    let (tpm, sealed) = seal(&swtpm, None);
    swtpm.stop();
    assert_eq!(
        code(tpm.unseal(&sealed, None, &mut rng()).unwrap_err()),
        Code::TpmServiceNotRunning
    );
}

#[test]
fn the_tpm_tells_who_made_it() {
    let swtpm = Swtpm::start();
    let info = Tpm::new(swtpm.address()).info().unwrap();
    assert_eq!(info.manufacturer, "IBM");
    assert!(info.spec_version.starts_with("2.0, 0, 1."), "{}", info.spec_version);
}

#[test]
fn addresses_are_read_or_refused() {
    assert_eq!("/dev/tpmrm0".parse(), Ok(TpmAddress::Device("/dev/tpmrm0".into())));
    assert_eq!("unix:/run/t".parse(), Ok(TpmAddress::Unix("/run/t".into())));
    assert_eq!("tcp:[::1]:2321".parse(), Ok(TpmAddress::Tcp("[::1]:2321".into())));
    assert!("tpmrm0".parse::<TpmAddress>().is_err());
}
