//! What happens from outside, as plain data: a schedule is a list of these with their minutes. What follows from them
//! (messages, steps, commits) is decided by the seed, so a schedule replays, and can be made smaller.

use domain::volume::VolumeKind;
use serde::{Deserialize, Serialize};

use super::choice::{Chip, PolicyChoice};

/// An event at a minute of virtual time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Timed {
    pub(super) at: u32,
    #[serde(flatten)]
    pub(super) event: Event,
}

/// How a volume is when its device appears.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct VolumeStart {
    pub(super) kind: VolumeKind,
    pub(super) start: Start,
    /// A locked volume still lists its protectors.
    pub(super) lists: bool,
}

/// Where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Start {
    Plain,
    /// Encrypted by somebody, with a recovery password of which the server knows nothing.
    Encrypted,
    /// Encrypted with an old method and nothing but a TPM or an external key.
    EncryptedWithoutPassword,
    Suspended,
    EncryptionPaused,
    Decrypting,
    Locked,
    /// TPM and TPM+PIN side by side.
    PinDefeated,
}

/// What may happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(super) enum Event {
    /// A device appears, and enrols.
    Device {
        volumes: Vec<VolumeStart>,
        chip: Chip,
        virtual_machine: bool,
        hardware: u8,
    },
    /// The agent dies where it stands.
    AgentDies {
        device: u8,
    },
    /// The agent dies before its `changes`-th next change of a volume.
    AgentDiesInside {
        device: u8,
        changes: u8,
    },
    /// The agent's directory is lost: identity and memory.
    AgentWiped {
        device: u8,
    },
    /// The agent's directory is restored from an older copy; its identity is the same.
    AgentRestored {
        device: u8,
    },
    /// The agent wakes now.
    Wake {
        device: u8,
    },
    /// The device has no network for some time.
    Offline {
        device: u8,
        minutes: u16,
    },
    /// The device's next request is lost.
    RequestLost {
        device: u8,
    },
    /// The answer to the device's next request is lost.
    AnswerLost {
        device: u8,
    },
    /// The device's next request arrives late.
    RequestLate {
        device: u8,
        minutes: u16,
    },
    /// The device's next request arrives twice, the second time some minutes later.
    RequestDoubled {
        device: u8,
        minutes: u16,
    },
    /// The device's clock jumps.
    ClockJumps {
        device: u8,
        minutes: i32,
    },
    /// The server's process is killed; `keep`: what it was writing is found afterwards.
    ServerKilled {
        keep: bool,
        minutes: u8,
    },
    /// The server's machine loses power.
    PowerLoss {
        keep: bool,
        minutes: u8,
    },
    /// The next transaction cannot be written.
    DiskFull,
    /// The next transaction's sync fails.
    SyncFails,
    /// The server's clock jumps.
    ServerClockJumps {
        minutes: i32,
    },
    /// The replica stands still for some time.
    ReplicaStops {
        minutes: u16,
    },
    /// The database server is lost for good; its replica takes over.
    FailOver {
        minutes: u8,
    },
    /// The help desk tells a key.
    HelpDesk {
        key: u8,
    },
    /// A person asks for a key by self-service, own or not.
    SelfService {
        key: u8,
        person: u8,
    },
    /// An administrator has keys replaced: of one volume, or of all (`volume` 7).
    Rotate {
        device: u8,
        volume: u8,
    },
    /// An administrator wants a report.
    Report {
        device: u8,
    },
    /// The server tries what it has.
    Prove,
    /// A stored secret is found not to open its volume.
    ProofFails {
        key: u8,
    },
    /// Another policy.
    Policy {
        policy: PolicyChoice,
    },
    /// The device's record is retired, or taken back.
    Retire {
        device: u8,
    },
    TakeBack {
        device: u8,
    },
    /// The security chip changes.
    Chip {
        device: u8,
        chip: Chip,
    },
    /// The machine is installed anew; data volumes stay, and it enrols again.
    Reimaged {
        device: u8,
    },
    /// A disk is copied bit by bit into another device.
    Cloned {
        device: u8,
        volume: u8,
        to: u8,
    },
    /// A data drive moves to another device.
    Moved {
        device: u8,
        volume: u8,
        to: u8,
    },
    /// Somebody keeps an image of a drive, bit by bit.
    Imaged {
        device: u8,
        volume: u8,
    },
    /// The drive is written back from its image, with the protectors that it had then.
    PutBack {
        device: u8,
        volume: u8,
    },
    Renamed {
        device: u8,
    },
    /// The hardware id becomes that of others.
    Hardware {
        device: u8,
        hardware: u8,
    },
    SignsIn {
        device: u8,
        person: u8,
    },
    SignsOut {
        device: u8,
        person: u8,
    },
    /// A user asks at the device to be exempt.
    Wishes {
        device: u8,
        person: u8,
    },
    /// A user is exempt from encryption, or no longer.
    Exempt {
        person: u8,
        exempt: bool,
    },
    /// The user has a PIN at hand, or not.
    Pin {
        device: u8,
        present: bool,
    },
    /// The battery is nearly empty, or no longer.
    Battery {
        device: u8,
        low: bool,
    },
    /// A restart waits to be done, or no longer.
    RestartPending {
        device: u8,
        pending: bool,
    },
    /// The machine restarts.
    Restart {
        device: u8,
    },
    /// Somebody unlocks all volumes.
    Unlock {
        device: u8,
    },
    Suspend {
        device: u8,
        volume: u8,
        restarts: u8,
    },
    Pause {
        device: u8,
        volume: u8,
    },
    StrangerAdds {
        device: u8,
        volume: u8,
    },
    StrangerDeletes {
        device: u8,
        volume: u8,
        which: u8,
    },
    StrangerDeletesAll {
        device: u8,
        volume: u8,
    },
    StrangerDecrypts {
        device: u8,
        volume: u8,
    },
}

impl Event {
    /// Its name, for counting.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Device { .. } => "device appears",
            Self::AgentDies { .. } => "agent dies",
            Self::AgentDiesInside { .. } => "agent dies inside a step",
            Self::AgentWiped { .. } => "agent wiped",
            Self::AgentRestored { .. } => "agent restored",
            Self::Wake { .. } => "agent wakes",
            Self::Offline { .. } => "device offline",
            Self::RequestLost { .. } => "request lost",
            Self::AnswerLost { .. } => "answer lost",
            Self::RequestLate { .. } => "request late, overtaken",
            Self::RequestDoubled { .. } => "request doubled",
            Self::ClockJumps { .. } => "device's clock jumps",
            Self::ServerKilled { .. } => "server killed",
            Self::PowerLoss { .. } => "power loss",
            Self::DiskFull => "disk full",
            Self::SyncFails => "sync fails",
            Self::ServerClockJumps { .. } => "server's clock jumps",
            Self::ReplicaStops { .. } => "replica stops",
            Self::FailOver { .. } => "fail-over",
            Self::HelpDesk { .. } => "help desk tells",
            Self::SelfService { .. } => "self-service asks",
            Self::Rotate { .. } => "rotation asked",
            Self::Report { .. } => "report asked",
            Self::Prove => "proofs",
            Self::ProofFails { .. } => "proof fails",
            Self::Policy { .. } => "policy changes",
            Self::Retire { .. } => "device retired",
            Self::TakeBack { .. } => "device taken back",
            Self::Chip { .. } => "TPM changes",
            Self::Reimaged { .. } => "re-imaged",
            Self::Cloned { .. } => "disk cloned",
            Self::Moved { .. } => "drive moved",
            Self::Imaged { .. } => "drive imaged",
            Self::PutBack { .. } => "drive written back",
            Self::Renamed { .. } => "device renamed",
            Self::Hardware { .. } => "hardware id clashes",
            Self::SignsIn { .. } => "user signs in",
            Self::SignsOut { .. } => "user goes",
            Self::Wishes { .. } => "exemption wished at the device",
            Self::Exempt { .. } => "exemption",
            Self::Pin { .. } => "PIN",
            Self::Battery { .. } => "battery",
            Self::RestartPending { .. } => "restart pending",
            Self::Restart { .. } => "restart",
            Self::Unlock { .. } => "volumes unlocked",
            Self::Suspend { .. } => "suspended",
            Self::Pause { .. } => "conversion paused",
            Self::StrangerAdds { .. } => "stranger adds a password",
            Self::StrangerDeletes { .. } => "stranger deletes a password",
            Self::StrangerDeletesAll { .. } => "stranger deletes all passwords",
            Self::StrangerDecrypts { .. } => "stranger decrypts",
        }
    }
}

impl std::fmt::Display for Timed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:5} min  {}", self.at, self.event.name())?;
        match &self.event {
            Event::Policy { policy } => write!(f, ": {policy}"),
            other => match serde_json::to_value(other) {
                Ok(serde_json::Value::Object(fields)) => {
                    for (name, value) in fields.iter().filter(|(name, _)| *name != "do") {
                        write!(f, " {name}={value}")?;
                    }
                    Ok(())
                }
                _ => Ok(()),
            },
        }
    }
}
