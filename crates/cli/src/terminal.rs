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
