//! One device.

use askama::Template;

use super::{
    chrome::Chrome,
    part::{Event, Fact, KeyId, Meter, Moment, Tag},
};
use crate::web::icons::{self, Icon};

/// Why a volume is not compliant.
#[derive(Debug, Clone)]
pub struct ReasonLine {
    /// The documented code, 0–16.
    pub code: u8,
    /// It in plain words.
    pub text: String,
}

/// One volume.
#[derive(Debug, Clone)]
pub struct VolumeCard {
    /// Letter or mount point, and label.
    pub name: String,
    /// "Operating system drive" and so on.
    pub kind: String,
    /// For the picture.
    pub icon: Icon,
    /// Its id in forms; empty while it was never initialised for protection.
    pub id: String,
    /// Verdict.
    pub compliance: Tag,
    /// Why not compliant.
    pub reasons: Vec<ReasonLine>,
    /// Protection on, off or unknown.
    pub protection: Tag,
    /// How far conversion has come.
    pub conversion: Meter,
    /// Method, size, file system and so on.
    pub facts: Vec<Fact>,
    /// Type, and id for recovery passwords.
    pub protectors: Vec<ProtectorLine>,
    /// Escrowed keys, the newest first; superseded ones last.
    pub keys: Vec<KeyLine>,
    /// The server asked the device to replace the key and waits for it.
    pub rotation_pending: bool,
}

/// One key protector on a volume.
#[derive(Debug, Clone)]
pub struct ProtectorLine {
    /// Its type in words.
    pub kind: String,
    /// Its id.
    pub id: KeyId,
}

/// One escrowed recovery password.
#[derive(Debug, Clone)]
pub struct KeyLine {
    /// Its key ID.
    pub id: KeyId,
    /// Live, exposed or superseded.
    pub state: Tag,
    /// Proven, not proven or failed.
    pub proof: Tag,
    /// When that was found out.
    pub proven_at: Option<Moment>,
    /// When the server stored it.
    pub escrowed_at: Moment,
    /// When it was read last.
    pub disclosed: Option<Moment>,
}

/// `/admin/devices/{id}`.
#[derive(Debug, Clone, Template)]
#[template(path = "device.html")]
pub struct DevicePage {
    /// Shared parts.
    pub chrome: Chrome,
    /// Id in addresses.
    pub id: String,
    /// Computer name.
    pub name: String,
    /// Verdict.
    pub compliance: Tag,
    /// When it was heard of last.
    pub seen: Moment,
    /// About the machine.
    pub machine: Vec<Fact>,
    /// About its enrolment and agent.
    pub agent: Vec<Fact>,
    /// People who signed in locally.
    pub users: Vec<String>,
    /// Its volumes.
    pub volumes: Vec<VolumeCard>,
    /// Keys of volumes that are no longer there.
    pub former: Vec<KeyLine>,
    /// Newest first.
    pub history: Vec<Event>,
    /// Address of the whole history; empty when the viewer may not read the audit.
    pub audit_href: String,
    /// What needs a look: a hardware id that another device has too, what the device could not do, its last failure.
    pub warnings: Vec<String>,
    /// It was asked to replace keys of all its volumes and has not said that it did.
    pub rotation_pending: bool,
}

impl DevicePage {
    fn can_rotate(&self) -> bool {
        self.chrome.may_manage_devices()
            && !self.rotation_pending
            && self.volumes.iter().any(|volume| !volume.keys.is_empty())
    }
}
