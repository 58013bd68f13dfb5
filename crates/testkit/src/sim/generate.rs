//! Schedules from seeds.

use domain::volume::VolumeKind;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::choice::{Chip, PolicyChoice};
use super::event::{Event, Start, Timed, VolumeStart};
use super::store::Replica;

/// Everything that a run is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Schedule {
    pub(super) seed: u64,
    pub(super) policy: PolicyChoice,
    pub(super) replica: Replica,
    pub(super) events: Vec<Timed>,
}

/// Minutes in which events happen.
pub(super) const HORIZON: u32 = 240;

/// The schedule of a seed.
pub(super) fn schedule(seed: u64) -> Schedule {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut events = Vec::with_capacity(32);
    let devices = rng.random_range(1..=3);
    for n in 0..devices {
        let at = if n == 0 { 0 } else { rng.random_range(0..30) };
        let event = device(&mut rng);
        events.push(Timed { at, event });
    }
    for _ in 0..rng.random_range(4..24) {
        let at = rng.random_range(1..HORIZON);
        let event = event(&mut rng);
        events.push(Timed { at, event });
    }
    events.sort_by_key(|timed| timed.at);
    Schedule {
        seed,
        policy: policy(&mut rng),
        replica: if rng.random_bool(0.5) {
            Replica::Synchronous
        } else {
            Replica::Asynchronous
        },
        events,
    }
}

fn policy(rng: &mut ChaCha8Rng) -> PolicyChoice {
    loop {
        let mut bits = rng.random_range(0..1 << PolicyChoice::BITS);
        if rng.random_bool(0.5) {
            // The usual one: all drives must be encrypted.
            bits &= !0b11_1111;
        }
        let policy = PolicyChoice(bits).plainly();
        if policy.policy().validate().is_ok() {
            return policy;
        }
    }
}

fn device(rng: &mut ChaCha8Rng) -> Event {
    let mut volumes = vec![volume(rng, VolumeKind::Os)];
    for _ in 0..rng.random_range(0..3) {
        let kind = if rng.random_bool(0.7) {
            VolumeKind::Fixed
        } else {
            VolumeKind::Removable
        };
        volumes.push(volume(rng, kind));
    }
    Event::Device {
        volumes,
        chip: chip(rng),
        virtual_machine: rng.random_bool(0.03),
        hardware: rng.random_range(0..6),
    }
}

fn volume(rng: &mut ChaCha8Rng, kind: VolumeKind) -> VolumeStart {
    let start = match rng.random_range(0..16) {
        0..6 => Start::Plain,
        6..10 => Start::Encrypted,
        10 => Start::EncryptedWithoutPassword,
        11 => Start::Suspended,
        12 => Start::EncryptionPaused,
        13 => Start::Decrypting,
        14 => Start::Locked,
        _ => Start::PinDefeated,
    };
    VolumeStart {
        kind,
        start,
        lists: rng.random_bool(0.5),
    }
}

fn chip(rng: &mut ChaCha8Rng) -> Chip {
    match rng.random_range(0..8) {
        0 => Chip::Absent,
        1 => Chip::NotReady,
        _ => Chip::Ready,
    }
}

fn event(rng: &mut ChaCha8Rng) -> Event {
    let device = rng.random_range(0..3);
    let volume = rng.random_range(0..4);
    let minutes = rng.random_range(1..60);
    let n: u8 = rng.random_range(0..16);
    let yes = rng.random_bool(0.5);
    match rng.random_range(0..92) {
        0..4 => Event::AgentDies { device },
        4..10 => Event::AgentDiesInside { device, changes: n % 5 },
        10 | 11 => Event::AgentWiped { device },
        12 | 13 => Event::Wake { device },
        14 => Event::Offline { device, minutes },
        15 | 16 => Event::RequestLost { device },
        17..20 => Event::AnswerLost { device },
        20..22 => Event::RequestLate { device, minutes },
        22..24 => Event::RequestDoubled { device, minutes },
        24 => Event::ClockJumps {
            device,
            minutes: rng.random_range(-100_000..100_000),
        },
        25..28 => Event::ServerKilled { keep: yes, minutes: n },
        28..31 => Event::PowerLoss { keep: yes, minutes: n },
        31 => Event::DiskFull,
        32 => Event::SyncFails,
        33 => Event::ServerClockJumps {
            minutes: rng.random_range(-100_000..100_000),
        },
        34 => Event::ReplicaStops { minutes },
        35 | 36 => Event::FailOver { minutes: n },
        37..42 => Event::HelpDesk { key: n },
        42..45 => Event::SelfService { key: n, person: n % 4 },
        45 | 46 => Event::Rotate {
            device,
            volume: if yes { 7 } else { volume },
        },
        47 => Event::Report { device },
        48 => Event::Prove,
        49 => Event::ProofFails { key: n },
        50 | 51 => Event::Policy { policy: policy(rng) },
        52 => Event::Retire { device },
        53 => Event::TakeBack { device },
        54 => Event::Chip {
            device,
            chip: chip(rng),
        },
        55 | 56 => Event::Reimaged { device },
        57 | 58 => Event::Cloned {
            device,
            volume,
            to: n % 3,
        },
        59 | 60 => Event::Moved {
            device,
            volume,
            to: n % 3,
        },
        61 => Event::Renamed { device },
        62 => Event::Hardware {
            device,
            hardware: n % 6,
        },
        63 => Event::SignsIn { device, person: n % 4 },
        64 => Event::SignsOut { device, person: n % 4 },
        90 | 91 => Event::Wishes { device, person: n % 4 },
        82 => Event::AgentRestored { device },
        83..86 => Event::Imaged { device, volume },
        86..90 => Event::PutBack { device, volume },
        65 | 78..82 => Event::Exempt {
            person: n % 4,
            exempt: yes,
        },
        66 => Event::Pin { device, present: yes },
        67..69 => Event::Restart { device },
        69 => Event::Unlock { device },
        70 => Event::Suspend {
            device,
            volume,
            restarts: n % 4,
        },
        71 => Event::Pause { device, volume },
        72 => Event::StrangerAdds { device, volume },
        73 => Event::StrangerDeletes {
            device,
            volume,
            which: n,
        },
        75 => Event::Battery { device, low: yes },
        76 => Event::RestartPending { device, pending: yes },
        74 => Event::StrangerDeletesAll { device, volume },
        _ => Event::StrangerDecrypts { device, volume },
    }
}
