//! Files, with exact words about what is wrong in them.

use std::io::Read;
use std::path::Path;

use domain::policy::document::place;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Nothing that describes one device is nearly as large.
const LIMIT: u64 = 64 << 20;

/// A file's text and how it is written.
pub(super) struct Text {
    name: String,
    text: String,
    toml: bool,
}

impl Text {
    /// Reads a file, or standard input for `-`. UTF-8, or UTF-16 with its mark, as Windows' editors save it.
    pub(super) fn of(path: &Path) -> Result<Self, Vec<String>> {
        let standard_input = path == Path::new("-");
        let name = if standard_input {
            "standard input".to_owned()
        } else {
            path.display().to_string()
        };
        let mut bytes = Vec::new();
        let read = if standard_input {
            std::io::stdin().lock().take(LIMIT + 1).read_to_end(&mut bytes)
        } else {
            std::fs::File::open(path).and_then(|file| file.take(LIMIT + 1).read_to_end(&mut bytes))
        };
        read.map_err(|error| vec![format!("{name}: {error}")])?;
        if bytes.len() as u64 > LIMIT {
            return Err(vec![format!("{name}: is larger than 64 MiB")]);
        }
        let text = decoded(&bytes).ok_or_else(|| vec![format!("{name}: is not text in UTF-8 or UTF-16")])?;
        // What begins like JSON is JSON, whatever its name; TOML has no such beginning but a table's.
        let json = text.trim_start().starts_with('{');
        let toml = !json && (path.extension().is_some_and(|e| e.eq_ignore_ascii_case("toml")) || standard_input);
        Ok(Self { name, text, toml })
    }

    /// All of it.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Its content as a tree.
    pub(super) fn value(&self) -> Result<Value, Vec<String>> {
        if self.toml {
            let table = self
                .text
                .parse::<toml::Table>()
                .map_err(|error| vec![self.in_toml(&error)])?;
            serde_json::to_value(table).map_err(|error| vec![self.fault(&error.to_string())])
        } else {
            serde_json::from_str(&self.text).map_err(|error| vec![self.fault(&plain(&error))])
        }
    }

    /// Its content as what it should be.
    pub(super) fn parse<T: DeserializeOwned>(&self) -> Result<T, Vec<String>> {
        if self.toml {
            return serde_path_to_error::deserialize(self.value()?).map_err(|error| {
                let message = plain(error.inner());
                vec![self.at(&error.path().to_string(), &message)]
            });
        }
        let mut deserializer = serde_json::Deserializer::from_str(&self.text);
        let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
            let message = plain(error.inner());
            vec![self.at(&error.path().to_string(), &message)]
        })?;
        deserializer.end().map_err(|error| vec![self.fault(&plain(&error))])?;
        Ok(value)
    }

    /// The same of what has fields with names: a list is none, though the parser would take it for one.
    pub(super) fn object<T: DeserializeOwned>(&self) -> Result<T, Vec<String>> {
        let list = !self.toml && self.text.trim_start().starts_with('[');
        if list {
            return Err(vec![self.fault("must be an object, not a list")]);
        }
        self.parse()
    }

    /// A fault of the file as a whole.
    pub(super) fn fault(&self, message: &str) -> String {
        format!("{}: {message}", self.name)
    }

    /// A fault of one field.
    pub(super) fn at(&self, field: &str, message: &str) -> String {
        if matches!(field, "" | "." | "?") {
            self.fault(message)
        } else {
            format!("{}: {field}: {message}", self.name)
        }
    }

    /// A fault whose words begin with line and column.
    pub(super) fn in_line(&self, words: &str) -> String {
        format!("{}:{words}", self.name)
    }

    fn in_toml(&self, error: &toml::de::Error) -> String {
        let message = error.message().replace('\n', " ");
        let Some(span) = error.span() else {
            return self.fault(&message);
        };
        let (line, column) = place(&self.text, span.start);
        self.fault(&format!("{message} at line {line} column {column}"))
    }
}

/// Words of the parser about types, in those of people who write files.
fn plain(error: &serde_json::Error) -> String {
    error
        .to_string()
        .replace("a map", "an object")
        .replace("a sequence", "a list")
}

fn decoded(bytes: &[u8]) -> Option<String> {
    let sixteen = |of: fn([u8; 2]) -> u16| {
        let (pairs, rest) = bytes.get(2..)?.as_chunks::<2>();
        let units: Vec<u16> = pairs.iter().map(|&pair| of(pair)).collect();
        if rest.is_empty() {
            String::from_utf16(&units).ok()
        } else {
            None
        }
    };
    match bytes {
        [0xFF, 0xFE, ..] => sixteen(u16::from_le_bytes),
        [0xFE, 0xFF, ..] => sixteen(u16::from_be_bytes),
        [0xEF, 0xBB, 0xBF, text @ ..] => std::str::from_utf8(text).ok().map(str::to_owned),
        text => std::str::from_utf8(text).ok().map(str::to_owned),
    }
}
