//! Real NTFS volumes with files, made by the NTFS tools, without mounting anything.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use rand::Rng;
use rand_core::RngCore;

/// How a volume is made.
#[derive(Clone, Debug)]
pub struct NtfsSpec {
    /// Size in bytes.
    pub size: u64,
    /// Sector size in bytes: 512 or 4096.
    pub sector_size: u32,
    /// Label.
    pub label: String,
    /// Share of the volume to fill with files, in percent.
    pub fill_percent: u8,
}

/// Makes an image with an NTFS file system and fills it with files of many sizes. The same generator state gives the same files.
///
/// # Errors
/// When a tool is missing or fails.
pub fn make_ntfs(image: &Path, spec: &NtfsSpec, rng: &mut dyn RngCore) -> Result<()> {
    File::create_new(image)
        .with_context(|| format!("creating {}", image.display()))?
        .set_len(spec.size)?;
    let sector = spec.sector_size.to_string();
    run(Command::new(tool("mkntfs"))
        .args([
            "-F",
            "-Q",
            "-q",
            "-c",
            "4096",
            "-p",
            "0",
            "-H",
            "255",
            "-S",
            "63",
            "-s",
            &sector,
            "-L",
            &spec.label,
        ])
        .arg(image))?;
    let mut left = spec.size / 100 * u64::from(spec.fill_percent);
    let mut number = 0;
    while left > 0 {
        let len = file_len(rng).min(left);
        add_file(image, &format!("{} {number:03}.dat", name(rng)), &content(rng, len))?;
        left -= len;
        number += 1;
    }
    Ok(())
}

/// Adds a file to the root directory of an NTFS image.
///
/// # Errors
/// When the tool is missing or fails.
pub fn add_file(image: &Path, name: &str, content: &[u8]) -> Result<()> {
    let mut source = tempfile::NamedTempFile::new()?;
    source.write_all(content)?;
    source.flush()?;
    run(Command::new(tool("ntfscp"))
        .args(["-f", "-q"])
        .arg(image)
        .arg(source.path())
        .arg(name))
}

/// Many small files, some of a few megabytes, as on a real drive.
fn file_len(rng: &mut dyn RngCore) -> u64 {
    match rng.random_range(0..10) {
        0..=3 => rng.random_range(1..700),
        4..=7 => rng.random_range(700..200_000),
        _ => rng.random_range(200_000..6_000_000),
    }
}

/// Half noise, half text-like content, so that encryption shows.
fn content(rng: &mut dyn RngCore, len: u64) -> Vec<u8> {
    let mut bytes = vec![b'.'; usize::try_from(len).unwrap_or(0)];
    if rng.random_bool(0.5) {
        rng.fill_bytes(&mut bytes);
    }
    bytes
}

fn name(rng: &mut dyn RngCore) -> &'static str {
    const NAMES: [&str; 8] = [
        "Annual report",
        "Grüße",
        "budget",
        "日本語の名前",
        "Photo",
        "notes (copy)",
        "archive",
        "Ünïcode — dash",
    ];
    NAMES[rng.random_range(0..NAMES.len())]
}

/// The NTFS tools live in `sbin`, which is not on everybody's path.
fn tool(name: &str) -> String {
    ["/usr/sbin", "/sbin", "/usr/bin"]
        .iter()
        .map(|dir| format!("{dir}/{name}"))
        .find(|path| Path::new(path).exists())
        .unwrap_or_else(|| name.to_owned())
}

fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("starting {name}"))?;
    if !output.status.success() {
        bail!("{name} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
