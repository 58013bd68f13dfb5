//! As much of PowerShell as a list of commands needs: words, texts, comments, lines that go on.

use super::ImportError;

/// A command with its parameters.
pub(super) struct Line {
    pub(super) number: usize,
    pub(super) command: String,
    /// Name without its dash, and the value, if one follows.
    pub(super) parameters: Vec<(String, Option<String>)>,
}

impl Line {
    pub(super) fn is(&self, command: &str) -> bool {
        self.command.eq_ignore_ascii_case(command)
    }

    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.parameters
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .and_then(|(_, value)| value.as_deref())
    }

    pub(super) fn switch(&self, name: &str) -> bool {
        self.parameters.iter().any(|(n, value)| {
            let off = value.as_deref().is_some_and(|v| v.eq_ignore_ascii_case("$false"));
            n.eq_ignore_ascii_case(name) && !off
        })
    }
}

/// All lines that have a command: comments, assignments and blank lines are left out.
pub(super) fn lines(text: &str) -> Result<Vec<Line>, ImportError> {
    let mut found = Vec::new();
    let mut pending = None::<(usize, String)>;
    for (index, line) in text.lines().enumerate() {
        let (start, mut whole) = pending.take().unwrap_or((index + 1, String::new()));
        whole.push_str(line);
        match whole.trim_end().strip_suffix('`') {
            Some(part) => pending = Some((start, format!("{part} "))),
            None => found.extend(command(start, &words(start, &whole)?)),
        }
    }
    if let Some((start, whole)) = pending {
        found.extend(command(start, &words(start, &whole)?));
    }
    Ok(found)
}

enum Word {
    /// As it stands.
    Bare(String),
    /// It stood in quotation marks.
    Quoted(String),
}

impl Word {
    fn text(&self) -> &str {
        match self {
            Self::Bare(text) | Self::Quoted(text) => text,
        }
    }
}

fn command(number: usize, words: &[Word]) -> Option<Line> {
    // `$p1 = New-…` and `New-…`
    let mut words = match words {
        [Word::Bare(variable), Word::Bare(equals), rest @ ..] if variable.starts_with('$') && equals == "=" => rest,
        all => all,
    }
    .iter()
    .peekable();
    let command = words.next()?.text().to_owned();
    let mut parameters = Vec::new();
    while let Some(word) = words.next() {
        let Some(name) = as_parameter(word) else { continue };
        // `-Name:value`
        if let Some((name, value)) = name.split_once(':') {
            let value = if value.is_empty() {
                words.next().map(|word| word.text().to_owned())
            } else {
                Some(value.to_owned())
            };
            parameters.push((name.to_owned(), value));
            continue;
        }
        let value = words.next_if(|word| as_parameter(word).is_none());
        parameters.push((name.to_owned(), value.map(|word| word.text().to_owned())));
    }
    Some(Line {
        number,
        command,
        parameters,
    })
}

/// A word with a dash and a letter: "-5" is a number.
fn as_parameter(word: &Word) -> Option<&str> {
    let Word::Bare(text) = word else { return None };
    let name = text.strip_prefix('-')?;
    name.starts_with(|c: char| c.is_ascii_alphabetic()).then_some(name)
}

fn words(line: usize, text: &str) -> Result<Vec<Word>, ImportError> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if first == '#' {
            break;
        }
        if first == '\'' || first == '"' {
            let (word, after) = quoted(&rest[1..], first)
                .ok_or_else(|| ImportError::new(format!("line {line}"), "a text in quotation marks has no end"))?;
            words.push(Word::Quoted(word));
            rest = after.trim_start();
            continue;
        }
        let end = rest
            .char_indices()
            .find(|(_, c)| c.is_whitespace() || matches!(c, '\'' | '"'))
            .map_or(rest.len(), |(at, _)| at);
        // A quotation mark within a word: `-Name:'text'`.
        let (word, after) = rest.split_at(end);
        words.push(Word::Bare(word.to_owned()));
        rest = after.trim_start();
    }
    Ok(words)
}

/// Up to the closing mark; a doubled one stands for itself, and in double quotation marks so does one after a backtick.
fn quoted(text: &str, mark: char) -> Option<(String, &str)> {
    let mut word = String::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, sign)) = chars.next() {
        if sign == mark {
            if chars.next_if(|(_, next)| *next == mark).is_some() {
                word.push(mark);
                continue;
            }
            return text.get(at + mark.len_utf8()..).map(|rest| (word, rest));
        }
        match sign {
            '`' if mark == '"' => word.push(chars.next()?.1),
            other => word.push(other),
        }
    }
    None
}
