//! The audit.

use axum::{
    extract::{Query, State},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use domain::{audit::AuditEntry, ids::DeviceId};
use serde::Deserialize;
use store::model::{AuditQuery, DeviceQuery, Direction, Paging, device_of};

use crate::{
    error::{AppError, Result},
    services::audit::{self, Standing},
    session::CurrentUser,
    state::AppState,
    web::{
        format::{day, exact_moment, machine},
        frame::{Frame, address, page as answer},
        names::Names,
        view::{
            audit::{Audit, AuditRow, ChainStatus},
            chrome::Place,
            form::Choice,
            part::Tone,
        },
        words,
    },
};

use super::devices::{pager, paging};

const PATH: &str = "/admin/audit";
/// A longer export is asked for in parts.
const LONGEST_EXPORT: u64 = 200_000;
/// What the address asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    actor: String,
    action: String,
    subject: String,
    device: String,
    from: String,
    to: String,
    page: String,
}

/// `GET /admin/audit`.
pub(crate) async fn page(
    State(state): State<AppState>,
    frame: Frame,
    user: CurrentUser,
    Query(asked): Query<Asked>,
) -> Result<Response> {
    let number = asked.page.parse().unwrap_or(1_u64).max(1);
    let (query, problem) = match asked.query(&state, &user).await? {
        Ok(query) => (query, String::new()),
        Err(problem) => (
            AuditQuery {
                paging: paging(1),
                ..AuditQuery::default()
            },
            problem,
        ),
    };
    let query = AuditQuery {
        direction: Direction::Descending,
        paging: paging(number),
        ..query
    };
    let found = if problem.is_empty() {
        audit::search(&state, &user, query).await?
    } else {
        store::model::Page {
            items: Vec::new(),
            total: 0,
        }
    };
    let names = Names::of(&state, &found.items).await?;
    let filtered = [
        &asked.actor,
        &asked.action,
        &asked.subject,
        &asked.device,
        &asked.from,
        &asked.to,
    ]
    .into_iter()
    .any(|text| !text.trim().is_empty());
    answer(&Audit {
        chrome: frame.chrome(&user, Place::Audit),
        chain: chain(&audit::standing(&state, &user).await?),
        actions: actions(&asked.action),
        pager: pager(number, found.items.len(), found.total, |page| asked.address(PATH, page)),
        export_href: asked.address("/admin/audit.csv", 1),
        rows: found.items.iter().map(|entry| line(entry, &names)).collect(),
        subject: if asked.subject.is_empty() {
            asked.device
        } else {
            asked.subject
        },
        actor: asked.actor,
        from: asked.from,
        to: asked.to,
        filtered,
        problem,
    })
}

/// `GET /admin/audit.csv`: the entries that the page would list, oldest first.
pub(crate) async fn export(
    State(state): State<AppState>,
    user: CurrentUser,
    Query(asked): Query<Asked>,
) -> Result<Response> {
    let query = asked
        .query(&state, &user)
        .await?
        .map_err(|problem| AppError::invalid("filter", problem))?;
    let mut text = String::from("number,time,actor,action,subject,detail,hash\r\n");
    let mut offset = 0;
    loop {
        let query = AuditQuery {
            direction: Direction::Ascending,
            paging: Paging {
                offset,
                limit: Paging::MAX,
            },
            ..query.clone()
        };
        let found = audit::search(&state, &user, query).await?;
        if found.total > LONGEST_EXPORT {
            return Err(AppError::invalid(
                "too_many",
                format!(
                    "{} entries match; an export has at most {LONGEST_EXPORT}. Choose a shorter time.",
                    found.total
                ),
            ));
        }
        if found.items.is_empty() {
            break;
        }
        offset += u64::try_from(found.items.len()).unwrap_or(u64::MAX);
        for entry in &found.items {
            csv_line(&mut text, entry);
        }
    }
    let event = state.event(user.actor(), "audit.exported", "", format!("{offset} entries"));
    state.store.append_audit(vec![event]).await?;
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/csv; charset=utf-8"),
        ),
        (
            header::CONTENT_DISPOSITION,
            HeaderValue::from_static("attachment; filename=\"claviger-audit.csv\""),
        ),
    ];
    Ok((headers, text).into_response())
}

impl Asked {
    /// The query, or what is wrong with the filter.
    async fn query(&self, state: &AppState, user: &CurrentUser) -> Result<Result<AuditQuery, String>> {
        let not_a_day = |name: &str| format!("{name}: a day, as 2026-11-24.");
        let (mut from, mut until) = (None, None);
        if !self.from.trim().is_empty() {
            match day(self.from.trim()) {
                Some((begin, _)) => from = Some(begin),
                None => return Ok(Err(not_a_day("From"))),
            }
        }
        if !self.to.trim().is_empty() {
            match day(self.to.trim()) {
                Some((_, end)) => until = Some(end),
                None => return Ok(Err(not_a_day("To"))),
            }
        }
        let mut query = AuditQuery {
            actor: actor(&self.actor),
            action_prefix: some(&self.action),
            from,
            until,
            ..AuditQuery::default()
        };
        if let Ok(device) = self.device.trim().parse() {
            query.device = Some(device);
        }
        match self.subject.trim() {
            "" => {}
            text => match device_called(state, user, text).await? {
                Some(device) => query.device = Some(device),
                None => query.subject = Some(text.to_owned()),
            },
        }
        Ok(Ok(query))
    }

    fn address(&self, path: &str, page: u64) -> String {
        let page = if page > 1 { page.to_string() } else { String::new() };
        let pairs = [
            ("actor", self.actor.trim()),
            ("action", &self.action),
            ("subject", self.subject.trim()),
            ("device", &self.device),
            ("from", &self.from),
            ("to", &self.to),
            ("page", &page),
        ];
        address(path, &pairs)
    }
}

fn some(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// An actor as the audit writes it: a bare name means an account.
fn actor(text: &str) -> Option<String> {
    let text = text.trim();
    match text {
        "" => None,
        "system" => Some(text.to_owned()),
        text if ["user:", "device:", "api-token:"]
            .iter()
            .any(|kind| text.starts_with(kind)) =>
        {
            Some(text.to_owned())
        }
        text => Some(
            text.parse::<DeviceId>()
                .map_or_else(|_| format!("user:{text}"), |id| format!("device:{id}")),
        ),
    }
}

/// The device of this id or name. The audit knows devices by id only.
async fn device_called(state: &AppState, user: &CurrentUser, text: &str) -> Result<Option<DeviceId>> {
    if let Ok(id) = text.parse::<DeviceId>()
        && state.store.device_within(id, &user.within()).await?.is_some()
    {
        return Ok(Some(id));
    }
    let query = DeviceQuery {
        search: Some(text.to_owned()),
        include_retired: true,
        paging: Paging { offset: 0, limit: 50 },
        ..DeviceQuery::default()
    };
    let found = crate::services::devices::list(state, user, query).await?;
    Ok(found
        .items
        .iter()
        .find(|row| row.hostname.eq_ignore_ascii_case(text))
        .map(|row| row.id))
}

fn actions(chosen: &str) -> Vec<Choice> {
    let mut pairs = vec![
        ("", "All"),
        ("key.", "Keys: all"),
        ("sign_in.", "Sign-ins: all"),
        ("account.", "Accounts: all"),
        ("api_token.", "API tokens: all"),
        ("device.", "Devices: all"),
    ];
    pairs.extend(words::DEEDS.iter().map(|deed| (deed.action, deed.label)));
    Choice::list(&pairs, chosen)
}

fn line(entry: &AuditEntry, names: &Names) -> AuditRow {
    let event = &entry.event;
    AuditRow {
        number: entry.sequence,
        when: exact_moment(event.at),
        actor: names.actor(&event.actor),
        action: words::action(&event.action),
        subject: names.subject(&event.subject),
        subject_href: device_of(event).map(|id| format!("/admin/devices/{id}")),
        detail: event.detail.clone(),
        hash: short(&entry.hash),
    }
}

fn short(hash: &[u8; 32]) -> String {
    hex::encode(&hash[..6])
}

fn chain(standing: &Standing) -> ChainStatus {
    match standing {
        Standing::Whole(head) => ChainStatus {
            tone: Tone::Good,
            text: format!("Verified up to #{}", head.sequence),
            head: short(&head.hash),
        },
        Standing::End(from, head) => ChainStatus {
            tone: Tone::Good,
            text: format!("Verified #{from} to #{}", head.sequence),
            head: short(&head.hash),
        },
        Standing::Broken(fault) => ChainStatus {
            tone: Tone::Bad,
            text: format!("Broken: {fault}"),
            head: String::new(),
        },
    }
}

fn csv_line(text: &mut String, entry: &AuditEntry) {
    let event = &entry.event;
    let fields = [
        &entry.sequence.to_string(),
        &machine(event.at),
        &event.actor,
        &event.action,
        &event.subject,
        &event.detail,
        &hex::encode(entry.hash),
    ];
    for (index, field) in fields.into_iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        csv_field(text, field);
    }
    text.push_str("\r\n");
}

/// Quoted where needed (RFC 4180). What a spreadsheet would take for a formula gets an apostrophe before it.
fn csv_field(text: &mut String, field: &str) {
    let formula = field.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if !formula && !field.contains(['"', ',', '\r', '\n']) {
        text.push_str(field);
        return;
    }
    text.push('"');
    if formula {
        text.push('\'');
    }
    text.push_str(&field.replace('"', "\"\""));
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn csv(field: &str) -> String {
        let mut text = String::new();
        csv_field(&mut text, field);
        text
    }

    #[test]
    fn csv_fields_are_quoted_where_needed() {
        assert_eq!(csv("plain"), "plain");
        assert_eq!(csv("a, \"b\""), "\"a, \"\"b\"\"\"");
    }

    #[test]
    fn a_formula_in_a_remark_does_not_run_in_a_spreadsheet() {
        assert_eq!(csv("=HYPERLINK(\"x\")"), "\"'=HYPERLINK(\"\"x\"\")\"");
    }

    #[test]
    fn a_bare_name_means_an_account() {
        assert_eq!(actor(" nora "), Some("user:nora".to_owned()));
        assert_eq!(actor("system"), Some("system".to_owned()));
        assert_eq!(
            actor("019a5c2e-7d11-7a90-b6ce-3f4f2f6a0c11"),
            Some("device:019A5C2E-7D11-7A90-B6CE-3F4F2F6A0C11".to_owned())
        );
        assert_eq!(actor(""), None);
    }
}
