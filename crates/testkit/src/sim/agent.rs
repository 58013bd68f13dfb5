//! The agent: the cycle of `agent::cycle` and the executor's loop as a machine that can be stopped between any two steps.
//! Planning, the plan checker and the steps themselves are the real ones.

use std::collections::VecDeque;
use std::rc::Rc;

use agent::execute::{Acknowledged, StepError, carry_out, collect_evidence};
use domain::ids::{ProtectorId, RequestId, VolumeId};
use domain::inventory::Inventory;
use domain::ledger::Ledger;
use domain::plan::{Action, Plan, Power, RotateRequest, Situation, check, plan};
use store::model::KeyName;
use zeroize::Zeroizing;

use super::choice::PolicyChoice;
use super::device::{Acting, NetworkFault, Phase, Waiting, Wants, hardware_id};
use super::faults::Fault;
use super::provider::{Bench, DIED, Effects};
use super::world::{Body, Item, Reply, Request, World};

/// As the agent's own.
const MAX_ROUNDS: u8 = 10;
const PATIENCE: u32 = 5;

impl World {
    /// The agent is set going after a start or a death.
    pub(super) fn agent_starts(&mut self, device: usize) {
        if matches!(self.devices[device].agent.phase, Phase::Dead) {
            self.devices[device].agent.phase = Phase::Idle;
            self.schedule(device, 0);
        }
    }

    pub(super) fn agent_dies(&mut self, device: usize) {
        self.say(|| format!("agent {device}: dies"));
        let agent = &mut self.devices[device].agent;
        agent.phase = Phase::Dead;
        agent.generation += 1;
        agent.lives = None;
        agent.memory = super::device::Memory::default();
        agent.sequence.starts_again();
        let pause = 1 + self.chance(8);
        self.push_in(pause, Item::AgentStarts(device));
    }

    fn schedule(&mut self, device: usize, minutes: u32) {
        let generation = self.devices[device].agent.generation;
        self.push_in(minutes, Item::Agent(device, generation));
    }

    pub(super) fn agent_goes_on(&mut self, device: usize) {
        match std::mem::take(&mut self.devices[device].agent.phase) {
            Phase::Idle => self.begin(device),
            Phase::Acting(acting) => self.act(device, acting),
            other => self.devices[device].agent.phase = other,
        }
    }

    fn begin(&mut self, device: usize) {
        self.devices[device].agent.settled = false;
        match self.devices[device].agent.identity {
            None => {
                let hardware = hardware_id(self.devices[device].hardware);
                self.send(device, Body::Enrol { hardware }, Wants::Identity);
            }
            Some(_) => {
                let seen = Rc::new(self.devices[device].observe());
                self.check_in(device, seen, 0, false, 0);
            }
        }
    }

    fn check_in(&mut self, device: usize, seen: Rc<Inventory>, round: u8, asked: bool, overtaken: u8) {
        let withheld = self.fault == Some(Fault::InventoryWithheld);
        let agent = &mut self.devices[device].agent;
        let Some(identity) = agent.identity else { return };
        let memory = &mut agent.memory;
        let seen = match &memory.reported {
            Some(old) if withheld => Rc::clone(old),
            _ => seen,
        };
        let wishes = agent.wishes.clone();
        let is_new = memory.reported.as_ref().is_some_and(|known| *known != seen);
        let with_inventory = asked || is_new || memory.report_asked;
        let body = Body::CheckIn {
            identity,
            sequence: agent.sequence.next(),
            seen: Rc::clone(&seen),
            with_inventory,
            policy: memory.policy,
            blocked: memory.blocked.clone(),
            done: memory.done.clone(),
            wishes: wishes.clone(),
        };
        memory.reported_blocked = memory.blocked.clone();
        let wants = Wants::CheckIn {
            seen,
            round,
            with_inventory,
            wishes,
            overtaken,
        };
        self.send(device, body, wants);
    }

    /// Hands a request to the network, which does with it what it is told to, and waits.
    fn send(&mut self, device: usize, body: Body, wants: Wants) {
        self.messages += 1;
        let id = self.messages;
        let waiting = Waiting { message: id, wants };
        self.devices[device].agent.phase = Phase::Waiting(waiting);
        self.push_in(PATIENCE, Item::TimeOut(device, id));
        let fault = self.devices[device].network.pop_front();
        let request = Rc::new(Request {
            id,
            device,
            answer_lost: fault == Some(NetworkFault::AnswerLost),
            body,
        });
        let offline = self.devices[device].offline_until > self.now;
        if offline || fault == Some(NetworkFault::RequestLost) {
            return;
        }
        let delay = self.chance(2);
        match fault {
            Some(NetworkFault::Late(minutes)) => self.push_in(u32::from(minutes), Item::Request(request)),
            Some(NetworkFault::Doubled(minutes)) => {
                self.push_in(delay, Item::Request(Rc::clone(&request)));
                self.push_in(delay + u32::from(minutes), Item::Request(request));
            }
            _ => self.push_in(delay, Item::Request(request)),
        }
    }

    pub(super) fn agent_gives_up(&mut self, device: usize, message: u64) {
        let waits = matches!(&self.devices[device].agent.phase, Phase::Waiting(w) if w.message == message);
        if waits {
            self.cycle_fails(device);
        }
    }

    pub(super) fn agent_hears(&mut self, device: usize, message: u64, reply: Reply) {
        let phase = std::mem::take(&mut self.devices[device].agent.phase);
        let Phase::Waiting(waiting) = phase else {
            self.devices[device].agent.phase = phase;
            return;
        };
        let refusal_taken = self.fault == Some(Fault::RefusalTaken);
        if waiting.message != message {
            self.devices[device].agent.phase = Phase::Waiting(waiting);
            return;
        }
        match (waiting.wants, reply) {
            (Wants::Identity, Reply::Enrolled(id)) => {
                self.say(|| format!("agent {device}: enrolled as {id}"));
                self.note_enrolment(device, id);
                self.devices[device].agent.identity = Some(id);
                self.schedule(device, 0);
            }
            (
                Wants::CheckIn {
                    seen,
                    round,
                    with_inventory,
                    wishes,
                    overtaken,
                },
                Reply::CheckIn {
                    sequence,
                    send_inventory,
                    policy,
                    in_force,
                    ledger,
                    exemptions,
                    now,
                    requests,
                    as_of,
                },
            ) => {
                self.keep_policy(device, policy, in_force);
                if self.devices[device].agent.sequence.raise(sequence) {
                    // Nothing was stored: the server has higher numbers, from before the agent's state was restored.
                    match overtaken {
                        0 | 1 => self.check_in(device, seen, round, with_inventory, overtaken + 1),
                        _ => self.cycle_fails(device),
                    }
                    return;
                }
                if send_inventory {
                    if with_inventory || self.fault == Some(Fault::InventoryWithheld) && round > 0 {
                        self.cycle_fails(device);
                    } else {
                        self.check_in(device, seen, round, true, overtaken);
                    }
                    return;
                }
                self.devices[device].agent.wishes.retain(|w| !wishes.contains(w));
                let memory = &mut self.devices[device].agent.memory;
                memory.reported = Some(Rc::clone(&seen));
                memory.report_asked = false;
                memory.as_of = as_of;
                memory.exemptions = exemptions;
                memory.now = now;
                memory.reported_done.extend(memory.done.drain(..));
                let stale = std::mem::replace(&mut memory.ledger, ledger.clone());
                let ledger = match self.fault {
                    Some(Fault::StaleLedger) if !stale.0.is_empty() => stale,
                    _ => ledger,
                };
                self.take_requests(device, requests);
                self.decide(device, &seen, &ledger, round);
            }
            (
                Wants::Escrow {
                    acting,
                    volume,
                    protector,
                },
                Reply::Escrowed(v, p),
            ) => {
                if (v, p) == (volume, protector) {
                    self.escrowed(device, acting, volume, protector);
                } else {
                    self.cycle_fails(device);
                }
            }
            (
                Wants::Escrow {
                    acting,
                    volume,
                    protector,
                },
                _,
            ) if refusal_taken => self.escrowed(device, acting, volume, protector),
            (Wants::Escrow { acting, .. }, _) if self.fault == Some(Fault::FailureIgnored) => {
                self.devices[device].agent.phase = Phase::Acting(acting);
                self.schedule(device, 0);
            }
            _ => self.cycle_fails(device),
        }
    }

    fn keep_policy(&mut self, device: usize, policy: Option<PolicyChoice>, in_force: PolicyChoice) {
        let memory = &mut self.devices[device].agent.memory;
        match policy {
            Some(policy) => memory.policy = Some(policy),
            None if memory.policy != Some(in_force) => memory.policy = None,
            None => {}
        }
    }

    fn take_requests(&mut self, device: usize, requests: Vec<(RequestId, Option<RotateRequest>)>) {
        let early = self.fault == Some(Fault::DoneTooEarly);
        let memory = &mut self.devices[device].agent.memory;
        memory
            .reported_done
            .retain(|id| requests.iter().any(|(other, _)| other == id));
        memory.rotate.clear();
        for (id, rotate) in requests {
            if memory.reported_done.contains(&id) {
                continue;
            }
            match rotate {
                Some(wish) => memory.rotate.push((id, wish)),
                None => {
                    memory.report_asked = true;
                    memory.done.push(id);
                }
            }
        }
        if early {
            let done: Vec<_> = memory.rotate.drain(..).collect();
            for (id, wish) in done {
                self.call_done(device, id, &wish);
            }
        }
    }

    fn call_done(&mut self, device: usize, id: RequestId, wish: &RotateRequest) {
        self.check_done(device, wish);
        self.devices[device].agent.memory.done.push(id);
    }

    pub(super) fn situation(&self, device: usize) -> Situation {
        let device = &self.devices[device];
        Situation {
            server_reachable: true,
            now: device.agent.memory.now,
            pin_available: device.pin,
            power: match device.battery_low {
                true => Power::Battery { percent: 9 },
                false => Power::Mains,
            },
            restart_pending: device.restart_pending,
            exemptions: device.agent.memory.exemptions.clone(),
            rotate: device
                .agent
                .memory
                .rotate
                .iter()
                .map(|(_, wish)| wish.clone())
                .collect(),
            ..Situation::default()
        }
    }

    fn decide(&mut self, device: usize, seen: &Rc<Inventory>, ledger: &Ledger, round: u8) {
        let choice = self.devices[device].agent.memory.policy;
        let policy = choice.map(PolicyChoice::policy).unwrap_or_default();
        let situation = self.situation(device);
        let planned = plan(&policy, seen, ledger, &situation);
        if !self.fault.is_some_and(Fault::is_of_the_planner)
            && let Err(breaches) = check::check(&planned, seen, ledger, &policy, &situation)
        {
            self.fail(
                "plan checker",
                format!("device {device}: {:?} of {planned:?}", breaches[0]),
            );
            return;
        }
        let planned = match self.fault {
            Some(fault) => super::wrong_plans::distort(fault, planned, seen, ledger, &policy, &situation),
            None => planned,
        };
        let memory = &mut self.devices[device].agent.memory;
        memory.blocked = planned.blocked.clone();
        if planned.actions.is_empty() {
            self.nothing_to_do(device, seen, round);
            return;
        }
        self.say(|| format!("agent {device}: plans {}", words(&planned)));
        let guards_off = self.fault.is_some_and(Fault::needs_guards_off);
        let mut acknowledged = Acknowledged::from_ledger(ledger);
        if guards_off {
            for volume in &seen.volumes {
                let id = volume.volume.unwrap_or(super::world::volume_id(0));
                volume.recovery_passwords().for_each(|p| acknowledged.insert(id, p));
            }
        }
        self.devices[device].agent.phase = Phase::Acting(Acting {
            plan: planned,
            at: 0,
            failed: Vec::new(),
            acknowledged,
            escrows: VecDeque::new(),
            round,
        });
        let delay = self.chance(2);
        self.schedule(device, delay);
    }

    fn nothing_to_do(&mut self, device: usize, seen: &Rc<Inventory>, round: u8) {
        for (id, wish) in std::mem::take(&mut self.devices[device].agent.memory.rotate) {
            if wish.is_satisfied_by(seen) {
                self.call_done(device, id, &wish);
            }
        }
        let memory = &self.devices[device].agent.memory;
        let news = !memory.done.is_empty() || memory.report_asked || memory.blocked != memory.reported_blocked;
        if news {
            self.next_round(device, Rc::clone(seen), round);
            return;
        }
        let agent = &mut self.devices[device].agent;
        agent.settled = true;
        agent.failures = 0;
        self.check_settled(device, seen);
        let pause = 40 + self.chance(40);
        self.schedule(device, pause);
    }

    fn next_round(&mut self, device: usize, seen: Rc<Inventory>, round: u8) {
        if round + 1 >= MAX_ROUNDS {
            self.cycle_fails(device);
        } else {
            self.check_in(device, seen, round + 1, false, 0);
        }
    }

    fn cycle_fails(&mut self, device: usize) {
        self.say(|| format!("agent {device}: the cycle fails"));
        let agent = &mut self.devices[device].agent;
        agent.phase = Phase::Idle;
        agent.failures += 1;
        let pause = 3 + self.chance(6);
        self.schedule(device, pause);
    }

    fn act(&mut self, device: usize, mut acting: Acting) {
        if let Some((volume, protector, secret)) = acting.escrows.pop_front() {
            self.escrow(device, acting, volume, protector, secret);
            return;
        }
        let Some(action) = acting.plan.actions.get(acting.at).cloned() else {
            self.acted(device, &acting);
            return;
        };
        acting.at += 1;
        let skip = acting.failed.iter().any(|f| f == action.device());
        if !skip {
            let outcome = self.step(device, &action, &mut acting);
            match outcome {
                Outcome::Done => {}
                Outcome::Failed => acting.failed.push(action.device().to_owned()),
                Outcome::Died => {
                    self.agent_dies(device);
                    return;
                }
            }
        }
        self.devices[device].agent.phase = Phase::Acting(acting);
        let delay = self.chance(3) / 2;
        self.schedule(device, delay);
    }

    fn acted(&mut self, device: usize, acting: &Acting) {
        if acting.failed.is_empty() {
            let seen = Rc::new(self.devices[device].observe());
            self.next_round(device, seen, acting.round);
        } else {
            self.cycle_fails(device);
        }
    }

    fn step(&mut self, device: usize, action: &Action, acting: &mut Acting) -> Outcome {
        let guards_off = self.fault.is_some_and(Fault::needs_guards_off);
        let before = self.ways_back(device);
        let Self { devices, drawn, .. } = self;
        let machine = &mut devices[device];
        let tpm = machine.chip.tpm();
        let mut bench = Bench {
            volumes: &mut machine.volumes,
            tpm: &tpm,
            next: drawn,
            lives: machine.agent.lives,
            effects: Effects::default(),
        };
        let result = if let Action::Escrow {
            device: name,
            protector,
        } = action
        {
            collect_evidence(&mut bench, name, *protector, &acting.acknowledged).map(|found| {
                acting.escrows.extend(found.into_iter().map(|evidence| {
                    let secret = evidence.password.parse().unwrap_or(0);
                    (evidence.volume, evidence.protector, secret)
                }));
            })
        } else {
            let pin = machine.pin.then(|| Zeroizing::new("123456".to_owned()));
            if guards_off {
                acknowledge_everything(bench.volumes, &mut acting.acknowledged);
            }
            carry_out(&mut bench, action, &acting.acknowledged, pin)
        };
        let (lives, effects) = (bench.lives, bench.effects);
        if machine.agent.lives.is_some() {
            machine.agent.lives = lives;
        }
        self.say(|| {
            let outcome = match &result {
                Ok(()) => "done".to_owned(),
                Err(error) => format!("{error:?}"),
            };
            format!("agent {device}: {action:?}: {outcome}")
        });
        self.check_step(device, &effects, &before, &acting.acknowledged);
        match result {
            Ok(()) => Outcome::Done,
            Err(StepError::Provider(error)) if error.context == DIED => Outcome::Died,
            Err(_) => Outcome::Failed,
        }
    }

    fn escrow(&mut self, device: usize, mut acting: Acting, volume: VolumeId, protector: ProtectorId, secret: u64) {
        let Some(identity) = self.devices[device].agent.identity else {
            return;
        };
        let (mut named, mut sent) = (volume, secret);
        match self.fault {
            Some(Fault::WrongVolumeEscrowed) => {
                let other = self.devices[device].volumes.iter().find(|v| v.id != volume);
                named = other.map_or(super::world::volume_id(0), |v| v.id);
            }
            Some(Fault::WrongPasswordEscrowed) => sent = secret.wrapping_add(1 << 40),
            Some(Fault::SentMeansAcknowledged) => acting.acknowledged.insert(volume, protector),
            _ => {}
        }
        self.drawn += 1;
        let body = Body::Escrow {
            name: KeyName {
                device: identity,
                volume: named,
                protector,
            },
            secret: sent,
            seal: self.drawn,
        };
        self.say(|| format!("agent {device}: sends the escrow of {}", protector.short()));
        if self.fault == Some(Fault::SentMeansAcknowledged) {
            self.send(device, body, Wants::Identity);
            self.devices[device].agent.phase = Phase::Acting(acting);
            self.schedule(device, 0);
            return;
        }
        let volume = named;
        self.send(
            device,
            body,
            Wants::Escrow {
                acting,
                volume,
                protector,
            },
        );
    }

    fn escrowed(&mut self, device: usize, mut acting: Acting, volume: VolumeId, protector: ProtectorId) {
        let volume = match self.fault {
            // The agent believes that it was the right one.
            Some(Fault::WrongVolumeEscrowed) => {
                let carrier = self.devices[device].volumes.iter().find(|v| v.carries(protector));
                carrier.map_or(volume, |v| v.id)
            }
            _ => volume,
        };
        acting.acknowledged.insert(volume, protector);
        self.devices[device].agent.phase = Phase::Acting(acting);
        self.schedule(device, 0);
    }
}

enum Outcome {
    Done,
    Failed,
    Died,
}

fn acknowledge_everything(volumes: &[super::volume::Volume], acknowledged: &mut Acknowledged) {
    for volume in volumes {
        volume
            .recovery_passwords()
            .for_each(|p| acknowledged.insert(volume.id, p.id));
    }
}

fn words(plan: &Plan) -> String {
    let actions: Vec<String> = plan.actions.iter().map(|action| format!("{action:?}")).collect();
    actions.join(", ")
}
