//! Changes of protectors and of the master key, over healthy and over damaged metadata copies.

use std::sync::Arc;

use fve::io::{ReadAt, WriteAt};
use fve::{Error, ExternalKey, Guid, MasterKeyRotation, Passphrase, ProtectorKind, RecoveryPassword, UnlockedVolume};
use rand::seq::IndexedRandom;
use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::recorder::{Event, Recorder};
use crate::run::{self, Cut, Scenario, Trace};
use crate::secrets::{self, Protectors, Secret};
use crate::shape::{Start, ctx};

/// What is changed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Protectors come, go and change.
    Protectors,
    /// A recovery password takes the place of another.
    Rotation,
    /// The master key.
    MasterKey,
    /// Anything, while copies are damaged between the changes.
    Damaged,
}

/// Changes that took place.
pub(crate) struct Changes {
    kind: Kind,
    trace: Trace,
    states: Vec<Protectors>,
}

impl Changes {
    pub(crate) fn record(kind: Kind, count: usize, start: &Arc<Start>, rng: &mut ChaCha8Rng) -> Self {
        let image = if rng.random() { &start.image } else { &start.encrypted };
        let recorder = Recorder::new(image.clone());
        let mut states = vec![start.protectors.clone()];
        recorder.note(Event::Done(0));
        for _ in 0..count {
            let now = states.last().unwrap();
            if kind == Kind::Damaged {
                damage(&recorder, start, now, rng);
            }
            let mut volume = secrets::open(&recorder, &[now]).unwrap().0;
            let mut next = now.clone();
            match kind {
                Kind::Rotation => rotate(&volume, &mut next, rng).unwrap(),
                Kind::MasterKey => master_key(&mut volume, rng).unwrap(),
                Kind::Protectors | Kind::Damaged if rng.random_ratio(1, 6) => master_key(&mut volume, rng).unwrap(),
                Kind::Protectors | Kind::Damaged => change(&volume, &mut next, rng).unwrap(),
            }
            states.push(next);
            recorder.note(Event::Done(states.len() - 1));
        }
        Self {
            kind,
            trace: Trace {
                start: image.clone(),
                events: recorder.events(),
                view: start.view.clone(),
            },
            states,
        }
    }
}

impl Scenario for Changes {
    fn name(&self) -> &'static str {
        match self.kind {
            Kind::Protectors => "protectors",
            Kind::Rotation => "rotate the recovery password",
            Kind::MasterKey => "rotate the master key",
            Kind::Damaged => "heal damaged copies",
        }
    }

    fn trace(&self) -> &Trace {
        &self.trace
    }

    fn torn(&self, sector: u64) -> bool {
        sector != 0
    }

    fn judge(&self, disk: &Recorder, cut: &Cut, rng: &mut ChaCha8Rng) -> Result<(), String> {
        let told = |what: &'static str| move |error: Error| format!("{what}: {error}");
        let allowed: Vec<&Protectors> = cut.states.iter().map(|&state| &self.states[state]).collect();
        let (volume, which) = secrets::open(disk, &allowed)?;
        let allowed = &allowed[which..=which];
        if let Some((id, Secret::Recovery(password))) = allowed[0].of(|secret| matches!(secret, Secret::Recovery(_))) {
            let read = volume
                .recovery_password(id)
                .map_err(told("reading the password back"))?;
            if read != password {
                return Err("another password is read back".to_owned());
            }
        }
        let view = |volume: &UnlockedVolume<&Recorder>, rng: &mut ChaCha8Rng| {
            let at = rng.random_range(0..cut.view.sure.len() / 512 - 32) * 512;
            if cut.thorough {
                return cut.view.check(volume);
            }
            cut.view.check_range(volume, 0..16384)?;
            cut.view.check_range(volume, at..at + 16384)
        };
        view(&volume, rng)?;
        volume
            .set_description(&mut ctx(rng), "healed")
            .map_err(told("the next change"))?;
        drop(volume);
        let (volume, _) = secrets::open(disk, allowed).map_err(|loss| format!("opened again: {loss}"))?;
        if !volume.copies().iter().all(|copy| copy.current) {
            return Err("the metadata copies differ after a change".to_owned());
        }
        view(&volume, rng)
    }
}

/// Damages up to two of the three copies, as a medium does: durably. One of them may be what a cut leaves of a newer
/// copy: sound by its checksum, and with a signature that is not finished.
fn damage(recorder: &Recorder, start: &Start, now: &Protectors, rng: &mut ChaCha8Rng) {
    let mut damaged: Vec<Vec<u8>> = Vec::new();
    for _ in 0..rng.random_range(0..=2) {
        let mut noise = vec![0; 512 * rng.random_range(1..=128)];
        rng.fill_bytes(&mut noise);
        damaged.push(noise);
    }
    if let Some(one) = damaged.first_mut().filter(|_| rng.random()) {
        *one = unsigned(recorder, start, now, rng);
    }
    let copies = start.shape.regions.metadata;
    for (copy, content) in copies.choose_multiple(rng, 2).zip(damaged) {
        recorder.write_at(*copy, &content).unwrap();
    }
    recorder.flush().unwrap();
}

/// The metadata after one more change, but for the last byte of its signature.
fn unsigned(recorder: &Recorder, start: &Start, now: &Protectors, rng: &mut ChaCha8Rng) -> Vec<u8> {
    let ahead = Recorder::new(recorder.disk());
    let (volume, _) = secrets::open(&ahead, &[now]).unwrap();
    volume.set_description(&mut ctx(rng), "never came about").unwrap();
    let mut area = vec![0; 65536];
    ahead.read_at(start.shape.regions.metadata[0], &mut area).unwrap();
    *area.iter_mut().rfind(|byte| **byte != 0).unwrap() ^= 1;
    area
}

fn rotate(volume: &UnlockedVolume<&Recorder>, next: &mut Protectors, rng: &mut ChaCha8Rng) -> Result<(), Error> {
    let (old, _) = next.of(|secret| matches!(secret, Secret::Recovery(_))).unwrap();
    let (id, password) = volume.rotate_recovery_password(&mut ctx(rng), old)?;
    next.remove(old);
    next.0.push((id, Secret::Recovery(password)));
    Ok(())
}

fn master_key(volume: &mut UnlockedVolume<&Recorder>, rng: &mut ChaCha8Rng) -> Result<(), Error> {
    volume.rotate_master_key(&mut ctx(rng), &MasterKeyRotation::default())
}

/// One change of any kind; those that cost a stretch to check are the rarer ones.
pub(crate) fn change(
    volume: &UnlockedVolume<&Recorder>,
    next: &mut Protectors,
    rng: &mut ChaCha8Rng,
) -> Result<(), Error> {
    let is_external = |secret: &Secret| matches!(secret, Secret::External(_));
    match rng.random_range(0..20) {
        0 => rotate(volume, next, rng)?,
        1 => {
            let password = RecoveryPassword::generate(rng);
            let id = volume.add_recovery_password(&mut ctx(rng), Some(&password), Some("another"))?;
            next.0.push((id, Secret::Recovery(password)));
        }
        2 => {
            let passphrase = Passphrase::new(format!("number {}", rng.random::<u64>()));
            let (id, _) = next.of(|secret| matches!(secret, Secret::Passphrase(_))).unwrap();
            volume.change_passphrase(&mut ctx(rng), id, &passphrase)?;
            next.remove(id);
            next.0.push((id, Secret::Passphrase(passphrase)));
        }
        3..8 => {
            let key = ExternalKey::generate(rng);
            let id = volume.add_external_key(&mut ctx(rng), Some(&key), None)?;
            next.0.push((id, Secret::External(key)));
        }
        8..13 if next.0.iter().filter(|(_, secret)| is_external(secret)).count() > 1 => {
            let (id, _) = next.of(is_external).unwrap();
            volume.remove_protector(&mut ctx(rng), id)?;
            next.remove(id);
        }
        13..15 => {
            let text = format!("number {}", rng.random::<u64>());
            volume.set_description(&mut ctx(rng), &text)?;
        }
        _ if next.of(|secret| matches!(secret, Secret::Clear)).is_some() => {
            volume.resume(&mut ctx(rng))?;
            next.0.retain(|(_, secret)| !matches!(secret, Secret::Clear));
        }
        _ => {
            volume.suspend(&mut ctx(rng), Some(1))?;
            next.0.push((clear_key(volume)?, Secret::Clear));
        }
    }
    Ok(())
}

pub(crate) fn clear_key(volume: &UnlockedVolume<&Recorder>) -> Result<Guid, Error> {
    let protectors = volume.protectors()?;
    let clear = protectors.iter().find(|info| info.kind == ProtectorKind::ClearKey);
    Ok(clear.unwrap().id)
}

fn exhausted(kind: Kind, count: usize) {
    let rng = &mut ChaCha8Rng::seed_from_u64(run::seed());
    let start = Start::pick(rng);
    let tally = run::exhaust(&Changes::record(kind, count, &start, rng), rng).unwrap_or_else(|loss| panic!("{loss}"));
    eprintln!("{tally:?}");
    assert!(tally.cuts > 100, "{tally:?}");
}

fn random(kind: Kind, cuts: usize) {
    let rng = &mut ChaCha8Rng::seed_from_u64(run::seed());
    let start = Start::pick(rng);
    let changes = Changes::record(kind, 20, &start, rng);
    let tally = run::at_random(&changes, cuts, rng).unwrap_or_else(|loss| panic!("{loss}"));
    eprintln!("{tally:?}");
}

#[test]
fn protectors_are_the_old_or_the_new_ones_wherever_a_change_is_cut() {
    exhausted(Kind::Protectors, 20);
    random(Kind::Protectors, 300);
}

#[test]
fn exactly_one_recovery_password_opens_wherever_a_rotation_is_cut() {
    exhausted(Kind::Rotation, 6);
}

#[test]
fn every_protector_opens_wherever_a_rotation_of_the_master_key_is_cut() {
    exhausted(Kind::MasterKey, 6);
}

#[test]
fn damaged_copies_heal_and_the_last_sound_one_is_kept_until_another_is_durable() {
    exhausted(Kind::Damaged, 30);
    random(Kind::Damaged, 300);
}
