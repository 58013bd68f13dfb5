//! The arrows between the crates run as the design's table says, and in no other direction.

#![expect(clippy::unwrap_used, reason = "a test that cannot read the metadata fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// Who may use whom: the table of `ARCHITECTURE.md`.
const ALLOWED: &[(&str, &[&str])] = &[
    ("fve", &[]),
    ("domain", &[]),
    ("protocol", &["domain"]),
    ("store", &["domain"]),
    ("server", &["domain", "protocol", "store", "fve"]),
    ("agent", &["domain", "protocol", "fve"]),
    ("cli", &["fve", "domain", "protocol", "store", "server", "agent"]),
    (
        "testkit",
        &["fve", "domain", "protocol", "store", "server", "agent", "cli"],
    ),
];

/// Crates that the pure middle must not reach, directly: clocks, randomness, input and output, async.
const IMPURE: &[&str] = &[
    "tokio",
    "rand",
    "getrandom",
    "reqwest",
    "rusqlite",
    "axum",
    "hyper",
    "jiff",
    "tracing",
];

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Package → names of its dependencies; development dependencies only when asked for.
fn dependencies(metadata: &Value, with_dev: bool) -> BTreeMap<String, BTreeSet<String>> {
    let packages = metadata["packages"].as_array().unwrap();
    packages
        .iter()
        .map(|package| {
            let names = package["dependencies"].as_array().unwrap().iter();
            let names = names.filter(|d| with_dev || d["kind"].as_str() != Some("dev"));
            let names = names.map(|d| d["name"].as_str().unwrap().to_owned()).collect();
            (package["name"].as_str().unwrap().to_owned(), names)
        })
        .collect()
}

#[test]
fn the_workspace_has_exactly_the_eight_crates() {
    let found: BTreeSet<_> = dependencies(&metadata(), false).into_keys().collect();
    let wanted: BTreeSet<_> = ALLOWED.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(found, wanted);
}

#[test]
fn arrows_run_as_the_table_says() {
    let ours: BTreeSet<&str> = ALLOWED.iter().map(|(name, _)| *name).collect();
    let dependencies = dependencies(&metadata(), true);
    for (name, allowed) in ALLOWED {
        for used in dependencies[*name].iter().filter(|d| ours.contains(d.as_str())) {
            assert!(allowed.contains(&used.as_str()), "{name} may not use {used}");
        }
    }
}

#[test]
fn the_pure_middle_reaches_no_clock_no_randomness_and_no_io() {
    let dependencies = dependencies(&metadata(), false);
    for name in ["domain", "fve"] {
        for impure in IMPURE {
            assert!(!dependencies[name].contains(*impure), "{name} uses {impure}");
        }
    }
}

#[test]
fn there_are_two_programs_and_no_third() {
    let metadata = metadata();
    let mut programs = BTreeSet::new();
    for package in metadata["packages"].as_array().unwrap() {
        for target in package["targets"].as_array().unwrap() {
            if target["kind"].as_array().unwrap().iter().any(|k| k == "bin") {
                programs.insert(target["name"].as_str().unwrap().to_owned());
            }
        }
    }
    assert_eq!(
        programs,
        BTreeSet::from(["claviger".to_owned(), "claviger-agent".to_owned()])
    );
}
