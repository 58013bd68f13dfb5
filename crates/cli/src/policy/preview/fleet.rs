//! Where the devices come from.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result, anyhow, bail};
use clap::Args;
use domain::exemption::Exemption;
use domain::ids::DeviceId;
use domain::inventory::Inventory;
use domain::ledger::Ledger;
use domain::policy::resolve::Targeting;
use domain::policy::targeting::{Collections, Profile};
use domain::preview::StoredDevice;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use store::OfflineFleet;
use store::model::StoredInventory;
use uuid::Uuid;

/// Where the inventories come from.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(in crate::policy) struct SourceArgs {
    /// A server's data folder; the server may be running
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// A folder or a file with inventories
    #[arg(long, value_name = "FILE")]
    inventories: Option<PathBuf>,
}

impl SourceArgs {
    /// The fleet that is meant.
    pub(in crate::policy) fn open(&self) -> Result<Fleet> {
        match (&self.data_dir, &self.inventories) {
            (Some(folder), _) => Fleet::of_server(folder),
            (None, Some(path)) => Fleet::of_files(path),
            (None, None) => bail!("there is nothing to look at: --data-dir or --inventories"),
        }
    }
}

/// A fleet that is stored somewhere.
pub(in crate::policy) enum Fleet {
    /// A server's database.
    Server(OfflineFleet),
    /// A file for each device, by name.
    Folder(Vec<PathBuf>),
    /// A line for each device.
    Lines(PathBuf),
}

/// A device as it is stored.
pub(in crate::policy) enum Stored {
    /// A row of a server's database.
    Row(StoredInventory),
    /// A text in JSON.
    Text {
        /// Its place in the fleet, from 0: its id, when it does not say one.
        number: u128,
        /// Where it is, for messages.
        place: Place,
        /// The text.
        text: String,
    },
}

/// Where a text is.
pub(in crate::policy) enum Place {
    /// A file of its own.
    File(PathBuf),
    /// A line, from 1.
    Line(PathBuf, u128),
}

/// A device with what the server knows of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    device: Option<DeviceId>,
    inventory: Inventory,
    #[serde(default)]
    ledger: Ledger,
    #[serde(default)]
    tags: BTreeSet<String>,
    #[serde(default)]
    profile: Option<Profile>,
    #[serde(default)]
    exemptions: Vec<Exemption>,
}

/// Tells a record from a bare inventory.
#[derive(Deserialize)]
struct Probe {
    inventory: Option<IgnoredAny>,
}

/// Rows read at once.
const PAGE: u32 = 1000;

impl Fleet {
    /// The devices of a server, which may be running: as they are now.
    fn of_server(folder: &Path) -> Result<Self> {
        let database = folder.join(server::DATABASE);
        let fleet =
            OfflineFleet::open_read_only(&database).with_context(|| format!("reading {}", database.display()))?;
        Ok(Self::Server(fleet))
    }

    /// The devices in a folder or a file.
    fn of_files(path: &Path) -> Result<Self> {
        if !path.is_dir() {
            return Ok(Self::Lines(path.to_owned()));
        }
        let reading = || format!("reading {}", path.display());
        let mut files = Vec::new();
        for entry in std::fs::read_dir(path).with_context(reading)? {
            let file = entry.with_context(reading)?.path();
            if file.extension().is_some_and(|extension| extension == "json") {
                files.push(file);
            }
        }
        if files.is_empty() {
            bail!("{}: there is no *.json file in it", path.display());
        }
        files.sort();
        Ok(Self::Folder(files))
    }

    /// What is in force: as a file says, or else there; nothing, for files.
    pub(in crate::policy) fn targeting(&self, file: Option<&Path>) -> Result<Targeting> {
        if let Some(file) = file {
            return super::files::targeting(file);
        }
        if let Self::Server(fleet) = self {
            return fleet.targeting().context("reading what is in force");
        }
        let nothing = Collections::new(Vec::new()).map_err(|errors| super::files::all_of(&errors))?;
        Targeting::new(nothing, Vec::new(), Vec::new()).map_err(|errors| super::files::all_of(&errors))
    }

    /// How many devices there are, when that is known beforehand.
    pub(in crate::policy) fn count(&self) -> Result<Option<u64>> {
        match self {
            Self::Server(fleet) => Ok(Some(fleet.count()?)),
            Self::Folder(files) => Ok(Some(files.len() as u64)),
            Self::Lines(_) => Ok(None),
        }
    }

    /// The devices as they are stored.
    pub(in crate::policy) fn stored(self) -> Result<Box<dyn Iterator<Item = Result<Stored>> + Send>> {
        match self {
            Self::Server(fleet) => Ok(Box::new(Rows {
                fleet,
                page: Vec::new().into_iter(),
                last: None,
            })),
            Self::Folder(files) => Ok(Box::new((0..).zip(files).map(|(number, file)| {
                let text = std::fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
                let place = Place::File(file);
                Ok(Stored::Text { number, place, text })
            }))),
            Self::Lines(path) => {
                let file = File::open(&path).with_context(|| format!("reading {}", path.display()))?;
                let lines = (0..).zip(BufReader::with_capacity(1 << 20, file).lines());
                Ok(Box::new(lines.filter_map(move |(number, line)| match line {
                    Ok(text) if text.trim().is_empty() => None,
                    Ok(text) => Some(Ok(Stored::Text {
                        number,
                        place: Place::Line(path.clone(), number + 1),
                        text,
                    })),
                    Err(error) => Some(Err(Error::new(error).context(format!("reading {}", path.display())))),
                })))
            }
        }
    }
}

/// The rows of a server's database, page by page.
struct Rows {
    fleet: OfflineFleet,
    page: std::vec::IntoIter<StoredInventory>,
    last: Option<DeviceId>,
}

impl Iterator for Rows {
    type Item = Result<Stored>;

    fn next(&mut self) -> Option<Result<Stored>> {
        if self.page.as_slice().is_empty() {
            match self.fleet.page(self.last, PAGE) {
                Ok(page) => self.page = page.into_iter(),
                Err(error) => return Some(Err(Error::new(error).context("reading the server's devices"))),
            }
        }
        let row = self.page.next()?;
        self.last = Some(row.device);
        Some(Ok(Stored::Row(row)))
    }
}

/// Makes a device of what is stored.
pub(in crate::policy) fn read(stored: Stored) -> Result<StoredDevice> {
    match stored {
        Stored::Row(row) => Ok(row.read()?),
        Stored::Text { number, place, text } => of_text(number, &text).map_err(|error| match place {
            Place::File(file) => anyhow!("{}: {error}", file.display()),
            Place::Line(file, line) => anyhow!("{}:{line}: {error}", file.display()),
        }),
    }
}

fn of_text(number: u128, text: &str) -> Result<StoredDevice> {
    let own_id = DeviceId(Uuid::from_u128(number));
    let probe: Probe = parse(text)?;
    if probe.inventory.is_none() {
        return Ok(StoredDevice {
            id: own_id,
            inventory: parse(text)?,
            ledger: Ledger::default(),
            tags: BTreeSet::new(),
            profile: None,
            exemptions: Vec::new(),
        });
    }
    let record: Record = parse(text)?;
    Ok(StoredDevice {
        id: record.device.unwrap_or(own_id),
        inventory: record.inventory,
        ledger: record.ledger,
        tags: record.tags,
        profile: record.profile,
        exemptions: record.exemptions,
    })
}

/// Names the field that is wrong.
fn parse<T: DeserializeOwned>(text: &str) -> Result<T> {
    let deserializer = &mut serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        if path == "." {
            anyhow!("{inner}")
        } else {
            anyhow!("{path}: {inner}")
        }
    })
}
