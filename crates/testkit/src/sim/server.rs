//! The server: what it does with a message, and what it says after the commit. The order (look, write, look again,
//! answer) is that of `server::device_api`. Beside the real server (`real`) each of these steps is compared with the real
//! one, and devices hear the real answers.

use std::rc::Rc;

use domain::access::{Role, may_recover};
use domain::ids::{DeviceId, RequestId};
use domain::plan::RotateRequest;
use domain::policy::TriState;
use store::model::{KeyName, subject};
use uuid::Uuid;

use super::device::person;
use super::faults::Fault;
use super::real::{Call, Stop, What};
use super::state::{Answer, Job, subject_of};
use super::store::{Answers, Crash, Replica, Work};
use super::world::{Body, CheckingIn, Item, Reply, Request, To, Wishes, World};

impl World {
    pub(super) fn serve(&mut self, request: &Rc<Request>) {
        if !self.server_up {
            return;
        }
        let stop = self.call(|| Call::Message(Rc::clone(request)));
        match &request.body {
            Body::Enrol { hardware } => {
                self.named += 1;
                let device = match &stop {
                    Some(Stop::Waits(_, What::Enrol(id))) => *id,
                    _ => DeviceId(Uuid::from_u64_pair(0xD, self.named)),
                };
                let job = Job::Enrol {
                    device,
                    hardware: hardware.clone(),
                };
                self.submit(job, To::Enrolment(Rc::clone(request)), stop);
            }
            Body::Escrow { name, secret, seal } => {
                let job = Job::Escrow {
                    name: *name,
                    secret: *secret,
                    seal: *seal,
                };
                if self.fault == Some(Fault::AnsweredBeforeCommit) {
                    self.submit(job, To::Nobody, stop);
                    self.acknowledge(request, None);
                } else {
                    self.submit(job, To::Escrow(Rc::clone(request)), stop);
                }
            }
            Body::CheckIn {
                identity,
                sequence,
                seen,
                with_inventory,
                blocked,
                done,
                wishes,
                ..
            } => {
                let state = &self.store.state;
                let Some(record) = state.device(*identity).filter(|d| !d.retired) else {
                    self.reply(request, Reply::Refused, stop);
                    return;
                };
                let news = state.pending(*identity).iter().any(|r| done.contains(&r.id)) || record.blocked != *blocked;
                let overtaken = *sequence < self.store.newest(*identity) && self.fault != Some(Fault::OvertakenStored);
                let differs = record.inventory.as_ref() != Some(seen) && !overtaken;
                let mut coming = CheckingIn {
                    request: Rc::clone(request),
                    send_inventory: !with_inventory && differs,
                    report: news && !overtaken,
                    policy: state.policy,
                    first: None,
                    wishes: Wishes::Said(if overtaken { Vec::new() } else { wishes.clone() }),
                };
                self.store.gather(*identity, *sequence);
                if !wishes.is_empty() {
                    coming.first = Some(Rc::new(self.answer_to(request, coming.send_inventory)));
                }
                if *with_inventory && differs {
                    let job = Job::Inventory {
                        device: *identity,
                        sequence: *sequence,
                        inventory: Rc::clone(seen),
                    };
                    self.submit(job, To::CheckIn(coming), stop);
                } else {
                    self.goes_on_checking_in(coming, stop);
                }
            }
        }
    }

    /// The inventory is stored, or was known: then what else the device says, and then the answer.
    fn goes_on_checking_in(&mut self, mut coming: CheckingIn, stop: Option<Stop>) {
        let request = Rc::clone(&coming.request);
        let Body::CheckIn {
            identity,
            sequence,
            blocked,
            done,
            ..
        } = &request.body
        else {
            return;
        };
        if !std::mem::take(&mut coming.report) {
            self.hears_wishes(*identity, coming, stop);
            return;
        }
        let job = Job::Report {
            device: *identity,
            sequence: *sequence,
            blocked: blocked.clone(),
            done: done.clone(),
        };
        self.submit(job, To::CheckIn(coming), stop);
    }

    /// One wish after the other, of people who use the device, where policy lets them ask; and then the answer.
    fn hears_wishes(&mut self, device: DeviceId, mut coming: CheckingIn, stop: Option<Stop>) {
        let mut wishes = match coming.wishes {
            Wishes::Heard(left) => left,
            Wishes::Said(_) if coming.policy.policy().client.user_exemption != TriState::Enabled => Vec::new(),
            Wishes::Said(said) => said.into_iter().filter(|n| self.store.state.uses(*n, device)).collect(),
        };
        coming.wishes = Wishes::Heard(Vec::new());
        if wishes.is_empty() {
            self.answer_check_in(&coming, stop);
            return;
        }
        let job = Job::Wish {
            person: wishes.remove(0),
            by: Some(device),
        };
        coming.wishes = Wishes::Heard(wishes);
        self.submit(job, To::Wish(device, coming), stop);
    }

    fn answer_check_in(&mut self, coming: &CheckingIn, stop: Option<Stop>) {
        let request = &coming.request;
        let mut reply = match &coming.first {
            Some(first) => Reply::clone(first),
            None => self.answer_to(request, coming.send_inventory),
        };
        if let Reply::CheckIn { now, .. } = &mut reply {
            *now = self.server_time();
        }
        self.reply(request, reply, stop);
    }

    /// What is answered as things stand.
    fn answer_to(&self, request: &Request, send_inventory: bool) -> Reply {
        let Body::CheckIn { identity, policy, .. } = &request.body else {
            return Reply::Refused;
        };
        let state = &self.store.state;
        // One that was retired meanwhile is refused at the second look.
        if state.device(*identity).is_none_or(|d| d.retired) {
            return Reply::Refused;
        }
        let in_force = match (self.fault, policy) {
            (Some(Fault::PolicyStaysUnchanged), Some(policy)) => *policy,
            _ => state.policy,
        };
        let requests = state.pending(*identity);
        Reply::CheckIn {
            sequence: self.store.newest(*identity),
            send_inventory,
            policy: (*policy != Some(in_force)).then_some(in_force),
            in_force,
            ledger: state.ledger(*identity),
            exemptions: state.exemptions_of(*identity),
            now: self.server_time(),
            requests: requests.into_iter().map(|r| (r.id, r.rotate.clone())).collect(),
            as_of: state.place,
        }
    }

    fn acknowledge(&mut self, request: &Rc<Request>, stop: Option<Stop>) {
        if let Body::Escrow { name, secret, .. } = &request.body {
            self.say(|| format!("server: acknowledges {}", name.protector.short()));
            self.acknowledged.push((*name, *secret));
            self.reply(request, Reply::Escrowed(name.volume, name.protector), stop);
        }
    }

    /// The answer of the model, or the real one, which must be the same.
    fn reply(&mut self, request: &Request, reply: Reply, stop: Option<Stop>) {
        let reply = self.real_reply(request, reply, stop);
        if !request.answer_lost {
            let delay = self.chance(2);
            self.push_in(delay, Item::Reply(request.device, request.id, reply));
        }
    }

    /// Asks for a transaction. `stop`: where the real server stands, which must be before the same write.
    pub(super) fn submit(&mut self, job: Job, to: To, stop: Option<Stop>) {
        let real = self.real_write(&job, stop);
        let at = self.server_time();
        if self.store.submit(Work { job, at, real }, to) {
            let delay = self.chance(2);
            self.push_in(delay, Item::Write);
        }
    }

    pub(super) fn store_writes(&mut self) {
        let answers = self.store.write();
        self.reflect();
        self.answer(answers);
        if self.store.is_written() {
            let delay = self.chance(2);
            self.push_in(delay, Item::Sync);
        }
    }

    pub(super) fn store_syncs(&mut self) {
        let answers = self.store.sync();
        self.reflect();
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
        let answers = self.store.ship();
        self.reflect();
        self.real_replica_catches_up();
        self.answer(answers);
    }

    fn answer(&mut self, answers: Answers<To>) {
        for outcome in answers {
            let stop = self.go_on(outcome.real);
            match (outcome.to, outcome.answer) {
                (To::Enrolment(request), Answer::Enrolled { device, clashes }) => {
                    if clashes {
                        let job = Job::Note {
                            actor: "system",
                            action: "device.hardware_id_clash",
                            subject: subject(device, None, None),
                        };
                        self.submit(job, To::Clash(request, device), stop);
                    } else {
                        self.reply(&request, Reply::Enrolled(device), stop);
                    }
                }
                (To::Clash(request, device), Answer::Done) => self.reply(&request, Reply::Enrolled(device), stop),
                // One that waits or holds already is passed over.
                (To::Wish(device, coming), Answer::Refused) => self.hears_wishes(device, coming, stop),
                (To::Wish(device, mut coming), Answer::Wished(_)) => {
                    coming.first = None;
                    self.hears_wishes(device, coming, stop);
                }
                (To::CheckIn(mut coming), Answer::Done) => {
                    coming.first = None;
                    self.goes_on_checking_in(coming, stop);
                }
                (To::Escrow(request), Answer::Done) => self.acknowledge(&request, stop),
                (
                    To::Enrolment(request)
                    | To::Clash(request, _)
                    | To::CheckIn(CheckingIn { request, .. })
                    | To::Wish(_, CheckingIn { request, .. })
                    | To::Escrow(request),
                    answer,
                ) => {
                    let reply = if answer == Answer::Refused {
                        Reply::Refused
                    } else {
                        Reply::Failed
                    };
                    self.reply(&request, reply, stop);
                }
                (
                    To::Person { actor, person },
                    Answer::Disclosed {
                        name,
                        elsewhere,
                        secret,
                    },
                ) => {
                    self.real_tells(secret, stop);
                    self.tell(name, actor, person);
                    self.wake(name.device);
                    for device in elsewhere {
                        self.wake(device);
                    }
                }
                (To::Exemption, Answer::Wished(id)) => {
                    self.real_does(&Answer::Done, stop);
                    let stop = self.call(|| Call::Decide(id, true));
                    self.submit(Job::Decide { id, granted: true }, To::Nobody, stop);
                }
                (To::Refused, answer) => self.real_refuses(&answer, stop),
                (_, answer) => self.real_does(&answer, stop),
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
            let stop = self.call(|| Call::Disclose(name, asker));
            let job = Job::Note {
                actor,
                action: "key.refused",
                subject: subject_of(name),
            };
            self.submit(job, To::Refused, stop);
            return;
        }
        let stop = self.call(|| Call::Disclose(name, asker));
        let to = To::Person { actor, person: asker };
        let own = asker.filter(|_| self.fault != Some(Fault::SelfServiceTellsOthers));
        self.submit(Job::Disclose { name, actor, own }, to, stop);
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
            let stop = self.call(|| match &rotate {
                Some(rotate) => Call::Rotate(device, rotate.volume),
                None => Call::Report(device),
            });
            if self.is_unknown(device) {
                self.real_does(&Answer::Refused, stop);
                return;
            }
            let id = match &stop {
                Some(Stop::Waits(_, What::Ask(id, ..))) => *id,
                _ => RequestId(Uuid::from_u64_pair(0xE, self.named)),
            };
            self.submit(Job::Ask { id, device, rotate }, To::Nobody, stop);
            self.wake(device);
        }
    }

    /// A fail-over to a stale replica may have lost a device; nobody can ask anything of it.
    pub(super) fn is_unknown(&self, device: DeviceId) -> bool {
        self.store.state.device(device).is_none()
    }

    /// A person's exemption is asked for and granted, or taken back.
    pub(super) fn exempt(&mut self, person: u8, exempt: bool) {
        let known = self.store.state.exemption_in_use(person);
        let known = known.map(|e| {
            (
                e.id,
                matches!(e.exemption.decision, domain::exemption::Decision::Pending),
            )
        });
        match (known, exempt) {
            (None, true) => {
                let stop = self.call(|| Call::Wish(person));
                self.submit(Job::Wish { person, by: None }, To::Exemption, stop);
            }
            (Some((id, true)), true) | (Some((id, false)), false) => {
                let stop = self.call(|| Call::Decide(id, exempt));
                self.submit(Job::Decide { id, granted: exempt }, To::Nobody, stop);
            }
            _ => {}
        }
    }

    pub(super) fn identity_of(&self, device: u8) -> Option<DeviceId> {
        let at = usize::from(device).checked_rem(self.devices.len())?;
        self.devices[at].agent.identity
    }

    pub(super) fn server_crashes(&mut self, crash: Crash, keep: bool, minutes: u8) {
        self.server_up = false;
        self.server_generation += 1;
        let known = self.store.numbers();
        let lost = self.store.crash(crash, keep);
        self.real_crashes(&known);
        self.after_crash(crash, lost);
        self.ship_queued = false;
        let generation = self.server_generation;
        self.push_in(1 + u32::from(minutes), Item::ServerStarts(generation));
    }

    pub(super) fn server_starts(&mut self, generation: u32) {
        if self.server_generation == generation {
            self.server_up = true;
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
