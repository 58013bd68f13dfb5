//! What an inventory, or an escrow, says about the keys that the server holds.

use std::collections::{BTreeMap, BTreeSet};

use super::{KeyRecord, KeyState, ProofState};
use crate::ids::{ProtectorId, VolumeId};
use crate::inventory::Inventory;

/// A key's state changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateChange {
    /// The volume.
    pub volume: VolumeId,
    /// The recovery password's protector.
    pub protector: ProtectorId,
    /// The state so far.
    pub from: KeyState,
    /// The state from now on.
    pub to: KeyState,
}

/// Compares what the server holds with what a device reports. `records`: all that the server has of this device.
///
/// - A key that a readable volume no longer carries was superseded, provided that the volume carries another one that the
///   server holds. Without such a one nothing is concluded: it may be the only way back into a copy or a backup.
/// - A key that a volume carries again goes back to its former state, live or disclosed.
/// - A volume that is missing, locked, without identity, or reported twice with one copy locked proves nothing.
#[must_use]
pub fn observe_inventory(records: &[KeyRecord], inventory: &Inventory) -> Vec<StateChange> {
    changes(records, &seen(inventory))
}

/// What becomes certain by storing a key, with the device's last inventory: a password may have vanished before its
/// replacement was stored, and an inventory that does not change will not be looked at again. `records` hold the new key
/// already; the volume carries it, whatever the inventory, which is older, says of that.
#[must_use]
pub fn observe_escrow(
    records: &[KeyRecord],
    inventory: &Inventory,
    volume: VolumeId,
    protector: ProtectorId,
) -> Vec<StateChange> {
    let mut seen = seen(inventory);
    seen.retain(|v, _| *v == volume);
    for volume in seen.values_mut() {
        volume.carries.insert(protector);
    }
    changes(records, &seen)
}

fn changes(records: &[KeyRecord], seen: &BTreeMap<VolumeId, Seen>) -> Vec<StateChange> {
    records
        .iter()
        .filter_map(|record| {
            let entry = &record.entry;
            let volume = seen.get(&entry.volume)?;
            let to = if volume.carries.contains(&entry.protector) {
                record.state_while_present()
            } else if volume.complete && has_replacement(records, entry.volume, volume) {
                KeyState::Superseded
            } else {
                return None;
            };
            let was_superseded = entry.state == KeyState::Superseded;
            let is_superseded = to == KeyState::Superseded;
            (was_superseded != is_superseded).then_some(StateChange {
                volume: entry.volume,
                protector: entry.protector,
                from: entry.state,
                to,
            })
        })
        .collect()
}

struct Seen {
    carries: BTreeSet<ProtectorId>,
    /// Every report of the volume could be read, so what is not listed is not there.
    complete: bool,
}

fn seen(inventory: &Inventory) -> BTreeMap<VolumeId, Seen> {
    let mut seen = BTreeMap::new();
    for report in &inventory.volumes {
        let Some(volume) = report.volume else { continue };
        let entry = seen.entry(volume).or_insert(Seen {
            carries: BTreeSet::new(),
            complete: true,
        });
        entry.carries.extend(report.recovery_passwords());
        entry.complete &= report.is_readable();
    }
    seen
}

fn has_replacement(records: &[KeyRecord], volume: VolumeId, seen: &Seen) -> bool {
    records.iter().any(|r| {
        r.entry.volume == volume && r.entry.proof != ProofState::Failed && seen.carries.contains(&r.entry.protector)
    })
}
