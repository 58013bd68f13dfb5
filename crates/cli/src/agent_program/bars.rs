//! One progress bar for each volume that converts.

use std::collections::BTreeMap;
use std::io::IsTerminal;

use agent::hooks::{ConversionProgress, Progress};
use domain::volume::ConversionStatus;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// Draws on standard error when that is a terminal; otherwise only messages become lines.
pub(super) struct Bars {
    screen: Option<MultiProgress>,
    bars: BTreeMap<String, ProgressBar>,
}

impl Bars {
    pub(super) fn new() -> Self {
        let screen = std::io::stderr().is_terminal().then(MultiProgress::new);
        Self {
            screen,
            bars: BTreeMap::new(),
        }
    }
}

impl Progress for Bars {
    fn conversion(&mut self, progress: &ConversionProgress) {
        let Some(screen) = &self.screen else { return };
        let bar = self.bars.entry(progress.device.clone()).or_insert_with(|| {
            let bar = screen.add(ProgressBar::new(10_000));
            if let Ok(style) = ProgressStyle::with_template("{prefix:12} {bar:40} {percent:>3} % {msg}") {
                bar.set_style(style);
            }
            bar.set_prefix(progress.letter.clone().unwrap_or_else(|| progress.device.clone()));
            bar
        });
        bar.set_position(u64::from(progress.encrypted_basis_points));
        bar.set_message(words(progress.status));
        if matches!(
            progress.status,
            ConversionStatus::FullyEncrypted | ConversionStatus::FullyDecrypted
        ) {
            bar.finish();
        }
    }

    fn message(&mut self, text: &str) {
        match &self.screen {
            Some(screen) => drop(screen.println(text)),
            None => crate::terminal::note(text),
        }
    }
}

fn words(status: ConversionStatus) -> &'static str {
    match status {
        ConversionStatus::FullyDecrypted => "decrypted",
        ConversionStatus::FullyEncrypted => "encrypted",
        ConversionStatus::EncryptionInProgress => "encrypting",
        ConversionStatus::DecryptionInProgress => "decrypting",
        ConversionStatus::EncryptionPaused => "encryption paused",
        ConversionStatus::DecryptionPaused => "decryption paused",
    }
}
