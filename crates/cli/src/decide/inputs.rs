//! Policy, inventory, ledger and situation, from files.

use std::collections::HashMap;

use domain::inventory::Inventory;
use domain::ledger::Ledger;
use domain::plan::{Power, Situation};
use domain::policy::Policy;
use domain::policy::document::Document;
use domain::time::Clock;

use super::Device;
use super::read::Text;
use crate::system::SystemClock;
use crate::terminal::note;

/// All that a decision is made from.
pub(super) struct Inputs {
    pub(super) policy: Policy,
    pub(super) inventory: Inventory,
    pub(super) ledger: Ledger,
    pub(super) situation: Situation,
}

impl Inputs {
    /// Reads the files; faults of all of them are told at once.
    pub(super) fn read(device: &Device) -> Result<Self, Vec<String>> {
        let policy = Text::of(&device.policy).and_then(|text| policy(&text));
        let inventory = Text::of(&device.inventory).and_then(|text| inventory(&text));
        let ledger = match &device.ledger {
            Some(path) => Text::of(path).and_then(|text| text.parse()),
            None => Ok(Ledger::default()),
        };
        let situation = match &device.situation {
            Some(path) => Text::of(path).and_then(|text| situation(&text)),
            None => Ok(Situation {
                now: SystemClock.now(),
                server_reachable: true,
                ..Situation::default()
            }),
        };
        match (policy, inventory, ledger, situation) {
            (Ok(policy), Ok(inventory), Ok(ledger), Ok(situation)) => Ok(Self {
                policy,
                inventory,
                ledger,
                situation,
            }),
            (policy, inventory, ledger, situation) => {
                let mut faults = policy.err().unwrap_or_default();
                faults.extend(inventory.err().unwrap_or_default());
                faults.extend(ledger.err().unwrap_or_default());
                faults.extend(situation.err().unwrap_or_default());
                Err(faults)
            }
        }
    }
}

/// A policy that contradicts itself is judged all the same: devices may have got it from elsewhere.
fn policy(text: &Text) -> Result<Policy, Vec<String>> {
    let parsed = Document::parse(text.text()).map_err(|faults| {
        faults
            .iter()
            .map(|fault| text.in_line(&fault.to_string()))
            .collect::<Vec<_>>()
    })?;
    for fault in parsed.faults() {
        note(&format!("warning: {}", text.in_line(&fault.to_string())));
    }
    Ok(parsed.document.assignments.policy())
}

fn inventory(text: &Text) -> Result<Inventory, Vec<String>> {
    let inventory: Inventory = text.object()?;
    let mut faults = Vec::new();
    let mut first = HashMap::new();
    for (index, volume) in inventory.volumes.iter().enumerate() {
        if volume.encrypted_basis_points > 10_000 {
            let field = format!("volumes[{index}].encrypted_basis_points");
            faults.push(text.at(&field, "must be from 0 to 10000, hundredths of a percent"));
        }
        if let Some(other) = first.insert(&volume.device, index) {
            let message = format!("volumes[{other}] has this name already; steps cannot tell them apart");
            note(&format!(
                "warning: {}",
                text.at(&format!("volumes[{index}].device"), &message)
            ));
        }
    }
    if faults.is_empty() { Ok(inventory) } else { Err(faults) }
}

fn situation(text: &Text) -> Result<Situation, Vec<String>> {
    let said = text.value()?;
    let mut situation: Situation = text.object()?;
    if said.get("now").is_none() {
        situation.now = SystemClock.now();
    }
    if said.get("server_reachable").is_none() {
        situation.server_reachable = true;
    }
    match situation.power {
        Power::Battery { percent } if percent > 100 => Err(vec![text.at("power.percent", "must be from 0 to 100")]),
        _ => Ok(situation),
    }
}
