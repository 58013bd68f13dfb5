//! What a change of a policy or a deployment would do, before it is made.

use std::collections::BTreeMap;

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use domain::exemption::Enforcement;
use domain::preview::{Effect, Line, Preview, SettingChange};
use domain::time::Timestamp;

use crate::{
    csrf::CsrfForm,
    error::Result,
    services::{
        preview::{self, Proposal},
        targeting,
    },
    session::CurrentUser,
    state::AppState,
    web::{
        format::counted,
        frame::{Frame, page as answer, page_with},
        view::{
            chart::{Bar, Bars},
            chrome::Place,
            part::Tone,
            sheet::{Block, Body, Button, Cell, Form, Sheet, Table},
        },
        words,
    },
};

use super::deployments;
use super::policies::{self, again, edited, same_revision, values};
use super::policy_text::{text_form, written};

const ON_A_PAGE: usize = 50;

/// `POST /admin/policies/{id}/preview`: of the edit form, or of the text.
pub(crate) async fn policy(
    State(state): State<AppState>,
    frame: Frame,
    user: CurrentUser,
    Path(id): Path<String>,
    CsrfForm(given): CsrfForm<BTreeMap<String, String>>,
) -> Result<Response> {
    let (item, before) = targeting::document(&state, &user, &id).await?;
    same_revision(&given, item.version)?;
    let text = match given.get("text") {
        Some(text) => written(text),
        None => {
            let values = values(&given);
            match edited(&item, &before, &values) {
                Ok(text) => text,
                Err(faults) => return again(&frame, &user, &id, &item, &before, &values, &faults),
            }
        }
    };
    let document = match targeting::read_document(&id, &text) {
        Ok(document) => document,
        Err(faults) => {
            let form = text_form(&frame, &user, &id, &before.name, item.version, text, faults);
            return page_with(StatusCode::UNPROCESSABLE_ENTITY, &form);
        }
    };
    let page = page_of(&given);
    let seen = preview::preview(&state, &user, Proposal::Document(document), offset(page), ON_A_PAGE).await?;
    let form = Form {
        action: format!("/admin/policies/{id}/text"),
        hidden: vec![("revision", item.version.to_string()), ("text", text)],
        fields: Vec::new(),
        buttons: Vec::new(),
    };
    let to = format!("/admin/policies/{id}/preview");
    let name = before.name;
    answer(&sheet(
        &frame,
        &user,
        &id,
        &name,
        &seen.preview,
        Ask {
            form,
            to,
            save: "Save policy",
            page,
            begins: seen.begins,
        },
    ))
}

/// `POST /admin/policies/{id}/deploy/preview`.
pub(crate) async fn deployment(
    State(state): State<AppState>,
    frame: Frame,
    user: CurrentUser,
    Path(id): Path<String>,
    CsrfForm(given): CsrfForm<BTreeMap<String, String>>,
) -> Result<Response> {
    let name = targeting::document(&state, &user, &id).await?.1.name;
    let deployment = match deployments::wanted(&state, &user, &id, &given).await? {
        Ok(wanted) => wanted.deployment,
        Err(filled) => {
            let again = policies::sheet(&state, &frame, &user, &id, Some(filled)).await?;
            return page_with(StatusCode::UNPROCESSABLE_ENTITY, &again);
        }
    };
    let page = page_of(&given);
    let seen = preview::preview(&state, &user, Proposal::Deployment(deployment), offset(page), ON_A_PAGE).await?;
    let kept = [
        "revision",
        "deployment",
        "collection",
        "priority",
        "begin",
        "windows",
        "outside",
    ];
    let form = Form {
        action: format!("/admin/policies/{id}/deploy"),
        hidden: kept
            .iter()
            .filter_map(|name| Some((*name, given.get(*name)?.clone())))
            .collect(),
        fields: Vec::new(),
        buttons: Vec::new(),
    };
    let to = format!("/admin/policies/{id}/deploy/preview");
    answer(&sheet(
        &frame,
        &user,
        &id,
        &name,
        &seen.preview,
        Ask {
            form,
            to,
            save: "Deploy",
            page,
            begins: seen.begins,
        },
    ))
}

/// The form that goes on from a preview.
struct Ask {
    form: Form,
    /// Where the next page of the listing is.
    to: String,
    save: &'static str,
    page: u64,
    /// When that begins which is looked at; none: now.
    begins: Option<Timestamp>,
}

fn page_of(given: &BTreeMap<String, String>) -> u64 {
    given.get("page").and_then(|text| text.parse().ok()).unwrap_or(1).max(1)
}

fn offset(page: u64) -> u64 {
    (page - 1).saturating_mul(ON_A_PAGE as u64)
}

fn sheet(frame: &Frame, user: &CurrentUser, id: &str, name: &str, preview: &Preview, mut ask: Ask) -> Sheet {
    let mut blocks = vec![Block::new(
        "Effect",
        "Nothing is saved yet.",
        vec![Body::Bars(effects(preview))],
    )];
    blocks.extend(put_off(preview));
    let page = ask.page;
    let when = match ask.begins {
        Some(begin) => format!(", as it will be when it begins: {} UTC", begin.minute()),
        None => String::new(),
    };
    ask.form.buttons = vec![Button::main(ask.save)];
    let to = |label: &str, page: u64| Button {
        label: label.to_owned(),
        to: ask.to.clone(),
        adds: ("page", page.to_string()),
        main: false,
    };
    let (mut earlier, mut later) = (None, None);
    if page > 1 {
        earlier = Some(to("Earlier devices", page - 1));
    }
    if page.saturating_mul(ON_A_PAGE as u64) < preview.listable {
        later = Some(to("Further devices", page + 1));
    }
    ask.form.buttons.splice(0..0, earlier.into_iter().chain(later));
    if !preview.settings.is_empty() {
        let rows = preview
            .settings
            .iter()
            .map(|(change, count)| setting(change, *count))
            .collect();
        blocks.push(Block::new(
            "Settings that change",
            "",
            vec![Body::Table(Table {
                caption: "Settings that change".to_owned(),
                columns: vec!["Setting", "From", "To", "Devices"],
                rows,
            })],
        ));
    }
    let listed = if preview.listing.is_empty() {
        Body::Calm("No device changes.".to_owned())
    } else {
        Body::Table(Table {
            caption: "Devices that change".to_owned(),
            columns: vec!["Device", "Now", "Then", "What happens"],
            rows: preview.listing.iter().map(line).collect(),
        })
    };
    let about = format!(
        "{} of {} would change.",
        preview.listable,
        counted(preview.devices, "device")
    );
    blocks.push(Block::new("Devices", about, vec![listed, Body::Form(ask.form)]));
    Sheet {
        chrome: frame.chrome(user, Place::Policies),
        title: format!("Preview: {name}"),
        sub: format!(
            "Worked out from the last reports of {}{when}",
            counted(preview.looked_at, "device")
        ),
        crumbs: vec![
            ("Policies".to_owned(), "/admin/policies".to_owned()),
            (name.to_owned(), format!("/admin/policies/{id}")),
        ],
        actions: Vec::new(),
        notes: warning(preview),
        blocks,
    }
}

fn warning(preview: &Preview) -> Vec<(Tone, String)> {
    let mut notes = Vec::new();
    let decrypt = preview.count(Effect::Decrypt);
    if decrypt > 0 {
        notes.push((
            Tone::Warn,
            format!(
                "{} would decrypt drives that are encrypted today.",
                counted(decrypt, "device")
            ),
        ));
    }
    let worse = preview.count(Effect::BecomesNonCompliant);
    if worse > 0 {
        notes.push((
            Tone::Warn,
            format!("{} would become non-compliant.", counted(worse, "device")),
        ));
    }
    let at_once = preview.count(Effect::BeginsAtOnce);
    if at_once > 0 {
        notes.push((
            Tone::Warn,
            format!(
                "{} would begin at once what waits for a maintenance window today.",
                counted(at_once, "device")
            ),
        ));
    }
    notes
}

/// Who is exempt and what waits, in sentences; none when there is nothing of either.
fn put_off(preview: &Preview) -> Option<Block> {
    let devices = |count: u64| counted(count, "device");
    let mut sentences = Vec::new();
    let waits = preview.count(Effect::Waits);
    if waits > 0 {
        sentences.push(format!(
            "{} would wait for a maintenance window before anything is encrypted or decrypted; keys are cared for at once. Times \
             of day are UTC.",
            devices(waits)
        ));
    }
    let Preview {
        exempt_now,
        exempt_then,
        exemption_pending,
        ..
    } = *preview;
    if exempt_now > 0 || exempt_then > 0 {
        sentences.push(format!(
            "All users are exempt on {} today, and would be on {}: nothing is encrypted there while that lasts.",
            devices(exempt_now),
            devices(exempt_then)
        ));
    }
    if exemption_pending > 0 {
        sentences.push(format!(
            "On {} users wait for a decision on their exemption. Until then encryption goes on.",
            devices(exemption_pending)
        ));
    }
    let block = |sentences: Vec<String>| {
        let bodies = sentences.into_iter().map(Body::Calm).collect();
        Block::new("Exemptions and maintenance windows", "", bodies)
    };
    (!sentences.is_empty()).then(|| block(sentences))
}

/// One bar for each effect: devices to which it happens, of all.
fn effects(preview: &Preview) -> Bars {
    let bar = |effect: Effect| {
        let count = preview.count(effect);
        let others = preview.devices.saturating_sub(count);
        Bar {
            label: capital(effect.words()),
            parts: vec![
                (tone(effect), "Devices".to_owned(), count),
                (Tone::Calm, "Others".to_owned(), others),
            ],
        }
    };
    Bars {
        title: "What would happen".to_owned(),
        bars: Effect::ALL
            .into_iter()
            .filter(|effect| preview.count(*effect) > 0 || always_shown(*effect))
            .map(bar)
            .collect(),
    }
}

/// That there are none is worth knowing.
fn always_shown(effect: Effect) -> bool {
    matches!(
        effect,
        Effect::Settings | Effect::Encrypt | Effect::Decrypt | Effect::BecomesNonCompliant
    )
}

fn capital(text: &str) -> String {
    let mut signs = text.chars();
    signs
        .next()
        .map(|first| first.to_uppercase().chain(signs).collect())
        .unwrap_or_default()
}

fn tone(effect: Effect) -> Tone {
    match effect {
        Effect::Settings | Effect::Encrypt | Effect::Waits | Effect::Exempt => Tone::Info,
        Effect::Decrypt | Effect::Reencrypt | Effect::BeginsAtOnce | Effect::HeldBack => Tone::Warn,
        Effect::BecomesNonCompliant => Tone::Bad,
        Effect::BecomesCompliant => Tone::Good,
    }
}

fn setting(change: &SettingChange, count: u64) -> Vec<Cell> {
    let known = domain::policy::setting(change.setting);
    let label = |value: &String| known.map_or_else(|| value.clone(), |setting| setting.label(value));
    vec![
        Cell::Text(known.map_or(change.setting, |setting| setting.title).to_owned()),
        Cell::Quiet(label(&change.from)),
        Cell::Text(label(&change.to)),
        Cell::Text(count.to_string()),
    ]
}

fn line(line: &Line) -> Vec<Cell> {
    let mut happens: Vec<String> = line
        .effects
        .iter()
        .filter(|effect| **effect != Effect::Settings)
        .map(|effect| effect.words().to_owned())
        .collect();
    if let Some(opens) = line.opens {
        happens.push(format!("the window opens {} UTC", opens.minute()));
    }
    let users = line.users.join(", ");
    match line.enforcement {
        Enforcement::Exempt { until: None } => happens.push(format!("exempt: {users}")),
        Enforcement::Exempt { until: Some(until) } => happens.push(format!("exempt until {}: {users}", until.date())),
        Enforcement::Pending => happens.push(format!("an exemption waits for a decision: {users}")),
        Enforcement::Enforced | Enforcement::NotEnforced => {}
    }
    happens.extend(line.blocked.iter().cloned());
    if happens.is_empty() {
        happens.push(counted(line.settings.len() as u64, "other setting"));
    }
    vec![
        Cell::Link {
            href: format!("/admin/devices/{}", line.device),
            text: line.hostname.clone(),
        },
        Cell::Tag(words::verdict(line.now)),
        Cell::Tag(words::verdict(line.then)),
        Cell::Text(happens.join("; ")),
    ]
}
