//! A document as calls.

use super::{
    Carried, PLAINTEXT, PLAINTEXT_SETTING, RECOVERY_SCREEN, SCREEN_MODE, SETTING_OBJECT, USE_MESSAGE, USE_URL,
    parameter, when_left_out,
};
use crate::policy::document::Document;
use crate::policy::interchange::{Exported, Inexpressible};
use crate::policy::{CmdletValue, Setting, reference};

/// Writes a script that makes the policy.
#[must_use]
pub fn export(document: &Document) -> Exported<String> {
    let mut inexpressible = Vec::new();
    let mut names: Vec<&str> = Vec::new();
    for setting in reference() {
        let Some(value) = document.assignments.get(setting.id) else {
            continue;
        };
        match setting.cmdlet {
            Some(cmdlet) if !names.contains(&cmdlet.name) => names.push(cmdlet.name),
            Some(_) => {}
            None if setting.id == PLAINTEXT_SETTING && value == "true" => {}
            None if setting.id == PLAINTEXT_SETTING => {
                inexpressible.push(cannot(
                    setting,
                    "Configuration Manager has no cmdlet that forbids it again.".to_owned(),
                ));
            }
            None => inexpressible.push(cannot(
                setting,
                "Configuration Manager has no cmdlet for it.".to_owned(),
            )),
        }
    }
    let calls: Vec<_> = names
        .iter()
        .filter_map(|name| call(name, document, &mut inexpressible))
        .collect();
    let mut lines = vec!["$policies = @(".to_owned()];
    lines.extend(calls.iter().map(|call| format!("    {call}")));
    lines.push(")".to_owned());
    if document.name.is_empty() {
        if !document.description.is_empty() {
            inexpressible.push(Inexpressible {
                setting: "description",
                why: "Only a policy with a name has one.".to_owned(),
            });
        }
    } else {
        let mut object = format!("{SETTING_OBJECT} -Name {}", quoted(&document.name));
        if !document.description.is_empty() {
            object.push_str(&format!(" -Description {}", quoted(&document.description)));
        }
        lines.push(format!("{object} -Policies $policies"));
    }
    if document.assignments.get(PLAINTEXT_SETTING) == Some("true") {
        lines.push(PLAINTEXT.to_owned());
    }
    lines.push(String::new());
    inexpressible.sort_by_key(|cannot| reference().iter().position(|s| s.id == cannot.setting));
    Exported {
        output: lines.join("\r\n"),
        inexpressible,
    }
}

/// One cmdlet's call, when it can say anything.
fn call(name: &'static str, document: &Document, inexpressible: &mut Vec<Inexpressible>) -> Option<String> {
    let carried = Carried::by(name);
    let assigned = |s: &Setting| document.assignments.get(s.id);
    let refuse = |why: &dyn Fn() -> String, inexpressible: &mut Vec<Inexpressible>| {
        let others = carried.others.iter().filter(|s| assigned(s).is_some());
        inexpressible.extend(others.map(|s| cannot(s, why())));
    };
    if let Some(state) = carried.state {
        let Some(value) = assigned(state) else {
            refuse(
                &|| {
                    format!(
                        "{name} says it only together with {}, which is not configured here.",
                        state.id
                    )
                },
                inexpressible,
            );
            return None;
        };
        if word(state, value) == Some("Disabled") {
            refuse(
                &|| format!("{name} takes nothing else while {} is \"{value}\".", state.id),
                inexpressible,
            );
            return Some(format!("{name} -PolicyState Disabled"));
        }
    }
    let mut call = format!("{name} -PolicyState Enabled");
    let mut says = carried.state.is_some();
    for setting in &carried.others {
        let value = assigned(setting);
        // A switch that is left out says something, which may not be the default.
        let implied = when_left_out(setting).filter(|implied| *implied != setting.default_value());
        let default = implied.is_some().then(|| setting.default_value());
        let Some(value) = value.or(default.as_deref()) else {
            continue;
        };
        match argument(name, setting, value) {
            Ok(argument) => {
                call.push_str(&argument);
                says = true;
            }
            Err(why) => inexpressible.push(cannot(setting, why)),
        }
    }
    says.then_some(call)
}

fn argument(name: &str, setting: &Setting, value: &str) -> Result<String, String> {
    if setting.id == SCREEN_MODE {
        return match value {
            "default" => Ok(format!(" -{USE_MESSAGE} -{USE_URL}")),
            "custom_message" => Ok(format!(" -{USE_MESSAGE}")),
            "custom_url" => Ok(format!(" -{USE_URL}")),
            _ => Err(format!("{RECOVERY_SCREEN} knows no \"{value}\".")),
        };
    }
    let parameter = parameter(setting);
    let switch = |on: bool| format!(" -{parameter}{}", if on { "" } else { ":$false" });
    match setting.cmdlet.map(|cmdlet| cmdlet.value) {
        Some(CmdletValue::Words(_)) => word(setting, value)
            .map(|word| format!(" -{parameter} {word}"))
            .ok_or_else(|| format!("{name} knows no \"{value}\".")),
        Some(CmdletValue::Number) => Ok(format!(" -{parameter} {value}")),
        Some(CmdletValue::Switch) => Ok(switch(value == "true")),
        Some(CmdletValue::InvertedSwitch) => Ok(switch(value != "true")),
        Some(CmdletValue::Text) | None => Ok(format!(" -{parameter} {}", quoted(value))),
    }
}

fn word(setting: &Setting, value: &str) -> Option<&'static str> {
    match setting.cmdlet?.value {
        CmdletValue::Words(words) => words.iter().find(|(of, _)| *of == value).map(|(_, word)| *word),
        _ => None,
    }
}

/// In single quotation marks; typographic ones count as such.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("'");
    for c in text.chars() {
        if matches!(c, '\'' | '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{201b}') {
            quoted.push(c);
        }
        quoted.push(c);
    }
    quoted.push('\'');
    quoted
}

fn cannot(setting: &Setting, why: String) -> Inexpressible {
    Inexpressible {
        setting: setting.id,
        why,
    }
}
