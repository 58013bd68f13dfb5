//! Shapes the style sheet: no embedded pictures (the policy allows images from the server only), no imports, and a third theme
//! besides light and dark, `auto`, that follows the system without a script.

/// Replaces every `url("data:image/svg+xml,…")` by the address that `add` gives to the picture.
///
/// # Errors
/// Whatever `add` reports.
pub(crate) fn lift_pictures(
    sheet: &str,
    mut add: impl FnMut(&str) -> Result<String, String>,
) -> Result<String, String> {
    const OPEN: &str = "url(\"data:image/svg+xml,";
    let mut known: Vec<(String, String)> = Vec::new();
    let mut result = String::with_capacity(sheet.len());
    let mut rest = sheet;
    while let Some(start) = rest.find(OPEN) {
        let (before, tail) = rest.split_at(start);
        let body = &tail[OPEN.len()..];
        let end = body.find("\")").ok_or("the style sheet has an unfinished picture")?;
        let picture = percent_decoded(&body[..end]);
        let path = match known.iter().find(|(seen, _)| *seen == picture) {
            Some((_, path)) => path.clone(),
            None => {
                let path = add(&picture)?;
                known.push((picture, path.clone()));
                path
            }
        };
        result.push_str(before);
        result.push_str(&format!("url(\"{path}\")"));
        rest = &body[end + 2..];
    }
    result.push_str(rest);
    Ok(result)
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let code = tail
            .get(..2)
            .and_then(|pair| std::str::from_utf8(pair).ok())
            .and_then(|pair| u8::from_str_radix(pair, 16).ok());
        match code {
            Some(byte) if first == b'%' => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Drops `@import`, `@charset` and the link to the source map.
pub(crate) fn without_imports(sheet: &str) -> String {
    let mut result = sheet.to_owned();
    for opening in ["@import", "@charset", "/*# sourceMappingURL"] {
        while let Some(start) = result.find(opening) {
            let stop = if opening.starts_with('@') { ";" } else { "*/" };
            let end = result[start..]
                .find(stop)
                .map_or(result.len(), |at| start + at + stop.len());
            result.replace_range(start..end, "");
        }
    }
    result
}

/// Repeats each rule for `[data-bs-theme=dark]` as one for `[data-bs-theme=auto]` that holds while the system prefers dark.
/// The copy follows its original at once, so the order of the cascade stays as it was.
pub(crate) fn follow_the_system(sheet: &str) -> String {
    let mut result = String::with_capacity(sheet.len() * 11 / 10);
    let mut rest = sheet;
    while let Some(open) = rest.find('{') {
        let selector = &rest[..open];
        let close = open + matching(&rest[open..]);
        let body = &rest[open + 1..close];
        if body.contains('{') {
            result.push_str(selector);
            result.push('{');
            result.push_str(&follow_the_system(body));
            result.push('}');
        } else {
            result.push_str(&rest[..=close.min(rest.len() - 1)]);
            let copies: Vec<String> = top_level(selector)
                .into_iter()
                .filter(|one| is_dark(one))
                .map(|one| one.replace("=dark]", "=auto]"))
                .collect();
            if !copies.is_empty() {
                result.push_str(&format!(
                    "@media (prefers-color-scheme:dark){{{}{{{body}}}}}",
                    copies.join(",")
                ));
            }
        }
        rest = rest.get(close + 1..).unwrap_or_default();
    }
    result.push_str(rest);
    result
}

fn is_dark(selector: &str) -> bool {
    selector.contains("[data-bs-theme=dark]") && !selector.contains("navbar-theme") && !selector.contains(":not(")
}

/// Where the brace at the start of `text` closes.
fn matching(text: &str) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 1 => return at,
            b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    text.len()
}

/// A selector list cut at its commas, but not at those within parentheses; a comment before it is dropped.
fn top_level(list: &str) -> Vec<&str> {
    let list = list.rsplit("*/").next().unwrap_or(list);
    let list = list.rsplit(';').next().unwrap_or(list);
    let (mut parts, mut depth, mut start) = (Vec::new(), 0_i32, 0);
    for (at, byte) in list.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth -= 1,
            b',' if depth == 0 => {
                parts.push(list[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(list[start..].trim());
    parts
}
