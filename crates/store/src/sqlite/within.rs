//! Which devices somebody may see, as conditions of queries.

use std::collections::BTreeSet;

use domain::access::{Grant, Scope, person_key};
use domain::ids::DeviceId;
use domain::policy::targeting::CollectionId;
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params, params_from_iter};

use super::values::{Id, json_option, named};
use crate::Result;
use crate::model::Within;

/// A condition on a column that holds a device's id, with the values of its place holders (`?`), for questions about many
/// devices: the part is worked out once.
pub(super) fn listed(within: &Within, device: &str) -> Result<(String, Vec<Value>)> {
    condition(
        within,
        device,
        |members| format!("{device} IN (SELECT device FROM device_collections WHERE {members})"),
        |of_user| format!("{device} IN (SELECT device FROM device_users WHERE {of_user})"),
    )
}

/// The same for questions about few devices: each is looked up.
pub(super) fn single(within: &Within, device: &str) -> Result<(String, Vec<Value>)> {
    condition(
        within,
        device,
        |members| format!("EXISTS (SELECT 1 FROM device_collections m WHERE m.device = {device} AND m.{members})"),
        |of_user| format!("EXISTS (SELECT 1 FROM device_users p WHERE p.device = {device} AND p.{of_user})"),
    )
}

/// Whether a device is there and one of these.
pub(super) fn sees(sql: &Connection, within: &Within, device: DeviceId) -> Result<bool> {
    let (seen, values) = single(within, "d.id")?;
    let id = Value::from(device.blob().to_vec());
    Ok(sql
        .prepare_cached(&format!("SELECT 1 FROM devices d WHERE d.id = ? AND {seen}"))?
        .exists(params_from_iter([id].into_iter().chain(values)))?)
}

fn condition(
    within: &Within,
    device: &str,
    of_collections: impl FnOnce(&str) -> String,
    of_user: impl FnOnce(&str) -> String,
) -> Result<(String, Vec<Value>)> {
    let mut conditions = Vec::new();
    let mut values = Vec::new();
    match within.scope.collections() {
        None => {}
        Some(collections) if collections.contains(&CollectionId::all_devices()) => {
            conditions.push(format!("{device} IS NOT NULL"));
        }
        Some(collections) => {
            conditions.push(of_collections("collection IN (SELECT value FROM json_each(?))"));
            values.push(serde_json::to_string(collections)?.into());
        }
    }
    match within.user.as_deref().map(person_key) {
        None => {}
        Some(Some(key)) => {
            conditions.push(of_user("user_key = ?"));
            values.push(key.into());
        }
        // A malformed name is nobody's.
        Some(None) => conditions.push("FALSE".to_owned()),
    }
    if conditions.is_empty() {
        conditions.push("TRUE".to_owned());
    }
    Ok((format!("({})", conditions.join(" AND ")), values))
}

/// A scope as it is kept: nothing for everything, else a list.
pub(super) fn written(scope: &Scope) -> Result<Option<String>> {
    Ok(scope.collections().map(serde_json::to_string).transpose()?)
}

/// Role and scope of a row that has both.
pub(super) fn grant(row: &Row<'_>) -> Result<Grant> {
    let collections: Option<BTreeSet<CollectionId>> = json_option(row, "scope")?;
    Ok(Grant {
        role: named(row, "role")?,
        scope: collections.map_or(Scope::Everything, Scope::Collections),
    })
}

/// Writes down to which collections a device belongs.
pub(super) fn place<'a>(
    sql: &Connection,
    device: DeviceId,
    collections: impl Iterator<Item = &'a CollectionId>,
) -> Result<()> {
    let all = CollectionId::all_devices();
    let now: BTreeSet<&str> = collections
        .filter(|collection| **collection != all)
        .map(CollectionId::as_str)
        .collect();
    let before: BTreeSet<String> = sql
        .prepare_cached("SELECT collection FROM device_collections WHERE device = ?1")?
        .query_map([device.blob()], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for left in before.iter().filter(|collection| !now.contains(collection.as_str())) {
        sql.prepare_cached("DELETE FROM device_collections WHERE collection = ?1 AND device = ?2")?
            .execute(params![left, device.blob()])?;
    }
    for new in now.iter().filter(|collection| !before.contains(**collection)) {
        sql.prepare_cached("INSERT INTO device_collections (collection, device) VALUES (?1, ?2)")?
            .execute(params![new, device.blob()])?;
    }
    Ok(())
}
