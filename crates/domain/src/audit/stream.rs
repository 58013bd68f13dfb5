//! Audit entries as other systems read them: syslog (RFC 5424), CEF for security monitoring, JSON for web hooks.
//!
//! Every form carries sequence and hash, so that a receiver notices what is missing, doubled or changed.

use hex::encode as hex;
use serde_json::{Value, json};

use super::AuditEntry;

/// How much an entry deserves to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The ordinary course: devices enrol and escrow, people sign in.
    Informational,
    /// A key was told, or accounts, policies, exemptions or devices were changed.
    Notice,
    /// Something was refused or does not fit: a failed sign-in, a password that does not open its volume.
    Warning,
}

impl Severity {
    /// By the entry's action.
    #[must_use]
    pub fn of(action: &str) -> Self {
        let ends_badly = ["failed", "refused", "not_opened", "denied"];
        let (area, what) = action.split_once('.').unwrap_or((action, ""));
        match area {
            _ if ends_badly.contains(&what) => Self::Warning,
            "sign_in" => Self::Informational,
            "key" if what != "disclosed" => Self::Informational,
            "device" if matches!(what, "enrolled" | "renewed") => Self::Informational,
            _ => Self::Notice,
        }
    }

    /// As syslog numbers it (RFC 5424, table 2).
    const fn syslog(self) -> u8 {
        match self {
            Self::Informational => 6,
            Self::Notice => 5,
            Self::Warning => 4,
        }
    }

    /// As CEF numbers it, 0 to 10.
    const fn cef(self) -> u8 {
        match self {
            Self::Informational => 2,
            Self::Notice => 5,
            Self::Warning => 7,
        }
    }
}

/// Facility "log audit" (RFC 5424, table 1).
const FACILITY: u8 = 13;
/// The number that RFC 5612 sets aside for documentation: this project has none of its own.
const STRUCTURE: &str = "claviger@32473";

/// One entry as a syslog message (RFC 5424), without framing. `host`: who sends it; other characters than printable ASCII
/// are left out.
#[must_use]
pub fn syslog(entry: &AuditEntry, host: &str) -> String {
    let event = &entry.event;
    let fields = [
        ("sequence", entry.sequence.to_string()),
        ("hash", hex(entry.hash)),
        ("previous", hex(entry.previous)),
        ("actor", event.actor.clone()),
        ("subject", event.subject.clone()),
        ("detail", event.detail.clone()),
    ];
    let structure: String = fields
        .iter()
        .map(|(name, value)| format!(" {name}=\"{}\"", escaped(value, &['"', '\\', ']'])))
        .collect();
    let about = [event.action.as_str(), &event.subject, &event.detail]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    // The mark says that the text is UTF-8 (RFC 5424, 6.4).
    let text = format!("\u{feff}{} {}", event.actor, one_line(&about));
    format!("{} [{STRUCTURE}{structure}] {text}", header(entry, host))
}

/// One entry in CEF, version 0, behind the header of a syslog message. `version`: of this program.
#[must_use]
pub fn cef(entry: &AuditEntry, host: &str, version: &str) -> String {
    let event = &entry.event;
    let (area, what) = event.action.split_once('.').unwrap_or((&event.action, ""));
    let name = format!("{area} {}", what.replace('_', " "));
    let kind = if event.actor.starts_with("device:") {
        "dhost"
    } else {
        "suser"
    };
    let fields = [
        ("rt", event.at.0.to_string()),
        ("externalId", entry.sequence.to_string()),
        (kind, event.actor.clone()),
        ("msg", event.detail.clone()),
        ("cs1Label", "subject".to_owned()),
        ("cs1", event.subject.clone()),
        ("cs2Label", "hash".to_owned()),
        ("cs2", hex(entry.hash)),
        ("cs3Label", "previous".to_owned()),
        ("cs3", hex(entry.previous)),
    ];
    let extension: Vec<String> = fields
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(key, value)| format!("{key}={}", escaped(value, &['=', '\\'])))
        .collect();
    let header_text = |text: &str| escaped(text, &['|', '\\']);
    format!(
        "{} - CEF:0|Claviger|Claviger|{}|{}|{}|{}|{}",
        header(entry, host),
        header_text(version),
        header_text(&event.action),
        header_text(name.trim_end()),
        Severity::of(&event.action).cef(),
        extension.join(" ")
    )
}

/// One entry as JSON: the event's fields, sequence, and both hashes in hexadecimal; `at` in RFC 3339.
#[must_use]
pub fn json(entry: &AuditEntry) -> Value {
    let event = &entry.event;
    json!({
        "sequence": entry.sequence,
        "at": event.at.rfc3339(),
        "actor": event.actor,
        "action": event.action,
        "subject": event.subject,
        "detail": event.detail,
        "previous": hex(entry.previous),
        "hash": hex(entry.hash),
    })
}

/// Priority, version, time, host, program, no process, kind of message.
fn header(entry: &AuditEntry, host: &str) -> String {
    let event = &entry.event;
    let priority = FACILITY * 8 + Severity::of(&event.action).syslog();
    let (host, kind) = (token(host, 255), token(&event.action, 32));
    format!("<{priority}>1 {} {host} claviger - {kind}", event.at.rfc3339())
}

/// Printable ASCII without blanks, of limited length; "-" for nothing.
fn token(text: &str, longest: usize) -> String {
    let kept: String = text.chars().filter(char::is_ascii_graphic).take(longest).collect();
    if kept.is_empty() { "-".to_owned() } else { kept }
}

fn escaped(text: &str, special: &[char]) -> String {
    let mut out = String::with_capacity(text.len());
    for character in one_line(text).chars() {
        if special.contains(&character) {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{AuditEvent, ChainHead, append};
    use crate::time::Timestamp;

    fn entry(action: &str, detail: &str) -> AuditEntry {
        let event = AuditEvent {
            at: Timestamp(1_795_564_800_123),
            actor: "user:anna".to_owned(),
            action: action.to_owned(),
            subject: "device:1 volume:2".to_owned(),
            detail: detail.to_owned(),
        };
        append(ChainHead::default(), event)
    }

    #[test]
    fn a_syslog_message_has_the_parts_of_the_standard_and_escapes_what_would_end_them() {
        let entry = entry("key.disclosed", "said \"now\" \\ [x]\nand left");
        let zeros = "0".repeat(64);
        let expected = format!(
            "<109>1 2026-11-25T00:00:00.123Z server.example claviger - key.disclosed [claviger@32473 sequence=\"1\" \
             hash=\"{}\" previous=\"{zeros}\" actor=\"user:anna\" subject=\"device:1 volume:2\" \
             detail=\"said \\\"now\\\" \\\\ [x\\] and left\"] \u{feff}user:anna key.disclosed device:1 volume:2 \
             said \"now\" \\ [x] and left",
            hex(entry.hash)
        );
        assert_eq!(syslog(&entry, "server.example"), expected);
        assert!(syslog(&entry, "a b\u{e4}\n").contains("Z ab claviger"));
        assert!(syslog(&entry, "").contains("Z - claviger"));
    }

    #[test]
    fn a_cef_message_escapes_bars_in_its_header_and_equal_signs_in_its_extension() {
        let entry = entry("sign_in.failed", "a=b\\c|d");
        let text = cef(&entry, "h", "1|2");
        assert!(
            text.starts_with("<108>1 2026-11-25T00:00:00.123Z h claviger - sign_in.failed - CEF:0|Claviger|Claviger|1\\|2|sign_in.failed|sign_in failed|7|rt=1795564800123 externalId=1 suser=user:anna msg=a\\=b\\\\c|d cs1Label=subject cs1=device:1 volume:2 cs2Label=hash cs2="),
            "{text}"
        );
    }

    #[test]
    fn what_is_refused_is_louder_than_what_is_changed_and_that_louder_than_the_ordinary() {
        for (action, severity) in [
            ("key.escrowed", Severity::Informational),
            ("key.disclosed", Severity::Notice),
            ("key.not_opened", Severity::Warning),
            ("sign_in.succeeded", Severity::Informational),
            ("sign_in.failed", Severity::Warning),
            ("policy.changed", Severity::Notice),
            ("device.enrolled", Severity::Informational),
            ("device.retired", Severity::Notice),
            ("unheard_of", Severity::Notice),
        ] {
            assert_eq!(Severity::of(action), severity, "{action}");
        }
    }

    #[test]
    fn json_carries_the_place_in_the_chain() {
        let entry = entry("key.escrowed", "");
        let value = json(&entry);
        assert_eq!(value["sequence"], 1);
        assert_eq!(value["at"], "2026-11-25T00:00:00.123Z");
        assert_eq!(value["hash"], hex(entry.hash));
    }
}
