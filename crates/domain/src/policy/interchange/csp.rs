//! The configuration service provider: OMA-URIs for Intune and other device management.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::{Exported, Inexpressible};
use crate::policy::reference::{Csp, Encoding, Setting, reference};
use crate::policy::{Assignments, setting};

const BASE: &str = "./Device/Vendor/MSFT/BitLocker/";

/// Nodes that Windows takes only whole.
const WHOLE: [&str; 3] = [
    "EncryptionMethodByDriveType",
    "SystemDrivesRecoveryMessage",
    "SystemDrivesRequireStartupAuthentication",
];

/// One node with its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CspEntry {
    /// `./Device/Vendor/MSFT/BitLocker/…`
    #[serde(rename = "omaUri")]
    pub uri: String,
    /// `int` or `chr`.
    pub format: String,
    /// The payload.
    pub value: String,
}

/// What a document configures as nodes, in the reference's order.
///
/// A node that Windows takes only whole is completed with the defaults of the reference.
#[must_use]
pub fn export_csp(assignments: &Assignments) -> Exported<Vec<CspEntry>> {
    let mut content = Vec::<CspEntry>::new();
    let mut inexpressible = Vec::new();
    for (id, value) in assignments.iter() {
        let Some(setting) = setting(id) else { continue };
        let Some(csp) = setting.csp else {
            inexpressible.push(Inexpressible {
                setting: setting.id,
                why: "The CSP has no such node.".to_owned(),
            });
            continue;
        };
        if payload(csp, value).is_none() {
            inexpressible.push(Inexpressible {
                setting: setting.id,
                why: format!("The CSP has no value for \"{value}\"."),
            });
            continue;
        }
        let uri = format!("{BASE}{}", csp.node);
        if !content.iter().any(|entry| entry.uri == uri) {
            content.push(node(csp, value, uri, assignments));
        }
    }
    Exported { content, inexpressible }
}

fn node(csp: Csp, value: &str, uri: String, assignments: &Assignments) -> CspEntry {
    if csp.integer {
        let format = if csp.encoding == Encoding::Text { "chr" } else { "int" };
        return CspEntry {
            uri,
            format: format.to_owned(),
            value: payload(csp, value).unwrap_or_default(),
        };
    }
    let chr = |value: String| CspEntry {
        uri,
        format: "chr".to_owned(),
        value,
    };
    let of_node = |s: &&Setting| s.csp.is_some_and(|c| c.node == csp.node);
    let state = reference()
        .iter()
        .filter(of_node)
        .find(|s| s.csp.is_some_and(|c| is_state(&c)))
        .and_then(|s| payload(s.csp?, assignments.get(s.id)?));
    if state.as_deref() == Some("0") {
        return chr("<disabled/>".to_owned());
    }
    let mut text = "<enabled/>".to_owned();
    for setting in reference().iter().filter(of_node) {
        let Some((csp, data)) = setting.csp.and_then(|c| Some((c, c.data.filter(|d| !d.is_empty())?))) else {
            continue;
        };
        let default = WHOLE.contains(&csp.node).then(|| setting.default_value());
        let value = assignments.get(setting.id).map(str::to_owned).or(default);
        if let Some(value) = value.and_then(|value| payload(csp, &value)) {
            let _ = write!(text, r#"<data id="{data}" value="{}"/>"#, escaped(&value));
        }
    }
    chr(text)
}

/// The node is switched on or off by this setting.
fn is_state(csp: &Csp) -> bool {
    csp.data.is_none_or(str::is_empty) && !csp.integer
}

fn payload(csp: Csp, value: &str) -> Option<String> {
    match csp.encoding {
        Encoding::Text => Some(value.to_owned()),
        Encoding::Bool => Some(value.to_owned()),
        other => other.number(value).map(|number| number.to_string()),
    }
}

/// The nodes as the body of a SyncML message.
#[must_use]
pub fn syncml(entries: &[CspEntry]) -> String {
    let mut text = String::from("<SyncBody xmlns=\"SYNCML:SYNCML1.2\">\n");
    for (number, entry) in entries.iter().enumerate() {
        let _ = write!(
            text,
            "  <Replace>\n    <CmdID>{}</CmdID>\n    <Item>\n      <Target><LocURI>{}</LocURI></Target>\n      <Meta><Format \
             xmlns=\"syncml:metinf\">{}</Format></Meta>\n      <Data>{}</Data>\n    </Item>\n  </Replace>\n",
            number + 1,
            escaped(&entry.uri),
            entry.format,
            escaped(&entry.value)
        );
    }
    text.push_str("</SyncBody>\n");
    text
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
