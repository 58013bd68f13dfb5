//! Turns the listed Tabler icons into constants, so that a misspelt icon does not compile.

use std::{fmt::Write as _, fs, path::Path};

/// Rust source with one constant for each name in `list`.
///
/// # Errors
/// Names the icon that the package does not have.
pub(crate) fn source(list: &str, modules: &Path) -> Result<String, String> {
    let folder = modules.join("@tabler/icons/icons/outline");
    let mut source = String::new();
    for name in list
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let svg = fs::read_to_string(folder.join(format!("{name}.svg")))
            .map_err(|e| format!("icon {name:?} in assets/icons.txt: {e}"))?;
        let constant = name.to_uppercase().replace('-', "_");
        let _ = writeln!(
            source,
            "/// The Tabler icon `{name}`.\npub const {constant}: Icon = Icon({:?});",
            shape(&svg)
        );
    }
    Ok(source)
}

/// Only the strokes, in an element that takes its size and colour from the style sheet and is hidden from screen readers.
fn shape(svg: &str) -> String {
    let inner = svg.split_once('>').map_or("", |(_, rest)| rest);
    let strokes: String = inner
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("<path") && !line.contains("stroke=\"none\""))
        .map(|line| line.replace(" />", "/>"))
        .collect();
    format!("<svg class=\"icon\" viewBox=\"0 0 24 24\" aria-hidden=\"true\" focusable=\"false\">{strokes}</svg>")
}
