//! Facts about the machine: the firmware's tables under `/sys/class/dmi`, `os-release`, the time zone, and the people who have
//! a home.

use std::fs;
use std::path::Path;

use domain::inventory::OsKind;
use domain::policy::targeting::UtcOffset;
use domain::time::Timestamp;
use jiff::tz::TimeZone;
use protocol::limits::{MAX_USERS, MAX_UTC_OFFSET};

use super::bounded;
use crate::config::FactOverrides;

/// Facts about the machine; see [`domain::inventory::Inventory`] for their meaning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of the inventory")]
pub struct Facts {
    pub hostname: String,
    pub os: String,
    pub os_version: String,
    pub manufacturer: String,
    pub model: String,
    pub hardware_id: String,
    pub portable: bool,
    pub virtual_machine: bool,
    pub users: Vec<String>,
    pub os_kind: OsKind,
    pub utc_offset: UtcOffset,
}

impl Facts {
    /// Reads the facts below `root` (`/` in life), as they are at this moment. What is missing is left empty; what the
    /// overrides say wins.
    #[must_use]
    pub fn read(root: &Path, now: Timestamp, overrides: &FactOverrides) -> Self {
        let release = fs::read_to_string(root.join("etc/os-release")).unwrap_or_default();
        let dmi = |name: &str| first_line(&root.join("sys/class/dmi/id").join(name));
        let manufacturer = dmi("sys_vendor");
        let model = dmi("product_name");
        // Some containers and boards have none of these; enrolment needs a name for the machine all the same.
        let ids = [
            dmi("product_serial"),
            dmi("product_uuid"),
            first_line(&root.join("etc/machine-id")),
            "unknown".to_owned(),
        ];
        let hardware_id = ids.into_iter().find(|id| means_something(id)).unwrap_or_default();
        let hostname = Some(first_line(&root.join("proc/sys/kernel/hostname"))).filter(|name| !name.is_empty());
        let chosen = |given: &Option<String>, found: String| bounded(given.clone().unwrap_or(found));
        Self {
            hostname: chosen(&overrides.hostname, hostname.unwrap_or_else(|| "localhost".to_owned())),
            os: chosen(&overrides.os, release_field(&release, "PRETTY_NAME")),
            os_version: chosen(&overrides.os_version, release_field(&release, "VERSION_ID")),
            hardware_id: chosen(&overrides.hardware_id, hardware_id),
            portable: overrides.portable.unwrap_or_else(|| is_portable(&dmi("chassis_type"))),
            virtual_machine: overrides
                .virtual_machine
                .unwrap_or_else(|| is_virtual(&manufacturer, &model)),
            manufacturer: chosen(&overrides.manufacturer, manufacturer),
            model: chosen(&overrides.model, model),
            os_kind: OsKind::Linux,
            utc_offset: overrides
                .utc_offset_minutes
                .map_or_else(|| utc_offset(&root.join("etc/localtime"), now), UtcOffset),
            users: overrides.users.clone().unwrap_or_else(|| people(root)),
        }
    }
}

fn first_line(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().next().unwrap_or_default().trim().to_owned()
}

fn release_field(release: &str, name: &str) -> String {
    release
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
        .map(|value| value.trim().trim_matches(['"', '\'']).to_owned())
        .unwrap_or_default()
}

/// What a time zone file (RFC 8536) says of a moment; UTC when there is none that can be read, as the C library has it.
fn utc_offset(zone: &Path, now: Timestamp) -> UtcOffset {
    let zone = fs::read(zone)
        .ok()
        .and_then(|bytes| TimeZone::tzif("localtime", &bytes).ok());
    let now = jiff::Timestamp::from_millisecond(now.0).unwrap_or_default();
    let seconds = zone.map_or(0, |zone| zone.to_offset(now).seconds());
    let most = i16::try_from(MAX_UTC_OFFSET).unwrap_or(i16::MAX);
    UtcOffset(i16::try_from(seconds / 60).map_or(0, |minutes| minutes.clamp(-most, most)))
}

/// Makers' placeholders say nothing about which machine it is.
fn means_something(serial: &str) -> bool {
    let lower = serial.to_ascii_lowercase();
    let placeholder = [
        "to be filled",
        "default string",
        "system serial",
        "not specified",
        "none",
        "0123456789",
    ];
    !lower.is_empty() && lower.chars().any(|c| c != '0') && !placeholder.iter().any(|p| lower.starts_with(p))
}

/// Chassis types of the SMBIOS specification (7.4.1) that are carried about.
fn is_portable(chassis: &str) -> bool {
    matches!(chassis, "8" | "9" | "10" | "11" | "14" | "30" | "31" | "32")
}

fn is_virtual(manufacturer: &str, model: &str) -> bool {
    let makers = ["QEMU", "VMware", "innotek", "Xen", "Parallels", "Google", "Amazon EC2"];
    let models = ["Virtual", "KVM", "HVM domU", "VMware", "Standard PC", "Bochs"];
    makers.iter().any(|m| manufacturer.starts_with(m)) || models.iter().any(|m| model.contains(m))
}

/// Accounts of people (uid 1000–59999 in `/etc/passwd`) whose home exists: it is made at the first sign-in.
fn people(root: &Path) -> Vec<String> {
    let passwd = fs::read_to_string(root.join("etc/passwd")).unwrap_or_default();
    let mut names: Vec<String> = passwd
        .lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            let [name, _, uid, _, _, home, _] = fields[..] else {
                return None;
            };
            let uid: u32 = uid.parse().ok()?;
            let home = root.join(home.trim_start_matches('/'));
            ((1000..60_000).contains(&uid) && home.is_dir()).then(|| bounded(name.to_owned()))
        })
        .collect();
    names.sort();
    names.truncate(MAX_USERS);
    names
}
