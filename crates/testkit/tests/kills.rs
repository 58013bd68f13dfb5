//! A bounded part of `scripts/kills`. `CLAVIGER_KILLS`: how many of each; `CLAVIGER_SEED`: which.

#![expect(clippy::disallowed_macros, reason = "seed and figures belong into the test's output")]

use anyhow::Result;
use testkit::kills::{Note, Options, Whom, run};
use testkit::process::Programs;

fn kill(whom: Whom) -> Result<()> {
    let number = |name: &str, otherwise| std::env::var(name).map_or(Ok(otherwise), |text| text.parse());
    let folder = tempfile::Builder::new().prefix("claviger-").tempdir()?;
    let options = Options {
        programs: Programs::beside_test()?,
        dir: folder.path().join("kills"),
        seed: number("CLAVIGER_SEED", 1)?,
        kills: u32::try_from(number("CLAVIGER_KILLS", 40)?)?,
        whom,
    };
    run(&options, &mut |note| {
        if let Note::Line(line) = note {
            println!("{line}");
        }
    })
}

#[test]
fn a_killed_agent_never_leaves_ciphertext_without_a_key_at_the_server_and_converges() -> Result<()> {
    kill(Whom::Agent)
}

#[test]
fn a_killed_server_has_every_escrow_that_it_acknowledged() -> Result<()> {
    kill(Whom::Server)
}
