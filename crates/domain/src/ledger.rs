//! The server's view of each escrowed key.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{ProtectorId, VolumeId};
use crate::inventory::VolumeReport;
use crate::time::Timestamp;
pub use observe::{StateChange, observe_escrow, observe_inventory};
pub use recoverability::{Recoverability, recoverability};

mod observe;
mod recoverability;

/// Where an escrowed recovery password stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// Stored, never told to anybody.
    Live,
    /// Told to somebody: exposed until it is replaced (P5).
    Disclosed,
    /// Replaced: the device reported a volume that no longer carries it. Kept for ever (P6).
    Superseded,
}

/// Whether the server has seen that the stored password opens that very volume (P8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProofState {
    /// Not yet tried.
    NotProven,
    /// The password opened the volume's own metadata.
    Proven,
    /// It was tried and did not open it: the volume is not recoverable by this key.
    Failed,
}

/// What the server tells a device about one of its protectors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LedgerEntry {
    /// The volume.
    pub volume: VolumeId,
    /// The recovery password's protector.
    pub protector: ProtectorId,
    /// Its state.
    pub state: KeyState,
    /// Whether it is proven.
    pub proof: ProofState,
    /// When the server acknowledged it.
    pub escrowed_at: Timestamp,
}

/// An entry as the server keeps it: with the memory that a superseded key needs when it comes back. Nothing here, or
/// anywhere, deletes one (P6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// What devices are told.
    pub entry: LedgerEntry,
    /// It was told to somebody at least once.
    pub ever_disclosed: bool,
}

impl KeyRecord {
    /// The record of a key that was just acknowledged.
    #[must_use]
    pub fn new(volume: VolumeId, protector: ProtectorId, escrowed_at: Timestamp) -> Self {
        Self {
            entry: LedgerEntry {
                volume,
                protector,
                state: KeyState::Live,
                proof: ProofState::NotProven,
                escrowed_at,
            },
            ever_disclosed: false,
        }
    }

    /// The state that a key has as long as its volume carries it.
    #[must_use]
    pub fn state_while_present(&self) -> KeyState {
        if self.ever_disclosed {
            KeyState::Disclosed
        } else {
            KeyState::Live
        }
    }
}

/// The record after its password was told to somebody. A superseded one stays so, as it opens nothing, but comes back as
/// disclosed should its volume ever carry it again.
#[must_use]
pub fn disclose(mut record: KeyRecord) -> KeyRecord {
    record.ever_disclosed = true;
    if record.entry.state == KeyState::Live {
        record.entry.state = KeyState::Disclosed;
    }
    record
}

/// All entries that concern one device. A protector without an entry is unknown to the server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Ledger(pub Vec<LedgerEntry>);

impl Ledger {
    /// The entry of a protector on a volume.
    #[must_use]
    pub fn entry(&self, volume: VolumeId, protector: ProtectorId) -> Option<&LedgerEntry> {
        self.0.iter().find(|e| e.volume == volume && e.protector == protector)
    }

    /// Whether the server durably holds this protector's password and may rely on it (a failed proof does not count).
    #[must_use]
    pub fn holds(&self, volume: VolumeId, protector: ProtectorId) -> bool {
        self.entry(volume, protector)
            .is_some_and(|e| e.proof != ProofState::Failed)
    }

    /// Whether the server has any key of this volume, in whatever state.
    #[must_use]
    pub fn knows(&self, volume: VolumeId) -> bool {
        self.0.iter().any(|e| e.volume == volume)
    }

    /// Whether the volume carries a recovery password that the server holds.
    #[must_use]
    pub fn holds_one_of(&self, report: &VolumeReport) -> bool {
        report
            .volume
            .is_some_and(|volume| report.recovery_passwords().any(|p| self.holds(volume, p)))
    }
}
