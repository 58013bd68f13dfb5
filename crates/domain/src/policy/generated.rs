//! What is written from the reference: documentation, and the schema of documents. Both are committed, so that a change
//! of the table shows.

use serde_json::{Map, Value, json};

use super::document::is_list;
use super::reference::NOT_CONFIGURED;
use super::{CmdletValue, Encoding, Grade, RegistryValue, Section, Setting, SettingKind, reference};

const HEAD: &str = "\
# Settings

Written from the table in `crates/domain/src/policy/reference`; `claviger policy reference` prints the same. How documents are written is in
[policy.md](policy.md), the schema of their JSON form in [schema/policy.json](schema/policy.json).

Registry keys lie under `HKEY_LOCAL_MACHINE`: **R1** `SOFTWARE\\Policies\\Microsoft\\FVE`, **R2** `SYSTEM\\CurrentControlSet\\Policies\\Microsoft\\FVE`, **R3**
`SOFTWARE\\Policies\\Microsoft\\FVE\\MDOPBitLockerManagement`. CSP nodes lie under `./Device/Vendor/MSFT/BitLocker/`. *Suggested* is what Microsoft suggests for
Configuration Manager. The grade says how sure it is that Windows is told in this way: *documented* by Microsoft's templates or pages, *inferred* from
scripts and siblings, *ours* where Windows has nothing of the kind.
";

/// The settings reference, in Markdown.
#[must_use]
pub fn markdown() -> String {
    let mut text = HEAD.to_owned();
    for section in Section::ALL {
        text.push_str(&format!(
            "\n## {}\n\n| setting | meaning | values | default | suggested | registry | CSP | Configuration Manager | grade |\n\
             |---|---|---|---|---|---|---|---|---|\n",
            section.title()
        ));
        for setting in reference().iter().filter(|s| s.section == section) {
            let cells = row(setting).map(|cell| cell.replace('|', "\\|"));
            text.push_str(&format!("| {} |\n", cells.join(" | ")));
        }
    }
    text
}

fn row(setting: &Setting) -> [String; 9] {
    let code = |text: &str| {
        if text.is_empty() {
            "none".to_owned()
        } else {
            format!("`{text}`")
        }
    };
    let registry: Vec<_> = setting.registry.iter().map(registry).collect();
    let csp = setting.csp.map(|csp| match csp.data {
        Some(id) if !id.is_empty() => format!("{} ({id})", csp.node),
        _ => csp.node.to_owned(),
    });
    let cmdlet = setting.cmdlet.map(|cmdlet| match cmdlet.value {
        CmdletValue::InvertedSwitch => format!("{} -{} (inverted)", cmdlet.name, cmdlet.parameter),
        CmdletValue::Words([]) => format!("{} -UseRecoveryMessage, -UseRecoveryUrl", cmdlet.name),
        _ => format!("{} -{}", cmdlet.name, cmdlet.parameter),
    });
    [
        code(setting.id),
        format!("**{}.** {}", setting.title, setting.help),
        values(setting.kind),
        code(&setting.default_value()),
        setting.suggested.map(code).unwrap_or_default(),
        registry.join("; "),
        csp.unwrap_or_default(),
        cmdlet.unwrap_or_default(),
        grade(setting),
    ]
}

fn values(kind: SettingKind) -> String {
    match kind {
        SettingKind::Switch => "`true`, `false`".to_owned(),
        SettingKind::Number { min, max, unit } => format!("{min}–{max} {unit}"),
        SettingKind::Choice(choices) => {
            let choice = |choice: &super::Choice| {
                let also: String = choice.also.iter().map(|also| format!(" (or `{also}`)")).collect();
                format!("`{}`{also}", choice.value)
            };
            choices.iter().map(choice).collect::<Vec<_>>().join(", ")
        }
        SettingKind::Text { max } => format!("text of at most {max} characters"),
    }
}

fn registry(value: &RegistryValue) -> String {
    let data = match value.encoding {
        Encoding::Map(pairs) => {
            let pairs: Vec<_> = pairs.iter().map(|(text, number)| format!("{number} {text}")).collect();
            pairs.join(", ")
        }
        Encoding::Number => "the number".to_owned(),
        Encoding::Text => "the text".to_owned(),
        Encoding::Always(number) => format!("{number} beside it"),
        Encoding::Bool => "1 true, 0 false".to_owned(),
    };
    format!("{:?} {}: {data}", value.root, value.name)
}

fn grade(setting: &Setting) -> String {
    let inferred = setting.registry.iter().any(|value| value.grade == Grade::Inferred);
    let told = !setting.registry.is_empty() || setting.csp.is_some() || setting.cmdlet.is_some();
    match (setting.unsure, inferred, told) {
        (Some(unsure), true, _) => format!("inferred: {unsure}"),
        (Some(unsure), false, _) => format!("documented, but: {unsure}"),
        (None, true, _) => "inferred".to_owned(),
        (None, false, true) => "documented".to_owned(),
        (None, false, false) => "ours".to_owned(),
    }
}

/// The JSON schema of policy documents (draft 2020-12).
#[must_use]
pub fn json_schema() -> String {
    let mut properties = Map::new();
    properties.insert("$schema".to_owned(), json!({ "type": "string" }));
    properties.insert(
        "name".to_owned(),
        json!({ "type": "string", "maxLength": 200, "description": "One line." }),
    );
    properties.insert(
        "description".to_owned(),
        json!({ "type": "string", "maxLength": 4000, "description": "For whom and why." }),
    );
    for section in Section::ALL {
        let of_section = reference().iter().filter(|s| s.path().0 == section.name());
        let settings: Map<_, _> = of_section.map(|s| (s.path().1.to_owned(), schema(s))).collect();
        properties.insert(
            section.name().to_owned(),
            json!({
                "type": "object",
                "title": section.title(),
                "additionalProperties": false,
                "properties": settings,
            }),
        );
    }
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Claviger policy",
        "description": "What an administrator wants of a device's drives. A setting that is not named is left to others.",
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    });
    format!("{schema:#}\n")
}

fn schema(setting: &Setting) -> Value {
    let allowed = match setting.kind {
        SettingKind::Switch => json!({ "enum": [true, false, "enabled", "disabled", NOT_CONFIGURED] }),
        SettingKind::Number { min, max, .. } => json!({
            "anyOf": [{ "type": "integer", "minimum": min, "maximum": max }, { "const": NOT_CONFIGURED }]
        }),
        SettingKind::Choice(choices) => {
            let mut values: Vec<Value> = Vec::new();
            for choice in choices {
                values.push(choice.value.into());
                // "true" and "false" are written without quotation marks as well.
                for also in choice.also {
                    values.push((*also).into());
                    values.extend(also.parse::<bool>().ok().map(Value::Bool));
                }
            }
            if !values.contains(&NOT_CONFIGURED.into()) {
                values.push(NOT_CONFIGURED.into());
            }
            json!({ "enum": values })
        }
        SettingKind::Text { max } => {
            let text = json!({ "type": "string", "maxLength": max, "pattern": "^[^\\u0000-\\u001f\\u007f]*$" });
            if is_list(setting.id) {
                json!({ "anyOf": [text, { "type": "array", "items": { "type": "string", "pattern": "^[^,]*$" } }] })
            } else {
                text
            }
        }
    };
    let mut schema = json!({ "title": setting.title, "description": setting.help, "default": default(setting) });
    if let (Value::Object(schema), Value::Object(allowed)) = (&mut schema, allowed) {
        schema.extend(allowed);
    }
    schema
}

fn default(setting: &Setting) -> Value {
    let text = setting.default_value();
    match (setting.kind, text.parse::<u32>()) {
        (SettingKind::Switch, _) => Value::Bool(text == "true"),
        (SettingKind::Number { .. }, Ok(number)) => number.into(),
        _ => text.into(),
    }
}
