//! Looks at devices, and remembers what it saw of others like them.

use std::collections::{BTreeMap, HashMap};

use super::class::Class;
use super::judge::{self, Outcome, Terms};
use super::{Effect, Line, Preview, Question, SettingChange, StoredDevice, changes};
use crate::compliance::Verdict;
use crate::exemption::{Enforcement, Exemption, enforcement};
use crate::policy::resolve::{Matching, Targeting};
use crate::policy::targeting::{CollectionId, Profile, UtcOffset};
use crate::policy::{Assignments, Policy, TriState};
use crate::time::Timestamp;

/// Classes remembered at most; with more, memory is worth more than time, and it begins anew.
const MOST_CLASSES: usize = 200_000;

/// One thread's part of the work.
pub(super) struct Worker<'a> {
    question: Question<'a>,
    scope: Option<usize>,
    scratch: Scratch,
    class: Class,
    /// A policy that heeds exemptions.
    heedful: Policy,
    pairs: Vec<Pair>,
    plain: PairIndex,
    special: HashMap<Assignments, PairIndex>,
    outcomes: HashMap<Box<[u8]>, Outcome>,
    tally: Tally,
}

type PairIndex = HashMap<Matching, HashMap<Matching, u32>>;

#[derive(Default)]
struct Scratch {
    inside: Vec<bool>,
    now: Matching,
    then: Matching,
}

/// What holds as it is and as it would be.
struct Pair {
    now: Terms,
    then: Terms,
    changes: Vec<SettingChange>,
    devices: u64,
}

/// Counts that are cheap to raise.
#[derive(Default)]
struct Tally {
    looked_at: u64,
    devices: u64,
    evaluations: u64,
    volumes_to_encrypt: u64,
    volumes_to_decrypt: u64,
    exempt_now: u64,
    exempt_then: u64,
    exemption_pending: u64,
    effects: [u64; Effect::ALL.len()],
    verdicts_now: HashMap<Verdict, u64>,
    verdicts_then: HashMap<Verdict, u64>,
}

impl<'a> Worker<'a> {
    pub(super) fn new(question: Question<'a>) -> Self {
        let mut heedful = Policy::default();
        heedful.client.user_exemption = TriState::Enabled;
        Self {
            heedful,
            question,
            scope: question.scope.map(|id| place(&question, id)),
            scratch: Scratch::default(),
            class: Class::default(),
            pairs: Vec::new(),
            plain: HashMap::new(),
            special: HashMap::new(),
            outcomes: HashMap::new(),
            tally: Tally::default(),
        }
    }

    /// Looks at a device. `listed` says whether its line is wanted, should it have one.
    pub(super) fn look(&mut self, device: &StoredDevice, listed: bool) -> Found {
        let facts = device.facts();
        let Question {
            present, proposed, now, ..
        } = self.question;
        self.tally.looked_at += 1;
        let Scratch {
            inside,
            now: before,
            then: after,
        } = &mut self.scratch;
        present.matching_into(&facts, now, inside, before);
        proposed.matching_into(&facts, now, inside, after);
        if self.scope.is_some_and(|index| inside.get(index) != Some(&true)) {
            return Found::Nothing;
        }
        self.tally.devices += 1;
        let number = self.pair(device);
        let Some(pair) = self.pairs.get_mut(usize::try_from(number).unwrap_or(usize::MAX)) else {
            return Found::Nothing;
        };
        pair.devices += 1;
        // Few devices have any.
        let exemptions = judge::in_force(&device.exemptions, now);
        let theirs = if exemptions.is_empty() {
            Enforcement::Enforced
        } else {
            enforcement(&self.heedful, &device.inventory.users, &exemptions, now)
        };
        let key = self.class.write(number, theirs, &device.inventory, &device.ledger);
        let outcome = match self.outcomes.get(key) {
            Some(outcome) => *outcome,
            None => {
                self.tally.evaluations += 1;
                let outcome = if pair.now == pair.then {
                    judge::unchanged(&pair.now, device, &exemptions)
                } else {
                    judge::changed(&pair.now, &pair.then, device, &exemptions)
                };
                if self.outcomes.len() >= MOST_CLASSES {
                    self.outcomes.clear();
                }
                self.outcomes.insert(key.into(), outcome);
                outcome
            }
        };
        let changes = !pair.changes.is_empty();
        self.tally.count(&outcome, changes);
        let wanted = self.question.listing.effect;
        let happens = outcome
            .effects(changes)
            .any(|effect| wanted.is_none_or(|w| w == effect));
        match (happens, listed) {
            (false, _) => Found::Nothing,
            (true, false) => Found::Unlisted,
            (true, true) => Found::Line(Box::new(line(device, &exemptions, pair, &outcome))),
        }
    }

    /// What was counted.
    pub(super) fn finish(self) -> Preview {
        let mut settings: BTreeMap<SettingChange, u64> = BTreeMap::new();
        for pair in self.pairs {
            for change in pair.changes {
                *settings.entry(change).or_default() += pair.devices;
            }
        }
        let tally = self.tally;
        let effects = Effect::ALL
            .into_iter()
            .zip(tally.effects)
            .filter(|(_, count)| *count > 0);
        Preview {
            looked_at: tally.looked_at,
            devices: tally.devices,
            evaluations: tally.evaluations,
            volumes_to_encrypt: tally.volumes_to_encrypt,
            volumes_to_decrypt: tally.volumes_to_decrypt,
            effects: effects.collect(),
            verdicts_now: tally.verdicts_now.into_iter().collect(),
            verdicts_then: tally.verdicts_then.into_iter().collect(),
            exempt_now: tally.exempt_now,
            exempt_then: tally.exempt_then,
            exemption_pending: tally.exemption_pending,
            settings,
            ..Preview::default()
        }
    }

    /// The number of the pair of policies that hold for the device that is in `scratch`.
    fn pair(&mut self, device: &StoredDevice) -> u32 {
        let Scratch { now, then, .. } = &self.scratch;
        let index = match &device.profile {
            None => &mut self.plain,
            Some(profile) => self.special.entry(profile.assignments.clone()).or_default(),
        };
        if let Some(number) = index.get(now).and_then(|m| m.get(then)) {
            return *number;
        }
        let profile = device.profile.as_ref();
        let at = self.question.now;
        let (terms_now, terms_then) = (
            terms(self.question.present, now, profile, at),
            terms(self.question.proposed, then, profile, at),
        );
        let number = u32::try_from(self.pairs.len()).unwrap_or(u32::MAX);
        index.entry(now.clone()).or_default().insert(then.clone(), number);
        self.pairs.push(Pair {
            changes: changes(&terms_now.policy, &terms_then.policy),
            now: terms_now,
            then: terms_then,
            devices: 0,
        });
        number
    }
}

/// What [`Worker::look`] found.
pub(super) enum Found {
    /// Nothing happens to the device that was asked for.
    Nothing,
    /// Something does.
    Unlisted,
    /// Something does, and this is what.
    Line(Box<Line>),
}

impl Tally {
    fn count(&mut self, outcome: &Outcome, settings: bool) {
        *self.verdicts_now.entry(outcome.now).or_default() += 1;
        *self.verdicts_then.entry(outcome.then).or_default() += 1;
        self.volumes_to_encrypt += u64::from(outcome.encrypt);
        self.volumes_to_decrypt += u64::from(outcome.decrypt);
        self.exempt_now += u64::from(outcome.enforced_now.is_exempt());
        self.exempt_then += u64::from(outcome.enforced_then.is_exempt());
        self.exemption_pending += u64::from(outcome.enforced_then == Enforcement::Pending);
        for effect in outcome.effects(settings) {
            let counts = Effect::ALL.iter().zip(&mut self.effects);
            for (_, count) in counts.filter(|(of, _)| **of == effect) {
                *count += 1;
            }
        }
    }
}

/// Where a collection stands in the proposed targeting; one that is not there has nobody in it.
fn place(question: &Question<'_>, id: &CollectionId) -> usize {
    question.proposed.collections().index(id).unwrap_or(usize::MAX)
}

fn terms(targeting: &Targeting, matching: &Matching, profile: Option<&Profile>, at: Timestamp) -> Terms {
    Terms {
        policy: targeting.effective(matching, profile),
        maintenance: targeting.maintenance(matching).state(at, UtcOffset::default()),
    }
}

fn line(device: &StoredDevice, exemptions: &[Exemption], pair: &Pair, outcome: &Outcome) -> Line {
    let detail = judge::detail(&pair.then, device, exemptions);
    let of_interest = !exemptions.is_empty();
    Line {
        device: device.id,
        hostname: device.inventory.hostname.clone(),
        effects: outcome.effects(!pair.changes.is_empty()).collect(),
        settings: pair.changes.clone(),
        now: outcome.now,
        then: outcome.then,
        reasons: detail.reasons,
        blocked: detail.blocked,
        enforcement: detail.enforcement,
        users: if of_interest {
            device.inventory.users.clone()
        } else {
            Vec::new()
        },
        opens: detail.opens,
    }
}
