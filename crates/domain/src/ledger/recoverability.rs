//! Whether a volume could be recovered today.

use serde::{Deserialize, Serialize};

use super::{KeyState, Ledger, ProofState};
use crate::ids::VolumeId;
use crate::inventory::VolumeReport;

/// How sure it is that the server can open a volume (P8: proven, not assumed). Best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recoverability {
    /// A stored password opened the volume's own metadata.
    Proven,
    /// A password is stored; that it opens the volume is not shown yet.
    EscrowedNotProven,
    /// Nothing that is stored opens it.
    NotRecoverable,
}

/// The best of a volume's keys. `report`: the volume's latest report, when there is one; if it lists protectors, only keys
/// that the volume carries count. Without such a list (never reported, or locked and silent) every key counts that was not
/// superseded. A key whose proof failed never counts.
#[must_use]
pub fn recoverability(ledger: &Ledger, volume: VolumeId, report: Option<&VolumeReport>) -> Recoverability {
    let list = report.filter(|r| r.is_readable() || !r.protectors.is_empty());
    ledger
        .0
        .iter()
        .filter(|e| e.volume == volume)
        .filter(|e| match list {
            Some(report) => report.recovery_passwords().any(|p| p == e.protector),
            None => e.state != KeyState::Superseded,
        })
        .map(|e| match e.proof {
            ProofState::Proven => Recoverability::Proven,
            ProofState::NotProven => Recoverability::EscrowedNotProven,
            ProofState::Failed => Recoverability::NotRecoverable,
        })
        .min()
        .unwrap_or(Recoverability::NotRecoverable)
}
