//! Drive recovery by the help desk.

use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::{
    access::same_person,
    ledger::{KeyState, ProofState},
    time::Timestamp,
};
use serde::Deserialize;
use store::model::{AuditQuery, Direction, FoundKey, KeyName, Paging};
use zeroize::Zeroizing;

use crate::{
    csrf::CsrfForm,
    error::{AppError, Result},
    services::recovery::{self, Disclosure, Why},
    session::CurrentUser,
    state::AppState,
    web::{
        format::{exact, moment},
        frame::{Frame, page as answer, page_with, secret},
        names::Names,
        view::{
            chrome::Place,
            form::{Choice, SelectField, TextField},
            helpdesk::{MatchRow, RecoveryForm, RecoveryMatches, RecoveryResult},
            part::{Event, Fact, KeyId},
        },
        words,
    },
};

use super::devices::people;

/// Reasons, as help desks know them.
const REASONS: [&str; 9] = [
    "Operating system boot order changed",
    "BIOS changed",
    "Operating system files modified",
    "Lost startup key",
    "Lost PIN",
    "TPM reset",
    "Lost passphrase",
    "Lost smartcard",
    "Other",
];
const LONGEST_REMARK: usize = 500;
const RECENT: u32 = 5;

/// The form's fields.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Fields {
    key_id: String,
    user: String,
    reason: String,
    remark: String,
    /// Which of several keys: device, volume and protector, joined by slashes.
    pick: String,
}

/// Lets a file be saved.
#[derive(Deserialize)]
pub(crate) struct Save {
    #[serde(deserialize_with = "secret")]
    save: Zeroizing<String>,
}

/// What is wrong with each field, or with none in particular.
#[derive(Debug, Default)]
struct Faults {
    key_id: Option<String>,
    user: Option<String>,
    reason: Option<String>,
    remark: Option<String>,
    general: Option<String>,
}

/// `GET /helpdesk`.
pub(crate) async fn form(State(state): State<AppState>, frame: Frame, user: CurrentUser) -> Result<Response> {
    show(
        &state,
        &frame,
        &user,
        StatusCode::OK,
        &Fields::default(),
        Faults::default(),
    )
    .await
}

/// `POST /helpdesk`: the key is shown in the answer, once; or the form again; or the keys to choose from.
pub(crate) async fn recover(
    State(state): State<AppState>,
    frame: Frame,
    user: CurrentUser,
    CsrfForm(fields): CsrfForm<Fields>,
) -> Result<Response> {
    let unusable = StatusCode::UNPROCESSABLE_ENTITY;
    let faults = check(&fields);
    if faults.reason.is_some() || faults.remark.is_some() {
        return show(&state, &frame, &user, unusable, &fields, faults).await;
    }
    let mut found = match recovery::search(&state, &user, &fields.key_id, &fields.user).await {
        Ok(found) => found,
        Err(error) if error.code() == "key_id" => {
            let faults = Faults {
                key_id: Some(error.detail().to_owned()),
                ..Faults::default()
            };
            return show(&state, &frame, &user, unusable, &fields, faults).await;
        }
        Err(error) if error.code() == "user" => {
            let faults = Faults {
                user: Some(error.detail().to_owned()),
                ..Faults::default()
            };
            return show(&state, &frame, &user, unusable, &fields, faults).await;
        }
        Err(error) => return Err(error),
    };
    if !fields.pick.is_empty() {
        found.retain(|found| pick(found.key.name) == fields.pick);
    }
    let before = found.len();
    narrow(&mut found, fields.user.trim());
    match found.as_slice() {
        [] => {
            let general = Some(nothing(&fields, before, user.grant.must_name_the_person()));
            show(
                &state,
                &frame,
                &user,
                StatusCode::NOT_FOUND,
                &fields,
                Faults {
                    general,
                    ..Faults::default()
                },
            )
            .await
        }
        [one] => tell(&state, &frame, &user, one, &fields).await,
        several => answer(&choose(&frame, &user, several, fields.clone_for_choice(), state.now())),
    }
}

/// `POST /helpdesk/save`: the key as a file, once, to the session that it was shown to.
pub(crate) async fn save(
    State(state): State<AppState>,
    user: CurrentUser,
    CsrfForm(fields): CsrfForm<Save>,
) -> Result<Response> {
    let (name, password) = recovery::save(&state, &user, &fields.save).await?;
    let text = Zeroizing::new(format!(
        "BitLocker recovery key\r\n\r\nRecovery key ID: {}\r\nRecovery key:    {}\r\n\r\nSaved {} UTC. The device replaces this key at its next contact; then it opens nothing any more.\r\n",
        name.protector,
        password.as_str(),
        exact(state.now()),
    ));
    let file = format!("attachment; filename=\"recovery-key-{}.txt\"", name.protector.short());
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        ),
        (
            header::CONTENT_DISPOSITION,
            HeaderValue::from_str(&file).map_err(AppError::internal)?,
        ),
    ];
    Ok((headers, axum::body::Body::from(axum::body::Bytes::from_owner(text))).into_response())
}

impl Fields {
    fn clone_for_choice(&self) -> Self {
        Self {
            key_id: self.key_id.trim().to_uppercase(),
            user: self.user.clone(),
            reason: self.reason.clone(),
            remark: self.remark.clone(),
            pick: String::new(),
        }
    }
}

fn check(fields: &Fields) -> Faults {
    Faults {
        reason: (!REASONS.contains(&fields.reason.as_str())).then(|| "Choose a reason.".to_owned()),
        remark: (fields.remark.len() > LONGEST_REMARK).then(|| format!("At most {LONGEST_REMARK} characters.")),
        ..Faults::default()
    }
}

/// Names a key in the form that picks one of several.
fn pick(name: KeyName) -> String {
    format!("{}/{}/{}", name.device, name.volume, name.protector)
}

/// Leaves the keys of devices that this person uses; everything when no name was given. A bare name means any domain:
/// the help desk may see all keys anyhow, this only helps to find the caller's.
fn narrow(found: &mut Vec<FoundKey>, user: &str) {
    if user.is_empty() {
        return;
    }
    let is_caller = |known: &String| {
        let bare = known.rsplit_once('\\').map_or(known.as_str(), |(_, bare)| bare);
        same_person(known, user) || same_person(bare, user)
    };
    found.retain(|found| found.users.iter().any(is_caller));
}

fn nothing(fields: &Fields, before: usize, named: bool) -> String {
    let digits = fields.key_id.trim().to_uppercase();
    if before > 0 {
        format!(
            "A key with {digits} is stored, but {} is not known to use that device. Make sure who is calling; leave the user name empty to go on without it.",
            fields.user.trim()
        )
    } else if named {
        // Whether somebody else has such a key is not said.
        format!(
            "No device that {} uses has a key with {digits}. Ask the caller to read the characters again: B and 8, D and 0 are easily mixed up; and make sure who is calling.",
            fields.user.trim()
        )
    } else {
        format!(
            "No key with {digits} is stored. Ask the caller to read the characters again: B and 8, D and 0 are easily mixed up."
        )
    }
}

async fn show(
    state: &AppState,
    frame: &Frame,
    user: &CurrentUser,
    status: StatusCode,
    fields: &Fields,
    faults: Faults,
) -> Result<Response> {
    let named = user.grant.must_name_the_person();
    let mut reasons = vec![("", "Choose…")];
    reasons.extend(REASONS.map(|reason| (reason, reason)));
    let view = RecoveryForm {
        chrome: frame.chrome(user, Place::Recovery),
        key_id: TextField {
            name: "key_id",
            label: "Recovery key ID".to_owned(),
            value: fields.key_id.trim().to_owned(),
            hint: "The first 8 characters, or the whole ID.".to_owned(),
            error: faults.key_id,
            required: true,
            mono: true,
            focus: true,
            max: 64,
            ..TextField::default()
        },
        user: TextField {
            name: "user",
            label: "Caller's user name".to_owned(),
            value: fields.user.trim().to_owned(),
            hint: if named {
                "domain\\name. Only devices that the caller uses are looked at."
            } else {
                "domain\\name. Optional; then only devices that the caller uses are looked at."
            }
            .to_owned(),
            error: faults.user,
            required: named,
            ..TextField::default()
        },
        reason: SelectField {
            name: "reason",
            label: "Reason".to_owned(),
            choices: Choice::list(&reasons, &fields.reason),
            error: faults.reason,
            required: true,
            ..SelectField::default()
        },
        remark: TextField {
            name: "remark",
            label: "Remark".to_owned(),
            value: fields.remark.clone(),
            hint: "Ticket number and the like. Optional; it is recorded.".to_owned(),
            error: faults.remark,
            max: 500,
            ..TextField::default()
        },
        problem: faults.general,
        recent: recent(state, user).await?,
    };
    page_with(status, &view)
}

/// What this person disclosed last. Everybody may see their own deeds, so no right to read the audit is needed.
async fn recent(state: &AppState, user: &CurrentUser) -> Result<Vec<Event>> {
    let query = AuditQuery {
        within: user.within(),
        actor: Some(user.actor()),
        action_prefix: Some("key.disclosed".to_owned()),
        direction: Direction::Descending,
        paging: Paging {
            offset: 0,
            limit: RECENT,
        },
        ..AuditQuery::default()
    };
    let entries = state.store.search_audit(query).await?.items;
    let names = Names::of(state, &entries).await?;
    let now = state.now();
    Ok(entries
        .iter()
        .map(|entry| {
            let mut event = names.event(entry, now, None);
            event.text = names.subject(&entry.event.subject);
            event.detail.clone_from(&entry.event.detail);
            event
        })
        .collect())
}

fn choose(frame: &Frame, user: &CurrentUser, several: &[FoundKey], fields: Fields, now: Timestamp) -> RecoveryMatches {
    RecoveryMatches {
        chrome: frame.chrome(user, Place::Recovery),
        digits: fields.key_id,
        user: fields.user,
        reason: fields.reason,
        remark: fields.remark,
        rows: several
            .iter()
            .map(|found| MatchRow {
                id: KeyId {
                    id: found.key.name.protector.to_string(),
                },
                pick: pick(found.key.name),
                device: found.hostname.clone(),
                volume: volume(found),
                users: people(&found.users),
                state: words::key_state(found.key.state),
                escrowed_at: moment(found.key.escrowed_at, now),
            })
            .collect(),
    }
}

async fn tell(
    state: &AppState,
    frame: &Frame,
    user: &CurrentUser,
    found: &FoundKey,
    fields: &Fields,
) -> Result<Response> {
    let why = Why {
        reason: fields.reason.clone(),
        remark: fields.remark.trim().to_owned(),
        on_behalf_of: fields.user.trim().to_owned(),
    };
    let told = recovery::disclose(state, user, found.key.name, &why).await?;
    answer(&RecoveryResult {
        chrome: frame.chrome(user, Place::Recovery),
        id: KeyId {
            id: told.name.protector.to_string(),
        },
        caution: caution(&told),
        facts: facts(found),
        device_href: format!("/admin/devices/{}", told.name.device),
        device: found.hostname.clone(),
        next: next(&told, found).to_owned(),
        password: told.password,
        save_token: told.save_token,
    })
}

fn caution(told: &Disclosure) -> String {
    match (told.state, told.proof) {
        (KeyState::Superseded, _) => "This key was replaced: it opens only an old copy of the volume. If the screen shows another key ID, ask for that one.".to_owned(),
        (_, ProofState::Failed) => "This key was tried against the volume's own data and did not open it. Try it, but look for another key of this device.".to_owned(),
        (_, ProofState::NotProven) => "This key has not been tried against the volume's own data yet.".to_owned(),
        (_, ProofState::Proven) => String::new(),
    }
}

fn next(told: &Disclosure, found: &FoundKey) -> &'static str {
    match told.state {
        KeyState::Superseded => "The key had been replaced before, so nothing follows.",
        _ if found.retired => "The device is retired: nobody will replace this key. It counts as exposed.",
        _ => {
            "The key counts as exposed from now on. The device replaces it at its next contact; then this one opens nothing any more."
        }
    }
}

pub(super) fn volume(found: &FoundKey) -> String {
    words::volume_name(found.letter.as_deref(), found.label.as_deref(), "Volume without a name")
}

fn facts(found: &FoundKey) -> Vec<Fact> {
    let written = |at: Timestamp| format!("{} UTC", exact(at));
    let proof = match (found.key.proof, found.key.proof_at) {
        (ProofState::Proven, Some(at)) => format!("proven {}", written(at)),
        (ProofState::Failed, Some(at)) => format!("failed {}", written(at)),
        _ => "not tried yet".to_owned(),
    };
    vec![
        Fact::new("Device", found.hostname.clone()),
        Fact::new("Volume", volume(found)),
        Fact::new("Users", found.users.join(", ")),
        Fact::new("Key stored", written(found.key.escrowed_at)),
        Fact::new("Proof", proof),
        Fact::new("Volume ID", found.key.name.volume.to_string()),
    ]
}
