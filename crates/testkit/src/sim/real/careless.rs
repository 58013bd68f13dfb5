//! The deliberate faults of the real path: what a careless store or server would do, put in behind the real handlers.

use std::collections::HashMap;
use std::path::Path;

use domain::ids::DeviceId;
use domain::inventory::Inventory;
use domain::ledger::KeyState;
use store::model::{CheckInView, FoundKey};

use super::super::device::person;
use super::super::faults::Fault;

/// What a careless store remembers, to do the wrong thing with it.
#[derive(Default)]
pub(super) struct Careless {
    /// Of each device, the inventory before the last.
    pub(super) inventories: HashMap<DeviceId, (Inventory, String)>,
    policy: Option<String>,
}

impl Careless {
    /// What the handler is shown of a device.
    pub(super) fn view(&mut self, fault: Option<Fault>, view: &mut CheckInView) {
        match fault {
            Some(Fault::RealRetiredServed) => view.retired = false,
            Some(Fault::RealOvertakenStored) => view.sequence = 0,
            Some(Fault::RealDisclosureHidden) => {
                for entry in view.ledger.0.iter_mut().filter(|e| e.state == KeyState::Disclosed) {
                    entry.state = KeyState::Live;
                }
            }
            Some(Fault::RealExemptionsWithheld) => view.exemptions.clear(),
            Some(Fault::RealPolicyStays) => {
                let first = self
                    .policy
                    .get_or_insert_with(|| view.policy_digest.clone().unwrap_or_default());
                if !first.is_empty() {
                    view.policy_digest = Some(first.clone());
                }
            }
            _ => {}
        }
    }
}

/// Self-service sees everybody as a user of every device.
pub(super) fn everybodys(fault: Option<Fault>, found: &mut [FoundKey]) {
    if fault == Some(Fault::RealOthersKeysTold) {
        for key in found {
            key.users = (0..4).map(person).collect();
        }
    }
}

/// Somebody with access to the file changes the last record of the audit.
pub(super) fn rewrite_the_audit(database: &Path) -> rusqlite::Result<()> {
    let sql = rusqlite::Connection::open(database)?;
    sql.execute_batch(
        "DROP TRIGGER audit_keeps;
         UPDATE audit SET detail = detail || ' ' WHERE sequence = (SELECT max(sequence) FROM audit);
         CREATE TRIGGER audit_keeps BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is never changed'); END;",
    )
}
