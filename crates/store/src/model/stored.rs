//! Devices as a preview needs them.

use std::collections::BTreeSet;

use domain::exemption::Exemption;
use domain::ids::DeviceId;
use domain::ledger::Ledger;
use domain::policy::targeting::Profile;
use domain::preview::StoredDevice;
use serde::de::DeserializeOwned;

use crate::{Result, StoreError};

/// A device with its inventory as it is stored: making a device of it is the caller's, who has several threads for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredInventory {
    /// Its id.
    pub device: DeviceId,
    /// The inventory, in JSON.
    pub inventory: String,
    /// The server's view of its keys.
    pub ledger: Ledger,
    /// Its tags, a JSON list; none: it has no tags.
    pub tags: Option<String>,
    /// Settings of its own.
    pub profile: Option<Profile>,
    /// Exemptions of its users that are granted or wait for a decision. Those that were refused or taken back are not read.
    pub exemptions: Vec<Exemption>,
}

impl StoredInventory {
    /// The device.
    ///
    /// # Errors
    /// [`StoreError::Internal`] with device and field when what is stored cannot be read.
    pub fn read(self) -> Result<StoredDevice> {
        Ok(StoredDevice {
            id: self.device,
            inventory: parse(self.device, "inventory", &self.inventory)?,
            tags: match &self.tags {
                Some(tags) => parse(self.device, "tags", tags)?,
                None => BTreeSet::new(),
            },
            ledger: self.ledger,
            profile: self.profile,
            exemptions: self.exemptions,
        })
    }
}

fn parse<T: DeserializeOwned>(device: DeviceId, what: &str, text: &str) -> Result<T> {
    let deserializer = &mut serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(deserializer)
        .map_err(|error| StoreError::Internal(format!("{what} of device {device}: {error}")))
}
