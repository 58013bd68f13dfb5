//! Self-service: a user gets the key of an own device.

use axum::{extract::State, http::StatusCode, response::Response};
use serde::Deserialize;
use store::model::{FoundKey, KeyRecord};

use crate::{
    csrf::CsrfForm,
    error::Result,
    services::recovery::{self, Why},
    session::CurrentUser,
    state::AppState,
    web::{
        frame::{Frame, page as answer, page_with},
        icons,
        view::{
            chrome::Place,
            form::{Choice, SelectField, TextField},
            part::KeyId,
            selfservice::{OwnDrive, SelfService, SelfServiceResult},
        },
        words,
    },
};

use super::{device::in_use, exemptions, helpdesk::volume};

const REASONS: [&str; 4] = [
    "BIOS or TPM changed",
    "Operating system files modified",
    "Lost PIN or passphrase",
    "Other",
];
const NOTICE: &str = "Getting a key is recorded with your name, the time and the reason. The key is replaced once the computer has started.";
const HELPDESK: &str = "For everything else, ask your help desk or IT department.";

/// The form's fields.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Fields {
    key_id: String,
    reason: String,
}

/// What is wrong.
#[derive(Debug, Default)]
struct Faults {
    key_id: Option<String>,
    reason: Option<String>,
    general: Option<String>,
}

/// `GET /selfservice`.
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

/// `POST /selfservice`: the key is shown in the answer, once.
pub(crate) async fn recover(
    State(state): State<AppState>,
    frame: Frame,
    user: CurrentUser,
    CsrfForm(fields): CsrfForm<Fields>,
) -> Result<Response> {
    if !REASONS.contains(&fields.reason.as_str()) {
        let faults = Faults {
            reason: Some("Choose a reason.".to_owned()),
            ..Faults::default()
        };
        return show(&state, &frame, &user, StatusCode::UNPROCESSABLE_ENTITY, &fields, faults).await;
    }
    let found = match recovery::search_own(&state, &user, &fields.key_id).await {
        Ok(found) => found,
        Err(error) if error.code() == "key_id" => {
            let faults = Faults {
                key_id: Some(error.detail().to_owned()),
                ..Faults::default()
            };
            return show(&state, &frame, &user, StatusCode::UNPROCESSABLE_ENTITY, &fields, faults).await;
        }
        Err(error) => return Err(error),
    };
    let Some(one) = only(&found) else {
        let general = Some(if found.is_empty() {
            format!(
                "None of your drives has a key with {}. Compare the characters with the screen: B and 8, D and 0 are easily mixed up.",
                fields.key_id.trim().to_uppercase()
            )
        } else {
            "Several of your drives have keys that begin so. Enter the whole key ID.".to_owned()
        });
        return show(
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
        .await;
    };
    let why = Why {
        reason: fields.reason,
        ..Why::default()
    };
    let told = recovery::disclose_own(&state, &user, one.key.name, &why).await?;
    answer(&SelfServiceResult {
        chrome: frame.chrome(&user, Place::SelfService),
        id: KeyId {
            id: told.name.protector.to_string(),
        },
        drive: format!("{}, {}", one.hostname, volume(one)),
        helpdesk: HELPDESK.to_owned(),
        password: told.password,
    })
}

/// The one key that was meant: the newest when the same volume is known on several devices.
fn only(found: &[FoundKey]) -> Option<&FoundKey> {
    let (first, rest) = found.split_first()?;
    rest.iter()
        .all(|other| other.key.name.protector == first.key.name.protector)
        .then_some(first)
}

async fn show(
    state: &AppState,
    frame: &Frame,
    user: &CurrentUser,
    status: StatusCode,
    fields: &Fields,
    faults: Faults,
) -> Result<Response> {
    let mut reasons = vec![("", "Choose…")];
    reasons.extend(REASONS.map(|reason| (reason, reason)));
    let view = SelfService {
        chrome: frame.chrome(user, Place::SelfService),
        notice: vec![NOTICE.to_owned()],
        drives: drives(state, user).await?,
        key_id: TextField {
            name: "key_id",
            label: "Recovery key ID on the screen".to_owned(),
            value: fields.key_id.trim().to_owned(),
            hint: "The first 8 characters are enough.".to_owned(),
            error: faults.key_id,
            required: true,
            mono: true,
            max: 64,
            ..TextField::default()
        },
        reason: SelectField {
            name: "reason",
            label: "Why is the key needed?".to_owned(),
            choices: Choice::list(&reasons, &fields.reason),
            error: faults.reason,
            required: true,
            ..SelectField::default()
        },
        exemption: exemptions::standing(state, user).await?,
        problem: faults.general,
        helpdesk: HELPDESK.to_owned(),
    };
    page_with(status, &view)
}

/// The drives of the user's devices, with the first digits of the key in use, to compare with the screen.
async fn drives(state: &AppState, user: &CurrentUser) -> Result<Vec<OwnDrive>> {
    let mut drives = Vec::new();
    for device in recovery::own_devices(state, user).await? {
        let keys: Vec<KeyRecord> = state.store.keys_of_device(device.id).await?;
        for record in state
            .store
            .volumes(device.id)
            .await?
            .iter()
            .filter(|record| record.present)
        {
            let Some(report) = &record.report else { continue };
            let key = keys.iter().find(|key| key.name.volume == record.volume && in_use(key));
            drives.push(OwnDrive {
                icon: if report.kind == domain::volume::VolumeKind::Os {
                    icons::DEVICE_LAPTOP
                } else {
                    words::kind_icon(report.kind)
                },
                device: device.hostname.clone(),
                volume: words::volume_name(report.letter.as_deref(), Some(&report.label), words::kind(report.kind)),
                digits: key.map(|key| key.name.protector.short()).unwrap_or_default(),
            });
        }
    }
    Ok(drives)
}
