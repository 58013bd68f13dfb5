//! What a change of policies would do to the fleet, before it is made.
//!
//! The stored inventories run past; for each device the present and the proposed effective policy are worked out, and where
//! they differ, compliance and the plan under both. Devices that differ only by names share one evaluation: see `class`.
//! Grace periods are left out, and everything that a device waits for (the server, a PIN, a power supply, a maintenance window
//! that will open) is taken to be at hand: the answer is what happens in the end. Which devices wait for a window, and which are
//! exempt and so are not encrypted, is told besides.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer};

use crate::compliance::{Reason, Verdict};
use crate::exemption::{Enforcement, Exemption};
use crate::ids::DeviceId;
use crate::inventory::Inventory;
use crate::ledger::Ledger;
use crate::policy::resolve::Targeting;
use crate::policy::targeting::{CollectionId, DeviceFacts, Profile};
use crate::time::Timestamp;

pub use changes::{SettingChange, changes};
pub use run::{Run, Stopped};

mod changes;
mod class;
mod judge;
mod run;
mod worker;

/// A device as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredDevice {
    /// Its id.
    pub id: DeviceId,
    /// Its last inventory.
    pub inventory: Inventory,
    /// What the server holds of its keys.
    pub ledger: Ledger,
    /// Its tags.
    pub tags: BTreeSet<String>,
    /// Settings of its own.
    pub profile: Option<Profile>,
    /// Exemptions of its users, whatever their state.
    pub exemptions: Vec<Exemption>,
}

/// What is to be compared, for whom, and which devices are wanted by name.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// What is in force.
    pub present: &'a Targeting,
    /// What would be.
    pub proposed: &'a Targeting,
    /// When: deployments that begin later say nothing, exemptions that end before are over, and windows are open or not as they
    /// are then, by a clock that shows UTC. To see what a deployment will do that begins later, ask for a later moment.
    pub now: Timestamp,
    /// Only devices of this collection, as it would be.
    pub scope: Option<&'a CollectionId>,
    /// Which devices to list.
    pub listing: Listing,
}

/// Which devices to list, in the order in which they came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Only those to which this happens; none: those to which anything happens.
    pub effect: Option<Effect>,
    /// How many of them to pass over.
    pub offset: u64,
    /// How many to list at most.
    pub limit: usize,
}

/// Something that happens to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Its effective policy changes in at least one setting.
    Settings,
    /// A volume begins to be encrypted, which it does not today.
    Encrypt,
    /// A volume is decrypted, which it is not today.
    Decrypt,
    /// A volume is decrypted to be encrypted anew.
    Reencrypt,
    /// The beginning of encryption or decryption waits for a maintenance window, which it does not today.
    Waits,
    /// Encryption or decryption, which waits for a maintenance window today, begins at once.
    BeginsAtOnce,
    /// Encryption is asked for and does not come because all users are exempt, which is not so today.
    Exempt,
    /// Encryption is asked for, which it is not today, and something stands in the way that is no exemption.
    HeldBack,
    /// It was not, and becomes, non-compliant. What an exemption excuses does not count.
    BecomesNonCompliant,
    /// It was not, and becomes, compliant.
    BecomesCompliant,
}

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Preview {
    /// Every device was looked at; false: it was stopped before.
    pub complete: bool,
    /// Devices that were looked at, those outside the scope included.
    pub looked_at: u64,
    /// Devices in the scope.
    pub devices: u64,
    /// Devices to which each effect happens; an effect that happens to none is not listed.
    pub effects: BTreeMap<Effect, u64>,
    /// Volumes that would be encrypted.
    pub volumes_to_encrypt: u64,
    /// Volumes that would be decrypted (not those that are encrypted anew).
    pub volumes_to_decrypt: u64,
    /// Devices of the scope by verdict, as it is.
    pub verdicts_now: BTreeMap<Verdict, u64>,
    /// Devices of the scope by verdict, as it would be.
    pub verdicts_then: BTreeMap<Verdict, u64>,
    /// Devices of the scope all of whose users are exempt, as it is.
    pub exempt_now: u64,
    /// The same as it would be.
    pub exempt_then: u64,
    /// Devices of the scope that would be exempt if a request that nobody decided on were granted; encryption is asked for.
    pub exemption_pending: u64,
    /// How many devices each change of a setting concerns.
    #[serde(serialize_with = "as_list")]
    pub settings: BTreeMap<SettingChange, u64>,
    /// The devices that were asked for.
    pub listing: Vec<Line>,
    /// How many devices there are to list, those before and behind the listed ones included.
    pub listable: u64,
    /// How many evaluations were needed.
    pub evaluations: u64,
}

/// One device to which something happens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Its id.
    pub device: DeviceId,
    /// Its name.
    pub hostname: String,
    /// What happens to it.
    pub effects: BTreeSet<Effect>,
    /// Settings that change.
    pub settings: Vec<SettingChange>,
    /// Verdict as it is.
    pub now: Verdict,
    /// Verdict as it would be.
    pub then: Verdict,
    /// Why it would not be compliant.
    pub reasons: BTreeSet<Reason>,
    /// What would stand in the way, in words.
    pub blocked: Vec<String>,
    /// Whether its users would be exempt.
    pub enforcement: Enforcement,
    /// Its users, where some of them are exempt or have asked to be.
    pub users: Vec<String>,
    /// When the maintenance window opens for which something waits.
    pub opens: Option<Timestamp>,
}

impl StoredDevice {
    /// What rules look at.
    #[must_use]
    pub fn facts(&self) -> DeviceFacts<'_> {
        DeviceFacts {
            id: self.id,
            inventory: &self.inventory,
            tags: &self.tags,
        }
    }
}

impl Preview {
    /// How many devices an effect happens to.
    #[must_use]
    pub fn count(&self, effect: Effect) -> u64 {
        self.effects.get(&effect).copied().unwrap_or(0)
    }

    /// Adds what another part of the fleet gave; listings are put together elsewhere.
    fn add(&mut self, other: Self) {
        self.looked_at += other.looked_at;
        self.devices += other.devices;
        self.volumes_to_encrypt += other.volumes_to_encrypt;
        self.volumes_to_decrypt += other.volumes_to_decrypt;
        self.exempt_now += other.exempt_now;
        self.exempt_then += other.exempt_then;
        self.exemption_pending += other.exemption_pending;
        self.evaluations += other.evaluations;
        add_all(&mut self.effects, other.effects);
        add_all(&mut self.verdicts_now, other.verdicts_now);
        add_all(&mut self.verdicts_then, other.verdicts_then);
        add_all(&mut self.settings, other.settings);
    }
}

/// Keys that are no plain names cannot be keys of an object in JSON.
fn as_list<S: Serializer>(settings: &BTreeMap<SettingChange, u64>, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Counted<'a> {
        #[serde(flatten)]
        change: &'a SettingChange,
        devices: u64,
    }
    let counted = settings.iter().map(|(change, devices)| Counted {
        change,
        devices: *devices,
    });
    serializer.collect_seq(counted)
}

fn add_all<K: Ord>(to: &mut BTreeMap<K, u64>, from: BTreeMap<K, u64>) {
    for (key, count) in from {
        *to.entry(key).or_default() += count;
    }
}

impl Effect {
    /// All of them, in the order in which people want to see them.
    pub const ALL: [Self; 10] = [
        Self::Settings,
        Self::Encrypt,
        Self::Decrypt,
        Self::Reencrypt,
        Self::Waits,
        Self::BeginsAtOnce,
        Self::Exempt,
        Self::HeldBack,
        Self::BecomesNonCompliant,
        Self::BecomesCompliant,
    ];

    /// In a few words, after a number of devices.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Settings => "get other settings",
            Self::Encrypt => "would encrypt",
            Self::Decrypt => "would decrypt",
            Self::Reencrypt => "would decrypt and encrypt anew",
            Self::Waits => "would wait for a window",
            Self::BeginsAtOnce => "begin at once, and wait today",
            Self::Exempt => "would not encrypt: exempt",
            Self::HeldBack => "would have to encrypt, and cannot",
            Self::BecomesNonCompliant => "become non-compliant",
            Self::BecomesCompliant => "become compliant",
        }
    }
}
