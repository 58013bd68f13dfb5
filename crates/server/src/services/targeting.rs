//! Policies as documents, collections, deployments, marks of devices, and exemptions.

use domain::access::Permission;
use domain::exemption::Decision;
use domain::ids::DeviceId;
use domain::inventory::Inventory;
use domain::policy::TriState;
use domain::policy::document::{self, Document as Text};
use domain::policy::resolve::Resolved;
use domain::policy::targeting::{Collection, CollectionId, DeviceFacts, PolicyId, Window};
use domain::preview::StoredDevice;
use domain::time::Timestamp;
use store::model::{
    BUILT_IN, Content, Document, ExemptionId, ExemptionQuery, ExemptionRecord, Item, ItemKind, Marks, NewExemption,
    NewItem, Page,
};

use crate::error::{AppError, Result};
use crate::services::policy::changed;
use crate::services::{devices, reaches, recovery};
use crate::session::CurrentUser;
use crate::state::{AppState, Shared};

const MAX_NOTE: usize = 1024;
const BATCH: u32 = 1000;

/// The newest version of each document, collection or deployment. Needs [`Permission::ReadPolicy`].
///
/// # Errors
/// 403; when the store fails.
pub async fn items(state: &AppState, user: &CurrentUser, kind: ItemKind) -> Result<Vec<Item>> {
    user.demand(Permission::ReadPolicy)?;
    let mut items = state.store.items(kind).await?;
    if kind == ItemKind::Document && !items.iter().any(|item| item.content.id() == BUILT_IN) {
        items.insert(0, first(state)?);
    }
    Ok(items)
}

/// All versions of one, newest first. The built-in document is there before its first version, as version 0.
///
/// # Errors
/// 403; 404.
pub async fn history(state: &AppState, user: &CurrentUser, kind: ItemKind, id: &str) -> Result<Vec<Item>> {
    user.demand(Permission::ReadPolicy)?;
    let history = state.store.item_history(kind, id).await?;
    match (history.is_empty(), kind, id) {
        (false, _, _) => Ok(history),
        (true, ItemKind::Document, BUILT_IN) => Ok(vec![first(state)?]),
        (true, _, _) => Err(AppError::not_found("There is no such thing.")),
    }
}

/// The newest version of a document, and the document in it. The built-in one is there before its first version.
///
/// # Errors
/// 403; 404.
pub async fn document(state: &AppState, user: &CurrentUser, id: &str) -> Result<(Item, Document)> {
    user.demand(Permission::ReadPolicy)?;
    let item = match state.store.item(ItemKind::Document, id).await? {
        None if id == BUILT_IN => Some(first(state)?),
        stored => stored,
    };
    item.and_then(|item| Some((item.content.document()?.clone(), item)))
        .map(|(document, item)| (item, document))
        .ok_or_else(|| AppError::not_found("There is no such policy."))
}

/// The built-in document before anybody wrote one.
fn first(state: &AppState) -> Result<Item> {
    Ok(Item {
        content: Content::Document(Document {
            id: PolicyId::new(BUILT_IN).map_err(AppError::internal)?,
            name: "Default policy".to_owned(),
            description: String::new(),
            assignments: domain::policy::Assignments::default(),
        }),
        text: String::new(),
        version: 0,
        retired: false,
        at: state.now(),
        by: "system".to_owned(),
        note: String::new(),
    })
}

/// A version's text: what was written, or, for one that no person wrote, what it would be.
#[must_use]
pub fn text_of(item: &Item) -> String {
    match (&item.content, item.text.is_empty()) {
        (Content::Document(document), true) => as_text(document).to_toml(),
        _ => item.text.clone(),
    }
}

/// A stored document as the domain writes it.
#[must_use]
pub fn as_text(document: &Document) -> Text {
    Text {
        name: document.name.clone(),
        description: document.description.clone(),
        assignments: document.assignments.clone(),
    }
}

/// The document that a text makes, under a short name.
///
/// # Errors
/// Every fault, one a line, with its place.
pub fn read_document(id: &str, text: &str) -> Result<Document, Vec<String>> {
    let id = PolicyId::new(id).map_err(|error| vec![error.to_string()])?;
    let read = Text::read(text).map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    Ok(Document {
        name: if read.name.is_empty() {
            id.to_string()
        } else {
            read.name
        },
        id,
        description: read.description,
        assignments: read.assignments,
    })
}

/// The collection that a text makes.
///
/// # Errors
/// The fault with its place.
pub fn read_collection(id: &str, text: &str) -> Result<Collection, Vec<String>> {
    CollectionId::new(id).map_err(|error| vec![error.to_string()])?;
    // A text may leave its short name out.
    let names_itself = text.parse::<toml::Table>().is_ok_and(|table| table.contains_key("id"));
    let head = if names_itself {
        String::new()
    } else {
        format!("id = \"{id}\"\n")
    };
    let whole = format!("{head}{text}");
    let collection: Collection = toml::from_str(&whole).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start.saturating_sub(head.len()));
        let (line, column) = document::place(text, at);
        vec![format!("{line}:{column}: {}", error.message().replace('\n', ", "))]
    })?;
    if collection.id.as_str() == id {
        Ok(collection)
    } else {
        Err(vec![format!(
            "id: the text says \"{}\", and the collection is \"{id}\"",
            collection.id
        )])
    }
}

/// Windows as TOML writes them: `windows = [{ start = "22:00", minutes = 360 }]`.
///
/// # Errors
/// The fault with its place.
pub fn read_windows(text: &str) -> Result<Vec<Window>, String> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Written {
        #[serde(default)]
        windows: Vec<Window>,
    }
    toml::from_str::<Written>(text)
        .map(|written| written.windows)
        .map_err(|error| error.to_string())
}

/// The same windows as a text, one a line; empty: none.
#[must_use]
pub fn windows_text(windows: &[Window]) -> String {
    let lines: Vec<String> = windows.iter().filter_map(window_text).collect();
    if lines.is_empty() {
        String::new()
    } else {
        format!("windows = [\n{}]\n", lines.concat())
    }
}

/// One of them. Its values are written alike in JSON and in TOML.
fn window_text(window: &Window) -> Option<String> {
    let fields = serde_json::to_value(window).ok()?;
    let said = ["days", "date", "start", "minutes", "clock"]
        .into_iter()
        .filter_map(|name| Some((name, fields.get(name)?)))
        .filter(|(name, value)| *name != "clock" || *value != "device")
        .map(|(name, value)| format!("{name} = {value}"));
    Some(format!("  {{ {} }},\n", said.collect::<Vec<_>>().join(", ")))
}

/// Stores a version and tells the devices concerned. Needs [`Permission::ManagePolicy`].
///
/// # Errors
/// 403, also when it reaches beyond the scope; 409 when it was changed in between; 422 when it does not fit.
pub async fn put(
    state: &AppState,
    user: &CurrentUser,
    content: Content,
    text: String,
    base: u32,
    retired: bool,
    note: &str,
) -> Result<u32> {
    user.demand(Permission::ManagePolicy)?;
    if note.len() > MAX_NOTE {
        return Err(AppError::invalid("note", "note: at most 1024 bytes"));
    }
    reaches::content(state, user, &content).await?;
    let action = match (content.kind(), retired) {
        (ItemKind::Document, false) => "policy.changed",
        (ItemKind::Document, true) => "policy.retired",
        (ItemKind::Collection, _) => "collection.changed",
        (ItemKind::Deployment, false) => "deployment.changed",
        (ItemKind::Deployment, true) => "deployment.ended",
    };
    let subject = match content.kind() {
        ItemKind::Document => format!("policy:{}", content.id()),
        ItemKind::Collection => format!("collection:{}", content.id()),
        ItemKind::Deployment => format!("deployment:{}", content.id()),
    };
    let event = state.event(user.actor(), action, subject, note.trim());
    let item = NewItem {
        content,
        text,
        base,
        retired,
        at: state.now(),
        by: user.actor(),
        note: note.trim().to_owned(),
    };
    let version = state.store.put_item(item, vec![event]).await?;
    changed(state);
    Ok(version)
}

/// Devices of a collection that are in the scope: how many there are, and a part of them.
///
/// # Errors
/// 403; when the store fails.
pub async fn members(
    state: &AppState,
    user: &CurrentUser,
    id: &CollectionId,
    offset: u64,
    limit: usize,
) -> Result<(u64, Vec<StoredDevice>)> {
    user.demand(Permission::ReadPolicy)?;
    let within = user.within();
    let resolver = state.store.resolver().await?;
    let (mut count, mut listed, mut after) = (0_u64, Vec::new(), None);
    loop {
        let batch = state.store.stored_devices(&within, after, BATCH).await?;
        let Some(last) = batch.last() else { break };
        after = Some(last.device);
        for stored in batch {
            let device = stored.read()?;
            if resolver.collections().member_of(&device.facts()).contains(id) {
                if count >= offset && listed.len() < limit {
                    listed.push(device);
                }
                count += 1;
            }
        }
    }
    Ok((count, listed))
}

/// What holds for a device and why.
#[derive(Clone, Debug)]
pub struct Effective {
    /// Its name.
    pub hostname: String,
    /// Its tags and own settings.
    pub marks: Marks,
    /// Every setting, with its reasons.
    pub resolved: Resolved,
    /// Whether it may begin to encrypt or decrypt now, by its windows and its own clock.
    pub maintenance: domain::plan::Maintenance,
}

/// What holds for a device and why, with its marks and its name.
///
/// # Errors
/// 403; 404.
pub async fn effective(state: &AppState, user: &CurrentUser, id: DeviceId) -> Result<Effective> {
    user.demand(Permission::ReadDevices)?;
    let device = devices::visible(state, user, id).await?;
    let marks = state.store.marks(id).await?;
    let bare = Inventory {
        hostname: device.hostname.clone(),
        ..Inventory::default()
    };
    let facts = DeviceFacts {
        id,
        inventory: device.inventory.as_ref().unwrap_or(&bare),
        tags: &marks.tags,
    };
    let resolved = state
        .store
        .resolver()
        .await?
        .resolve(&facts, marks.profile.as_ref(), state.now());
    let offset = facts.inventory.utc_offset_minutes.unwrap_or_default();
    Ok(Effective {
        maintenance: resolved.maintenance.state(state.now(), offset),
        hostname: device.hostname,
        marks,
        resolved,
    })
}

/// Sets tags and own settings of a device. Needs [`Permission::ManagePolicy`].
///
/// # Errors
/// 403; 404.
pub async fn mark(state: &AppState, user: &CurrentUser, id: DeviceId, marks: Marks) -> Result<()> {
    user.demand(Permission::ManagePolicy)?;
    devices::visible(state, user, id).await?;
    reaches::tags(state, user, id, &marks).await?;
    let tags: Vec<&str> = marks.tags.iter().map(String::as_str).collect();
    let own = marks.profile.as_ref().map_or(0, |profile| profile.assignments.len());
    let detail = format!("tags: {}; own settings: {own}", tags.join(", "));
    let event = state.event(user.actor(), "device.marked", format!("device:{id}"), detail);
    state
        .store
        .set_marks(id, marks, state.now(), user.actor(), vec![event])
        .await?;
    state.hub.wake(id);
    Ok(())
}

/// Exemptions of people who use a device in the scope. Needs [`Permission::ReadPolicy`].
///
/// # Errors
/// 403.
pub async fn exemptions(state: &AppState, user: &CurrentUser, query: ExemptionQuery) -> Result<Page<ExemptionRecord>> {
    user.demand(Permission::ReadPolicy)?;
    let query = ExemptionQuery {
        within: user.within(),
        ..query
    };
    Ok(state.store.exemptions(query).await?)
}

/// Asks for an exemption of a person: the own one, or, with [`Permission::ManagePolicy`], anybody's.
///
/// # Errors
/// 403; 409 when there is one; 422 for a name that nobody has.
pub async fn request_exemption(state: &AppState, user: &CurrentUser, person: &str, reason: &str) -> Result<()> {
    if !domain::access::same_person(&user.name, person) {
        user.demand(Permission::ManagePolicy)?;
        reaches::person(state, user, person).await?;
    }
    if reason.trim().is_empty() || reason.len() > MAX_NOTE {
        return Err(AppError::invalid("reason", "reason: 1 to 1024 bytes"));
    }
    let devices = store_wish(state, user.actor(), person, reason).await?;
    devices.into_iter().for_each(|device| state.hub.wake(device));
    Ok(())
}

/// Stores that a person should be exempt, asked for by `by`. The devices that this concerns.
pub(crate) async fn store_wish(state: &Shared, by: String, person: &str, reason: &str) -> store::Result<Vec<DeviceId>> {
    let event = state.event(
        by.clone(),
        "exemption.requested",
        format!("user:{person}"),
        reason.trim(),
    );
    let wish = NewExemption {
        user: person.trim().to_owned(),
        at: state.now(),
        by,
        reason: reason.trim().to_owned(),
    };
    let (_, devices) = state.store.request_exemption(wish, vec![event]).await?;
    Ok(devices)
}

/// What to do with an exemption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Grant it, until then or for good.
    Approve(Option<Timestamp>),
    /// Refuse it.
    Deny,
    /// Take it back.
    Revoke,
}

/// Decides on an exemption. Needs [`Permission::ManagePolicy`].
///
/// # Errors
/// 403; 404; 422 when it does not follow.
pub async fn decide(state: &AppState, user: &CurrentUser, id: u64, verb: Verb, note: &str) -> Result<()> {
    user.demand(Permission::ManagePolicy)?;
    reaches::exemption(state, user, ExemptionId(id)).await?;
    let at = state.now();
    let (decision, action) = match verb {
        Verb::Approve(until) => (Decision::Approved { at, until }, "exemption.approved"),
        Verb::Deny => (Decision::Denied { at }, "exemption.denied"),
        Verb::Revoke => (Decision::Revoked { at }, "exemption.revoked"),
    };
    if note.len() > MAX_NOTE {
        return Err(AppError::invalid("note", "note: at most 1024 bytes"));
    }
    let event = state.event(user.actor(), action, format!("exemption:{id}"), note.trim());
    let devices = state
        .store
        .decide_exemption(
            ExemptionId(id),
            decision,
            at,
            user.actor(),
            note.trim().to_owned(),
            vec![event],
        )
        .await?;
    devices.into_iter().for_each(|device| state.hub.wake(device));
    Ok(())
}

/// Whether a person may ask to be exempt: the policy of a device of theirs heeds exemptions.
///
/// # Errors
/// 403; when the store fails.
pub async fn may_ask(state: &AppState, user: &CurrentUser) -> Result<bool> {
    for device in recovery::own_devices(state, user).await? {
        let view = state.store.check_in_view(device.id).await?;
        let Some(digest) = view.and_then(|view| view.policy_digest) else {
            continue;
        };
        let policy = state.store.effective_policy(&digest).await?;
        if policy.is_some_and(|policy| policy.client.user_exemption == TriState::Enabled) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A person's own exemptions, the newest first.
///
/// # Errors
/// When the store fails.
pub async fn own_exemptions(state: &AppState, user: &CurrentUser) -> Result<Vec<ExemptionRecord>> {
    Ok(state.store.exemptions_of_user(&user.name).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_read_back_from_their_text() {
        let text = "windows = [\n  { days = [\"sat\",\"sun\"], start = \"22:00\", minutes = 360 },\n  \
                    { date = \"2026-12-24\", start = \"18:00\", minutes = 600, clock = \"utc\" },\n]\n";
        let windows = read_windows(text).expect("two windows");
        assert_eq!(windows_text(&windows), text);
        assert_eq!(windows_text(&[]), "");
        assert_eq!(read_windows(""), Ok(Vec::new()));
    }
}
