//! A device: its volumes, what is around them, and its agent's memory.

use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;

use agent::execute::Acknowledged;
use domain::exemption::Exemption;
use domain::ids::{DeviceId, ProtectorId, RequestId, VolumeId};
use domain::inventory::Inventory;
use domain::ledger::Ledger;
use domain::plan::{Blocked, Plan, RotateRequest};
use domain::time::Timestamp;

use super::choice::{Chip, PolicyChoice};
use super::volume::Volume;

pub(super) struct Device {
    pub(super) volumes: Vec<Volume>,
    pub(super) chip: Chip,
    pub(super) virtual_machine: bool,
    pub(super) hostname: u32,
    pub(super) hardware: u8,
    pub(super) people: BTreeSet<u8>,
    pub(super) pin: bool,
    /// Minutes that its clock is ahead.
    pub(super) clock: i64,
    /// Its battery is nearly empty.
    pub(super) battery_low: bool,
    /// A restart waits to be done.
    pub(super) restart_pending: bool,
    pub(super) offline_until: u32,
    /// What the network does to the next requests.
    pub(super) network: VecDeque<NetworkFault>,
    pub(super) agent: Agent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NetworkFault {
    RequestLost,
    AnswerLost,
    Late(u16),
    Doubled(u16),
}

/// The agent's process and what it remembers.
#[derive(Default)]
pub(super) struct Agent {
    /// Changes with every death, so that what was scheduled for the dead one is passed over.
    pub(super) generation: u32,
    pub(super) phase: Phase,
    pub(super) identity: Option<DeviceId>,
    pub(super) memory: Memory,
    pub(super) sequence: Sequence,
    /// Users who asked to be exempt, of which the server was not told yet.
    pub(super) wishes: Vec<u8>,
    /// Changes of volumes before it dies.
    pub(super) lives: Option<u32>,
    /// Failed cycles since the last good one.
    pub(super) failures: u32,
    /// The last cycle came to its end.
    pub(super) settled: bool,
}

/// The numbers of its check-ins, as `agent::sequence` has them.
#[derive(Default)]
pub(super) struct Sequence {
    last: u64,
    /// What is in its file: it goes on from there when it starts.
    reserved: u64,
}

impl Sequence {
    pub(super) fn next(&mut self) -> u64 {
        self.last += 1;
        if self.last > self.reserved {
            self.reserved = self.last + 63;
        }
        self.last
    }

    pub(super) fn raise(&mut self, taken: u64) -> bool {
        let higher = taken > self.last;
        self.last = self.last.max(taken);
        higher
    }

    pub(super) fn starts_again(&mut self) {
        self.last = self.reserved;
    }

    /// The file is an older one.
    pub(super) fn restore_older(&mut self) {
        self.reserved /= 2;
    }
}

#[derive(Default)]
pub(super) enum Phase {
    Dead,
    #[default]
    Idle,
    Waiting(Waiting),
    Acting(Acting),
}

/// For an answer.
pub(super) struct Waiting {
    pub(super) message: u64,
    pub(super) wants: Wants,
}

#[expect(
    clippy::large_enum_variant,
    reason = "there is one for each device, and it is replaced, not copied"
)]
pub(super) enum Wants {
    Identity,
    CheckIn {
        seen: Rc<Inventory>,
        round: u8,
        with_inventory: bool,
        /// What it was told.
        wishes: Vec<u8>,
        /// Times that the server took others for newer.
        overtaken: u8,
    },
    Escrow {
        acting: Acting,
        volume: VolumeId,
        protector: ProtectorId,
    },
}

/// Carrying a plan out.
pub(super) struct Acting {
    pub(super) plan: Plan,
    pub(super) at: usize,
    pub(super) failed: Vec<String>,
    pub(super) acknowledged: Acknowledged,
    pub(super) escrows: VecDeque<(VolumeId, ProtectorId, u64)>,
    pub(super) round: u8,
}

/// As the agent's own.
#[derive(Default)]
pub(super) struct Memory {
    pub(super) policy: Option<PolicyChoice>,
    pub(super) ledger: Ledger,
    pub(super) exemptions: Vec<Exemption>,
    /// The server's clock at the last answer.
    pub(super) now: Timestamp,
    pub(super) reported: Option<Rc<Inventory>>,
    pub(super) blocked: Vec<Blocked>,
    pub(super) reported_blocked: Vec<Blocked>,
    pub(super) report_asked: bool,
    pub(super) done: Vec<RequestId>,
    pub(super) reported_done: BTreeSet<RequestId>,
    pub(super) rotate: Vec<(RequestId, RotateRequest)>,
    /// The log's length when the last answer was made.
    pub(super) as_of: usize,
}

impl Device {
    /// What the agent sees.
    pub(super) fn observe(&self) -> Inventory {
        Inventory {
            hostname: format!("PC-{}", self.hostname),
            hardware_id: hardware_id(self.hardware),
            virtual_machine: self.virtual_machine,
            tpm: self.chip.tpm(),
            users: self.people.iter().map(|p| person(*p)).collect(),
            volumes: self.volumes.iter().map(Volume::report).collect(),
            ..Inventory::default()
        }
    }

    pub(super) fn volume(&mut self, n: u8) -> Option<&mut Volume> {
        let count = self.volumes.len();
        self.volumes.get_mut(usize::from(n).checked_rem(count)?)
    }
}

pub(super) fn hardware_id(n: u8) -> String {
    format!("HW-{n}")
}

/// An account name.
pub(super) fn person(n: u8) -> String {
    format!("user{n}")
}
