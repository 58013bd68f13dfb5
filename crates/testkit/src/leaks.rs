//! P7: looks for recovery passwords where none may be, in every form in which one could be written down.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use aho_corasick::AhoCorasick;
use anyhow::{Context, Result};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};
use fve::RecoveryPassword;

/// A place where a password was found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Leak {
    /// The file.
    pub file: PathBuf,
    /// Which password, by its index in the list.
    pub password: usize,
    /// In which form.
    pub form: &'static str,
}

/// Searches files for a set of passwords.
#[derive(Debug)]
pub struct Searcher {
    automaton: AhoCorasick,
    /// Password and form of each pattern.
    meaning: Vec<(usize, &'static str)>,
    longest: usize,
}

impl Searcher {
    /// Prepares the search.
    ///
    /// # Errors
    /// When there are too many patterns.
    pub fn new(passwords: &[RecoveryPassword]) -> Result<Self> {
        let mut patterns = Vec::new();
        let mut meaning = Vec::new();
        for (index, password) in passwords.iter().enumerate() {
            for (form, bytes) in forms(password) {
                patterns.push(bytes);
                meaning.push((index, form));
            }
        }
        let longest = patterns.iter().map(Vec::len).max().unwrap_or(1);
        Ok(Self {
            automaton: AhoCorasick::new(&patterns)?,
            meaning,
            longest,
        })
    }

    /// Searches one file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn file(&self, path: &Path) -> Result<BTreeSet<Leak>> {
        const BLOCK: usize = 8 << 20;
        let mut file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
        let mut found = BTreeSet::new();
        let mut buffer = Vec::with_capacity(BLOCK + self.longest);
        loop {
            let read = file.by_ref().take(BLOCK as u64).read_to_end(&mut buffer)?;
            for hit in self.automaton.find_overlapping_iter(&buffer) {
                let (password, form) = self.meaning[hit.pattern().as_usize()];
                found.insert(Leak {
                    file: path.to_owned(),
                    password,
                    form,
                });
            }
            if read == 0 {
                return Ok(found);
            }
            // What is kept over may hold the beginning of a pattern that goes on in the next block.
            let keep = buffer.len().min(self.longest);
            buffer.drain(..buffer.len() - keep);
        }
    }

    /// Searches all files under a folder. Returns the leaks and the number of bytes searched.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn folder(&self, root: &Path) -> Result<(BTreeSet<Leak>, u64)> {
        let mut found = BTreeSet::new();
        let mut bytes = 0;
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).with_context(|| format!("listing {}", folder.display()))? {
                let entry = entry?;
                let kind = entry.file_type()?;
                if kind.is_dir() {
                    folders.push(entry.path());
                } else if kind.is_file() {
                    bytes += entry.metadata()?.len();
                    found.extend(self.file(&entry.path())?);
                }
            }
        }
        Ok((found, bytes))
    }
}

/// Every form in which a password may be written down.
fn forms(password: &RecoveryPassword) -> Vec<(&'static str, Vec<u8>)> {
    let text = password.expose();
    let digits = text.replace('-', "");
    let spaced = text.replace('-', " ");
    let raw = password.as_bytes();
    let mut big_endian = *raw;
    big_endian
        .as_chunks_mut::<2>()
        .0
        .iter_mut()
        .for_each(|word| word.swap(0, 1));
    let mut forms = vec![
        ("48 digits with dashes", text.as_bytes().to_vec()),
        ("48 digits", digits.clone().into_bytes()),
        ("48 digits with spaces", spaced.into_bytes()),
        ("UTF-16 with dashes", utf16(&text)),
        ("UTF-16", utf16(&digits)),
        ("raw bytes", raw.to_vec()),
        ("raw words, big-endian", big_endian.to_vec()),
        ("hexadecimal of the raw bytes", hex::encode(raw).into_bytes()),
        (
            "hexadecimal of the raw bytes, upper case",
            hex::encode_upper(raw).into_bytes(),
        ),
        ("hexadecimal of the text", hex::encode(text.as_bytes()).into_bytes()),
    ];
    for (form, bytes) in [
        ("base64 of the text", text.as_bytes()),
        ("base64 of the raw bytes", &raw[..]),
    ] {
        for shift in 0..3 {
            forms.push((form, base64_inner(&BASE64_STANDARD, bytes, shift)));
            forms.push((form, base64_inner(&BASE64_URL_SAFE, bytes, shift)));
        }
    }
    forms
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// The part of the base64 text that depends on `bytes` alone when they begin at this place of a group of three.
fn base64_inner(engine: &impl Engine, bytes: &[u8], shift: usize) -> Vec<u8> {
    let mut padded = vec![0; shift];
    padded.extend_from_slice(bytes);
    let whole = padded.len() / 3 * 3;
    let encoded = engine.encode(&padded[..whole]).into_bytes();
    encoded[if shift == 0 { 0 } else { 4 }..].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(byte: u8) -> RecoveryPassword {
        RecoveryPassword::from_bytes([byte, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16])
    }

    #[test]
    fn a_password_is_found_in_every_form_also_across_block_borders() {
        let directory = tempfile::tempdir().unwrap();
        let searcher = Searcher::new(&[password(1), password(200)]).unwrap();
        for (number, (form, bytes)) in forms(&password(200)).into_iter().enumerate() {
            for before in [0, (8 << 20) - 7] {
                let path = directory.path().join(format!("{number}-{before}"));
                let mut content = vec![0xEE; before];
                content.extend_from_slice(&bytes);
                std::fs::write(&path, content).unwrap();
                let found = searcher.file(&path).unwrap();
                assert!(
                    found.iter().any(|l| l.password == 1 && l.form == form),
                    "{form} at {before}: {found:?}"
                );
                std::fs::remove_file(&path).unwrap();
            }
        }
    }

    #[test]
    fn nothing_is_found_where_nothing_is() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("f"), vec![7; 100_000]).unwrap();
        let (found, bytes) = Searcher::new(&[password(1)]).unwrap().folder(directory.path()).unwrap();
        assert!(found.is_empty());
        assert_eq!(bytes, 100_000);
    }
}
