//! What must hold after every kill, and at the end of a round.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use domain::ids::ProtectorId;
use domain::ledger::{KeyState, ProofState};
use fve::io::{FileDevice, ReadAt};
use fve::{Credential, RecoveryPassword, UnlockedVolume, Volume};
use store::model::{FoundKey, KeySearch};
use store::{Keys, SqliteStore};
use tokio::runtime::Runtime;

use super::device::{Device, Drive};
use super::ground::Ground;
use super::vault::Vault;
use crate::ntfs::snapshot;
use crate::poll::Poll;
use crate::watch::{Look, breach, look};

/// Looks at a device's volumes and at the server's store.
pub(super) struct Checks<'a> {
    ground: &'a Ground,
    store: SqliteStore,
    runtime: Runtime,
    /// Looks at volumes, those that met ciphertext, and how many volumes were opened with what the server holds.
    pub(super) looks: u64,
    pub(super) with_ciphertext: u64,
    pub(super) opened: u64,
}

impl<'a> Checks<'a> {
    pub(super) fn new(ground: &'a Ground) -> Result<Self> {
        Ok(Self {
            ground,
            store: ground.store()?,
            runtime: tokio::runtime::Builder::new_current_thread().build()?,
            looks: 0,
            with_ciphertext: 0,
            opened: 0,
        })
    }

    /// P1 and P2: no ciphertext without a key that the server holds. Thorough: that key opens the volume.
    pub(super) fn after_kill(&mut self, device: &Device, thorough: bool) -> Result<()> {
        for drive in &device.volumes {
            let look = look(&drive.image)?;
            self.looks += 1;
            if let Some(breach) = self.runtime.block_on(breach(&look, &self.store))? {
                anyhow::bail!("P1/P2 broken on {}: {breach}", drive.letter);
            }
            if !look.ciphertext {
                continue;
            }
            self.with_ciphertext += 1;
            if thorough {
                self.open(drive, &look)
                    .with_context(|| format!("P2 broken on {}", drive.letter))?;
            }
        }
        Ok(())
    }

    /// Opens a volume with a password that the server holds.
    pub(super) fn open(
        &mut self,
        drive: &Drive,
        look: &Look,
    ) -> Result<(RecoveryPassword, UnlockedVolume<FileDevice>)> {
        let vault = Vault::open(&self.ground.database())?;
        let volume = look.volume.context("it is not encrypted")?;
        let mut why = None;
        for protector in &look.recovery_passwords {
            let Some(password) = vault.password(&self.ground.keys, volume, *protector)? else {
                continue;
            };
            let locked = Volume::open(FileDevice::open_read(&drive.image)?)?;
            match locked.unlock(&Credential::RecoveryPassword(&password)) {
                Ok(unlocked) => {
                    self.opened += 1;
                    return Ok((password, unlocked));
                }
                Err(error) => why = Some(error),
            }
        }
        match why {
            Some(error) => Err(error).context("what the server holds does not open the volume"),
            None => anyhow::bail!("the server holds no password of the volume"),
        }
    }

    /// Everything has converged: protected, one recovery password on each volume, live and proven at the server, and the
    /// files as before. Returns the passwords.
    pub(super) fn converged(&mut self, device: &Device) -> Result<Vec<(ProtectorId, RecoveryPassword)>> {
        self.after_kill(device, false)?;
        let mut told = Vec::new();
        for drive in &device.volumes {
            let look = look(&drive.image)?;
            ensure!(look.protected, "{} is not protected: {look:?}", drive.letter);
            ensure!(
                look.recovery_passwords.len() == 1,
                "{} has not one recovery password: {look:?}",
                drive.letter
            );
            let (password, unlocked) = self.open(drive, &look)?;
            same_files(drive, &unlocked)?;
            told.push((ProtectorId(look.recovery_passwords[0]), password));
        }
        self.proven(device, &told)?;
        Ok(told)
    }

    /// The server's proofs are done by a worker of its own.
    fn proven(&self, device: &Device, told: &[(ProtectorId, RecoveryPassword)]) -> Result<()> {
        let id = device.id()?;
        let poll = Poll::until_minutes(2);
        loop {
            let keys = self.runtime.block_on(self.store.keys_of_device(id))?;
            let mut live: Vec<_> = keys.iter().filter(|k| k.state != KeyState::Superseded).collect();
            ensure!(
                live.iter()
                    .all(|k| k.state == KeyState::Live && k.proof != ProofState::Failed),
                "not all keys are live and sound: {live:?}"
            );
            live.sort_by_key(|k| k.name.protector);
            let mut wanted: Vec<_> = told.iter().map(|(id, _)| *id).collect();
            wanted.sort();
            ensure!(
                live.iter().map(|k| k.name.protector).eq(wanted.iter().copied()),
                "the ledger's live keys {live:?} are not those on the volumes: {wanted:?}"
            );
            if live.iter().all(|k| k.proof == ProofState::Proven) {
                return Ok(());
            }
            poll.wait("the keys to be proven")?;
        }
    }

    /// What was told is replaced: superseded in the ledger, and it opens nothing any more.
    pub(super) fn replaced(&self, device: &Device, told: &[(ProtectorId, RecoveryPassword)]) -> Result<()> {
        for (drive, (id, password)) in device.volumes.iter().zip(told) {
            let found: Vec<FoundKey> = self.runtime.block_on(
                self.store
                    .find_keys(KeySearch::Whole(*id), &store::model::Within::default()),
            )?;
            ensure!(
                found.len() == 1 && found[0].key.state == KeyState::Superseded,
                "{}: the told key is not superseded: {found:?}",
                drive.letter
            );
            let locked = Volume::open(FileDevice::open_read(&drive.image)?)?;
            ensure!(
                locked.unlock(&Credential::RecoveryPassword(password)).is_err(),
                "{} still opens with the told password",
                drive.letter
            );
        }
        Ok(())
    }
}

/// The plain text, as NTFS tools see it, holds every file as it was.
fn same_files(drive: &Drive, unlocked: &UnlockedVolume<FileDevice>) -> Result<()> {
    let plain = drive.image.with_extension("plain");
    write_plain(unlocked, &plain)?;
    let files = snapshot(&plain)?;
    std::fs::remove_file(&plain)?;
    ensure!(files == drive.files, "{}: files were lost or changed", drive.letter);
    Ok(())
}

fn write_plain(unlocked: &UnlockedVolume<FileDevice>, to: &Path) -> Result<()> {
    let mut file = File::create(to)?;
    let mut buffer = vec![0; 1 << 20];
    let mut at = 0;
    while at < unlocked.size() {
        let len = buffer.len().min(usize::try_from(unlocked.size() - at)?);
        unlocked.read_at(at, &mut buffer[..len])?;
        file.write_all(&buffer[..len])?;
        at += len as u64;
    }
    Ok(())
}
