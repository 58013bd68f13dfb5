//! The device with its agent, and the server's ledger.

use std::collections::{BTreeMap, BTreeSet};

use domain::ids::{ProtectorId, VolumeId};
use domain::inventory::{Inventory, Tpm};
use domain::ledger::{KeyRecord, KeyState, Ledger, ProofState, disclose, observe_inventory};
use domain::plan::check::check;
use domain::plan::{Action, Plan, RotateRequest, Situation, plan};
use domain::policy::{Encryption, Policy};
use domain::time::Timestamp;
use domain::volume::{ConversionStatus, ProtectorType, VolumeKind};
use uuid::Uuid;

use super::history::Event;
use super::provider::{Refusal, Volume};
use crate::build::device;

#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) policy: Policy,
    pub(crate) tpm: Tpm,
    pub(crate) virtual_machine: bool,
    pub(crate) volumes: Vec<Volume>,
    /// What the server has; the second says whether the stored password is the right one.
    pub(crate) server: BTreeMap<(VolumeId, ProtectorId), (KeyRecord, bool)>,
    pub(crate) requests: Vec<RotateRequest>,
    /// The ledger as the agent got it last; may be old, or lost.
    pub(crate) agents_ledger: Ledger,
    pub(crate) next_id: u128,
    /// Volumes that carried a key which the server holds: they must for ever after (P2).
    pub(crate) has_way_back: BTreeSet<VolumeId>,
}

impl World {
    pub(crate) fn happen(&mut self, event: Event) {
        match event {
            Event::Cycle {
                reachable,
                pin,
                crash_after,
            } => self.cycle(reachable, pin, crash_after),
            Event::Disclose(n) => self.with_nth_key(n, |(record, _)| *record = disclose(record.clone())),
            Event::Rotate(n) => self.ask_to_rotate(n),
            Event::Prove => self.prove(),
            Event::Reboot => self.reboot(),
            Event::Progress => self.progress(),
            Event::Pause(n) => self.with_nth_volume(n, |v| {
                v.conversion = match v.conversion {
                    ConversionStatus::EncryptionInProgress => ConversionStatus::EncryptionPaused,
                    ConversionStatus::DecryptionInProgress => ConversionStatus::DecryptionPaused,
                    other => other,
                }
            }),
            Event::Suspend(n, restarts) => self.with_nth_volume(n, |v| {
                if v.is_encrypted() && !v.locked && !v.protectors.is_empty() {
                    v.suspended = Some(if v.kind == VolumeKind::Os { restarts } else { 0 });
                }
            }),
            Event::RunOutSuspensions => {
                for volume in &mut self.volumes {
                    volume.suspended = volume.suspended.filter(|&n| n == 0 || volume.protectors.is_empty());
                }
            }
            Event::UnlockAll => self.volumes.iter_mut().for_each(|v| v.locked = false),
            Event::StrangerAdds(n) => {
                let id = self.draw();
                self.with_nth_volume(n, |v| {
                    let _ = v.protect(id, ProtectorType::RecoveryPassword, false);
                });
            }
            Event::StrangerDeletes(n) => self.with_nth_volume(n, |v| {
                for id in v.recovery_passwords().collect::<Vec<_>>() {
                    let _ = v.delete(id);
                }
            }),
            Event::StrangerDecrypts(n) => self.with_nth_volume(n, |v| {
                let _ = v.decrypt(true);
            }),
            Event::AgentWiped => self.agents_ledger = Ledger::default(),
            Event::NewPolicy(policy) => self.policy = *policy,
            Event::NewTpm(tpm) => self.tpm = tpm,
        }
    }

    /// What the device would do now, and what that was decided from.
    pub(crate) fn look(&mut self, reachable: bool, pin: bool) -> (Plan, Inventory, Ledger) {
        let inventory = Inventory {
            tpm: self.tpm.clone(),
            virtual_machine: self.virtual_machine,
            ..device(self.volumes.iter().map(Volume::report).collect())
        };
        if reachable {
            self.server_observes(&inventory);
            self.agents_ledger = Ledger(self.server.values().map(|(record, _)| record.entry.clone()).collect());
        }
        let situation = Situation {
            server_reachable: reachable,
            pin_available: pin,
            rotate: if reachable { self.requests.clone() } else { Vec::new() },
            ..Situation::default()
        };
        let ledger = self.agents_ledger.clone();
        let plan = plan(&self.policy, &inventory, &ledger, &situation);
        (plan, inventory, ledger)
    }

    fn cycle(&mut self, reachable: bool, pin: bool, crash_after: Option<usize>) {
        let (planned, inventory, ledger) = self.look(reachable, pin);
        self.note_ways_back();
        check(&planned, &inventory, &ledger, &self.policy, &Situation::default())
            .expect("the checker agrees with the planner");
        for action in planned.actions.iter().take(crash_after.unwrap_or(usize::MAX)) {
            assert!(reachable || !matches!(action, Action::Escrow { .. } | Action::DeleteProtector { .. }));
            self.carry_out(action)
                .unwrap_or_else(|code| panic!("{code} for {action:?}\n{planned:#?}"));
            self.assert_ways_back();
        }
        if crash_after.is_none() {
            let (again, ..) = self.look(reachable, pin);
            let repeated = again.actions.iter().find(|a| planned.actions.contains(a));
            assert_eq!(repeated, None, "a step that was carried out is planned again");
        }
    }

    fn carry_out(&mut self, action: &Action) -> Result<(), Refusal> {
        let at = self
            .volumes
            .iter()
            .position(|v| v.device == action.device())
            .expect("a known volume");
        let tpm_ready = matches!(self.tpm, Tpm::Ready { .. });
        let os_protected = self
            .volumes
            .iter()
            .any(|v| v.kind == VolumeKind::Os && v.is_protected());
        let os_holds_keys = self.volumes.iter().any(|v| v.auto_unlock.is_some());
        let id = self.draw();
        let escrow = self.policy.client.escrow;
        let held = self.held(&self.volumes[at]);
        let volume = &mut self.volumes[at];
        match action {
            Action::AddRecoveryPassword { .. } => volume.protect(id, ProtectorType::RecoveryPassword, tpm_ready),
            Action::AddTpm { .. } => volume.protect(id, ProtectorType::Tpm, tpm_ready),
            Action::AddTpmPin { .. } => volume.protect(id, ProtectorType::TpmPin, tpm_ready),
            Action::AddAutoUnlock { .. } => volume.enable_auto_unlock(id, os_protected),
            Action::RemoveAutoUnlock { .. } => volume.disable_auto_unlock(),
            Action::DeleteProtector { protector, .. } => volume.delete(*protector),
            Action::Decrypt { .. } => volume.decrypt(os_holds_keys),
            Action::Escrow { protector, .. } => {
                self.escrow(at, *protector);
                Ok(())
            }
            Action::Encrypt { method, .. } => {
                assert!(held || !escrow, "P1: encryption before escrow");
                volume.encrypt(*method)
            }
            Action::AddPassphrase { .. } | Action::WriteSettings { .. } => panic!("nothing here asks for that"),
            Action::EnableProtectors { .. } => {
                assert!(held || !escrow, "P1: out of suspension before escrow");
                volume.enable_protectors()
            }
            Action::ResumeConversion { .. } => {
                let begins = volume.conversion == ConversionStatus::EncryptionPaused;
                assert!(held || !escrow || !begins, "P1: encryption goes on before escrow");
                volume.resume_conversion()
            }
        }
    }

    fn escrow(&mut self, at: usize, wanted: Option<ProtectorId>) {
        let volume = &self.volumes[at];
        assert!(!volume.locked, "a password cannot be read back from a locked volume");
        for protector in volume.recovery_passwords().filter(|p| wanted.is_none_or(|w| w == *p)) {
            self.server
                .entry((volume.id, protector))
                .or_insert_with(|| (KeyRecord::new(volume.id, protector, Timestamp(0)), true));
        }
    }

    fn server_observes(&mut self, inventory: &Inventory) {
        let records: Vec<KeyRecord> = self.server.values().map(|(record, _)| record.clone()).collect();
        for change in observe_inventory(&records, inventory) {
            let (record, _) = self
                .server
                .get_mut(&(change.volume, change.protector))
                .expect("a known key");
            assert_eq!(record.entry.state, change.from);
            record.entry.state = change.to;
        }
    }

    /// The server's background worker.
    fn prove(&mut self) {
        for (record, right) in self.server.values_mut() {
            record.entry.proof = if *right { ProofState::Proven } else { ProofState::Failed };
        }
    }

    fn ask_to_rotate(&mut self, n: usize) {
        let volume = self.volumes.get(n % (self.volumes.len() + 1)).map(|v| v.id);
        let keys = self
            .server
            .keys()
            .filter(|(v, _)| volume.is_none_or(|wanted| wanted == *v));
        self.requests.push(RotateRequest {
            volume,
            protectors: keys.map(|(_, p)| *p).collect(),
        });
    }

    fn reboot(&mut self) {
        for volume in &mut self.volumes {
            volume.suspended = match volume.suspended {
                Some(1) if !volume.protectors.is_empty() => None,
                Some(n) if n > 1 => Some(n - 1),
                other => other,
            };
            let opens = volume.kind == VolumeKind::Os || volume.suspended.is_some() || volume.auto_unlock.is_some();
            volume.locked = volume.is_encrypted() && !opens;
        }
    }

    fn progress(&mut self) {
        for at in 0..self.volumes.len() {
            let identity = VolumeId(self.draw().0);
            if !self.volumes[at].locked {
                self.volumes[at].progress(identity);
            }
        }
    }

    /// The server holds a key that the volume carries, as far as anybody could know.
    fn held(&self, volume: &Volume) -> bool {
        volume.recovery_passwords().any(|p| {
            self.server.get(&(volume.id, p)).is_some_and(|(record, _)| {
                record.entry.proof != ProofState::Failed || self.agent_relies_on(volume.id, p)
            })
        })
    }

    /// The agent's ledger may be older than the proof that failed.
    fn agent_relies_on(&self, volume: VolumeId, protector: ProtectorId) -> bool {
        self.agents_ledger.holds(volume, protector)
    }

    /// What people and proofs did between two cycles is not the agent's doing; from here on it is.
    fn note_ways_back(&mut self) {
        let held: Vec<VolumeId> = self.volumes.iter().filter(|v| self.held(v)).map(|v| v.id).collect();
        self.has_way_back = held.into_iter().collect();
    }

    fn assert_ways_back(&mut self) {
        for volume in &self.volumes {
            let held = self.held(volume);
            assert!(
                held || !self.has_way_back.contains(&volume.id),
                "P2: no way back into {volume:#?}"
            );
            assert!(
                volume.suspended.is_some() || !volume.is_encrypted() || !volume.protectors.is_empty(),
                "nothing opens {volume:#?}"
            );
            if held {
                self.has_way_back.insert(volume.id);
            }
        }
    }

    pub(crate) fn assert_no_exposed_key_is_left(&self, inventory: &Inventory) {
        let client = &self.policy.client;
        if !client.escrow || !client.rotate_after_disclosure || !self.policy.manages(inventory) {
            return;
        }
        for volume in self.volumes.iter().filter(|v| v.is_encrypted()) {
            if self.policy.rule(volume.kind).encryption == Encryption::Forbid {
                continue;
            }
            for protector in volume.recovery_passwords() {
                let state = self
                    .server
                    .get(&(volume.id, protector))
                    .map(|(record, _)| record.entry.state);
                assert!(
                    state != Some(KeyState::Disclosed),
                    "P5: exposed key {protector} left on {volume:#?}"
                );
            }
        }
    }

    fn with_nth_volume(&mut self, n: usize, change: impl FnOnce(&mut Volume)) {
        let count = self.volumes.len().max(1);
        if let Some(volume) = self.volumes.get_mut(n % count) {
            change(volume);
        }
    }

    fn with_nth_key(&mut self, n: usize, change: impl FnOnce(&mut (KeyRecord, bool))) {
        let count = self.server.len().max(1);
        if let Some(key) = self.server.values_mut().nth(n % count) {
            change(key);
        }
    }

    fn draw(&mut self) -> ProtectorId {
        self.next_id += 1;
        ProtectorId(Uuid::from_u128(self.next_id))
    }
}
