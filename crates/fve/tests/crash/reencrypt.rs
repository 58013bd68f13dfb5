//! A new volume encryption key, with or without a new master key, and what may come between.

use std::sync::Arc;

use fve::{ConversionStatus, EncryptionMethod, Error, MasterKeyRotation, ReencryptOptions, UnlockedVolume, Volume};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::disk::Disk;
use crate::recorder::{Event, Recorder};
use crate::run::{self, Cut, Scenario, Trace};
use crate::secrets;
use crate::shape::{Start, ctx};

/// A re-encryption that took place.
pub(crate) struct Reencrypt {
    start: Arc<Start>,
    trace: Trace,
    /// The device at its end.
    end: Disk,
}

impl Reencrypt {
    pub(crate) fn record(start: Arc<Start>, unrest: bool, rng: &mut ChaCha8Rng) -> Self {
        let recorder = Recorder::new(start.encrypted.clone());
        let open = || secrets::open(&recorder, &[&start.protectors]).unwrap().0;
        let options = ReencryptOptions {
            new_master_key: rng.random_ratio(1, 3).then(MasterKeyRotation::default),
            ..ReencryptOptions::default()
        };
        let methods = [
            EncryptionMethod::AesXts128,
            EncryptionMethod::AesXts256,
            EncryptionMethod::AesCbc256,
        ];
        let method = *methods.choose(rng).unwrap();
        let mut volume = open().begin_reencryption(&mut ctx(rng), method, &options).unwrap();
        loop {
            if unrest && rng.random_ratio(1, 8) {
                volume.pause(&mut ctx(rng)).unwrap();
                volume.resume_conversion(&mut ctx(rng)).unwrap();
            }
            if unrest && rng.random_ratio(1, 8) {
                volume = open();
            }
            if volume.convert_step(&mut ctx(rng)).unwrap().finished {
                break;
            }
        }
        recorder.note(Event::Done(1));
        Self {
            trace: Trace {
                start: start.encrypted.clone(),
                events: recorder.events(),
                view: start.view.clone(),
            },
            end: recorder.disk(),
            start,
        }
    }

    fn finish(volume: &UnlockedVolume<&Recorder>, rng: &mut ChaCha8Rng) -> Result<(), Error> {
        if volume.conversion_status() == ConversionStatus::ReencryptionPaused {
            volume.resume_conversion(&mut ctx(rng))?;
        }
        while !volume.convert_step(&mut ctx(rng))?.finished {}
        Ok(())
    }

    /// Fully encrypted it is with the old key or with the new one, bit for bit.
    fn check_finished(&self, disk: &Recorder, acknowledged: bool) -> Result<(), String> {
        let mut but = self.start.shape.metadata();
        but.push(self.start.shape.log_page());
        let disk = disk.disk();
        match (disk.differs(&self.end, &but), disk.differs(&self.start.encrypted, &but)) {
            (None, _) => Ok(()),
            (_, None) if !acknowledged => Ok(()),
            (Some(new), old) => Err(format!("neither the new (at {new}) nor the old volume (at {old:?})")),
        }
    }
}

impl Scenario for Reencrypt {
    fn name(&self) -> &'static str {
        "re-encrypt"
    }

    fn trace(&self) -> &Trace {
        &self.trace
    }

    fn torn(&self, sector: u64) -> bool {
        sector != 0
    }

    fn judge(&self, disk: &Recorder, cut: &Cut, rng: &mut ChaCha8Rng) -> Result<(), String> {
        let told = |what: &'static str| move |error: Error| format!("{what}: {error}");
        let (volume, _) = secrets::open(disk, &[&self.start.protectors])?;
        cut.view.check(&volume)?;
        let finished = volume.conversion_status() == ConversionStatus::FullyEncrypted;
        if finished {
            self.check_finished(disk, cut.acknowledged)?;
        }
        volume.recover(&mut ctx(rng)).map_err(told("recovering"))?;
        if cut.thorough {
            Self::finish(&volume, rng).map_err(told("finishing"))?;
            self.check_finished(disk, !finished)?;
        } else if volume.conversion_status() == ConversionStatus::ReencryptionInProgress {
            cut.view
                .check(&volume)
                .map_err(|loss| format!("after recovery: {loss}"))?;
            volume.convert_step(&mut ctx(rng)).map_err(told("going on"))?;
        }
        drop(volume);
        let (volume, _) = secrets::open(disk, &[&self.start.protectors])?;
        if volume.needs_recovery() {
            return Err("it needs recovery after recovery".to_owned());
        }
        cut.view
            .check(&volume)
            .map_err(|loss| format!("after going on: {loss}"))?;
        let half = Volume::open(disk).map_err(told("opening"))?.info().status;
        if cut.thorough && half != ConversionStatus::FullyEncrypted {
            return Err(format!("its state at the end is {half:?}"));
        }
        Ok(())
    }
}

#[test]
fn re_encryption_cut_anywhere_in_any_way_loses_nothing() {
    let rng = &mut ChaCha8Rng::seed_from_u64(run::seed());
    let start = crate::convert::tiny(68, rng);
    let tally = run::exhaust(&Reencrypt::record(start, false, rng), rng).unwrap_or_else(|loss| panic!("{loss}"));
    eprintln!("{tally:?}");
    assert!(tally.cuts > 500, "{tally:?}");
}

#[test]
fn re_encryption_that_pauses_loses_nothing_at_random_cuts() {
    for seed in 0..4 {
        let rng = &mut ChaCha8Rng::seed_from_u64(run::seed() + seed);
        let start = Start::pick(rng);
        let reencryption = Reencrypt::record(start, true, rng);
        run::at_random(&reencryption, 60, rng).unwrap_or_else(|loss| panic!("{loss}"));
    }
}
