//! The agent is killed: at every boundary of a first encryption and of a rotation, and at random instants of both.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use domain::ids::ProtectorId;
use fve::RecoveryPassword;
use rand::Rng;
use rand_chacha::ChaCha20Rng;

use super::check::Checks;
use super::device::{Device, End, NAME};
use super::ground::Ground;
use super::walk::Walk;
use super::{COMPLETE, Note, Options, Say, generator};
use crate::person::Person;
use crate::poll::Poll;
use crate::process::ServerProcess;

/// Everything that the rounds share.
struct Bench<'a> {
    device: Device,
    checks: Checks<'a>,
    help_desk: Person,
    rng: ChaCha20Rng,
    kills: u32,
    wanted: u32,
    rounds: u32,
}

/// How long a run takes that nobody disturbs.
struct Pace {
    encryption: Duration,
    rotation: Duration,
}

pub(super) fn kill(options: &Options, say: Say<'_>) -> Result<()> {
    let dir = options.dir.join("agent");
    let ground = Ground::raise(&options.programs, &dir)?;
    let server = ground.start()?;
    let mut rng = generator(options, 1);
    let mut bench = Bench {
        device: Device::make(&ground, &dir, &mut rng)?,
        checks: Checks::new(&ground)?,
        help_desk: help_desk(&ground, &server)?,
        rng,
        kills: 0,
        wanted: options.kills,
        rounds: 0,
    };
    let pace = bench.undisturbed()?;
    say(Note::Line(&format!(
        "Agent: an undisturbed encryption of three volumes takes {:.2} s, a rotation {:.2} s",
        pace.encryption.as_secs_f64(),
        pace.rotation.as_secs_f64()
    )));

    let complete = options.kills >= COMPLETE;
    let mut walk = Walk::new(complete);
    bench.boundaries(&mut walk, complete, say)?;
    while complete && bench.kills < bench.wanted / 2 {
        bench.boundaries(&mut walk, complete, say)?;
    }
    let at_boundaries = bench.kills;
    while bench.kills < bench.wanted {
        bench.instants(&pace, say)?;
    }
    ground.audit_is_whole()?;
    tell(&bench, &walk, at_boundaries, say);
    if complete {
        let missed = walk.missed();
        ensure!(missed.is_empty(), "boundaries without a kill: {missed:?}");
    }
    drop(server);
    Ok(())
}

fn help_desk(ground: &Ground, server: &ServerProcess) -> Result<Person> {
    let person = Person::new(&server.address, &ground.ca_file())?;
    person.sign_in("helpdesk", Ground::password())?;
    Ok(person)
}

impl Bench<'_> {
    /// A round without a kill: what it takes, and that the harness itself is sound.
    fn undisturbed(&mut self) -> Result<Pace> {
        self.device.renew()?;
        let poll = Poll::until_minutes(5);
        self.device.converge()?;
        let encryption = Duration::from_secs_f64(poll.seconds());
        let told = self.disclose()?;
        let poll = Poll::until_minutes(5);
        self.device.converge()?;
        let rotation = Duration::from_secs_f64(poll.seconds());
        self.rotated(&told)?;
        Ok(Pace { encryption, rotation })
    }

    /// One walk over all boundaries of encryption and rotation. Unless it is to be complete, half of the kills are left for
    /// random instants.
    fn boundaries(&mut self, walk: &mut Walk, complete: bool, say: Say<'_>) -> Result<()> {
        let most = if complete { u32::MAX } else { (self.wanted / 2).max(3) };
        self.device.renew()?;
        self.walk(walk, most / 3 * 2, "encryption", say)?;
        self.device.converge()?;
        let told = self.disclose()?;
        self.walk(walk, most / 3, "rotation", say)?;
        self.device.converge()?;
        self.rotated(&told)
    }

    fn walk(&mut self, walk: &mut Walk, most: u32, what: &str, say: Say<'_>) -> Result<()> {
        let Self {
            device,
            checks,
            kills,
            wanted,
            rng,
            ..
        } = self;
        let mut check = |name: &str| {
            *kills += 1;
            say(Note::Progress(&format!(
                "agent: {kills}/{wanted} kills, {what}, at {name}"
            )));
            checks
                .after_kill(device, rng.random_bool(SAMPLE))
                .with_context(|| format!("after kill {kills}, at {name} of the {what}"))
        };
        walk.go(device, most, &mut check)
    }

    /// A round with kills at random instants, until a run comes to its end before, or enough is enough.
    fn instants(&mut self, pace: &Pace, say: Say<'_>) -> Result<()> {
        self.rounds += 1;
        self.device.renew()?;
        self.at_random(pace.encryption, "encryption", say)?;
        self.device.converge()?;
        let told = self.disclose()?;
        self.at_random(pace.rotation, "rotation", say)?;
        self.device.converge()?;
        self.rotated(&told)
            .with_context(|| format!("round {}, after {} kills", self.rounds, self.kills))
    }

    fn at_random(&mut self, longest: Duration, what: &str, say: Say<'_>) -> Result<()> {
        for number in 0..MOST_IN_A_ROW {
            if self.kills == self.wanted {
                return Ok(());
            }
            // The first may fall anywhere. Those after it begin where the last one has left off, with less ahead of them.
            let share = if number == 0 { 1.0 } else { 0.4 };
            let after = longest.mul_f64(self.rng.random_range(0.0..share));
            if let End::Done = self.device.run_for(after)? {
                return Ok(());
            }
            self.kills += 1;
            say(Note::Progress(&format!(
                "agent: {}/{} kills, {what}, after {:.0} ms",
                self.kills,
                self.wanted,
                after.as_secs_f64() * 1000.0
            )));
            let thorough = self.rng.random_bool(SAMPLE);
            self.checks
                .after_kill(&self.device, thorough)
                .with_context(|| format!("after kill {}, {after:?} into the {what}", self.kills))?;
        }
        Ok(())
    }

    /// The help desk tells every key, which asks the device to replace them. They are those that the server holds sealed.
    fn disclose(&mut self) -> Result<Vec<(ProtectorId, RecoveryPassword)>> {
        let held = self.checks.converged(&self.device)?;
        for (id, password) in &held {
            let told = self.help_desk.ask_help_desk(*id, NAME)?;
            ensure!(told == *password.expose(), "the help desk told another password");
        }
        Ok(held)
    }

    fn rotated(&mut self, told: &[(ProtectorId, RecoveryPassword)]) -> Result<()> {
        self.checks.converged(&self.device)?;
        self.checks.replaced(&self.device, told)
    }
}

/// Most kills at random instants of one encryption or rotation.
const MOST_IN_A_ROW: u32 = 8;
/// Share of the kills after which every volume with ciphertext is opened, which costs a million hash rounds each.
const SAMPLE: f64 = 0.2;

fn tell(bench: &Bench<'_>, walk: &Walk, at_boundaries: u32, say: Say<'_>) {
    say(Note::Line(&format!(
        "Agent: {} kills, {at_boundaries} at boundaries, {} at random instants in {} rounds; {} looks at volumes, {} met \
         ciphertext, none without a key at the server (P1, P2); {} times a volume was opened with what the server held; all \
         rounds converged, every file as before",
        bench.kills,
        bench.kills - at_boundaries,
        bench.rounds,
        bench.checks.looks,
        bench.checks.with_ciphertext,
        bench.checks.opened,
    )));
    let hits: Vec<_> = walk.hits.iter().map(|(name, hits)| format!("{name} {hits}")).collect();
    say(Note::Line(&format!("  kills by boundary: {}", hits.join(", "))));
}
