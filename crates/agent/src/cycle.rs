//! One cycle: observe, check in, plan, check the plan, act, and again until nothing is left to do.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use domain::ids::RequestId;
use domain::ledger::Ledger;
use domain::plan::{Blocked, Plan, RotateRequest, Situation};
use domain::policy::Policy;
use domain::time::{Clock, Timestamp};
use protocol::limits::{MAX_BLOCKED, MAX_DONE};
use protocol::messages::{CheckInRequest, CheckInResponse, RequestKind};
use rand_core::CryptoRng;

use crate::AgentError;
use crate::answers::{Answers, Secrets};
use crate::client::{Client, ClientError, Endpoint};
use crate::config::Config;
use crate::execute::{Acknowledged, Executor};
use crate::files;
use crate::hooks::{Hooks, PinSource};
use crate::identity::{EnrolmentToken, Identity, IdentityError};
use crate::observe::{self, Facts, Observation};
use crate::run::Deps;
use crate::sequence::Sequence;
use crate::shared::SharedProvider;

/// Rounds of observing, planning and acting in one cycle. Three are usual: act, see that it is done, say so.
const MAX_ROUNDS: usize = 10;
/// Check-ins in a row that the server takes for older than another one.
const MAX_OVERTAKEN: u32 = 3;
/// Bounds of what a server may say about the next check-in.
const SOONEST: Duration = Duration::from_secs(1);
const LATEST: Duration = Duration::from_secs(2880 * 60);

/// A running agent.
pub(crate) struct Agent {
    pub(crate) config: Config,
    pub(crate) provider: SharedProvider,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) rng: Box<dyn CryptoRng + Send>,
    pub(crate) hooks: Hooks,
    pub(crate) memory: Memory,
    pub(crate) client: Option<Client>,
    pub(crate) answers: Arc<Answers>,
    secrets: Secrets,
    endpoint: Endpoint,
    identity: Option<Identity>,
    sequence: Sequence,
    /// Keeps a second agent out of the state directory.
    _lock: File,
}

/// What an agent remembers between cycles; all of it can be had again.
#[derive(Default)]
pub(crate) struct Memory {
    /// The policy and its digest.
    pub(crate) policy: Option<(String, Policy)>,
    /// The server's view of the keys, from the last check-in.
    pub(crate) ledger: Ledger,
    /// The last look at the volumes.
    pub(crate) seen: Option<Observation>,
    /// What stands in the way of policy.
    pub(crate) blocked: Vec<Blocked>,
    /// The last failure, until a cycle succeeds.
    pub(crate) last_error: Option<String>,
    /// Why the certificate, though due, is not renewed yet.
    renewal_error: Option<String>,
    /// Why a conversion does not go on.
    pub(crate) conversion_error: Option<String>,
    /// When the server last answered.
    pub(crate) last_contact: Option<Timestamp>,
    /// Digest of the inventory that the server has.
    reported_digest: Option<String>,
    /// What the server was told to be in the way.
    reported_blocked: Vec<Blocked>,
    /// The server wants the inventory whether it is new or not.
    report_asked: bool,
    /// Requests that are done and not yet reported so.
    done: Vec<RequestId>,
    /// Requests that were reported as done and that the server still repeats.
    reported_done: BTreeSet<RequestId>,
}

/// How a cycle ended.
pub(crate) struct Settled {
    /// When the server wants to see us again.
    pub(crate) next: Duration,
    /// Something was done or learned: an early call of the server was not in vain.
    pub(crate) productive: bool,
}

impl Memory {
    /// What is wrong although the last cycle succeeded.
    fn standing_error(&self) -> Option<String> {
        self.conversion_error.clone().or_else(|| self.renewal_error.clone())
    }
}

impl Agent {
    pub(crate) fn new(config: Config, deps: Deps, hooks: Hooks) -> Result<Self, AgentError> {
        let lock = files::lock_state_dir(&config.state_dir)?;
        let endpoint = Endpoint::new(&config.server, &config.ca_file, deps.timeouts)?;
        let answers = Answers::load(&config.state_dir);
        Ok(Self {
            secrets: Secrets {
                answers: Arc::clone(&answers),
                given: deps.pin,
            },
            answers,
            sequence: Sequence::load(&config.state_dir),
            config,
            provider: SharedProvider::new(deps.provider),
            clock: deps.clock,
            rng: deps.rng,
            hooks,
            memory: Memory::default(),
            client: None,
            endpoint,
            identity: None,
            _lock: lock,
        })
    }

    /// Who we are, once known.
    pub(crate) fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// One cycle, from identity to nothing left to do. The memory holds the outcome for the status.
    pub(crate) async fn cycle(&mut self) -> Result<Settled, AgentError> {
        let result = self.converge().await;
        self.answers.forget_used();
        match &result {
            Ok(_) => self.memory.last_error = self.memory.standing_error(),
            Err(error) => {
                self.memory.last_error = Some(error.to_string());
                if matches!(error, AgentError::Execute(_) | AgentError::UnsafePlan(_)) && error.retry_after().is_none()
                {
                    self.report_failure().await;
                }
            }
        }
        result
    }

    async fn converge(&mut self) -> Result<Settled, AgentError> {
        // The first look comes before all talking: conversions go on even if nobody can be talked to.
        let mut seen = self.observe().await?;
        self.ensure_identity(&seen).await?;
        let policy_before = self.memory.policy.as_ref().map(|(digest, _)| digest.clone());
        let mut productive = false;
        for _ in 0..MAX_ROUNDS {
            let answer = self.check_in(&seen).await?;
            let rotate = self.take_requests(&answer);
            let situation = self.situation(&seen, &answer, &rotate);
            let plan = self.plan(&seen, &answer.ledger, &situation);
            if plan.actions.is_empty() {
                self.note_satisfied(&seen, &rotate);
                if !self.has_news() {
                    let policy_now = self.memory.policy.as_ref().map(|(digest, _)| digest);
                    return Ok(Settled {
                        next: Duration::from_secs(answer.next_check_in_seconds.into()).clamp(SOONEST, LATEST),
                        productive: productive || policy_now != policy_before.as_ref(),
                    });
                }
            } else {
                self.act(&plan, &seen, &answer, &situation).await?;
                seen = self.observe().await?;
            }
            productive = true;
        }
        Err(AgentError::DoesNotConverge(MAX_ROUNDS))
    }

    /// Looks at the volumes.
    pub(crate) async fn observe(&mut self) -> Result<Observation, AgentError> {
        self.hooks.before("observe");
        let overrides = self.config.facts.clone();
        let now = self.clock.now();
        let seen = self
            .provider
            .with(move |provider| observe::observe(provider, &Facts::read(Path::new("/"), now, &overrides)))
            .await
            .map_err(AgentError::Internal)?
            .map_err(AgentError::Observe)?;
        self.hooks.after("observe");
        self.memory.seen = Some(seen.clone());
        Ok(seen)
    }

    async fn check_in(&mut self, seen: &Observation) -> Result<CheckInResponse, AgentError> {
        let is_new = self
            .memory
            .reported_digest
            .as_ref()
            .is_some_and(|known| *known != seen.digest);
        let mut with_inventory = is_new || self.memory.report_asked;
        let mut overtaken = 0;
        let answer = loop {
            let answer = self.check_in_once(seen, with_inventory).await?;
            if self.sequence.raise(answer.sequence) {
                // Nothing was stored: the server has taken higher numbers, from before our state was lost or restored.
                overtaken += 1;
                if overtaken == MAX_OVERTAKEN {
                    let problem = "it takes other check-ins of this device for newer: is its identity in use twice?";
                    return Err(ClientError::Answer(problem.to_owned()).into());
                }
            } else if !answer.send_inventory {
                break answer;
            } else if with_inventory {
                let problem = "it asks for the inventory that it was just given".to_owned();
                return Err(ClientError::Answer(problem).into());
            } else {
                with_inventory = true;
            }
        };
        self.memory.reported_digest = Some(seen.digest.clone());
        self.memory.report_asked = false;
        let reported = self.memory.done.len().min(MAX_DONE);
        self.memory.reported_done.extend(self.memory.done.drain(..reported));
        self.memory.ledger = answer.ledger.clone();
        Ok(answer)
    }

    async fn check_in_once(&mut self, seen: &Observation, inventory: bool) -> Result<CheckInResponse, AgentError> {
        let request = CheckInRequest {
            sequence: self.sequence.next(),
            inventory_digest: seen.digest.clone(),
            inventory: inventory.then(|| seen.inventory.clone()),
            policy_digest: self.memory.policy.as_ref().map(|(digest, _)| digest.clone()),
            blocked: self.memory.blocked.clone(),
            last_error: self.memory.last_error.as_deref().map(observe::bounded_words),
            done: self.memory.done.iter().take(MAX_DONE).copied().collect(),
            exemption_wishes: self.answers.exemption_wishes(),
        };
        let client = self.client()?;
        self.hooks.before("check_in");
        let answer = client.check_in(&request).await?;
        self.hooks.after("check_in");
        self.memory.last_contact = Some(self.clock.now());
        if answer.sequence <= request.sequence && !answer.send_inventory {
            self.answers.told(&request.exemption_wishes);
        }
        self.memory.reported_blocked = request.blocked;
        self.keep_policy(&answer)?;
        Ok(answer)
    }

    fn keep_policy(&mut self, answer: &CheckInResponse) -> Result<(), AgentError> {
        if let Some(policy) = &answer.policy {
            self.memory.policy = Some((answer.policy_digest.clone(), policy.clone()));
        } else if self.memory.policy.as_ref().map(|(digest, _)| digest) != Some(&answer.policy_digest) {
            self.memory.policy = None;
            let problem = "it names a policy that this device does not have, and does not send it".to_owned();
            return Err(ClientError::Answer(problem).into());
        }
        Ok(())
    }

    /// The rotations that are still to be looked at; a wish for a report is noted for the next check-in.
    fn take_requests(&mut self, answer: &CheckInResponse) -> Vec<(RequestId, RotateRequest)> {
        let memory = &mut self.memory;
        memory
            .reported_done
            .retain(|id| answer.requests.iter().any(|request| request.id == *id));
        let mut rotate = Vec::new();
        for request in &answer.requests {
            if memory.reported_done.contains(&request.id) {
                continue;
            }
            match &request.kind {
                RequestKind::Rotate(wish) => rotate.push((request.id, wish.clone())),
                RequestKind::Report => {
                    memory.report_asked = true;
                    memory.done.push(request.id);
                }
            }
        }
        rotate
    }

    fn situation(
        &self,
        seen: &Observation,
        answer: &CheckInResponse,
        rotate: &[(RequestId, RotateRequest)],
    ) -> Situation {
        let now = answer.now.unwrap_or_else(|| self.clock.now());
        let offset = seen.inventory.utc_offset_minutes.unwrap_or_default();
        let maintenance = answer.maintenance.state(now, offset);
        Situation {
            server_reachable: true,
            pin_available: self.secrets.available(),
            password_available: self.secrets.password_available(),
            user_present: self.config.ask_user,
            agreed: self.answers.agreed(),
            postponed: self.answers.postponed(),
            detected: answer.detected.clone(),
            rotate: rotate.iter().map(|(_, wish)| wish.clone()).collect(),
            now,
            exemptions: answer.exemptions.clone(),
            maintenance,
            ..Situation::default()
        }
    }

    fn plan(&mut self, seen: &Observation, ledger: &Ledger, situation: &Situation) -> Plan {
        let policy = self.memory.policy.as_ref().map(|(_, policy)| policy.clone());
        let plan = domain::plan::plan(&policy.unwrap_or_default(), &seen.inventory, ledger, situation);
        self.answers.ask(plan.prompt.clone(), &seen.inventory);
        let blocked = seen.unreadable.iter().chain(&plan.blocked).take(MAX_BLOCKED);
        self.memory.blocked = blocked
            .map(|blocked| Blocked {
                device: blocked.device.clone(),
                reason: observe::bounded_words(&blocked.reason),
            })
            .collect();
        plan
    }

    async fn act(
        &mut self,
        plan: &Plan,
        seen: &Observation,
        answer: &CheckInResponse,
        situation: &Situation,
    ) -> Result<(), AgentError> {
        self.check_plan(plan, seen, &answer.ledger, situation)?;
        let identity = self.identity.as_ref().ok_or(IdentityError::NoToken)?;
        let client = self.client.clone().ok_or(IdentityError::NoToken)?;
        let mut acknowledged = Acknowledged::from_ledger(&answer.ledger);
        let mut executor = Executor {
            provider: &self.provider,
            client: &client,
            device: identity.device,
            recovery_key: &answer.recovery_key,
            acknowledged: &mut acknowledged,
            rng: &mut *self.rng,
            pin: &mut self.secrets,
            hooks: &mut self.hooks,
        };
        Ok(executor.execute(plan).await?)
    }

    /// Trusts no plan that an independent checker finds fault with.
    fn check_plan(
        &self,
        plan: &Plan,
        seen: &Observation,
        ledger: &Ledger,
        situation: &Situation,
    ) -> Result<(), AgentError> {
        let policy = self.memory.policy.as_ref().map(|(_, policy)| policy.clone());
        domain::plan::check::check(plan, &seen.inventory, ledger, &policy.unwrap_or_default(), situation).map_err(
            |breaches| {
                let breaches: Vec<String> = breaches.iter().map(ToString::to_string).collect();
                AgentError::UnsafePlan(breaches.join("; "))
            },
        )
    }

    fn note_satisfied(&mut self, seen: &Observation, rotate: &[(RequestId, RotateRequest)]) {
        for (id, wish) in rotate {
            if wish.is_satisfied_by(&seen.inventory) {
                self.memory.done.push(*id);
            }
        }
    }

    fn has_news(&self) -> bool {
        let memory = &self.memory;
        !memory.done.is_empty() || memory.report_asked || memory.blocked != memory.reported_blocked
    }

    /// Tells the server of a failure at once, and how the volumes are now. That this fails too changes nothing.
    async fn report_failure(&mut self) {
        if let Ok(seen) = self.observe().await
            && let Err(error) = self.check_in(&seen).await
        {
            tracing::warn!(%error, "the failure could not be reported");
        }
    }

    pub(crate) fn client(&self) -> Result<Client, AgentError> {
        Ok(self.client.clone().ok_or(IdentityError::NoToken)?)
    }

    /// Loads, renews or makes the identity, as needed.
    async fn ensure_identity(&mut self, seen: &Observation) -> Result<(), AgentError> {
        if self.identity.is_none() {
            match Identity::load(&self.config.state_dir) {
                Ok(found) => self.identity = found,
                Err(error) if self.config.enrolment_token_file.is_none() => return Err(error.into()),
                Err(error) => tracing::warn!(%error, "enrolling again"),
            }
        }
        let now = self.clock.now();
        match &self.identity {
            Some(identity) if identity.expires_at()? <= now => {
                self.enrol(seen, IdentityError::Expired).await?;
            }
            Some(identity) => {
                if self.client.is_none() {
                    self.client = Some(Client::with_identity(&self.endpoint, identity)?);
                }
                if identity.renew_after <= now {
                    self.renew().await;
                }
            }
            None => self.enrol(seen, IdentityError::NoToken).await?,
        }
        Ok(())
    }

    async fn enrol(&mut self, seen: &Observation, without_token: IdentityError) -> Result<(), AgentError> {
        let Some(file) = &self.config.enrolment_token_file else {
            return Err(without_token.into());
        };
        let token = EnrolmentToken::read(file)?;
        self.hooks.before("enrol");
        let machine = &seen.inventory;
        let identity = Identity::enrol(&self.endpoint, &token, &machine.hostname, &machine.hardware_id).await?;
        self.hooks.after("enrol");
        tracing::info!(device = %identity.device, "enrolled");
        self.adopt(identity)
    }

    /// A failed renewal is tried again at the next cycle; the present certificate still works.
    async fn renew(&mut self) {
        let (Some(identity), Some(client)) = (&self.identity, &self.client) else {
            return;
        };
        self.hooks.before("renew");
        let renewed = identity.renew(&self.endpoint, client).await;
        self.hooks.after("renew");
        let result = match renewed {
            Ok(identity) => self.adopt(identity),
            Err(error) => Err(error.into()),
        };
        self.memory.renewal_error = result.err().map(|error| {
            tracing::warn!(%error, "the certificate could not be renewed");
            format!("the certificate could not be renewed: {error}")
        });
    }

    fn adopt(&mut self, identity: Identity) -> Result<(), AgentError> {
        self.hooks.before("store_identity");
        identity.store(&self.config.state_dir)?;
        self.hooks.after("store_identity");
        self.client = Some(Client::with_identity(&self.endpoint, &identity)?);
        self.identity = Some(identity);
        Ok(())
    }
}
