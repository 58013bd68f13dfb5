//! Standard output that is closed or full.

use std::fs::OpenOptions;

use crate::program::{Run, claviger};
use crate::sample::Folder;

fn runs(image: &std::path::Path) -> [Run; 3] {
    [
        claviger(["volume", "info"]).arg(image),
        claviger(["volume", "info", "--json"]).arg(image),
        claviger(["volume", "export", "--clear-key"]).arg(image),
    ]
}

#[test]
fn a_full_disk_behind_standard_output_is_told() {
    let (_folder, image) = Folder::with_sample();
    for run in runs(&image) {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        assert!(!run.stdout(full).refused().is_empty());
    }
}

#[test]
fn a_reader_that_went_away_is_no_panic() {
    let (_folder, image) = Folder::with_sample();
    for run in runs(&image) {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        assert!(!run.stdout(writer).refused().is_empty());
    }
}
