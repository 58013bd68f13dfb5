//! The server: what it does with a message, and what it says after the commit. The order (look, write, look again,
//! answer) is that of `server::device_api`.

use std::rc::Rc;

use domain::access::{Role, may_recover};
use domain::ids::{DeviceId, RequestId};
use domain::plan::RotateRequest;
use store::model::KeyName;
use uuid::Uuid;

use super::device::person;
use super::faults::Fault;
use super::state::{Answer, Job};
use super::store::{Answers, Crash, Replica};
use super::world::{Body, Item, Reply, Request, To, World};

impl World {
    pub(super) fn serve(&mut self, request: &Rc<Request>) {
        if !self.server_up {
            return;
        }
        match &request.body {
            Body::Enrol { hardware } => {
                self.named += 1;
                let job = Job::Enrol {
                    device: DeviceId(Uuid::from_u64_pair(0xD, self.named)),
                    hardware: hardware.clone(),
                };
                self.submit(job, To::Enrolment(Rc::clone(request)));
            }
            Body::Escrow { name, secret, seal } => {
                let job = Job::Escrow {
                    name: *name,
                    secret: *secret,
                    seal: *seal,
                };
                if self.fault == Some(Fault::AnsweredBeforeCommit) {
                    self.submit(job, To::Nobody);
                    self.acknowledge(request);
                } else {
                    self.submit(job, To::Escrow(Rc::clone(request)));
                }
            }
            Body::CheckIn {
                identity,
                seen,
                with_inventory,
                blocked,
                done,
                ..
            } => {
                let Some(record) = self.store.state.device(*identity).filter(|d| !d.retired) else {
                    self.reply(request, Reply::Refused);
                    return;
                };
                let mut jobs = Vec::new();
                if *with_inventory && record.inventory.as_ref() != Some(seen) {
                    jobs.push(Job::Inventory {
                        device: *identity,
                        inventory: Rc::clone(seen),
                    });
                }
                let news = self.store.state.pending(*identity).any(|r| done.contains(&r.id));
                if news || record.blocked != *blocked {
                    jobs.push(Job::Report {
                        device: *identity,
                        blocked: blocked.clone(),
                        done: done.clone(),
                    });
                }
                let Some(last) = jobs.pop() else {
                    self.answer_check_in(request);
                    return;
                };
                for job in jobs {
                    self.submit(job, To::Nobody);
                }
                self.submit(last, To::CheckIn(Rc::clone(request)));
            }
        }
    }

    fn answer_check_in(&mut self, request: &Rc<Request>) {
        let Body::CheckIn {
            identity,
            seen,
            with_inventory,
            policy,
            ..
        } = &request.body
        else {
            return;
        };
        let state = &self.store.state;
        let Some(record) = state.device(*identity) else { return };
        let send_inventory = !with_inventory && record.inventory.as_ref() != Some(seen);
        let in_force = match (self.fault, policy) {
            (Some(Fault::PolicyStaysUnchanged), Some(policy)) => *policy,
            _ => self.policy_in_memory,
        };
        let reply = Reply::CheckIn {
            send_inventory,
            policy: (*policy != Some(in_force)).then_some(in_force),
            in_force,
            ledger: state.ledger(*identity),
            exemptions: state.exemptions_of(&seen.users),
            now: self.server_time(),
            requests: state.pending(*identity).map(|r| (r.id, r.rotate.clone())).collect(),
            as_of: state.place,
        };
        self.reply(request, reply);
    }

    fn acknowledge(&mut self, request: &Rc<Request>) {
        if let Body::Escrow { name, secret, .. } = &request.body {
            self.say(|| format!("server: acknowledges {}", name.protector.short()));
            self.acknowledged.push((*name, *secret));
            self.reply(request, Reply::Escrowed(name.volume, name.protector));
        }
    }

    fn reply(&mut self, request: &Request, reply: Reply) {
        if !request.answer_lost {
            let delay = self.chance(2);
            self.push_in(delay, Item::Reply(request.device, request.id, reply));
        }
    }

    pub(super) fn submit(&mut self, job: Job, to: To) {
        if self.store.submit(job, to) {
            let delay = self.chance(2);
            self.push_in(delay, Item::Write);
        }
    }

    pub(super) fn store_writes(&mut self) {
        let now = self.server_time();
        let answers = self.store.write(now);
        self.answer(answers);
        if self.store.is_written() {
            let delay = self.chance(2);
            self.push_in(delay, Item::Sync);
        }
    }

    pub(super) fn store_syncs(&mut self) {
        let now = self.server_time();
        let answers = self.store.sync(now);
        self.answer(answers);
        if self.store.has_queue() && !self.store.is_written() {
            self.push_in(0, Item::Write);
        }
        if !self.ship_queued {
            self.ship_queued = true;
            let lag = match self.store.replica {
                Replica::Synchronous => self.chance(2),
                Replica::Asynchronous => 1 + self.chance(30),
            };
            let at = (self.now + lag).max(self.replica_stands_until);
            self.push(at, Item::Ship);
        }
    }

    pub(super) fn replica_catches_up(&mut self) {
        self.ship_queued = false;
        let now = self.server_time();
        let answers = self.store.ship(now);
        self.answer(answers);
    }

    fn answer(&mut self, answers: Answers<To>) {
        for (to, answer) in answers {
            match (to, answer) {
                (To::Nobody, _) => {}
                (To::Enrolment(request), Answer::Enrolled(id)) => self.reply(&request, Reply::Enrolled(id)),
                (To::CheckIn(request), Answer::Done) => self.answer_check_in(&request),
                (To::Escrow(request), Answer::Done) => self.acknowledge(&request),
                (To::Enrolment(request) | To::CheckIn(request) | To::Escrow(request), answer) => {
                    let reply = if answer == Answer::Refused {
                        Reply::Refused
                    } else {
                        Reply::Failed
                    };
                    self.reply(&request, reply);
                }
                (To::Person { actor, person }, Answer::Disclosed { name, elsewhere, .. }) => {
                    self.tell(name, actor, person);
                    self.wake(name.device);
                    for device in elsewhere {
                        self.wake(device);
                    }
                }
                (To::Person { .. }, Answer::Done) => {
                    // A policy is in the server's memory once it is durable.
                    self.policy_in_memory = self.store.state.policy;
                }
                (To::Person { .. }, _) => {}
            }
        }
    }

    /// A device that is held by the server is told at once that there is something to do.
    fn wake(&mut self, id: DeviceId) {
        let held = self
            .devices
            .iter()
            .position(|d| d.agent.identity == Some(id) && d.offline_until <= self.now);
        if let Some(device) = held {
            let generation = self.devices[device].agent.generation;
            let delay = 1 + self.chance(4);
            self.push_in(delay, Item::Agent(device, generation));
        }
    }

    /// The help desk, or a person by self-service, asks for the `n`th key.
    pub(super) fn ask_for_key(&mut self, n: u8, asker: Option<u8>) {
        let count = self.store.state.keys.len();
        let Some(at) = usize::from(n).checked_rem(count) else {
            return;
        };
        if !self.server_up {
            return;
        }
        let name = self.store.state.keys[at].name;
        let actor = actor(asker);
        if let Some(n) = asker
            && !self.owns(name, n)
            && self.fault != Some(Fault::SelfServiceTellsOthers)
        {
            let action = "key.refused";
            self.submit(Job::Note { name, actor, action }, To::Nobody);
            return;
        }
        let to = To::Person { actor, person: asker };
        self.submit(Job::Disclose { name, actor }, to);
    }

    /// Whether the person is a listed user of the device in use: the rule of `services::recovery`.
    pub(super) fn owns(&self, name: KeyName, n: u8) -> bool {
        let device = self.store.state.device(name.device);
        device.is_some_and(|d| {
            let users = d.inventory.as_ref().map_or(&[][..], |i| &i.users);
            !d.retired && may_recover(Role::SelfService, &person(n), None, users)
        })
    }

    pub(super) fn ask_to_rotate(&mut self, device: u8, volume: u8) {
        let Some(id) = self.identity_of(device) else { return };
        let at = usize::from(device) % self.devices.len();
        let volume = self.devices[at].volumes.get(usize::from(volume)).map(|v| v.id);
        let ledger = self.store.state.ledger(id);
        // As `services::requests` chooses them.
        let protectors: Vec<_> = ledger
            .0
            .iter()
            .filter(|e| e.state != domain::ledger::KeyState::Superseded && volume.is_none_or(|v| v == e.volume))
            .map(|e| e.protector)
            .collect();
        if !protectors.is_empty() {
            self.ask(id, Some(RotateRequest { volume, protectors }));
        }
    }

    pub(super) fn ask(&mut self, device: DeviceId, rotate: Option<RotateRequest>) {
        if self.server_up {
            self.named += 1;
            let id = RequestId(Uuid::from_u64_pair(0xE, self.named));
            self.submit(Job::Ask { id, device, rotate }, To::Nobody);
            self.wake(device);
        }
    }

    pub(super) fn identity_of(&self, device: u8) -> Option<DeviceId> {
        let at = usize::from(device).checked_rem(self.devices.len())?;
        self.devices[at].agent.identity
    }

    pub(super) fn server_crashes(&mut self, crash: Crash, keep: bool, minutes: u8) {
        self.server_up = false;
        self.server_generation += 1;
        let lost = self.store.crash(crash, keep);
        self.after_crash(crash, lost);
        self.ship_queued = false;
        let generation = self.server_generation;
        self.push_in(1 + u32::from(minutes), Item::ServerStarts(generation));
    }

    pub(super) fn server_starts(&mut self, generation: u32) {
        if self.server_generation == generation {
            self.server_up = true;
            self.policy_in_memory = self.store.state.policy;
        }
    }
}

pub(super) fn actor(asker: Option<u8>) -> &'static str {
    match asker {
        None => "user:help",
        Some(0) => "user:user0",
        Some(1) => "user:user1",
        Some(2) => "user:user2",
        Some(_) => "user:user3",
    }
}
