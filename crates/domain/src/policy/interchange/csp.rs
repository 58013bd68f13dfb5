//! The BitLocker configuration service provider, as mobile device management talks to it (OMA-URI, SyncML).
//!
//! Nodes that stand for a Group Policy take `<enabled/>` with `<data id="…" value="…"/>` for each of its fields, all of them, or
//! `<disabled/>`; the others a plain number or text.

use serde::Serialize;

use super::{Exported, Inexpressible, nameless};
use crate::policy::document::Document;
use crate::policy::{Csp, Encoding, Policy, Setting, reference};

const ROOT: &str = "./Device/Vendor/MSFT/BitLocker/";

/// A value for one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Node {
    /// Its address.
    pub uri: String,
    /// `int` or `chr`.
    pub format: &'static str,
    /// What is written there.
    pub data: String,
}

/// Writes a policy, one value for each node. Where a node wants all of its fields, those that are not configured get
/// the reference's defaults.
#[must_use]
pub fn export(document: &Document) -> Exported<Vec<Node>> {
    let mut inexpressible = nameless(document);
    let mut names: Vec<&str> = Vec::new();
    for setting in reference() {
        if document.assignments.get(setting.id).is_none() {
            continue;
        }
        match setting.csp {
            Some(csp) if !names.contains(&csp.node) => names.push(csp.node),
            Some(_) => {}
            None => inexpressible.push(cannot(setting, "The BitLocker CSP has no node for it.".to_owned())),
        }
    }
    let policy = document.assignments.policy();
    let output = names
        .iter()
        .filter_map(|name| node(name, document, &policy, &mut inexpressible))
        .collect();
    inexpressible.sort_by_key(|cannot| reference().iter().position(|s| s.id == cannot.setting));
    Exported { output, inexpressible }
}

/// As a message that sets all nodes in one command, as the provider wants them.
#[must_use]
pub fn sync_ml(nodes: &[Node]) -> String {
    let mut text =
        String::from("<SyncML xmlns=\"SYNCML:SYNCML1.2\">\n  <SyncBody>\n    <Atomic>\n      <CmdID>1</CmdID>\n");
    for (index, node) in nodes.iter().enumerate() {
        text.push_str(&format!(
            "      <Replace>\n        <CmdID>{}</CmdID>\n        <Item>\n          <Target><LocURI>{}</LocURI></Target>\n          \
             <Meta><Format xmlns=\"syncml:metinf\">{}</Format></Meta>\n          <Data>{}</Data>\n        </Item>\n      \
             </Replace>\n",
            index + 2,
            node.uri,
            node.format,
            escaped(&node.data)
        ));
    }
    text.push_str("    </Atomic>\n    <Final/>\n  </SyncBody>\n</SyncML>\n");
    text
}

fn node(
    name: &'static str,
    document: &Document,
    policy: &Policy,
    inexpressible: &mut Vec<Inexpressible>,
) -> Option<Node> {
    let of_node: Vec<(&Setting, Csp)> = reference()
        .iter()
        .filter_map(|s| Some((s, s.csp.filter(|csp| csp.node == name)?)))
        .collect();
    let uri = format!("{ROOT}{name}");
    let (state, fields): (Vec<_>, Vec<_>) = of_node
        .into_iter()
        .partition(|(_, csp)| csp.data.is_none_or(str::is_empty));
    let assigned = |setting: &Setting| document.assignments.get(setting.id);
    if let Some((setting, csp)) = state.first() {
        let Some(value) = assigned(setting) else {
            let why = format!(
                "{name} says it only together with {}, which is not configured here.",
                setting.id
            );
            refuse(&fields, document, &why, inexpressible);
            return None;
        };
        if csp.integer {
            return match (csp.encoding, csp.encoding.number(value)) {
                (Encoding::Text, _) => Some(Node {
                    uri,
                    format: "chr",
                    data: value.to_owned(),
                }),
                (_, Some(number)) => Some(Node {
                    uri,
                    format: "int",
                    data: number.to_string(),
                }),
                (_, None) => {
                    inexpressible.push(cannot(setting, format!("{name} knows no \"{value}\".")));
                    None
                }
            };
        }
        if csp.encoding.number(value) != Some(1) {
            let why = format!("{name} takes nothing else while {} is \"{value}\".", setting.id);
            refuse(&fields, document, &why, inexpressible);
            return Some(Node {
                uri,
                format: "chr",
                data: "<disabled/>".to_owned(),
            });
        }
    }
    let mut data = String::from("<enabled/>");
    for (setting, csp) in fields {
        let value = setting.value(policy);
        let written = match csp.encoding {
            Encoding::Text | Encoding::Bool => Some(value),
            other => other.number(&value).map(|number| number.to_string()),
        };
        if let (Some(id), Some(written)) = (csp.data, written) {
            data.push_str(&format!("<data id=\"{id}\" value=\"{}\"/>", escaped(&written)));
        }
    }
    Some(Node {
        uri,
        format: "chr",
        data,
    })
}

fn refuse(fields: &[(&Setting, Csp)], document: &Document, why: &str, inexpressible: &mut Vec<Inexpressible>) {
    let configured = fields.iter().filter(|(s, _)| document.assignments.get(s.id).is_some());
    inexpressible.extend(configured.map(|(s, _)| cannot(s, why.to_owned())));
}

fn cannot(setting: &Setting, why: String) -> Inexpressible {
    Inexpressible {
        setting: setting.id,
        why,
    }
}

/// Text within XML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
