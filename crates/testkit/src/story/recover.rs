//! The help desk hands out the key of every volume; independent readers open the volume with it; the device rotates.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use domain::ids::ProtectorId;
use domain::ledger::KeyState;
use fve::{RecoveryPassword, Volume, io::FileDevice};
use store::Keys;
use store::model::KeySearch;

use super::encrypt::keys;
use super::{Say, Stage, Subject};
use crate::ntfs::snapshot;
use crate::oracle;
use crate::poll::Poll;
use crate::watch::{look, uuid};

/// What was told about one volume.
pub(super) struct Told {
    /// Told by the help desk and replaced since.
    pub(super) password: String,
    /// The volume as it was before.
    pub(super) copy: PathBuf,
    /// Its plain text, as dislocker writes it.
    pub(super) plain: PathBuf,
}

pub(super) fn every_volume(stage: &mut Stage, say: Say<'_>) -> Result<Vec<Told>> {
    say("The help desk recovers every volume; each key is replaced");
    let folder = stage.options.dir.join("copies");
    std::fs::create_dir(&folder)?;
    let mut told = Vec::new();
    for subject in &stage.subjects {
        told.push(recover(stage, subject, &folder, say)?);
    }
    Ok(told)
}

fn recover(stage: &Stage, subject: &Subject, folder: &std::path::Path, say: Say<'_>) -> Result<Told> {
    let name = format!("{}-{}", subject.device, subject.letter.trim_end_matches(':'));
    let copy = folder.join(format!("{name}.img"));
    std::fs::copy(&subject.image, &copy)?;
    let before = look(&copy)?;
    ensure!(
        before.recovery_passwords.len() == 1,
        "{name}: one recovery password expected: {before:?}"
    );
    let id = ProtectorId(before.recovery_passwords[0]);

    let password = stage.person("helpdesk")?.ask_help_desk(id, &subject.device)?;
    let poll = Poll::until_minutes(1);
    while state(stage, id)? != KeyState::Superseded {
        poll.wait("the told key to be superseded")?;
    }
    let rotated_after = poll.seconds();

    // The copy shows the volume as it was at the recovery screen.
    for oracle in oracle::ALL {
        ensure!(
            oracle::opens(oracle, &copy, &password)?,
            "{name}: {oracle:?} does not open it with the told password"
        );
    }
    let plain = folder.join(format!("{name}.plain"));
    oracle::dislocker_export(&copy, &password, &plain)?;
    let dislocker = hex::encode(crate::ntfs::sha256_file(&plain)?);
    ensure!(
        oracle::libbde_sha256(&copy, &password)? == dislocker,
        "{name}: libbde and dislocker disagree"
    );
    let files = snapshot(&plain)?;
    ensure!(
        files == subject.files,
        "{name}: files differ from those before encryption"
    );

    // The volume itself: the old password opens nothing, the new one opens.
    let now = folder.join(format!("{name}.now.img"));
    std::fs::copy(&subject.image, &now)?;
    let new = new_password(&copy, &now, &password)?;
    let new = new.expose();
    for oracle in oracle::ALL {
        ensure!(
            !oracle::opens(oracle, &now, &password)?,
            "{name}: {oracle:?} still opens it with the old password"
        );
        ensure!(
            oracle::opens(oracle, &now, &new)?,
            "{name}: {oracle:?} does not open it with the new password"
        );
    }
    std::fs::remove_file(&now)?;
    say(&format!(
        "  {name}: opened by cryptsetup, dislocker, libbde, dissect (integrity of 3 copies right); {} files as before; \
         exposed -> superseded {rotated_after:.2} s after it was told",
        files.len(),
    ));
    ensure!(rotated_after < 5.0, "{name}: the rotation took {rotated_after:.1} s");
    Ok(Told { password, copy, plain })
}

fn state(stage: &Stage, id: ProtectorId) -> Result<KeyState> {
    let store = stage.store()?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let found = runtime.block_on(store.find_keys(KeySearch::Whole(id), &store::model::Within::default()))?;
    Ok(found.first().context("the key is gone from the ledger")?.key.state)
}

/// The password that nobody was told, read from the volume with the master key, which a rotation keeps.
fn new_password(old: &std::path::Path, now: &std::path::Path, told: &str) -> Result<RecoveryPassword> {
    let told = RecoveryPassword::parse(told)?;
    let before = Volume::open(FileDevice::open_read(old)?)?.unlock(&fve::Credential::RecoveryPassword(&told))?;
    let after = Volume::open(FileDevice::open_read(now)?)?.unlock(&fve::Credential::Vmk(before.master_key()))?;
    let id = look(now)?
        .recovery_passwords
        .first()
        .copied()
        .context("no recovery password left")?;
    let protectors = after.protectors()?;
    let protector = protectors
        .iter()
        .find(|p| uuid(p.id) == id)
        .context("the protector is gone")?;
    Ok(after.recovery_password(protector.id)?)
}

/// The passwords that are live now and that nobody was told, one for each volume.
pub(super) fn never_told(stage: &Stage, told: &[Told]) -> Result<Vec<RecoveryPassword>> {
    let pairs = stage.subjects.iter().zip(told);
    let found = pairs
        .map(|(s, t)| new_password(&t.copy, &s.image, &t.password))
        .collect::<Result<Vec<_>>>()?;
    let live = keys(stage)?.iter().filter(|k| k.state == KeyState::Live).count();
    ensure!(
        live == found.len(),
        "{live} live keys in the ledger, {} volumes",
        found.len()
    );
    Ok(found)
}
