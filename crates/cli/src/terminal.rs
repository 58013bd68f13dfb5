//! The only place that prints.

#![expect(
    clippy::disallowed_macros,
    reason = "this module is the terminal; everything else returns values or traces"
)]

/// A line on standard output. Secrets come here only where the person asked for one.
pub fn say(text: &str) {
    println!("{text}");
}

/// A line on standard error.
pub fn note(text: &str) {
    eprintln!("{text}");
}

/// The field's word of an enumeration, as its JSON spells it, with spaces.
pub(crate) fn word<T: serde::Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => text.replace(['_', '-'], " "),
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    }
}
