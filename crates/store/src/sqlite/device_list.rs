//! The list of devices: search, filters, order, pages.

use domain::ids::DeviceId;
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

use super::audit::limits;
use super::key_records;
use super::values::{Id, id, name, named, time, time_option, unsigned};
use super::within;
use crate::Result;
use crate::model::{DeviceQuery, DeviceRow, DeviceSort, Direction, Page};

/// One page, and how many there are.
pub(super) fn search(sql: &Connection, query: &DeviceQuery) -> Result<Page<DeviceRow>> {
    let (conditions, mut bound) = conditions(query)?;
    let total: i64 = sql
        .prepare_cached(&format!("SELECT count(*) FROM devices WHERE {conditions}"))?
        .query_row(params_from_iter(&bound), |row| row.get(0))?;
    bound.extend(limits(query.paging));
    let items = sql
        .prepare_cached(&format!(
            "SELECT * FROM devices WHERE {conditions} ORDER BY {} LIMIT ? OFFSET ?",
            order(query.sort, query.direction)
        ))?
        .query_and_then(params_from_iter(&bound), |row| from_row(sql, row))?
        .collect::<Result<_>>()?;
    Ok(Page {
        items,
        total: unsigned(total),
    })
}

/// Devices of a person, by the key of the name ([`domain::access::person_key`]).
pub(super) fn of_user(sql: &Connection, user: &str) -> Result<Vec<DeviceRow>> {
    sql.prepare_cached(
        "SELECT * FROM devices WHERE retired_at IS NULL AND id IN (SELECT device FROM device_users WHERE user_key = ?1)
         ORDER BY hostname COLLATE NOCASE, id",
    )?
    .query_and_then([user], |row| from_row(sql, row))?
    .collect()
}

/// Local users of a device.
pub(super) fn users(sql: &Connection, device: DeviceId) -> Result<Vec<String>> {
    let mut statement = sql.prepare_cached("SELECT user FROM device_users WHERE device = ?1 ORDER BY user_key")?;
    let users = statement.query_map([device.blob()], |row| row.get(0))?;
    Ok(users.collect::<Result<_, _>>()?)
}

fn conditions(query: &DeviceQuery) -> Result<(String, Vec<Value>)> {
    let (seen, mut bound) = within::listed(&query.within, "id")?;
    let mut conditions = vec![seen.as_str()];
    if !query.include_retired {
        conditions.push("retired_at IS NULL");
    }
    if let Some(term) = query.search.as_deref().map(str::trim).filter(|term| !term.is_empty()) {
        bound.push(term.to_lowercase().into());
        if let Some((first, last)) = key_id_range(term) {
            conditions
                .push("(instr(search_text, ?) > 0 OR id IN (SELECT device FROM keys WHERE protector BETWEEN ? AND ?))");
            bound.push(first.to_vec().into());
            bound.push(last.to_vec().into());
        } else {
            conditions.push("instr(search_text, ?) > 0");
        }
    }
    if let Some(verdict) = &query.verdict {
        conditions.push("verdict = ?");
        bound.push(name(verdict)?.into());
    }
    if query.exposed {
        conditions.push("id IN (SELECT device FROM keys WHERE state = 'disclosed')");
    }
    if query.unproven {
        conditions.push("id IN (SELECT device FROM keys WHERE proof <> 'proven' AND state <> 'superseded')");
    }
    if query.duplicate_hardware {
        conditions.push("duplicate_hardware");
    }
    if let Some(moment) = query.not_seen_since {
        conditions.push("(last_seen IS NULL OR last_seen < ?)");
        bound.push(moment.0.into());
    }
    Ok((conditions.join(" AND "), bound))
}

fn order(sort: DeviceSort, direction: Direction) -> String {
    let by = match sort {
        DeviceSort::Hostname => "hostname COLLATE NOCASE",
        DeviceSort::LastSeen => "last_seen",
        DeviceSort::EnrolledAt => "enrolled_at",
        DeviceSort::Verdict => {
            "CASE verdict WHEN 'non_compliant' THEN 0 WHEN 'unknown' THEN 1 WHEN 'not_enforced' THEN 2 \
             WHEN 'not_applicable' THEN 3 ELSE 4 END"
        }
    };
    match direction {
        Direction::Ascending => format!("{by} ASC, id ASC"),
        Direction::Descending => format!("{by} DESC, id DESC"),
    }
}

/// The range of recovery key IDs that begin with these digits; none unless it is four digits or more.
fn key_id_range(term: &str) -> Option<([u8; 16], [u8; 16])> {
    let digits: String = term.trim_matches(['{', '}']).chars().filter(|c| *c != '-').collect();
    if !(4..=32).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let fill = |digit: char| {
        let mut bytes = [0; 16];
        let whole: String = digits.chars().chain(std::iter::repeat(digit)).take(32).collect();
        hex::decode_to_slice(whole, &mut bytes).ok().map(|()| bytes)
    };
    Some((fill('0')?, fill('F')?))
}

fn from_row(sql: &Connection, row: &Row<'_>) -> Result<DeviceRow> {
    let device = id(row, "id")?;
    let blocked: String = row.get("blocked")?;
    let last_error: Option<String> = row.get("last_error")?;
    Ok(DeviceRow {
        id: device,
        hostname: row.get("hostname")?,
        os: row.get("os")?,
        manufacturer: row.get("manufacturer")?,
        model: row.get("model")?,
        users: users(sql, device)?,
        verdict: named(row, "verdict")?,
        enrolled_at: time(row, "enrolled_at")?,
        last_seen: time_option(row, "last_seen")?,
        duplicate_hardware: row.get("duplicate_hardware")?,
        has_problems: blocked != "[]" || last_error.is_some(),
        retired_at: time_option(row, "retired_at")?,
        volumes: row.get("volume_count")?,
        keys: key_records::tally_of(sql, device)?,
    })
}

#[cfg(test)]
mod tests {
    use super::key_id_range;

    #[test]
    fn first_digits_of_a_key_id_become_a_range_even_when_their_number_is_odd() {
        let (first, last) = key_id_range("{1a2b3").unwrap();
        assert_eq!(first[..3], [0x1A, 0x2B, 0x30]);
        assert_eq!(last[..3], [0x1A, 0x2B, 0x3F]);
        assert_eq!(first[3..], [0; 13]);
        assert_eq!(last[3..], [0xFF; 13]);
    }

    #[test]
    fn short_or_other_text_is_not_taken_for_a_key_id() {
        assert_eq!(key_id_range("1a2"), None);
        assert_eq!(key_id_range("laptop"), None);
        assert_eq!(key_id_range(""), None);
    }
}
