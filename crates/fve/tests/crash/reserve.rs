//! The regions of a volume in files of a real NTFS: reserved, and released.
//!
//! Existing records of NTFS are rewritten in place. All of them lie within 4096 bytes that a disk of today writes at
//! once, and then nothing can happen. On a disk that writes 512 bytes at a time a record may be half written: that is
//! noticed and refused, by us as by NTFS.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use fve::io::WriteAt;
use fve::ntfs;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::disk::Disk;
use crate::ntfs_support::{NOW, REQUEST, Volume, hashes_of_all, populate};
use crate::recorder::{Event, Recorder};
use crate::run::{self, Cut, Scenario, Trace, View};

/// A volume of Windows' kind, and what is in it.
pub(crate) struct Plain {
    image: Disk,
    files: Vec<(String, String)>,
}

impl Plain {
    /// `in_root` files beside `in_system` files in `System Volume Information`, if there is one.
    fn make(in_root: usize, in_system: Option<usize>) -> Self {
        let volume = Volume::make(24, 512, 4096);
        volume.mounted(|root| {
            populate(root, in_root);
            if let Some(count) = in_system {
                let system = root.join("System Volume Information");
                std::fs::create_dir(&system).unwrap();
                populate(&system, count);
            }
        });
        Self {
            image: Disk::new(std::fs::read(volume.path()).unwrap()),
            files: volume.mounted(hashes_of_all),
        }
    }

    pub(crate) fn pick(rng: &mut ChaCha8Rng) -> Arc<Self> {
        static POOL: LazyLock<Mutex<Vec<Arc<Plain>>>> = LazyLock::new(Mutex::default);
        let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
        if pool.is_empty() {
            let kinds = [(0, None), (60, None), (23, None), (3, Some(20))];
            pool.extend(kinds.map(|(in_root, in_system)| Arc::new(Self::make(in_root, in_system))));
        }
        Arc::clone(&pool[rng.random_range(0..pool.len())])
    }
}

/// Reserving or releasing, as it went.
pub(crate) struct Reserve {
    release: bool,
    atom: u64,
    plain: Arc<Plain>,
    trace: Trace,
}

impl Reserve {
    pub(crate) fn record(release: bool, atom: u64, plain: Arc<Plain>) -> Self {
        let recorder = Recorder::new(plain.image.clone());
        ntfs::plan(&recorder, &REQUEST, NOW).unwrap().apply(&recorder).unwrap();
        recorder.flush().unwrap();
        let (start, recorder) = if release {
            let reserved = Recorder::new(recorder.disk());
            ntfs::release(&reserved).unwrap();
            (recorder.disk(), reserved)
        } else {
            (plain.image.clone(), recorder)
        };
        recorder.note(Event::Done(0));
        Self {
            release,
            atom,
            trace: Trace {
                view: View::new(start.clone(), Vec::new()),
                start,
                events: recorder.events(),
            },
            plain,
        }
    }

    /// What ntfs-3g finds: nothing to complain about, and every file.
    fn check_files(&self, disk: &Recorder) -> Result<(), String> {
        let volume = Volume::from_bytes(&disk.disk().to_vec(), 4096);
        volume.check_clean();
        let mut files = volume.mounted(hashes_of_all);
        files.retain(|(path, _)| !path.contains("/FVE2."));
        if files == self.plain.files {
            Ok(())
        } else {
            Err("files are lost".to_owned())
        }
    }
}

impl Scenario for Reserve {
    fn name(&self) -> &'static str {
        if self.release {
            "release regions of NTFS"
        } else {
            "reserve regions in NTFS"
        }
    }

    fn trace(&self) -> &Trace {
        &self.trace
    }

    fn torn(&self, _: u64) -> bool {
        false
    }

    fn atom(&self) -> u64 {
        self.atom
    }

    fn judge(&self, disk: &Recorder, _: &Cut, rng: &mut ChaCha8Rng) -> Result<(), String> {
        let plan = match ntfs::plan(disk, &REQUEST, NOW) {
            Err(error) if self.atom == 1 && error.to_string().contains("half written") => return Ok(()),
            plan => plan.map_err(|error| format!("planning again: {error}"))?,
        };
        plan.apply(disk).map_err(|error| format!("applying again: {error}"))?;
        let again = ntfs::plan(disk, &REQUEST, NOW).map_err(|error| format!("planning once more: {error}"))?;
        if !again.describe().is_empty() || again.regions() != plan.regions() {
            return Err("the plan is not fulfilled".to_owned());
        }
        let files = rng.random_ratio(1, 400);
        if files {
            self.check_files(disk).map_err(|loss| format!("reserved: {loss}"))?;
        }
        if self.release {
            ntfs::release(disk).map_err(|error| format!("releasing again: {error}"))?;
            if files {
                self.check_files(disk).map_err(|loss| format!("released: {loss}"))?;
            }
        }
        Ok(())
    }
}

fn exhausted(release: bool) {
    let rng = &mut ChaCha8Rng::seed_from_u64(run::seed());
    let plain = Plain::pick(rng);
    for atom in [8, 1] {
        let reserve = Reserve::record(release, atom, Arc::clone(&plain));
        reserve
            .check_files(&Recorder::new(reserve.trace.start.clone()))
            .unwrap();
        let tally = run::exhaust(&reserve, rng).unwrap_or_else(|loss| panic!("{atom} sectors at once: {loss}"));
        eprintln!("{tally:?}");
    }
}

#[test]
fn regions_are_reserved_in_the_end_wherever_that_is_cut() {
    exhausted(false);
}

#[test]
fn regions_are_released_in_the_end_wherever_that_is_cut() {
    exhausted(true);
}
