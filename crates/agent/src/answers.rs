//! What the user is asked, and what they answered.
//!
//! An agent has no screen: the question stands in the status, and `claviger-agent answer` hands the answer to the running
//! agent through a socket in the state directory. A PIN or password is kept in memory until the cycle that used it ends;
//! agreement and postponement are written down, as they outlast a restart.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::access::same_person;
use domain::exemption::Postponement;
use domain::inventory::Inventory;
use domain::plan::{Prompt, Question};
use domain::time::Timestamp;
use protocol::limits::MAX_TEXT;
use protocol::messages::ExemptionWish;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use zeroize::Zeroizing;

use crate::files;
use crate::hooks::PinSource;
use crate::identity::secret_text;

#[cfg(unix)]
pub(crate) use socket::listen;
#[cfg(unix)]
pub use socket::{AnswerError, answer};

#[cfg(unix)]
mod socket;

/// An answer of the user. `Debug` shows no secret.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case", deny_unknown_fields)]
pub enum Answer {
    /// The start-up PIN that they chose.
    Pin {
        /// The PIN.
        #[serde(with = "secret_text")]
        pin: Zeroizing<String>,
    },
    /// The password that they chose, for every drive that needs one now.
    Password {
        /// The password.
        #[serde(with = "secret_text")]
        password: Zeroizing<String>,
    },
    /// Encryption may begin.
    Agree,
    /// Encryption shall begin later.
    Postpone {
        /// When; none: as late as may be.
        until: Option<Timestamp>,
    },
    /// They ask to be exempt.
    Exemption {
        /// Who, as the device names its users.
        user: String,
        /// Why.
        reason: String,
    },
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Pin { .. } => "Pin([redacted])",
            Self::Password { .. } => "Password([redacted])",
            Self::Agree => "Agree",
            Self::Postpone { .. } => "Postpone",
            Self::Exemption { .. } => "Exemption",
        })
    }
}

/// What became of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case", deny_unknown_fields)]
pub enum Reply {
    /// The agent acts on it now; the status shows what comes of it.
    Taken,
    /// It is no answer to what is asked, or not allowed.
    Refused {
        /// Why.
        reason: String,
    },
}

/// The question and its answers, shared between the agent and whoever answers.
pub(crate) struct Answers {
    file: PathBuf,
    state: Mutex<State>,
    /// An answer came.
    pub(crate) news: Notify,
}

#[derive(Default)]
struct State {
    prompt: Option<Prompt>,
    users: Vec<String>,
    /// Drives in plain text.
    plain: Vec<String>,
    pin: Secret,
    password: Secret,
    kept: Kept,
}

#[derive(Default)]
struct Secret {
    value: Option<Zeroizing<String>>,
    used: bool,
}

/// What outlasts a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Kept {
    agreed: Vec<String>,
    postponed_until: Option<Timestamp>,
    exemption_wishes: Vec<ExemptionWish>,
}

impl Answers {
    /// With what was answered before, if anything.
    pub(crate) fn load(state_dir: &Path) -> Arc<Self> {
        let file = state_dir.join("answers.json");
        let kept = std::fs::read(&file)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        Arc::new(Self {
            file,
            state: Mutex::new(State {
                kept,
                ..State::default()
            }),
            news: Notify::new(),
        })
    }

    /// Notes what is asked now, and forgets agreements to what has begun.
    pub(crate) fn ask(&self, prompt: Option<Prompt>, inventory: &Inventory) {
        let mut state = self.lock();
        state.prompt = prompt;
        state.users.clone_from(&inventory.users);
        let plain = inventory.volumes.iter().filter(|v| !v.is_encrypted_at_all());
        state.plain = plain.map(|v| v.device.clone()).collect();
        let mut kept = state.kept.clone();
        kept.agreed.retain(|device| state.plain.contains(device));
        self.keep(&mut state, kept);
    }

    pub(crate) fn prompt(&self) -> Option<Prompt> {
        self.lock().prompt.clone()
    }

    pub(crate) fn agreed(&self) -> Vec<String> {
        self.lock().kept.agreed.clone()
    }

    pub(crate) fn postponed(&self) -> Option<Postponement> {
        let until = self.lock().kept.postponed_until?;
        Some(Postponement { until })
    }

    /// Wishes that the server was not told of yet.
    pub(crate) fn exemption_wishes(&self) -> Vec<ExemptionWish> {
        self.lock().kept.exemption_wishes.clone()
    }

    /// The server was told of these.
    pub(crate) fn told(&self, wishes: &[ExemptionWish]) {
        if !wishes.is_empty() {
            let mut state = self.lock();
            let mut kept = state.kept.clone();
            kept.exemption_wishes.retain(|wish| !wishes.contains(wish));
            self.keep(&mut state, kept);
        }
    }

    /// Forgets secrets that were used, whether the drive took them or not.
    pub(crate) fn forget_used(&self) {
        let mut state = self.lock();
        let State { pin, password, .. } = &mut *state;
        for secret in [pin, password] {
            if secret.used {
                *secret = Secret::default();
            }
        }
    }

    /// Takes an answer, if it is one to what is asked.
    pub(crate) fn take(&self, answer: Answer) -> Reply {
        let mut state = self.lock();
        let (secret, kept) = match state.take(answer) {
            Ok(taken) => taken,
            Err(reason) => return Reply::Refused { reason },
        };
        match secret {
            Some(Chosen::Pin(pin)) => state.pin = Secret::new(pin),
            Some(Chosen::Password(password)) => state.password = Secret::new(password),
            None => {}
        }
        self.keep(&mut state, kept);
        drop(state);
        self.news.notify_one();
        Reply::Taken
    }

    fn keep(&self, state: &mut State, kept: Kept) {
        if kept == state.kept {
            return;
        }
        let written = serde_json::to_vec(&kept).map_err(std::io::Error::from);
        if let Err(error) = written.and_then(|json| files::replace(&self.file, &json, files::PRIVATE)) {
            tracing::warn!(%error, "the user's answer could not be written down; it holds until the agent ends");
        }
        state.kept = kept;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Chosen {
    Pin(Zeroizing<String>),
    Password(Zeroizing<String>),
}

impl State {
    /// What follows from an answer, or why it is none.
    fn take(&self, answer: Answer) -> Result<(Option<Chosen>, Kept), String> {
        let mut kept = self.kept.clone();
        if matches!(answer, Answer::Agree) && kept.postponed_until.is_some() {
            // They changed their mind, before they were asked again.
            kept.postponed_until = None;
            kept.agreed.clone_from(&self.plain);
            return Ok((None, kept));
        }
        let prompt = self.prompt.as_ref().ok_or("nothing is asked now")?;
        let chosen = match (answer, &prompt.question) {
            (Answer::Pin { pin }, question @ Question::Pin { .. }) => {
                question.accepts(&pin)?;
                Some(Chosen::Pin(pin))
            }
            (Answer::Password { password }, question @ Question::Password { .. }) => {
                question.accepts(&password)?;
                Some(Chosen::Password(password))
            }
            (Answer::Agree, Question::Encryption { device }) => {
                kept.agreed.push(device.clone());
                None
            }
            (Answer::Postpone { until }, _) => {
                let latest = prompt.may_postpone_until.ok_or("it can be put off no longer")?;
                let until = until.unwrap_or(latest);
                if until > latest {
                    return Err(format!("it can be put off until {} at most", latest.date()));
                }
                kept.postponed_until = Some(until);
                kept.agreed.clear();
                None
            }
            (Answer::Exemption { user, reason }, _) => {
                kept.exemption_wishes.push(self.wish(prompt, &user, &reason)?);
                None
            }
            (_, question) => return Err(format!("something else is asked: {}", question.sentence())),
        };
        Ok((chosen, kept))
    }

    fn wish(&self, prompt: &Prompt, user: &str, reason: &str) -> Result<ExemptionWish, String> {
        if !prompt.may_request_exemption {
            return Err("policy does not let users ask to be exempt".to_owned());
        }
        let Some(user) = self.users.iter().find(|known| same_person(known, user)) else {
            return Err(format!("the device's users are: {}", self.users.join(", ")));
        };
        let reason = reason.trim();
        if reason.is_empty() || reason.len() > MAX_TEXT || reason.chars().any(char::is_control) {
            return Err(format!("a reason has 1 to {MAX_TEXT} bytes of printable text"));
        }
        if self.kept.exemption_wishes.iter().any(|wish| wish.user == *user) {
            return Err("it was asked for already, and the server will be told".to_owned());
        }
        Ok(ExemptionWish {
            user: user.clone(),
            reason: reason.to_owned(),
        })
    }
}

impl Secret {
    fn new(value: Zeroizing<String>) -> Self {
        Self {
            value: Some(value),
            used: false,
        }
    }

    fn get(&mut self) -> Option<Zeroizing<String>> {
        self.used |= self.value.is_some();
        self.value.clone()
    }
}

/// Secrets that were answered, or else those of the program that started the agent.
pub(crate) struct Secrets {
    pub(crate) answers: Arc<Answers>,
    pub(crate) given: Box<dyn PinSource>,
}

impl PinSource for Secrets {
    fn available(&self) -> bool {
        self.answers.lock().pin.value.is_some() || self.given.available()
    }

    fn pin(&mut self) -> Option<Zeroizing<String>> {
        let answered = self.answers.lock().pin.get();
        answered.or_else(|| self.given.pin())
    }

    fn password_available(&self) -> bool {
        self.answers.lock().password.value.is_some() || self.given.password_available()
    }

    fn password(&mut self) -> Option<Zeroizing<String>> {
        let answered = self.answers.lock().password.get();
        answered.or_else(|| self.given.password())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hooks::NoPin;

    #[test]
    fn a_secret_that_was_used_is_forgotten_and_one_that_was_not_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let answers = Answers::load(dir.path());
        let question = Question::Pin {
            min_length: 4,
            enhanced: false,
            ascii_only: false,
        };
        let prompt = Prompt {
            question,
            may_postpone_until: None,
            may_request_exemption: false,
            contact: None,
            security_policy_url: None,
        };
        answers.ask(Some(prompt), &Inventory::default());
        let pin = Zeroizing::new("748291".to_owned());
        assert_eq!(answers.take(Answer::Pin { pin }), Reply::Taken);
        let mut secrets = Secrets {
            answers: Arc::clone(&answers),
            given: Box::new(NoPin),
        };
        answers.forget_used();
        assert!(secrets.available(), "no round has used it yet");
        assert_eq!(secrets.pin().as_ref().map(|pin| pin.as_str()), Some("748291"));
        answers.forget_used();
        assert!(!secrets.available() && secrets.pin().is_none());
    }
}
