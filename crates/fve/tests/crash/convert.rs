//! Encryption and decryption with everything that may come between: pauses, turns, the file system's own writes,
//! protectors that change, the program ending, the device failing.

use std::ops::Range;
use std::sync::Arc;

use fve::io::WriteAt;
use fve::{ConversionMode, ConversionStatus, Error, UnlockedVolume};
use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::protect;
use crate::recorder::{Event, Fault, Recorder, Write};
use crate::run::{self, Cut, Scenario, Trace};
use crate::secrets::{self, Protectors};
use crate::shape::{Shape, Start, ctx};

/// What a script may do besides converting.
#[derive(Clone, Copy)]
pub(crate) struct Script {
    pub(crate) name: &'static str,
    /// Begin with a fully encrypted volume.
    pub(crate) encrypted: bool,
    pub(crate) actions: usize,
    /// Pauses, turns, ends of the program.
    pub(crate) unrest: bool,
    pub(crate) inner_writes: bool,
    pub(crate) protectors: bool,
    pub(crate) faults: bool,
}

pub(crate) const ENCRYPT: Script = Script {
    name: "encrypt",
    encrypted: false,
    actions: 400,
    unrest: false,
    inner_writes: false,
    protectors: false,
    faults: false,
};

pub(crate) const DECRYPT: Script = Script {
    name: "decrypt",
    encrypted: true,
    ..ENCRYPT
};

pub(crate) const TURNS: Script = Script {
    name: "pause, resume, turn round",
    unrest: true,
    ..ENCRYPT
};

pub(crate) const BUSY: Script = Script {
    name: "convert a volume in use",
    inner_writes: true,
    protectors: true,
    ..TURNS
};

pub(crate) const FAULTS: Script = Script {
    name: "convert on a failing device",
    inner_writes: true,
    faults: true,
    ..TURNS
};

/// A conversion that took place.
pub(crate) struct Conversion {
    name: &'static str,
    start: Arc<Start>,
    pub(crate) trace: Trace,
    states: Vec<Protectors>,
    /// Where on the device the file system wrote.
    written: Vec<Range<u64>>,
}

impl Conversion {
    pub(crate) fn record(script: &Script, start: Arc<Start>, rng: &mut ChaCha8Rng) -> Self {
        let image = if script.encrypted {
            &start.encrypted
        } else {
            &start.image
        };
        let recorder = Recorder::new(image.clone());
        let mut player = Player {
            start: &start,
            device: &recorder,
            states: vec![start.protectors.clone()],
            written: Vec::new(),
        };
        recorder.note(Event::Done(0));
        player.play(script, rng);
        let (states, written) = (player.states, player.written);
        Self {
            name: script.name,
            trace: Trace {
                start: image.clone(),
                events: recorder.events(),
                view: start.view.clone(),
            },
            start,
            states,
            written,
        }
    }

    fn finish(&self, volume: &UnlockedVolume<&Recorder>, rng: &mut ChaCha8Rng) -> Result<(), Error> {
        match volume.conversion_status() {
            ConversionStatus::EncryptionPaused | ConversionStatus::DecryptionPaused => {
                volume.resume_conversion(&mut ctx(rng))?;
            }
            status if status.in_progress() && rng.random_ratio(1, 4) => {
                if status == ConversionStatus::EncryptionInProgress {
                    volume.begin_decryption(&mut ctx(rng))?;
                } else {
                    volume.begin_encryption(&mut ctx(rng), ConversionMode::Full)?;
                }
            }
            _ => {}
        }
        while !volume.convert_step(&mut ctx(rng))?.finished {}
        // Nothing was left to do but for the copies, which the next change heals.
        if !volume.copies().iter().all(|copy| copy.current) {
            volume.set_description(&mut ctx(rng), "healed")?;
        }
        Ok(())
    }

    /// A finished volume is bit for bit the one that was never interrupted, metadata apart.
    fn check_finished(&self, disk: &Recorder, status: ConversionStatus) -> Result<(), String> {
        let wanted = match status {
            ConversionStatus::FullyDecrypted => &self.start.image,
            ConversionStatus::FullyEncrypted => &self.start.encrypted,
            _ => return Ok(()),
        };
        let mut but = self.start.shape.metadata();
        but.extend(self.written.iter().cloned());
        match disk.disk().differs(wanted, &but) {
            None => Ok(()),
            Some(at) => Err(format!("the finished volume differs at {at}")),
        }
    }
}

impl Scenario for Conversion {
    fn name(&self) -> &'static str {
        self.name
    }

    fn trace(&self) -> &Trace {
        &self.trace
    }

    fn torn(&self, sector: u64) -> bool {
        // The boot sector never changes here; everything else is covered by a checksum or by the log,
        // but for what the file system writes itself.
        let at = sector * 512;
        sector != 0 && !self.written.iter().any(|range| range.contains(&at))
    }

    fn judge(&self, disk: &Recorder, cut: &Cut, rng: &mut ChaCha8Rng) -> Result<(), String> {
        let told = |what: &'static str| move |error: Error| format!("{what}: {error}");
        let allowed: Vec<&Protectors> = cut.states.iter().map(|&state| &self.states[state]).collect();
        let (volume, which) = secrets::open(disk, &allowed)?;
        let allowed = &allowed[which..=which];
        cut.view.check(&volume)?;
        self.check_finished(disk, volume.conversion_status())?;
        volume.recover(&mut ctx(rng)).map_err(told("recovering"))?;
        if cut.thorough {
            self.finish(&volume, rng).map_err(told("finishing"))?;
        } else if volume.conversion_status().in_progress() {
            cut.view
                .check(&volume)
                .map_err(|loss| format!("after recovery: {loss}"))?;
            for _ in 0..2 {
                volume.convert_step(&mut ctx(rng)).map_err(told("going on"))?;
            }
        }
        drop(volume);
        let (volume, _) = secrets::open(disk, allowed).map_err(|loss| format!("opened again: {loss}"))?;
        if volume.needs_recovery() {
            return Err("it needs recovery after recovery".to_owned());
        }
        cut.view
            .check(&volume)
            .map_err(|loss| format!("after going on: {loss}"))?;
        self.check_finished(disk, volume.conversion_status())?;
        if cut.thorough && !volume.copies().iter().all(|copy| copy.current) {
            return Err("the metadata copies differ at the end".to_owned());
        }
        Ok(())
    }
}

/// Does what a script says.
struct Player<'a> {
    start: &'a Start,
    device: &'a Recorder,
    states: Vec<Protectors>,
    written: Vec<Range<u64>>,
}

impl<'a> Player<'a> {
    fn open(&self) -> UnlockedVolume<&'a Recorder> {
        secrets::open(self.device, &[self.states.last().unwrap()]).unwrap().0
    }

    fn play(&mut self, script: &Script, rng: &mut ChaCha8Rng) {
        let mut volume = self.open();
        let mut left = script.actions;
        while left > 0 {
            left -= 1;
            if script.faults && rng.random_ratio(1, 6) {
                self.device.arm(Some(fault(rng)));
            }
            match self.act(script, &volume, rng) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    assert!(script.faults, "{}: {error}", script.name);
                    self.device.arm(None);
                    // The caller tries again, or ends and is started again.
                    if matches!(error, Error::Stale) || rng.random() {
                        volume = self.open();
                    }
                }
            }
            if script.unrest && rng.random_ratio(1, 20) {
                volume = self.open();
            }
        }
        self.device.arm(None);
    }

    /// Whether there is more to do.
    fn act(
        &mut self,
        script: &Script,
        volume: &UnlockedVolume<&Recorder>,
        rng: &mut ChaCha8Rng,
    ) -> Result<bool, Error> {
        let status = volume.conversion_status();
        let choice = rng.random_range(0..100);
        match status {
            ConversionStatus::FullyDecrypted if script.encrypted && !script.unrest => return Ok(false),
            ConversionStatus::FullyEncrypted if !script.encrypted && !script.unrest => return Ok(false),
            ConversionStatus::FullyDecrypted => volume.begin_encryption(&mut ctx(rng), ConversionMode::Full)?,
            ConversionStatus::FullyEncrypted => volume.begin_decryption(&mut ctx(rng))?,
            ConversionStatus::EncryptionPaused | ConversionStatus::DecryptionPaused => {
                if choice < 50 {
                    volume.resume_conversion(&mut ctx(rng))?;
                } else if choice < 60 {
                    volume.begin_decryption(&mut ctx(rng))?;
                } else if choice < 70 {
                    volume.begin_encryption(&mut ctx(rng), ConversionMode::Full)?;
                } else if script.inner_writes {
                    self.inner_write(volume, rng)?;
                }
            }
            _ if script.unrest && choice < 5 => volume.pause(&mut ctx(rng))?,
            ConversionStatus::EncryptionInProgress if script.unrest && choice < 10 => {
                volume.begin_decryption(&mut ctx(rng))?;
            }
            _ if script.unrest && choice < 10 => volume.begin_encryption(&mut ctx(rng), ConversionMode::Full)?,
            _ if script.inner_writes && choice < 30 => self.inner_write(volume, rng)?,
            _ if script.protectors && choice < 34 => self.change_protectors(volume, rng)?,
            _ => {
                volume.convert_step(&mut ctx(rng))?;
            }
        }
        Ok(true)
    }

    fn inner_write(&mut self, volume: &UnlockedVolume<&Recorder>, rng: &mut ChaCha8Rng) -> Result<(), Error> {
        if rng.random_ratio(1, 5) {
            return Ok(volume.flush()?);
        }
        volume.recover(&mut ctx(rng))?;
        let range = self.start.shape.inner_range(rng);
        let mut data = vec![0; (range.end - range.start) as usize];
        rng.fill_bytes(&mut data);
        self.device.note(Event::Inner(Write {
            offset: range.start,
            data: data.as_slice().into(),
        }));
        let header = self.start.shape.header();
        let end = range.end.min(header.end - header.start);
        if range.start < end {
            self.written.push(header.start + range.start..header.start + end);
        }
        self.written.push(range.clone());
        let written = volume.write_at(range.start, &data);
        if written.is_err() {
            self.device.note(Event::InnerFailed);
        }
        Ok(written?)
    }

    fn change_protectors(&mut self, volume: &UnlockedVolume<&Recorder>, rng: &mut ChaCha8Rng) -> Result<(), Error> {
        let mut next = self.states.last().unwrap().clone();
        protect::change(volume, &mut next, rng)?;
        self.states.push(next);
        self.device.note(Event::Done(self.states.len() - 1));
        Ok(())
    }
}

fn fault(rng: &mut ChaCha8Rng) -> Fault {
    let nth = rng.random_range(0..8);
    match rng.random_range(0..4) {
        0 => Fault::Read(nth),
        1 => Fault::Write(nth, rng.random_range(0..20)),
        _ => Fault::Flush(nth, rng.random()),
    }
}

/// The smallest volumes that have a log of one, two and four slots, for trying every set of pieces.
pub(crate) fn tiny(log_len: u64, rng: &mut ChaCha8Rng) -> Arc<Start> {
    let shape = Shape::random(640 << 10, &[log_len << 10], rng);
    Arc::new(Start::with(shape, rng))
}

fn exhausted(script: &Script, log_len: u64) {
    let rng = &mut ChaCha8Rng::seed_from_u64(log_len);
    let start = tiny(log_len, rng);
    let tally = run::exhaust(&Conversion::record(script, start, rng), rng).unwrap_or_else(|loss| panic!("{loss}"));
    eprintln!("{}, log of {log_len} KiB: {tally:?}", script.name);
    assert!(tally.cuts > 500, "{tally:?}");
}

fn random(script: &Script, traces: usize, cuts: usize) {
    let seed = run::seed();
    for trace in 0..traces as u64 {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed + trace);
        let start = Start::pick(rng);
        let conversion = Conversion::record(script, Arc::clone(&start), rng);
        run::at_random(&conversion, cuts, rng)
            .unwrap_or_else(|loss| panic!("seed {}, {:?}: {loss}", seed + trace, start.shape));
    }
}

#[test]
fn encryption_cut_anywhere_in_any_way_loses_nothing() {
    exhausted(&ENCRYPT, 16);
    exhausted(&ENCRYPT, 68);
}

#[test]
fn decryption_cut_anywhere_in_any_way_loses_nothing() {
    exhausted(&DECRYPT, 16);
    exhausted(&DECRYPT, 68);
}

#[test]
fn a_conversion_that_pauses_and_turns_loses_nothing_at_random_cuts() {
    random(&TURNS, 8, 40);
}

#[test]
fn a_conversion_of_a_volume_in_use_loses_nothing_at_random_cuts() {
    random(&BUSY, 8, 40);
}

#[test]
fn a_conversion_on_a_failing_device_loses_nothing_at_random_cuts() {
    random(&FAULTS, 16, 40);
}
