//! Any document that the reference allows.

use domain::policy::document::Document;
use domain::policy::{Setting, SettingKind, reference};
use proptest::prelude::*;

pub(crate) fn document() -> impl Strategy<Value = Document> {
    let settings: Vec<_> = reference()
        .iter()
        .map(|s| prop::option::weighted(0.4, value(s)))
        .collect();
    (line(), line(), settings).prop_map(|(name, description, values)| {
        let mut document = Document {
            name,
            description,
            ..Document::default()
        };
        for (setting, value) in reference().iter().zip(values) {
            if let Some(value) = value {
                document.assignments.set(setting.id, &value).unwrap();
            }
        }
        document
    })
}

/// One line without blanks around it; quotation marks, backslashes and what shells and PowerShell take for something else too.
fn line() -> impl Strategy<Value = String> {
    let odd = r#"['"`$\\,;#&<>%=\[\]{}()@|’“”„ äß漢😀-]"#;
    let text = format!("([a-zA-Z0-9 ]|{odd}){{0,30}}");
    prop::string::string_regex(&text)
        .unwrap()
        .prop_map(|text| text.trim().to_owned())
}

fn value(setting: &'static Setting) -> BoxedStrategy<String> {
    match setting.kind {
        SettingKind::Switch => any::<bool>().prop_map(|on| on.to_string()).boxed(),
        SettingKind::Number { min, max, .. } => (min..=max).prop_map(|n| n.to_string()).boxed(),
        SettingKind::Choice(choices) => prop::sample::select(choices).prop_map(|c| c.value.to_owned()).boxed(),
        SettingKind::Text { .. } => line().boxed(),
    }
}
