//! The world: devices, network, server and store under one clock, and the queue of what happens next.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::rc::Rc;

use domain::exemption::Exemption;
use domain::ids::{DeviceId, ProtectorId, RequestId, VolumeId};
use domain::inventory::Inventory;
use domain::ledger::Ledger;
use domain::plan::{Blocked, RotateRequest};
use domain::time::Timestamp;
use store::model::KeyName;

use super::choice::PolicyChoice;
use super::device::Device;
use super::event::Timed;
use super::faults::Fault;
use super::promises::{Told, Violation};
use super::real::Mirror;
use super::store::{Replica, Store};

/// 2026-11-25T00:00:00Z: when every schedule begins.
pub(super) const START: Timestamp = Timestamp(1_795_564_800_000);

/// What is in the queue.
#[derive(Debug)]
pub(super) enum Item {
    External(usize),
    /// The agent's next step; of this generation only.
    Agent(usize, u32),
    AgentStarts(usize),
    /// The agent gives up waiting for the answer to this message.
    TimeOut(usize, u64),
    Request(Rc<Request>),
    Reply(usize, u64, Reply),
    Write,
    Sync,
    Ship,
    /// The server's regular care.
    Tend,
    ServerStarts(u32),
    /// Conversions come to their end.
    Progress(usize),
}

/// A device's request on its way.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) id: u64,
    pub(super) device: usize,
    pub(super) answer_lost: bool,
    pub(super) body: Body,
}

#[derive(Debug)]
pub(super) enum Body {
    Enrol {
        hardware: String,
    },
    CheckIn {
        identity: DeviceId,
        sequence: u64,
        seen: Rc<Inventory>,
        with_inventory: bool,
        policy: Option<PolicyChoice>,
        blocked: Vec<Blocked>,
        done: Vec<RequestId>,
        /// Users who ask to be exempt.
        wishes: Vec<u8>,
    },
    Escrow {
        name: KeyName,
        secret: u64,
        seal: u64,
    },
}

/// The server's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Enrolled(DeviceId),
    CheckIn {
        sequence: u64,
        send_inventory: bool,
        policy: Option<PolicyChoice>,
        in_force: PolicyChoice,
        ledger: Ledger,
        exemptions: Vec<Exemption>,
        now: Timestamp,
        requests: Vec<(RequestId, Option<RotateRequest>)>,
        as_of: usize,
    },
    Escrowed(VolumeId, ProtectorId),
    /// 403: not known, or retired.
    Refused,
    /// 500.
    Failed,
}

/// Who waits for a transaction.
#[derive(Clone, Debug)]
pub(super) enum To {
    Nobody,
    Enrolment(Rc<Request>),
    /// The clash is recorded before the new device is answered.
    Clash(Rc<Request>, DeviceId),
    CheckIn(CheckingIn),
    /// A wish of a user of this device.
    Wish(DeviceId, CheckingIn),
    Escrow(Rc<Request>),
    Person {
        actor: &'static str,
        person: Option<u8>,
    },
    /// Somebody who is told no.
    Refused,
    /// Who grants it as soon as it is asked for.
    Exemption,
}

/// A check-in between its writes.
#[derive(Clone, Debug)]
pub(super) struct CheckingIn {
    pub(super) request: Rc<Request>,
    /// At the first look: the server does not have the inventory, and it did not come along.
    pub(super) send_inventory: bool,
    /// At the first look: what else the device says is news, and is not stored yet.
    pub(super) report: bool,
    /// The policy at the first look.
    pub(super) policy: PolicyChoice,
    /// What would have been answered then; it is, when nothing is stored.
    pub(super) first: Option<Rc<Reply>>,
    /// Wishes for exemptions that are not looked at yet.
    pub(super) wishes: Wishes,
}

/// A check-in's wishes for exemptions.
#[derive(Clone, Debug)]
pub(super) enum Wishes {
    /// As they came.
    Said(Vec<u8>),
    /// Those that may be stored, when one was submitted already.
    Heard(Vec<u8>),
}

pub(super) struct World {
    pub(super) now: u32,
    seed: u64,
    draws: u64,
    sequence: u32,
    queue: BinaryHeap<Reverse<Entry>>,
    pub(super) events: Rc<[Timed]>,
    pub(super) devices: Vec<Device>,
    pub(super) store: Store<To>,
    /// The real server beside the model.
    pub(super) real: Option<Box<Mirror>>,
    pub(super) server_up: bool,
    pub(super) server_generation: u32,
    pub(super) server_clock: i64,
    pub(super) replica_stands_until: u32,
    pub(super) ship_queued: bool,
    pub(super) messages: u64,
    /// Ids and secrets that providers draw.
    pub(super) drawn: u64,
    /// Ids that the server draws.
    pub(super) named: u64,
    pub(super) fault: Option<Fault>,
    /// No more disturbance: everything has to converge.
    pub(super) quiet: bool,
    // What the promises are held against.
    pub(super) acknowledged: Vec<(KeyName, u64)>,
    pub(super) told: Vec<Told>,
    pub(super) remembered: Vec<(KeyName, Vec<u64>)>,
    /// The number of the newest inventory that was stored of each device.
    pub(super) reported: Vec<(DeviceId, u64)>,
    pub(super) checked: usize,
    /// Keys that a fail-over to a stale replica lost; whoever still relies on them is not to blame.
    pub(super) lost: Vec<(VolumeId, ProtectorId)>,
    /// A fail-over to a stale replica happened.
    pub(super) went_stale: bool,
    pub(super) violation: Option<Violation>,
    /// What happened, in words; only while a failure is looked at.
    pub(super) trace: Option<Vec<String>>,
    pub(super) steps: u64,
}

struct Entry {
    at: u32,
    sequence: u32,
    item: Item,
}

impl World {
    pub(super) fn new(
        seed: u64,
        policy: PolicyChoice,
        replica: Replica,
        events: &Rc<[Timed]>,
        fault: Option<Fault>,
    ) -> Self {
        let mut world = Self {
            now: 0,
            seed,
            draws: 0,
            sequence: 0,
            queue: BinaryHeap::with_capacity(64),
            events: Rc::clone(events),
            devices: Vec::new(),
            store: Store::new(policy, replica, fault),
            real: None,
            server_up: true,
            server_generation: 0,
            server_clock: 0,
            replica_stands_until: 0,
            ship_queued: false,
            messages: 0,
            drawn: 0,
            named: 0,
            fault,
            quiet: false,
            acknowledged: Vec::new(),
            told: Vec::new(),
            remembered: Vec::new(),
            reported: Vec::new(),
            checked: 0,
            lost: Vec::new(),
            went_stale: false,
            violation: None,
            trace: None,
            steps: 0,
        };
        for (n, timed) in events.iter().enumerate() {
            world.push(timed.at, Item::External(n));
        }
        world
    }

    /// Goes on until nothing happens before `until`, or a promise is broken.
    pub(super) fn run(&mut self, until: u32) {
        while self.violation.is_none() {
            match self.queue.peek() {
                Some(Reverse(entry)) if entry.at <= until => {}
                _ => break,
            }
            let Some(Reverse(entry)) = self.queue.pop() else { break };
            self.now = entry.at;
            self.steps += 1;
            self.happen(entry.item);
        }
        self.now = self.now.max(until);
    }

    fn happen(&mut self, item: Item) {
        let mut cause = super::promises::Cause::Other;
        match item {
            Item::External(n) => {
                let events = Rc::clone(&self.events);
                if let Some(timed) = events.get(n) {
                    if self.trace.is_some() {
                        self.say(|| format!("** {}", timed.event.name()));
                    }
                    cause = super::promises::Cause::of(&timed.event, self.store.replica);
                    self.external(&timed.event);
                }
            }
            Item::Agent(device, generation) => {
                if self.devices[device].agent.generation == generation {
                    self.agent_goes_on(device);
                }
            }
            Item::AgentStarts(device) => self.agent_starts(device),
            Item::TimeOut(device, message) => self.agent_gives_up(device, message),
            Item::Request(request) => self.serve(&request),
            Item::Reply(device, message, reply) => self.agent_hears(device, message, reply),
            Item::Write => self.store_writes(),
            Item::Sync => self.store_syncs(),
            Item::Ship => self.replica_catches_up(),
            Item::Tend => self.real_tends(),
            Item::ServerStarts(generation) => self.server_starts(generation),
            Item::Progress(device) => {
                for volume in &mut self.devices[device].volumes {
                    if !volume.locked {
                        self.drawn += 1;
                        volume.progress(volume_id(self.drawn));
                    }
                }
                self.push_in(17, Item::Progress(device));
            }
        }
        self.check_promises(cause);
    }

    pub(super) fn push(&mut self, at: u32, item: Item) {
        self.sequence += 1;
        self.queue.push(Reverse(Entry {
            at,
            sequence: self.sequence,
            item,
        }));
    }

    pub(super) fn push_in(&mut self, minutes: u32, item: Item) {
        self.push(self.now + minutes, item);
    }

    /// A number below `bound`, by the seed and by how many were drawn before.
    pub(super) fn chance(&mut self, bound: u32) -> u32 {
        self.draws += 1;
        let mut x = self.seed ^ self.draws.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let x = (x ^ (x >> 31)) >> 33;
        u32::try_from(x % u64::from(bound.max(1))).unwrap_or(0)
    }

    /// The server's clock.
    pub(super) fn server_time(&self) -> Timestamp {
        Timestamp(START.0 + (i64::from(self.now) + self.server_clock) * 60_000)
    }

    pub(super) fn say(&mut self, words: impl FnOnce() -> String) {
        let now = self.now;
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{now:5} min  {}", words()));
        }
    }

    pub(super) fn fail(&mut self, promise: &'static str, words: String) {
        self.say(|| format!("!! {promise}: {words}"));
        self.violation.get_or_insert(Violation { promise, words });
    }
}

/// The id of the `n`th volume that is initialised.
pub(super) fn volume_id(n: u64) -> VolumeId {
    VolumeId(uuid::Uuid::from_u64_pair(0xB, n))
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.sequence) == (other.at, other.sequence)
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}
