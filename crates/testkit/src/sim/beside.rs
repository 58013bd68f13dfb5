//! The real server beside the model: each step of the model is taken by the real one too, and they must agree.

use domain::ids::DeviceId;
use store::StoreError;
use store::model::RequestKind;

use super::event::Event;
use super::real::{Call, Heard, Mirror, Stop, What};
use super::state::{Answer, Job};
use super::store::{Effect, Mishap, Replica};
use super::world::{Item, Reply, Request, World};

/// The failure of this way of playing.
const DIFFER: &str = "store and model differ";
/// Minutes between two rounds of regular care.
const CARE: u32 = 41;

impl World {
    /// From here on the real server takes part.
    pub(super) fn take_the_real_server(&mut self, seed: u64) {
        let now = self.server_time();
        match Mirror::new(seed, self.store.state.policy, now, self.fault) {
            Ok(mirror) => {
                self.real = Some(Box::new(mirror));
                self.push_in(CARE, Item::Tend);
            }
            Err(error) => self.fail("the real server", format!("{error:#}")),
        }
    }

    /// Does something with the real server, if there is one, at this moment of its clock.
    fn with_real<T>(&mut self, work: impl FnOnce(&mut Mirror) -> anyhow::Result<T>) -> Option<T> {
        let now = self.server_time();
        let mirror = self.real.as_mut()?;
        mirror.set_clock(now);
        match work(mirror) {
            Ok(out) => Some(out),
            Err(error) => {
                self.fail("the real server", format!("{error:#}"));
                None
            }
        }
    }

    fn differ(&mut self, words: String) {
        self.fail(DIFFER, words);
    }

    /// Begins a call of the real server.
    pub(super) fn call(&mut self, call: impl FnOnce() -> Call) -> Option<Stop> {
        self.with_real(|real| real.start(&call()))
    }

    /// Its write is carried out, or failed: the call goes on.
    pub(super) fn go_on(&mut self, number: Option<u64>) -> Option<Stop> {
        let number = number?;
        self.with_real(|real| real.go_on(number))
    }

    /// The real server stands before the write that the model makes.
    pub(super) fn real_write(&mut self, job: &Job, stop: Option<Stop>) -> Option<u64> {
        self.real.as_ref()?;
        match stop {
            Some(Stop::Waits(number, what)) if is_same(job, &what) => Some(number),
            Some(Stop::Waits(_, what)) => {
                self.differ(format!("the server is about to write {what:?}, the model {job:?}"));
                None
            }
            Some(Stop::Answered(heard)) => {
                self.differ(format!("the server {}, the model writes {job:?}", heard.words()));
                None
            }
            None => None,
        }
    }

    fn answered(&mut self, stop: Option<Stop>) -> Option<Heard> {
        match stop? {
            Stop::Answered(heard) => Some(heard),
            Stop::Waits(_, what) => {
                self.differ(format!("the server is about to write {what:?}, and the model answers"));
                None
            }
        }
    }

    /// What a device hears: the real answer, which is the model's.
    pub(super) fn real_reply(&mut self, request: &Request, model: Reply, stop: Option<Stop>) -> Reply {
        let Some(heard) = self.answered(stop) else {
            return model;
        };
        let as_of = match &model {
            Reply::CheckIn { as_of, .. } => *as_of,
            _ => self.store.state.place,
        };
        let Some(real) = &self.real else { return model };
        match real.reply(&heard, &request.body, as_of) {
            Ok(reply) if reply == model => reply,
            Ok(reply) => {
                self.differ(format!("a device hears {}", difference(&reply, &model)));
                reply
            }
            Err(words) => {
                self.differ(format!("a device hears nothing that it understands: {words}"));
                model
            }
        }
    }

    /// A person hears the password that the model tells.
    pub(super) fn real_tells(&mut self, secret: u64, stop: Option<Stop>) {
        if let Some(heard) = self.answered(stop)
            && !heard.tells(secret)
        {
            self.differ(format!(
                "the server {}, the model tells another password",
                heard.words()
            ));
        }
    }

    /// A person's wish is done, refused or failed, as in the model.
    pub(super) fn real_does(&mut self, model: &Answer, stop: Option<Stop>) {
        let Some(heard) = self.answered(stop) else { return };
        let same = match model {
            Answer::Refused => heard.is_refusal(),
            Answer::Failed => heard.is_failure(),
            _ => matches!(heard, Heard::Done),
        };
        if !same {
            self.differ(format!("the server {}, the model: {model:?}", heard.words()));
        }
    }

    /// Self-service says no.
    pub(super) fn real_refuses(&mut self, model: &Answer, stop: Option<Stop>) {
        match model {
            Answer::Done => self.real_does(&Answer::Refused, stop),
            other => self.real_does(other, stop),
        }
    }

    /// The real store goes through what the virtual storage did, and holds the same afterwards.
    pub(super) fn reflect(&mut self) {
        let effects = std::mem::take(&mut self.store.effects);
        if self.real.is_none() || effects.is_empty() {
            return;
        }
        self.carry_out(&effects);
        self.compare();
    }

    fn carry_out(&mut self, effects: &[Effect]) {
        for effect in effects {
            self.with_real(|real| match effect {
                Effect::CarriedOut(number) => real.commit(*number),
                Effect::Failed(number, mishap) => {
                    let error = match mishap {
                        Mishap::WriteFails => StoreError::Full,
                        Mishap::SyncFails => StoreError::Io("the disk failed".to_owned()),
                    };
                    real.fail(*number, error);
                    Ok(())
                }
                Effect::Cut => Ok(()),
            });
        }
    }

    fn compare(&mut self) {
        let Some(mut real) = self.real.take() else { return };
        let found = real.compare(&self.store.state);
        self.real = Some(real);
        match found {
            Ok(None) => {}
            Ok(Some(words)) => self.differ(words),
            Err(error) => self.fail("the real server", format!("{error:#}")),
        }
    }

    /// Server and store end where they stand, and begin with what they find.
    pub(super) fn real_crashes(&mut self, known: &[(DeviceId, u64)]) {
        let effects = std::mem::take(&mut self.store.effects);
        if self.real.is_none() {
            return;
        }
        let cut = effects.contains(&Effect::Cut);
        self.with_real(|real| real.crash(cut));
        self.carry_out(&effects);
        self.with_real(|real| {
            real.forget_waiting();
            Ok(())
        });
        self.numbers_come_back(known);
        self.compare();
        self.real_chain_is_whole();
    }

    /// Numbers of check-ins that stored nothing may be lost, or were taken along by a write that the model does not make
    /// (an evaluation): none of what the model stored is lost, and none is higher than what was sent.
    fn numbers_come_back(&mut self, known: &[(DeviceId, u64)]) {
        let stored = self.with_real(|real| real.numbers()).unwrap_or_default();
        for (id, number) in stored {
            let sent = known.iter().find(|(other, _)| *other == id).map_or(0, |(_, n)| *n);
            let modelled = self.store.state.device(id).map_or(0, |d| d.sequence);
            if number < modelled || number > sent.max(modelled) {
                self.differ(format!(
                    "a check-in's number is {number}, not from {modelled} to {sent}"
                ));
            }
            self.store.state.gathered(&[(id, number)]);
        }
    }

    /// **P4**, on the real chain, as an auditor sees it.
    pub(super) fn real_chain_is_whole(&mut self) {
        if let Some(Some(fault)) = self.with_real(|real| real.verify()) {
            self.fail("P4 audited before told", format!("the audit does not verify: {fault}"));
        }
    }

    /// A replica that is not waited for has what there is; needed only where a fail-over is ahead.
    pub(super) fn real_replica_catches_up(&mut self) {
        let now = self.now;
        let mut ahead = self.events.iter().filter(|timed| timed.at >= now);
        let needed = ahead.any(|timed| matches!(timed.event, Event::FailOver { .. }));
        if needed && self.store.replica == Replica::Asynchronous {
            self.with_real(Mirror::take_snapshot);
        }
    }

    /// The server's regular care, at the simulation's times.
    pub(super) fn real_tends(&mut self) {
        if self.server_up {
            self.with_real(|real| real.tend());
        }
        self.push_in(CARE, Item::Tend);
    }
}

/// What the real answer says and the model's does not.
fn difference(real: &Reply, model: &Reply) -> String {
    let (real, model) = (format!("{real:#?}"), format!("{model:#?}"));
    let only = |in_this: &str, and_not: &str| {
        let lines = in_this
            .lines()
            .filter(|line| !and_not.lines().any(|other| other == *line));
        lines.map(str::trim).collect::<Vec<_>>().join(" ")
    };
    format!(
        "{}, and would hear {} of the model",
        only(&real, &model),
        only(&model, &real)
    )
}

/// Whether the real write is the model's.
fn is_same(job: &Job, what: &What) -> bool {
    match (job, what) {
        (Job::Enrol { device, .. }, What::Enrol(id))
        | (Job::Inventory { device, .. }, What::Inventory(id))
        | (Job::Report { device, .. }, What::Report(id)) => device == id,
        (Job::Escrow { name, .. }, What::Escrow(other)) | (Job::Disclose { name, .. }, What::Disclose(other)) => {
            name == other
        }
        (Job::Note { action, subject, .. }, What::Note(noted)) => {
            matches!(&noted[..], [(a, s)] if a == action && s == subject)
        }
        (Job::Ask { id, device, rotate }, What::Ask(other, to, kind)) => {
            let same = match (rotate, kind) {
                (Some(mine), RequestKind::Rotate(theirs)) => mine == theirs,
                (None, RequestKind::Report) => true,
                _ => false,
            };
            id == other && device == to && same
        }
        (Job::Retire { device, retired }, What::Retire(id, to)) => device == id && retired == to,
        (Job::Proof { name, version, proof }, What::Proof(other, number, found)) => {
            name == other && u32::try_from(version + 1) == Ok(*number) && proof == found
        }
        (Job::Policy(_), What::Policy) => true,
        (Job::Wish { person, .. }, What::Wish(user)) => super::device::person(*person) == *user,
        (Job::Decide { id, granted }, What::Decide(other, word)) => {
            id == other && *word == if *granted { "approved" } else { "revoked" }
        }
        _ => false,
    }
}
