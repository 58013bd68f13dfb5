//! The whole story with one device of the three; `./run --check` tells it with all.

use testkit::process::Programs;
use testkit::story::{Options, run};

#[test]
fn one_device_enrols_encrypts_is_recovered_and_rotates_and_every_attack_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        programs: Programs::beside_test().unwrap(),
        dir: folder.path().join("story"),
        seed: 7,
        devices: 1,
        scale: 1,
    };
    let mut told = Vec::new();
    if let Err(error) = run(options, &mut |line| told.push(line.to_owned())) {
        panic!("{error:#}\n{}", told.join("\n"));
    }
}
