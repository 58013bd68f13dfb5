//! The demonstration fleet: three devices, each with a software TPM and three real NTFS volumes.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use domain::volume::VolumeKind;
use rand::Rng;
use rand_core::{RngCore, SeedableRng};

use super::fixture::{NtfsSpec, make_ntfs};

const MIB: u64 = 1 << 20;

/// One device to simulate.
#[derive(Clone, Debug)]
pub struct DeviceSpec {
    /// Computer name; also the name of its folder.
    pub name: String,
    /// Maker and model to report.
    pub maker_model: (String, String),
    /// Operating system to report.
    pub os: (String, String),
    /// A laptop.
    pub portable: bool,
    /// People who signed in to it.
    pub users: Vec<String>,
    /// Its volumes.
    pub volumes: Vec<VolumeSpec>,
}

/// One volume to make.
#[derive(Clone, Debug)]
pub struct VolumeSpec {
    /// Drive letter, "C:".
    pub letter: String,
    /// What it is for.
    pub kind: VolumeKind,
    /// How it is made.
    pub ntfs: NtfsSpec,
}

/// Where a simulated device keeps what.
#[derive(Clone, Debug)]
pub struct DevicePaths {
    root: PathBuf,
}

impl DevicePaths {
    /// A device's folder.
    #[must_use]
    pub fn new(fleet: &Path, name: &str) -> Self {
        Self {
            root: fleet.join("devices").join(name),
        }
    }

    /// The folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The agent's configuration.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.root.join("agent.toml")
    }

    /// The enrolment token.
    #[must_use]
    pub fn token(&self) -> PathBuf {
        self.root.join("token")
    }

    /// The chip's state and socket.
    #[must_use]
    pub fn tpm(&self) -> PathBuf {
        self.root.join("tpm")
    }

    /// The agent's state.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.root.join("state")
    }

    /// A volume's image, by its drive letter.
    #[must_use]
    pub fn image(&self, letter: &str) -> PathBuf {
        self.root.join(format!("{}.img", letter.trim_end_matches(':')))
    }
}

/// The three devices of the demonstration. `scale` multiplies the sizes of the volumes.
#[must_use]
pub fn demonstration(scale: u64) -> Vec<DeviceSpec> {
    let device =
        |name: &str, maker: (&str, &str), os: (&str, &str), portable, users: &[&str], sector_size| DeviceSpec {
            name: name.to_owned(),
            maker_model: (maker.0.to_owned(), maker.1.to_owned()),
            os: (os.0.to_owned(), os.1.to_owned()),
            portable,
            users: users.iter().map(|u| (*u).to_owned()).collect(),
            volumes: vec![
                volume("C:", VolumeKind::Os, 96 * MIB * scale, 512, "Windows"),
                volume("D:", VolumeKind::Fixed, 64 * MIB * scale, sector_size, "Data"),
                volume("E:", VolumeKind::Removable, 48 * MIB * scale, 512, "USB stick"),
            ],
        };
    let windows = ("Windows 11 Pro", "10.0.26200");
    vec![
        device(
            "LAP-ANNA",
            ("Lenovo", "ThinkPad T14 Gen 5"),
            windows,
            true,
            &["anna"],
            512,
        ),
        device(
            "LAP-BEN",
            ("Dell Inc.", "Latitude 7450"),
            windows,
            true,
            &["ben", "anna"],
            4096,
        ),
        device(
            "DESK-FRONT",
            ("HP", "EliteDesk 800 G9"),
            ("Windows 10 Pro", "10.0.19045"),
            false,
            &["cara"],
            512,
        ),
    ]
}

fn volume(letter: &str, kind: VolumeKind, size: u64, sector_size: u32, label: &str) -> VolumeSpec {
    let ntfs = NtfsSpec {
        size,
        sector_size,
        label: label.to_owned(),
        fill_percent: 45,
    };
    VolumeSpec {
        letter: letter.to_owned(),
        kind,
        ntfs,
    }
}

/// Makes a device's folder with volumes and configuration. Does nothing when it is there.
///
/// # Errors
/// When a tool is missing or the disk is full; a half-made folder is removed.
pub fn make_device(
    fleet: &Path,
    device: &DeviceSpec,
    server: &str,
    ca_file: &Path,
    token: &str,
    rng: &mut dyn RngCore,
) -> Result<DevicePaths> {
    let paths = DevicePaths::new(fleet, &device.name);
    if paths.config().exists() {
        return Ok(paths);
    }
    if paths.root.exists() {
        std::fs::remove_dir_all(&paths.root)?;
    }
    std::fs::create_dir_all(&paths.root)?;
    for volume in &device.volumes {
        // A generator of its own, so that one volume's content does not depend on the others'.
        let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(rng.random());
        make_ntfs(&paths.image(&volume.letter), &volume.ntfs, &mut rng)?;
    }
    super::write_private(&paths.token(), token)?;
    let text = configuration(&paths, device, server, ca_file)?;
    std::fs::write(paths.config(), text).with_context(|| format!("writing {}", paths.config().display()))?;
    Ok(paths)
}

fn configuration(paths: &DevicePaths, device: &DeviceSpec, server: &str, ca_file: &Path) -> Result<String> {
    let root = paths.root.canonicalize()?;
    let mut text = String::new();
    let quoted = |value: &str| toml::Value::String(value.to_owned()).to_string();
    writeln!(text, "server = {}", quoted(server))?;
    writeln!(text, "ca_file = {}", quoted(&ca_file.to_string_lossy()))?;
    writeln!(text, "state_dir = \"state\"\nenrolment_token_file = \"token\"")?;
    writeln!(
        text,
        "tpm = {}",
        quoted(&format!("unix:{}", root.join("tpm/sock").display()))
    )?;
    for volume in &device.volumes {
        let kind = serde_json::to_string(&volume.kind)?;
        let image = paths.image(&volume.letter);
        let image = image.file_name().unwrap_or_default().to_string_lossy().into_owned();
        writeln!(
            text,
            "\n[[volume]]\npath = {}\nletter = {}\nkind = {kind}",
            quoted(&image),
            quoted(&volume.letter)
        )?;
    }
    writeln!(text, "\n[facts]\nhostname = {}", quoted(&device.name))?;
    writeln!(
        text,
        "os = {}\nos_version = {}",
        quoted(&device.os.0),
        quoted(&device.os.1)
    )?;
    writeln!(text, "manufacturer = {}", quoted(&device.maker_model.0))?;
    writeln!(text, "model = {}", quoted(&device.maker_model.1))?;
    writeln!(text, "hardware_id = {}", quoted(&format!("DEMO-{}", device.name)))?;
    writeln!(text, "portable = {}\nvirtual_machine = false", device.portable)?;
    writeln!(text, "users = {}", serde_json::to_string(&device.users)?)?;
    Ok(text)
}
