//! The list of devices.

use axum::{
    extract::{Query, State},
    response::Response,
};
use serde::Deserialize;
use store::model::{DeviceQuery, DeviceRow as Row, DeviceSort, Direction, Paging};

use crate::{
    error::Result,
    services::devices,
    session::CurrentUser,
    state::AppState,
    web::{
        format::moment_or,
        frame::{Frame, address, page as answer},
        view::{
            chrome::Place,
            devices::{DeviceList, DeviceRow},
            form::Choice,
            part::{Column, Pager, Tag, Tone},
        },
        words,
    },
};

const ON_A_PAGE: u32 = 50;
const PATH: &str = "/admin/devices";

/// What the address asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    q: String,
    compliance: String,
    keys: String,
    sort: String,
    page: String,
}

/// `GET /admin/devices`.
pub(crate) async fn page(
    State(state): State<AppState>,
    frame: Frame,
    user: CurrentUser,
    Query(asked): Query<Asked>,
) -> Result<Response> {
    let number = asked.page.parse().unwrap_or(1_u64).max(1);
    let found = devices::list(&state, &user, asked.query(number)).await?;
    let now = state.now();
    let filtered = [&asked.q, &asked.compliance, &asked.keys]
        .into_iter()
        .any(|text| !text.trim().is_empty());
    answer(&DeviceList {
        chrome: frame.chrome(&user, Place::Devices),
        columns: asked.columns(),
        compliance: asked.compliance_choices(),
        keys: Choice::list(
            &[
                ("", "All"),
                ("exposed", "Exposed"),
                ("not_proven", "Not proven or failed"),
                ("clash", "Hardware ID clash"),
                ("retired", "Retired devices too"),
            ],
            &asked.keys,
        ),
        pager: pager(number, found.items.len(), found.total, |page| {
            asked.address(page, &asked.sort)
        }),
        rows: found.items.iter().map(|row| line(row, now)).collect(),
        search: asked.q,
        sort: asked.sort,
        filtered,
    })
}

/// A pager for lists of [`ON_A_PAGE`] lines.
pub(super) fn pager(number: u64, here: usize, total: u64, address: impl Fn(u64) -> String) -> Pager {
    let before = number.saturating_sub(1).saturating_mul(u64::from(ON_A_PAGE));
    let here = u64::try_from(here).unwrap_or(u64::MAX);
    let last = before.saturating_add(here);
    Pager {
        first: if here == 0 { 0 } else { before + 1 },
        last: if here == 0 { 0 } else { last },
        total,
        previous: (number > 1).then(|| address(number - 1)),
        next: (here > 0 && last < total).then(|| address(number + 1)),
    }
}

/// The paging that fits [`pager`].
pub(super) fn paging(number: u64) -> Paging {
    Paging::page(number, ON_A_PAGE)
}

impl Asked {
    fn query(&self, number: u64) -> DeviceQuery {
        let search = self.q.trim();
        let (name, direction) = match self.sort.strip_prefix('-') {
            Some(name) => (name, Direction::Descending),
            None => (self.sort.as_str(), Direction::Ascending),
        };
        DeviceQuery {
            search: (!search.is_empty()).then(|| search.to_owned()),
            verdict: words::VERDICTS
                .into_iter()
                .find(|verdict| words::verdict_name(*verdict) == self.compliance),
            exposed: self.keys == "exposed",
            unproven: self.keys == "not_proven",
            duplicate_hardware: self.keys == "clash",
            include_retired: self.keys == "retired",
            sort: match name {
                "seen" => DeviceSort::LastSeen,
                "verdict" => DeviceSort::Verdict,
                _ => DeviceSort::Hostname,
            },
            direction,
            paging: paging(number),
            ..DeviceQuery::default()
        }
    }

    fn address(&self, page: u64, sort: &str) -> String {
        let page = if page > 1 { page.to_string() } else { String::new() };
        address(
            PATH,
            &[
                ("q", self.q.trim()),
                ("compliance", &self.compliance),
                ("keys", &self.keys),
                ("sort", sort),
                ("page", &page),
            ],
        )
    }

    fn columns(&self) -> Vec<Column> {
        let now = if self.sort.is_empty() { "name" } else { &self.sort };
        let by = |label: &str, name: &str| {
            let ascending = (now.trim_start_matches('-') == name).then(|| !now.starts_with('-'));
            let other = if ascending == Some(true) {
                format!("-{name}")
            } else {
                name.to_owned()
            };
            Column {
                label: label.to_owned(),
                href: Some(self.address(1, &other)),
                ascending,
            }
        };
        let fixed = |label: &str| Column {
            label: label.to_owned(),
            href: None,
            ascending: None,
        };
        vec![
            by("Device", "name"),
            fixed("Users"),
            fixed("System"),
            by("Compliance", "verdict"),
            fixed("Keys"),
            by("Last contact", "seen"),
        ]
    }

    fn compliance_choices(&self) -> Vec<Choice> {
        let mut pairs = vec![("", "All")];
        pairs.extend(
            words::VERDICTS
                .into_iter()
                .map(|verdict| (words::verdict_name(verdict), words::verdict_words(verdict).1)),
        );
        Choice::list(&pairs, &self.compliance)
    }
}

fn line(row: &Row, now: domain::time::Timestamp) -> DeviceRow {
    let mut notes = Vec::new();
    if row.retired_at.is_some() {
        notes.push(Tag::new(Tone::Calm, "Retired"));
    }
    if row.duplicate_hardware {
        notes.push(Tag::new(Tone::Warn, "Hardware ID clash"));
    }
    if row.has_problems {
        notes.push(Tag::new(Tone::Warn, "Reports a problem"));
    }
    DeviceRow {
        href: format!("{PATH}/{}", row.id),
        name: row.hostname.clone(),
        model: [row.manufacturer.trim(), row.model.trim()].join(" ").trim().to_owned(),
        os: row.os.clone(),
        users: people(&row.users),
        compliance: words::verdict(row.verdict),
        notes,
        keys: words::keys(&row.keys),
        seen: moment_or(row.last_seen, now, "never"),
    }
}

/// The first name, and how many more.
pub(super) fn people(users: &[String]) -> String {
    match users {
        [] => String::new(),
        [one] => one.clone(),
        [first, rest @ ..] => format!("{first} +{}", rest.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorting_by_the_present_column_turns_it_round() {
        let asked = Asked {
            q: "lt 0".to_owned(),
            sort: "seen".to_owned(),
            ..Asked::default()
        };
        let seen = asked.columns().pop().expect("columns");
        assert_eq!(seen.href.as_deref(), Some("/admin/devices?q=lt+0&sort=-seen"));
        assert_eq!(seen.ascending, Some(true));
    }

    #[test]
    fn the_last_page_has_no_next() {
        let pager = pager(2, 10, 60, |page| page.to_string());
        assert_eq!((pager.first, pager.last, pager.total), (51, 60, 60));
        assert_eq!((pager.previous.as_deref(), pager.next), (Some("1"), None));
    }

    #[test]
    fn an_absurd_page_number_shows_an_empty_page() {
        let pager = pager(u64::MAX, 0, 60, |page| page.to_string());
        assert_eq!((pager.first, pager.last, pager.next), (0, 0, None));
    }

    #[test]
    fn unknown_filters_filter_nothing() {
        let asked = Asked {
            compliance: "nonsense".to_owned(),
            keys: "x".to_owned(),
            sort: "-y".to_owned(),
            ..Asked::default()
        };
        assert_eq!(
            asked.query(1),
            DeviceQuery {
                direction: Direction::Descending,
                paging: paging(1),
                ..DeviceQuery::default()
            }
        );
    }
}
