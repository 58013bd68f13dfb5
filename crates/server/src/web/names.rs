//! Turns the ids in audit entries into names that people know.

use std::collections::{BTreeMap, btree_map::Entry};

use domain::{audit::AuditEntry, ids::DeviceId, time::Timestamp};
use store::model::device_of;

use super::{
    format::moment,
    icons,
    view::part::{Event, Tone},
    words,
};
use crate::{error::Result, state::AppState};

/// Computer names of the devices in some entries.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeMap<DeviceId, String>);

impl Names {
    /// Looks up every device that the entries are about.
    pub(super) async fn of(state: &AppState, entries: &[AuditEntry]) -> Result<Self> {
        let mut names = BTreeMap::new();
        for id in entries.iter().filter_map(|entry| device_of(&entry.event)) {
            if let Entry::Vacant(place) = names.entry(id) {
                let device = state.store.device(id).await?;
                place.insert(device.map_or_else(|| id.to_string(), |device| device.hostname));
            }
        }
        Ok(Self(names))
    }

    fn device(&self, id: &str) -> String {
        let name = id.parse().ok().and_then(|id: DeviceId| self.0.get(&id));
        name.map_or_else(|| id.to_owned(), Clone::clone)
    }

    /// An actor without its kind: an account name, a computer name, or "system".
    pub(super) fn actor(&self, actor: &str) -> String {
        match actor.split_once(':') {
            Some(("user", name)) => name.to_owned(),
            Some(("device", id)) => self.device(id),
            _ => actor.to_owned(),
        }
    }

    /// A subject in names: computer, first digits of the key, account, token.
    pub(super) fn subject(&self, subject: &str) -> String {
        let mut parts = Vec::new();
        for word in subject.split_whitespace() {
            match word.split_once(':') {
                Some(("device", id)) => parts.push(self.device(id)),
                // The key names the volume well enough.
                Some(("volume", _)) => {}
                Some(("protector", id)) => parts.push(format!("key {}", id.get(..8).unwrap_or(id))),
                Some(("account", name)) => parts.push(name.to_owned()),
                Some(("token", id)) => parts.push(format!("token {id}")),
                _ => parts.push(word.to_owned()),
            }
        }
        parts.join(" ")
    }

    /// An entry as a line of a history.
    pub(super) fn event(&self, entry: &AuditEntry, now: Timestamp, here: Option<DeviceId>) -> Event {
        let event = &entry.event;
        let deed = words::deed_of(&event.action);
        let label = deed.map_or(event.action.as_str(), |deed| deed.label);
        let device = device_of(event);
        let subject = self.subject(&event.subject);
        let text = match here {
            Some(_) => label.to_owned(),
            None if subject.is_empty() => label.to_owned(),
            None => format!("{label}: {subject}"),
        };
        let actor = self.actor(&event.actor);
        let mut detail: Vec<&str> = Vec::new();
        let key = subject.split_once("key ").map_or("", |(_, key)| key);
        if here.is_some() && !key.is_empty() {
            detail.push(key);
        }
        if event.actor.starts_with("user:") && !(here.is_none() && actor == subject) {
            detail.push(&actor);
        }
        if !event.detail.is_empty() {
            detail.push(&event.detail);
        }
        Event {
            icon: deed.map_or(icons::ACTIVITY, |deed| deed.icon),
            tone: deed.map_or(Tone::Calm, |deed| deed.tone),
            text,
            detail: detail.join(" · "),
            href: device
                .filter(|_| here.is_none())
                .map(|id| format!("/admin/devices/{id}")),
            when: moment(event.at, now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_told_in_names() {
        let id: DeviceId = "019A5C2E-7D11-7A90-B6CE-3F4F2F6A0C11".parse().expect("an id");
        let names = Names(BTreeMap::from([(id, "LT-0417".to_owned())]));
        let subject = format!(
            "device:{id} volume:3F2A9C11-7B40-4E1D-9A52-0C6D1E88B7F4 protector:A04417E2-55C1-4F0B-8D2E-91B7C3D60A18"
        );
        assert_eq!(names.subject(&subject), "LT-0417 key A04417E2");
        assert_eq!(names.actor(&format!("device:{id}")), "LT-0417");
        assert_eq!(names.actor("user:nora.lind"), "nora.lind");
        assert_eq!(names.actor("system"), "system");
    }

    #[test]
    fn what_is_unknown_stays_as_it_is() {
        let names = Names::default();
        assert_eq!(names.subject("policy"), "policy");
        assert_eq!(names.subject("device:nonsense"), "nonsense");
    }
}
