//! What each event does to the world.

use std::collections::{BTreeSet, VecDeque};

use domain::ids::{DeviceId, VolumeId};
use domain::ledger::ProofState;
use domain::volume::{ConversionStatus, EncryptionMethod, ProtectorType, VolumeKind};
use store::model::KeyName;

use super::choice::Chip;
use super::device::{Agent, Device, Memory, NetworkFault, Phase, Sequence};
use super::event::{Event, Start, VolumeStart};
use super::provider::protector_uuid;
use super::real::Call;
use super::state::{Answer, Job};
use super::store::{Crash, Mishap};
use super::volume::{Protector, Volume};
use super::world::{Item, To, World, volume_id};

/// More would only repeat themselves.
const MOST_VOLUMES: usize = 6;

impl World {
    pub(super) fn external(&mut self, event: &Event) {
        match event {
            Event::Device {
                volumes,
                chip,
                virtual_machine,
                hardware,
            } => self.device_appears(volumes, *chip, *virtual_machine, *hardware),
            Event::DiskFull => self.store.mishap = Some(Mishap::WriteFails),
            Event::SyncFails => self.store.mishap = Some(Mishap::SyncFails),
            Event::ServerKilled { keep, minutes } => self.server_crashes(Crash::Kill, *keep, *minutes),
            Event::PowerLoss { keep, minutes } => self.server_crashes(Crash::PowerLoss, *keep, *minutes),
            Event::FailOver { minutes } => self.server_crashes(Crash::FailOver, false, *minutes),
            Event::ServerClockJumps { minutes } => self.server_clock += i64::from(*minutes),
            Event::ReplicaStops { minutes } => self.replica_stands_until = self.now + u32::from(*minutes),
            Event::HelpDesk { key } => self.ask_for_key(*key, None),
            Event::SelfService { key, person } => self.ask_for_key(*key, Some(*person)),
            Event::Prove => self.prove(),
            Event::ProofFails { key } => self.proof_fails(*key),
            Event::Policy { policy } => {
                if self.server_up && policy.policy().validate().is_ok() {
                    let policy = policy.plainly();
                    let stop = self.call(|| Call::Policy(policy));
                    self.submit(Job::Policy(policy), To::Nobody, stop);
                }
            }
            Event::Exempt { person, exempt } => {
                if self.server_up {
                    self.exempt(person % 4, *exempt);
                }
            }
            Event::Rotate { device, volume } => {
                if !self.devices.is_empty() {
                    self.ask_to_rotate(*device, *volume);
                }
            }
            Event::Report { device } => {
                if let Some(id) = self.identity_of(*device) {
                    self.ask(id, None);
                }
            }
            Event::Retire { device } => self.set_retired(*device, true),
            Event::TakeBack { device } => self.set_retired(*device, false),
            Event::Cloned { device, volume, to } => self.copy(*device, *volume, *to, false),
            Event::Moved { device, volume, to } => self.copy(*device, *volume, *to, true),
            other => self.upon_a_device(other),
        }
    }

    fn at(&self, device: u8) -> Option<usize> {
        usize::from(device).checked_rem(self.devices.len())
    }

    fn upon_a_device(&mut self, event: &Event) {
        let device = match event {
            Event::AgentDies { device }
            | Event::AgentDiesInside { device, .. }
            | Event::AgentWiped { device }
            | Event::AgentRestored { device }
            | Event::Wake { device }
            | Event::Offline { device, .. }
            | Event::RequestLost { device }
            | Event::AnswerLost { device }
            | Event::RequestLate { device, .. }
            | Event::RequestDoubled { device, .. }
            | Event::ClockJumps { device, .. }
            | Event::Chip { device, .. }
            | Event::Reimaged { device }
            | Event::Renamed { device }
            | Event::Hardware { device, .. }
            | Event::SignsIn { device, .. }
            | Event::SignsOut { device, .. }
            | Event::Wishes { device, .. }
            | Event::Pin { device, .. }
            | Event::Battery { device, .. }
            | Event::RestartPending { device, .. }
            | Event::Restart { device }
            | Event::Unlock { device }
            | Event::Suspend { device, .. }
            | Event::Pause { device, .. }
            | Event::Imaged { device, .. }
            | Event::PutBack { device, .. }
            | Event::StrangerAdds { device, .. }
            | Event::StrangerDeletes { device, .. }
            | Event::StrangerDeletesAll { device, .. }
            | Event::StrangerDecrypts { device, .. } => *device,
            _ => return,
        };
        let Some(at) = self.at(device) else { return };
        self.upon_device(at, event);
    }

    fn upon_device(&mut self, at: usize, event: &Event) {
        let now = self.now;
        let device = &mut self.devices[at];
        match event {
            Event::AgentDies { .. } => self.agent_dies(at),
            Event::AgentDiesInside { changes, .. } => device.agent.lives = Some(u32::from(*changes)),
            Event::AgentWiped { .. } => {
                device.agent.identity = None;
                device.agent.sequence = Sequence::default();
                device.agent.wishes.clear();
                self.agent_dies(at);
            }
            Event::AgentRestored { .. } => {
                device.agent.sequence.restore_older();
                self.agent_dies(at);
            }
            Event::Wake { .. } => {
                let generation = device.agent.generation;
                self.push_in(0, Item::Agent(at, generation));
            }
            Event::Offline { minutes, .. } => device.offline_until = now + u32::from(*minutes),
            Event::RequestLost { .. } => device.network.push_back(NetworkFault::RequestLost),
            Event::AnswerLost { .. } => device.network.push_back(NetworkFault::AnswerLost),
            Event::RequestLate { minutes, .. } => device.network.push_back(NetworkFault::Late(*minutes)),
            Event::RequestDoubled { minutes, .. } => device.network.push_back(NetworkFault::Doubled(*minutes)),
            Event::ClockJumps { minutes, .. } => device.clock += i64::from(*minutes),
            Event::Chip { chip, .. } => device.chip = *chip,
            Event::Reimaged { .. } => self.reimage(at),
            Event::Renamed { .. } => device.hostname += 100,
            Event::Hardware { hardware, .. } => device.hardware = *hardware,
            Event::SignsIn { person, .. } => drop(device.people.insert(person % 4)),
            Event::SignsOut { person, .. } => drop(device.people.remove(&(person % 4))),
            Event::Wishes { person, .. } => {
                let person = person % 4;
                if device.people.contains(&person) && !device.agent.wishes.contains(&person) {
                    device.agent.wishes.push(person);
                }
            }
            Event::Pin { present, .. } => device.pin = *present,
            Event::Battery { low, .. } => device.battery_low = *low,
            Event::RestartPending { pending, .. } => device.restart_pending = *pending,
            Event::Restart { .. } => {
                device.restart_pending = false;
                for volume in &mut device.volumes {
                    let by_itself = volume.auto_unlock.is_some() && volume.home == at;
                    volume.restart(by_itself);
                }
                self.agent_dies(at);
            }
            Event::Unlock { .. } => device.volumes.iter_mut().for_each(|v| v.locked = false),
            Event::Suspend { volume, restarts, .. } => {
                if let Some(volume) = device.volume(*volume) {
                    volume.suspend(*restarts);
                }
            }
            Event::Pause { volume, .. } => {
                if let Some(volume) = device.volume(*volume).filter(|v| !v.locked) {
                    volume.pause();
                }
            }
            Event::Imaged { volume, .. } => {
                if let Some(volume) = device.volume(*volume) {
                    let image = Volume {
                        image: None,
                        ..volume.clone()
                    };
                    volume.image = Some(Box::new(image));
                }
            }
            Event::PutBack { volume, .. } => {
                if let Some(volume) = device.volume(*volume) {
                    volume.put_back();
                }
            }
            Event::StrangerAdds { volume, .. } => {
                let volume = *volume;
                let protector = self.draw_protector(ProtectorType::RecoveryPassword);
                if let Some(volume) = self.devices[at].volume(volume) {
                    let _refused = volume.protect(protector, false);
                }
            }
            Event::StrangerDeletes { volume, which, .. } => {
                if let Some(volume) = device.volume(*volume) {
                    let ids: Vec<_> = volume.recovery_passwords().map(|p| p.id).collect();
                    if let Some(n) = usize::from(*which).checked_rem(ids.len()) {
                        let _refused = volume.delete(ids[n]);
                    }
                }
            }
            Event::StrangerDeletesAll { volume, .. } => {
                if let Some(volume) = device.volume(*volume) {
                    let ids: Vec<_> = volume.recovery_passwords().map(|p| p.id).collect();
                    for id in ids {
                        let _refused = volume.delete(id);
                    }
                }
            }
            Event::StrangerDecrypts { volume, .. } => {
                if let Some(volume) = device.volume(*volume) {
                    let _refused = volume.decrypt(true);
                }
            }
            _ => {}
        }
    }

    fn device_appears(&mut self, starts: &[VolumeStart], chip: Chip, virtual_machine: bool, hardware: u8) {
        let at = self.devices.len();
        let mut volumes = Vec::with_capacity(starts.len());
        let mut has_os = false;
        for (n, start) in starts.iter().take(MOST_VOLUMES).enumerate() {
            let mut start = *start;
            // A machine runs one operating system at a time.
            if start.kind == VolumeKind::Os && std::mem::replace(&mut has_os, true) {
                start.kind = VolumeKind::Fixed;
            }
            let mut volume = self.volume_appears(at, n, start);
            volume.home = at;
            volumes.push(volume);
        }
        self.devices.push(Device {
            volumes,
            chip,
            virtual_machine,
            hostname: u32::try_from(at).unwrap_or(0),
            hardware,
            people: BTreeSet::from([u8::try_from(at % 4).unwrap_or(0), hardware % 4]),
            pin: false,
            clock: 0,
            battery_low: false,
            restart_pending: false,
            offline_until: 0,
            network: VecDeque::new(),
            agent: Agent::default(),
        });
        self.push_in(0, Item::Agent(at, 0));
        let first = 5 + self.chance(17);
        self.push_in(first, Item::Progress(at));
    }

    fn volume_appears(&mut self, device: usize, n: usize, start: VolumeStart) -> Volume {
        self.drawn += 1;
        let mut volume = Volume::plain(format!("{device}-{n}"), start.kind, volume_id(self.drawn));
        volume.lists_protectors_when_locked = start.lists;
        if start.start == Start::Plain {
            return volume;
        }
        volume.conversion = match start.start {
            Start::EncryptionPaused => ConversionStatus::EncryptionPaused,
            Start::Decrypting => ConversionStatus::DecryptionInProgress,
            _ => ConversionStatus::FullyEncrypted,
        };
        volume.method = match start.start {
            Start::EncryptedWithoutPassword => EncryptionMethod::Aes128,
            _ => EncryptionMethod::XtsAes128,
        };
        let os = start.kind == VolumeKind::Os;
        volume.protectors.push(self.draw_protector(if os {
            ProtectorType::Tpm
        } else {
            ProtectorType::ExternalKey
        }));
        match start.start {
            Start::EncryptedWithoutPassword => {}
            Start::PinDefeated if os => volume.protectors.push(self.draw_protector(ProtectorType::TpmPin)),
            _ => volume
                .protectors
                .push(self.draw_protector(ProtectorType::RecoveryPassword)),
        }
        match start.start {
            Start::Suspended => volume.suspended = Some(0),
            Start::Locked => volume.locked = !os,
            _ => {}
        }
        volume
    }

    fn draw_protector(&mut self, kind: ProtectorType) -> Protector {
        self.drawn += 1;
        Protector {
            id: domain::ids::ProtectorId(protector_uuid(self.drawn)),
            kind,
            name: None,
            secret: self.drawn,
        }
    }

    /// The operating system volume is written anew; the agent with it. Data volumes lose the key that unlocked them.
    fn reimage(&mut self, at: usize) {
        self.drawn += 1;
        let id: VolumeId = volume_id(self.drawn);
        let device = &mut self.devices[at];
        for volume in &mut device.volumes {
            if volume.kind == VolumeKind::Os {
                *volume = Volume {
                    home: at,
                    ..Volume::plain(volume.device.clone(), VolumeKind::Os, id)
                };
            } else {
                volume.home = usize::MAX;
            }
        }
        device.agent.identity = None;
        device.agent.sequence = Sequence::default();
        device.agent.wishes.clear();
        self.agent_dies(at);
    }

    /// A disk is copied into another device, or moved there.
    fn copy(&mut self, from: u8, volume: u8, to: u8, moves: bool) {
        let (Some(from), Some(to)) = (self.at(from), self.at(to)) else {
            return;
        };
        let count = self.devices[from].volumes.len();
        let Some(at) = usize::from(volume).checked_rem(count) else {
            return;
        };
        let os = self.devices[from].volumes[at].kind == VolumeKind::Os;
        if self.devices[to].volumes.len() >= MOST_VOLUMES || from == to || (moves && os) {
            return;
        }
        let mut volume = match moves {
            true => self.devices[from].volumes.remove(at),
            false => self.devices[from].volumes[at].clone(),
        };
        self.drawn += 1;
        volume.device = format!("{to}-moved-{}", self.drawn);
        if volume.kind == VolumeKind::Os {
            volume.kind = VolumeKind::Fixed;
        }
        volume.locked = volume.is_encrypted() && volume.suspended.is_none();
        volume.suspended = volume.suspended.map(|_| 0);
        volume.home = usize::MAX;
        self.devices[to].volumes.push(volume);
    }

    fn set_retired(&mut self, device: u8, retired: bool) {
        if let Some(device) = self.identity_of(device).filter(|_| self.server_up) {
            self.retire(device, retired);
        }
    }

    /// The background worker: what opens the volume is proven, what does not fails. It sees the metadata that came along,
    /// which carries the protector whose password is right.
    pub(super) fn prove(&mut self) {
        if !self.server_up {
            return;
        }
        let mut unproven = Vec::new();
        for key in &self.store.state.keys {
            let newest = key.versions.len().saturating_sub(1);
            if let Some(version) = key.versions.get(newest)
                && version.proof == ProofState::NotProven
            {
                unproven.push((key.name, newest));
            }
        }
        for (name, version) in unproven {
            self.record_proof(name, version, ProofState::Proven);
        }
    }

    fn record_proof(&mut self, name: KeyName, version: usize, proof: ProofState) {
        let stop = self.call(|| Call::Proof(name, version, proof));
        self.submit(Job::Proof { name, version, proof }, To::Nobody, stop);
    }

    fn retire(&mut self, device: DeviceId, retired: bool) {
        let stop = self.call(|| Call::Retire(device, retired));
        if self.is_unknown(device) {
            self.real_does(&Answer::Refused, stop);
        } else {
            self.submit(Job::Retire { device, retired }, To::Nobody, stop);
        }
    }

    /// What is stored is found not to open the volume: it was damaged on its way, say.
    fn proof_fails(&mut self, n: u8) {
        let count = self.store.state.keys.len();
        let Some(at) = usize::from(n).checked_rem(count) else {
            return;
        };
        let key = &self.store.state.keys[at];
        let (name, version) = (key.name, key.versions.len().saturating_sub(1));
        if self.server_up {
            self.record_proof(name, version, ProofState::Failed);
        }
    }

    /// Quiet: nothing is in anybody's way any more.
    pub(super) fn calm(&mut self) {
        self.store.mishap = None;
        self.replica_stands_until = 0;
        for at in 0..self.devices.len() {
            let device = &mut self.devices[at];
            device.offline_until = 0;
            device.network.clear();
            device.pin = true;
            device.battery_low = false;
            device.restart_pending = false;
            device.agent.lives = None;
            for volume in &mut device.volumes {
                volume.locked = false;
                volume.suspended = volume.suspended.filter(|&n| n == 0 || volume.protectors.is_empty());
            }
            let generation = device.agent.generation;
            if matches!(device.agent.phase, Phase::Idle) {
                self.push_in(0, Item::Agent(at, generation));
            }
            if let Some(id) = self.devices[at].agent.identity
                && self.server_up
                && self.store.state.device(id).is_some_and(|d| d.retired)
            {
                self.retire(id, false);
            }
            // A server that lost the device's record tells it to enrol again.
            if let Some(id) = self.devices[at].agent.identity
                && self.store.state.device(id).is_none()
            {
                self.devices[at].agent.identity = None;
                self.devices[at].agent.memory = Memory::default();
            }
        }
        self.prove();
    }
}
