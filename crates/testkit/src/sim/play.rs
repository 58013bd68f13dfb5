//! One schedule from beginning to end: what happens, then quiet, and then everything has converged.

use std::rc::Rc;

use domain::compliance::{Verdict, evaluate};
use domain::exemption::enforcement;
use domain::inventory::Inventory;
use domain::plan::{Situation, plan};
use domain::policy::{Encryption, Policy};

use super::choice::PolicyChoice;
use super::event::Timed;
use super::faults::Fault;
use super::generate::{HORIZON, Schedule};
use super::promises::Violation;
use super::run::Way;
use super::world::World;

/// How it ended.
#[derive(Clone, Debug, Default)]
pub(super) struct Played {
    pub(super) violation: Option<Violation>,
    pub(super) steps: u64,
    pub(super) trace: Vec<String>,
}

/// Rounds of quiet, and how long each takes.
const QUIET: u32 = 9;
const ROUND: u32 = 90;

pub(super) fn play(schedule: &Schedule, way: Way, fault: Option<Fault>, traced: bool) -> Played {
    let events: Rc<[Timed]> = schedule.events.clone().into();
    let mut world = World::new(schedule.seed, schedule.policy, schedule.replica, &events, fault);
    world.trace = traced.then(Vec::new);
    if way == Way::Real || fault.is_some_and(Fault::is_of_the_real_path) {
        world.take_the_real_server(schedule.seed);
    }
    world.run(HORIZON);
    world.quiet = true;
    for round in 1..=QUIET {
        if world.violation.is_none() {
            world.calm();
            world.run(HORIZON + round * ROUND);
        }
        if round > 3 && world.is_settled() {
            break;
        }
    }
    if world.violation.is_none() {
        world.p4_the_chain_is_whole();
        world.real_chain_is_whole();
        world.everything_converged();
    }
    Played {
        violation: world.violation,
        steps: world.steps,
        trace: world.trace.unwrap_or_default(),
    }
}

impl World {
    fn is_settled(&self) -> bool {
        self.devices.iter().all(|d| {
            let in_force = d.agent.memory.policy == Some(self.store.state.policy);
            let told = d.agent.memory.reported.as_deref() == Some(&d.observe());
            d.agent.settled && in_force && told && d.volumes.iter().all(|v| !v.is_converting())
        })
    }

    /// Nothing disturbs any more, so every device is as policy wants it, or says why not; the server knows; no told
    /// password is left.
    fn everything_converged(&mut self) {
        for device in 0..self.devices.len() {
            if let Err(words) = self.has_converged(device) {
                self.fail("converges", format!("device {device}: {words}"));
                return;
            }
        }
    }

    fn has_converged(&self, at: usize) -> Result<(), String> {
        let device = &self.devices[at];
        let id = device.agent.identity.ok_or("never enrolled")?;
        let record = self.store.state.device(id).ok_or("the server does not know it")?;
        let inventory: Inventory = device.observe();
        let choice: PolicyChoice = self.store.state.policy;
        if device.agent.memory.policy != Some(choice) {
            return Err("does not have the policy in force".to_owned());
        }
        let policy = choice.policy();
        let ledger = self.store.state.ledger(id);
        let situation = Situation {
            exemptions: self.store.state.exemptions_of(id),
            ..self.situation(at)
        };
        let planned = plan(&policy, &inventory, &ledger, &situation);
        if !planned.actions.is_empty() {
            return Err(format!("still has to do: {:?}", planned.actions));
        }
        if record.inventory.as_deref() != Some(&inventory) {
            return Err("the server has another inventory".to_owned());
        }
        let compliance = evaluate(&policy, &inventory, &ledger, &situation);
        let exempt = enforcement(&policy, &inventory.users, &situation.exemptions, situation.now).is_exempt();
        for (report, verdict) in inventory.volumes.iter().zip(&compliance.volumes) {
            let explained = exempt || planned.blocked.iter().any(|b| b.device == report.device);
            if verdict.verdict == Verdict::NonCompliant && !explained {
                return Err(format!(
                    "{} is not compliant, and nothing says why: {:?}",
                    report.device, verdict.reasons
                ));
            }
            if let Some(words) =
                required_but_not_escrowed(&policy, &inventory, report.kind, verdict.escrowed, explained)
            {
                return Err(format!("{}: {words}", report.device));
            }
        }
        Ok(())
    }
}

fn required_but_not_escrowed(
    policy: &Policy,
    inventory: &Inventory,
    kind: domain::volume::VolumeKind,
    escrowed: bool,
    explained: bool,
) -> Option<&'static str> {
    let required = policy.rule(kind).encryption == Encryption::Require;
    let asked = required && policy.manages(inventory) && policy.client.escrow;
    (asked && !explained && !escrowed).then_some("its recovery password is not at the server")
}
