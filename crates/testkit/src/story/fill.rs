//! The inner NTFS is filled to its last cluster, through dislocker and ntfs-3g: whatever it did not own would be lost now.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use super::recover::Told;
use super::{Say, Stage};
use crate::ntfs::{Mounted, snapshot};
use crate::oracle;

pub(super) fn to_the_last_cluster(stage: &Stage, told: &[Told], say: Say<'_>) -> Result<()> {
    say("The inner file system is filled to its last cluster");
    for (subject, told) in stage.subjects.iter().zip(told) {
        let written = fill(&told.copy, &told.password)?;
        let plain = told.plain.with_extension("filled");
        oracle::dislocker_export(&told.copy, &told.password, &plain)?;
        let mut files = snapshot(&plain)?;
        let filler = files.remove(Path::new(FILLER)).context("the filler is gone")?;
        ensure!(
            files == subject.files,
            "{} {}: a file was lost or changed",
            subject.device,
            subject.letter
        );
        ensure!(
            filler == written.1,
            "{} {}: what was written is not what is there",
            subject.device,
            subject.letter
        );
        for oracle in oracle::ALL {
            ensure!(
                oracle::opens(oracle, &told.copy, &told.password)?,
                "{oracle:?} no longer opens the filled volume"
            );
        }
        say(&format!(
            "  {} {}: {} more bytes, no file lost or changed",
            subject.device, subject.letter, written.0
        ));
        std::fs::remove_file(&plain)?;
    }
    Ok(())
}

const FILLER: &str = "filler.bin";

/// Writes until the volume is full. Returns the number of bytes and their SHA-256.
fn fill(image: &Path, password: &str) -> Result<(u64, [u8; 32])> {
    let gate = tempfile::tempdir()?;
    let output = Command::new("dislocker-fuse")
        .arg("-V")
        .arg(image)
        .arg(format!("-p{password}"))
        .arg("--")
        .arg(gate.path())
        .stdin(Stdio::null())
        .output()
        .context("starting dislocker-fuse")?;
    if !output.status.success() {
        bail!(
            "dislocker-fuse does not mount: {}",
            String::from_utf8_lossy(&output.stdout).trim()
        );
    }
    let result = fill_mounted(&gate.path().join("dislocker-file"));
    let unmounted = Command::new("umount")
        .arg(gate.path())
        .status()
        .context("starting umount")?;
    ensure!(unmounted.success(), "dislocker's file system does not unmount");
    result
}

fn fill_mounted(volume: &Path) -> Result<(u64, [u8; 32])> {
    let mounted = Mounted::new(volume, true)?;
    let path = mounted.path().join(FILLER);
    let mut file = File::create_new(&path)?;
    let (mut written, mut word) = (0_u64, 1_u64);
    let mut block = vec![0; 1 << 16];
    // Halve the block when it no longer fits, until not even one byte does.
    while !block.is_empty() {
        for bytes in block.chunks_mut(8) {
            word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            bytes.copy_from_slice(&word.to_le_bytes()[..bytes.len()]);
        }
        match file.write(&block) {
            Ok(0) => break,
            Ok(n) => written += n as u64,
            Err(e) if e.kind() == ErrorKind::StorageFull => block.truncate(block.len() / 2),
            Err(e) => return Err(e).context("filling the volume"),
        }
    }
    file.sync_all()?;
    drop(file);
    let sum = crate::ntfs::sha256_file(&path)?;
    mounted.unmount()?;
    Ok((written, sum))
}
