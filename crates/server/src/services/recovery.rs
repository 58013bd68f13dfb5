//! Drive recovery: find a key, tell it, and see that it is replaced.
//!
//! The record of who asked and why is durable before the secret is opened (P4). Telling marks the key as exposed and
//! wakes the device, which replaces it (P5).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use domain::access::{Permission, Role, may_recover};
use domain::audit::AuditEvent;
use domain::ledger::{KeyState, ProofState};
use domain::time::Timestamp;
use protocol::sealing::SealedSecret;
use store::model::{DeviceRow, Disclosed, FoundKey, KeyName, KeySearch, SecretHash, Within, subject};
use zeroize::Zeroizing;

use crate::error::{AppError, Result};
use crate::sealing::SealedRecord;
use crate::session::{CurrentUser, Token};
use crate::state::{AppState, Shared};

const MAX_TEXT: usize = 1024;
const SAVE_LASTS: Duration = Duration::from_secs(10 * 60);
const MAX_SAVE_TOKENS: usize = 10_000;

/// Why somebody wants a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Why {
    /// The reason, as chosen or written. Must not be empty.
    pub reason: String,
    /// A remark; may be empty.
    pub remark: String,
    /// For whom, as `domain\name`; may be empty.
    pub on_behalf_of: String,
}

/// A recovery password, told. `Debug` does not show it.
pub struct Disclosure {
    /// The 48 digits in eight groups of six, joined by hyphens.
    pub password: Zeroizing<String>,
    /// Which key.
    pub name: KeyName,
    /// State after telling it.
    pub state: KeyState,
    /// Whether it is proven to open the volume.
    pub proof: ProofState,
    /// Lets this session save the key as a file, once, within ten minutes.
    pub save_token: Zeroizing<String>,
}

impl std::fmt::Debug for Disclosure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Disclosure {{ name: {:?}, password: [redacted] }}", self.name)
    }
}

/// Keys by the first eight digits or the whole recovery key ID, on the devices in the scope. Needs
/// [`Permission::RecoverNamedDrive`]; who has not [`Permission::RecoverAnyDrive`] as well finds only keys of devices that
/// the named caller uses.
///
/// # Errors
/// 403; 422 `key_id` when the text is neither; 422 `user` when a caller must be named and is not.
pub async fn search(state: &AppState, user: &CurrentUser, text: &str, caller: &str) -> Result<Vec<FoundKey>> {
    let within = for_caller(user, caller)?;
    find(state, text, &within).await
}

/// The devices whose keys this person may ask for, on behalf of that caller.
fn for_caller(user: &CurrentUser, caller: &str) -> Result<Within> {
    user.demand(Permission::RecoverNamedDrive)?;
    if !user.grant.must_name_the_person() {
        return Ok(user.within());
    }
    if domain::access::person_key(caller).is_none() {
        return Err(AppError::invalid(
            "user",
            "Name the caller as devices name people: domain\\name.",
        ));
    }
    Ok(user.within().used_by(caller))
}

/// As [`search`], but only on devices in use on which this person is a listed user. Others' keys are as if they were not
/// there, and so are those of retired devices: who has such a drive now is for the help desk to find out, and no device
/// would replace the key (P5).
///
/// # Errors
/// 403; 422 when the text is neither.
pub async fn search_own(state: &AppState, user: &CurrentUser, text: &str) -> Result<Vec<FoundKey>> {
    user.demand(Permission::RecoverOwnDrive)?;
    let mut found = find(state, text, &own(user)).await?;
    found.retain(|found| is_own(user, found));
    Ok(found)
}

/// Devices on which this person is a listed user.
///
/// # Errors
/// 403; when the store fails.
pub async fn own_devices(state: &AppState, user: &CurrentUser) -> Result<Vec<DeviceRow>> {
    user.demand(Permission::RecoverOwnDrive)?;
    Ok(state.store.devices_of_user(&user.name).await?)
}

/// Tells a key of a device in the scope, as [`search`] finds it for `why.on_behalf_of`. Needs a reason.
///
/// # Errors
/// 403; 404; 422 `reason`, `user`; 500 when the key cannot be opened. Whatever the answer, it is in the audit before.
pub async fn disclose(state: &AppState, user: &CurrentUser, name: KeyName, why: &Why) -> Result<Disclosure> {
    let within = for_caller(user, &why.on_behalf_of)?;
    let detail = detail(why)?;
    let event = state.event(user.actor(), "key.disclosed", subject_of(name), detail);
    match tell(state, user, name, &within, event).await {
        Err(error) if error.status() == StatusCode::NOT_FOUND => {
            let event = state.event(
                user.actor(),
                "key.refused",
                subject_of(name),
                "no such key, or none that may be told",
            );
            state.store.append_audit(vec![event]).await?;
            Err(error)
        }
        told => told,
    }
}

/// Tells a key of one's own device: 404 for everybody else's.
///
/// # Errors
/// As [`disclose`].
pub async fn disclose_own(state: &AppState, user: &CurrentUser, name: KeyName, why: &Why) -> Result<Disclosure> {
    user.demand(Permission::RecoverOwnDrive)?;
    let detail = format!("self-service; {}", detail(why)?);
    let found = state
        .store
        .find_keys(KeySearch::Whole(name.protector), &own(user))
        .await?;
    if !found.iter().any(|found| found.key.name == name && is_own(user, found)) {
        let event = state.event(
            user.actor(),
            "key.refused",
            subject_of(name),
            "self-service; not an own device",
        );
        state.store.append_audit(vec![event]).await?;
        return Err(AppError::not_found("No device of yours has a key with this ID."));
    }
    let event = state.event(user.actor(), "key.disclosed", subject_of(name), detail);
    tell(state, user, name, &own(user), event).await
}

/// Opens the key once more for the session that it was told to, to be saved as a file. The token works once.
///
/// # Errors
/// 403 `save_token` when the token is unknown, used, too old or another session's.
pub async fn save(state: &AppState, user: &CurrentUser, token: &str) -> Result<(KeyName, Zeroizing<String>)> {
    let name = state
        .save_tokens
        .take(token, user.session, state.now())
        .ok_or_else(|| {
            AppError::forbidden(
                "save_token",
                "This link works once, within ten minutes. Recover the drive again.",
            )
        })?;
    let event = state.event(
        user.actor(),
        "key.saved",
        subject_of(name),
        "saved as a file after disclosure",
    );
    // What was told a moment ago may be saved, wherever the device belongs by now.
    let within = Within::default();
    let disclosed = state.store.disclose(name, &within, state.now(), vec![event]).await?;
    Ok((name, open(state, &disclosed).await?))
}

async fn find(state: &Shared, text: &str, within: &Within) -> Result<Vec<FoundKey>> {
    let search = KeySearch::parse(text).ok_or_else(|| {
        AppError::invalid(
            "key_id",
            "Give the first 8 digits of the recovery key ID, or the whole ID (0-9, A-F).",
        )
    })?;
    Ok(state.store.find_keys(search, within).await?)
}

async fn tell(
    state: &AppState,
    user: &CurrentUser,
    name: KeyName,
    within: &Within,
    event: AuditEvent,
) -> Result<Disclosure> {
    let disclosed = state.store.disclose(name, within, state.now(), vec![event]).await?;
    // From here on the record is durable. The device is told even if opening fails: somebody wanted the key.
    state.hub.wake(name.device);
    disclosed.elsewhere.iter().for_each(|device| state.hub.wake(*device));
    let password = open(state, &disclosed).await?;
    let token = Token::new(state.random());
    state.save_tokens.add(token.hash(), user.session, name, state.now());
    Ok(Disclosure {
        password,
        name,
        state: disclosed.state,
        proof: disclosed.proof,
        save_token: Zeroizing::new(hex::encode(token.bytes())),
    })
}

async fn open(state: &AppState, disclosed: &Disclosed) -> Result<Zeroizing<String>> {
    let name = disclosed.name;
    let opened = serde_json::from_slice::<SealedSecret>(&disclosed.sealed.bytes)
        .map_err(|error| error.to_string())
        .and_then(|sealed| {
            let record = SealedRecord {
                device: name.device,
                volume: name.volume,
                protector: name.protector,
                sealed: &sealed,
            };
            state.keys.open_password(record).map_err(|error| error.to_string())
        });
    match opened {
        Ok(password) => Ok(password),
        Err(reason) => {
            let event = state.event("system", "key.not_opened", subject_of(name), reason.clone());
            state.store.append_audit(vec![event]).await?;
            Err(AppError::internal(format!("{name:?} does not open: {reason}")))
        }
    }
}

/// "reason; for NAME; remark", as the audit shows it.
fn detail(why: &Why) -> Result<String> {
    let fields = [&why.reason, &why.remark, &why.on_behalf_of];
    if why.reason.trim().is_empty() || fields.iter().any(|field| field.len() > MAX_TEXT) {
        return Err(AppError::invalid(
            "reason",
            "reason: must not be empty; reason, remark and user: at most 1024 bytes each",
        ));
    }
    let mut text = why.reason.trim().to_owned();
    if !why.on_behalf_of.trim().is_empty() {
        text.push_str("; for ");
        text.push_str(why.on_behalf_of.trim());
    }
    if !why.remark.trim().is_empty() {
        text.push_str("; ");
        text.push_str(why.remark.trim());
    }
    Ok(text)
}

pub(crate) fn subject_of(name: KeyName) -> String {
    subject(name.device, Some(name.volume), Some(name.protector))
}

/// The person's own devices, whatever the scope.
fn own(user: &CurrentUser) -> Within {
    Within::default().used_by(&user.name)
}

/// Whether the person is a listed user of a device in use, whatever else the role allows.
fn is_own(user: &CurrentUser, found: &FoundKey) -> bool {
    !found.retired && may_recover(Role::SelfService, &user.name, None, &found.users)
}

/// Tokens that let a session save a told key. Only names are kept here, never a secret.
#[derive(Default)]
pub(crate) struct SaveTokens(Mutex<HashMap<SecretHash, (SecretHash, KeyName, Timestamp)>>);

impl SaveTokens {
    fn add(&self, token: SecretHash, session: SecretHash, name: KeyName, now: Timestamp) {
        let mut tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.retain(|_, (_, _, until)| *until > now);
        if tokens.len() < MAX_SAVE_TOKENS {
            tokens.insert(token, (session, name, now.after(SAVE_LASTS)));
        }
    }

    fn take(&self, token: &str, session: SecretHash, now: Timestamp) -> Option<KeyName> {
        let hash = Token::parse(token)?.hash();
        let mut tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (owner, name, until) = tokens.remove(&hash)?;
        (owner == session && now < until).then_some(name)
    }
}
