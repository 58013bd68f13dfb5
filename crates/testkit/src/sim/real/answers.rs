//! What the real server answers, as the simulation's agents and people hear it.

use protocol::messages::{CheckInResponse, EnrolResponse, EscrowResponse, RequestKind};
use serde::de::DeserializeOwned;
use server::{Answer, AppError};
use zeroize::Zeroizing;

use super::super::world::{Body, Reply};
use super::Mirror;
use super::calls::password;

/// What a caller hears.
pub(in super::super) enum Heard {
    /// A device's message was answered.
    Message(Answer),
    /// A password.
    Told(Zeroizing<String>),
    Done,
    /// Refused, or failed, with this status and code.
    Refused(u16, String),
}

impl Heard {
    pub(super) fn of<T>(result: Result<T, AppError>) -> Self {
        match result {
            Ok(_) => Self::Done,
            Err(error) => Self::refused(&error),
        }
    }

    pub(super) fn refused(error: &AppError) -> Self {
        Self::Refused(error.status().as_u16(), error.code().to_owned())
    }

    /// In words without secrets.
    pub(in super::super) fn words(&self) -> String {
        match self {
            Self::Message(answer) => format!("answers {}", answer.status),
            Self::Told(_) => "tells a password".to_owned(),
            Self::Done => "does it".to_owned(),
            Self::Refused(status, code) => format!("refuses with {status} {code}"),
        }
    }

    /// A refusal by the rules, and not a failure.
    pub(in super::super) fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused(status, _) if *status < 500)
    }

    /// The storage failed.
    pub(in super::super) fn is_failure(&self) -> bool {
        matches!(self, Self::Refused(500.., _))
    }

    /// Whether this password was told.
    pub(in super::super) fn tells(&self, secret: u64) -> bool {
        matches!(self, Self::Told(told) if **told == *password(secret))
    }
}

impl Mirror {
    /// The answer to a device's message as the device hears it. `as_of`: the length of the log.
    pub(in super::super) fn reply(&self, heard: &Heard, body: &Body, as_of: usize) -> Result<Reply, String> {
        let Heard::Message(answer) = heard else {
            return Err(heard.words());
        };
        match answer.status {
            200 => {}
            400..500 => return Ok(Reply::Refused),
            _ => return Ok(Reply::Failed),
        }
        Ok(match body {
            Body::Enrol { .. } => Reply::Enrolled(read::<EnrolResponse>(answer)?.device),
            Body::Escrow { name, .. } => Reply::Escrowed(name.volume, read::<EscrowResponse>(answer)?.protector),
            Body::CheckIn { .. } => self.check_in(read(answer)?, as_of)?,
        })
    }

    fn check_in(&self, answer: CheckInResponse, as_of: usize) -> Result<Reply, String> {
        let known = |digest: &str| self.digests.get(digest).copied();
        let in_force = known(&answer.policy_digest).ok_or("the policy in force is nobody's choice")?;
        if let Some(policy) = &answer.policy
            && *policy != in_force.policy()
        {
            return Err("the policy is not the one that its digest names".to_owned());
        }
        let requests = answer.requests.into_iter().map(|request| match request.kind {
            RequestKind::Rotate(rotate) => (request.id, Some(rotate)),
            RequestKind::Report => (request.id, None),
        });
        Ok(Reply::CheckIn {
            sequence: answer.sequence,
            send_inventory: answer.send_inventory,
            policy: answer.policy.is_some().then_some(in_force),
            in_force,
            ledger: answer.ledger,
            exemptions: answer.exemptions,
            now: answer.now.ok_or("the server's clock is missing")?,
            requests: requests.collect(),
            as_of,
        })
    }
}

fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, String> {
    serde_json::from_slice(&answer.body).map_err(|error| format!("the answer is malformed: {error}"))
}
