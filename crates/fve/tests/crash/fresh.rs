//! Volumes that come and go: created from an image, initialised in place, taken back.

use std::sync::Arc;

use fve::io::ReadAt;
use fve::{
    ConversionMode, ConversionStatus, CreateOptions, Credential, Error, ExternalKey, InitOptions, NewProtector,
    UnlockedVolume, Volume, create, initialise, is_fve,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::disk::Disk;
use crate::recorder::{Event, Recorder};
use crate::run::{self, Cut, Scenario, Trace};
use crate::secrets;
use crate::shape::{Start, ctx, noise};

fn told(what: &'static str) -> impl Fn(Error) -> String {
    move |error| format!("{what}: {error}")
}

fn whether_fve(disk: &Recorder) -> Result<bool, String> {
    is_fve(disk).map_err(|error| format!("half a boot sector: {error}"))
}

/// Putting BitLocker over a plain volume: up to one sector it is the plain volume, from then on the new one.
pub(crate) struct Initialise {
    start: Arc<Start>,
    trace: Trace,
}

impl Initialise {
    pub(crate) fn record(start: Arc<Start>, rng: &mut ChaCha8Rng) -> Self {
        let recorder = Recorder::new(start.plain.clone());
        drop(Self::run(&start, &recorder, rng).unwrap());
        recorder.note(Event::Done(1));
        Self {
            trace: Trace {
                start: start.plain.clone(),
                events: recorder.events(),
                view: start.view.clone(),
            },
            start,
        }
    }

    fn run<'d>(start: &Start, disk: &'d Recorder, rng: &mut ChaCha8Rng) -> Result<UnlockedVolume<&'d Recorder>, Error> {
        let options = InitOptions {
            method: start.shape.method,
            placement: start.shape.placement(),
            ..InitOptions::default()
        };
        initialise(disk, &options, &mut ctx(rng))
    }
}

impl Scenario for Initialise {
    fn name(&self) -> &'static str {
        "initialise in place"
    }

    fn trace(&self) -> &Trace {
        &self.trace
    }

    fn torn(&self, sector: u64) -> bool {
        sector != 0
    }

    fn judge(&self, disk: &Recorder, cut: &Cut, rng: &mut ChaCha8Rng) -> Result<(), String> {
        let volume = if whether_fve(disk)? {
            let volume = Volume::open(disk).map_err(told("opening"))?;
            volume.unlock(&Credential::ClearKey).map_err(told("unlocking"))?
        } else {
            if cut.acknowledged {
                return Err("the volume was initialised and is not".to_owned());
            }
            if let Some(at) = disk.disk().differs(&self.start.plain, &self.start.shape.reserved()) {
                return Err(format!("the plain volume was changed at {at}"));
            }
            Self::run(&self.start, disk, rng).map_err(told("initialising again"))?
        };
        // Encrypted it is only by the judge before, in cuts of what that one did.
        let decrypted = volume.conversion_status() == ConversionStatus::FullyDecrypted;
        cut.view.check(&volume)?;
        if cut.thorough {
            if decrypted {
                let begun = volume.begin_encryption(&mut ctx(rng), ConversionMode::Full);
                begun.map_err(told("beginning"))?;
            }
            while !volume.convert_step(&mut ctx(rng)).map_err(told("encrypting"))?.finished {}
            cut.view.check(&volume).map_err(|loss| format!("encrypted: {loss}"))?;
        }
        Ok(())
    }
}

/// Taking BitLocker off again.
pub(crate) struct Deinitialise {
    start: Arc<Start>,
    trace: Trace,
}

impl Deinitialise {
    pub(crate) fn record(start: Arc<Start>) -> Self {
        let recorder = Recorder::new(start.image.clone());
        let (volume, _) = secrets::open(&recorder, &[&start.protectors]).unwrap();
        volume.deinitialise().unwrap();
        recorder.note(Event::Done(1));
        Self {
            trace: Trace {
                start: start.image.clone(),
                events: recorder.events(),
                view: start.view.clone(),
            },
            start,
        }
    }
}

impl Scenario for Deinitialise {
    fn name(&self) -> &'static str {
        "deinitialise"
    }

    fn trace(&self) -> &Trace {
        &self.trace
    }

    fn torn(&self, sector: u64) -> bool {
        sector != 0
    }

    fn judge(&self, disk: &Recorder, cut: &Cut, _: &mut ChaCha8Rng) -> Result<(), String> {
        if whether_fve(disk)? {
            if cut.acknowledged {
                return Err("BitLocker was taken off and is there".to_owned());
            }
            let (volume, _) = secrets::open(disk, &[&self.start.protectors])?;
            cut.view.check(&volume)?;
            volume.deinitialise().map_err(told("taking it off again"))?;
        }
        match disk.disk().differs(&self.start.plain, &self.start.shape.reserved()) {
            None => Ok(()),
            Some(at) => Err(format!("the plain volume differs at {at}")),
        }
    }
}

/// What a device held before a volume is created on it.
enum Before {
    Nothing,
    /// A plain file system.
    Plain,
    /// Another encrypted volume.
    Volume,
}

/// Making a volume from an image. Until it is whole the device holds what it held, whole, or nothing that anyone
/// would take for a volume.
pub(crate) struct Create {
    start: Arc<Start>,
    before: Before,
    key: ExternalKey,
    trace: Trace,
}

impl Create {
    pub(crate) fn record(start: Arc<Start>, rng: &mut ChaCha8Rng) -> Self {
        let (before, device) = match rng.random_range(0..3) {
            0 => (Before::Nothing, Disk::new(vec![0; start.shape.size as usize])),
            1 => (Before::Plain, noise(&start.shape, rng)),
            _ => (Before::Volume, start.encrypted.clone()),
        };
        let recorder = Recorder::new(device.clone());
        let key = ExternalKey::generate(rng);
        drop(Self::run(&start, &key, &recorder, rng).unwrap());
        recorder.note(Event::Done(1));
        Self {
            before,
            key,
            trace: Trace {
                start: device,
                events: recorder.events(),
                view: start.view.clone(),
            },
            start,
        }
    }

    fn run<'d>(
        start: &Start,
        key: &ExternalKey,
        disk: &'d Recorder,
        rng: &mut ChaCha8Rng,
    ) -> Result<UnlockedVolume<&'d Recorder>, Error> {
        let options = CreateOptions {
            method: start.shape.method,
            placement: start.shape.placement(),
            protectors: &[NewProtector::ExternalKey(key), NewProtector::ClearKey],
            ..CreateOptions::default()
        };
        create(disk, &start.plain, &options, &mut ctx(rng))
    }

    /// Whether the device holds what it held before, to the last sector.
    fn untouched(&self, disk: &Recorder) -> bool {
        disk.disk().differs(&self.trace.start, &[]).is_none()
    }

    fn is_new(&self, disk: &Recorder) -> Result<UnlockedVolume<Disk>, Error> {
        Volume::open(disk.disk())?.unlock(&Credential::ClearKey)
    }
}

impl Scenario for Create {
    fn name(&self) -> &'static str {
        "create from an image"
    }

    fn trace(&self) -> &Trace {
        &self.trace
    }

    fn torn(&self, sector: u64) -> bool {
        sector != 0
    }

    fn judge(&self, disk: &Recorder, cut: &Cut, rng: &mut ChaCha8Rng) -> Result<(), String> {
        let mut first = [0; 512];
        disk.read_at(0, &mut first).unwrap();
        if whether_fve(disk)? {
            match self.is_new(disk) {
                Ok(volume) if volume.conversion_status() == ConversionStatus::FullyEncrypted => {
                    cut.view.check(&volume)?;
                    return Ok(());
                }
                _ if matches!(self.before, Before::Volume) && self.untouched(disk) => {}
                Ok(volume) => return Err(format!("its state is {:?}", volume.conversion_status())),
                Err(error) => return Err(format!("a volume that is not whole: {error}")),
            }
        } else if cut.acknowledged {
            return Err("the volume was created and is not".to_owned());
        } else if first != [0; 512] && !self.untouched(disk) {
            return Err("the device still looks like what it held and is not".to_owned());
        }
        if cut.thorough {
            let volume = Self::run(&self.start, &self.key, disk, rng).map_err(told("creating it again"))?;
            cut.view.check(&volume)?;
        }
        Ok(())
    }
}

fn exhausted(scenario: &dyn Scenario, rng: &mut ChaCha8Rng) {
    let mut tally = run::exhaust(scenario, rng).unwrap_or_else(|loss| panic!("{loss}"));
    let random = run::at_random(scenario, 60, rng).unwrap_or_else(|loss| panic!("{loss}"));
    tally.cuts += random.cuts;
    eprintln!("{}: {tally:?}", scenario.name());
    assert!(tally.cuts > 80, "{tally:?}");
}

/// Some volumes with sectors of either size.
fn starts(rng: &mut ChaCha8Rng) -> Vec<Arc<Start>> {
    let mut starts: Vec<Arc<Start>> = Vec::new();
    while starts.len() < 2 || starts.iter().all(|start| start.shape.sector_size == 512) {
        starts.push(Start::pick(rng));
    }
    starts
}

#[test]
fn initialising_cut_anywhere_leaves_the_plain_volume_or_the_new_one() {
    let rng = &mut ChaCha8Rng::seed_from_u64(run::seed());
    for start in starts(rng) {
        exhausted(&Initialise::record(start, rng), rng);
    }
}

#[test]
fn taking_bitlocker_off_cut_anywhere_leaves_the_volume_or_the_plain_one() {
    let rng = &mut ChaCha8Rng::seed_from_u64(run::seed());
    for start in starts(rng) {
        exhausted(&Deinitialise::record(start), rng);
    }
}

#[test]
fn creating_cut_anywhere_leaves_what_was_there_or_nothing_or_the_whole_volume() {
    let rng = &mut ChaCha8Rng::seed_from_u64(run::seed());
    for start in starts(rng) {
        exhausted(&Create::record(Arc::clone(&start), rng), rng);
    }
}
