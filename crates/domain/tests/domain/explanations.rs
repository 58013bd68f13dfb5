//! What holds for a device and why: `tests/explanations/SITUATION.toml`, each a situation, and below it what is told.
//!
//! A file says who is deployed to whom, and what differs from the laptop BER-1. `UPDATE_EXPLANATIONS=1 cargo test -p domain
//! explanations` writes the lower parts anew; what changed is then read as a diff. The words are those of the device's page
//! and of `claviger policy effective`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use domain::ids::DeviceId;
use domain::inventory::Inventory;
use domain::policy::document::Document;
use domain::policy::resolve::{Because, Origin, PolicySource, Resolved, Targeting};
use domain::policy::targeting::{Collection, Collections, Deployment, DeviceFacts, Profile, Why};
use domain::time::Timestamp;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

/// Begins the lower part of a file.
const MARK: &str = "\n# ---- Told: ----\n";

/// A situation, as its file says it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    about: String,
    #[serde(default = "morning")]
    now: Timestamp,
    /// Documents by short name.
    #[serde(default)]
    policies: BTreeMap<String, toml::Table>,
    #[serde(default)]
    collections: Vec<Collection>,
    #[serde(default)]
    deployments: Vec<Deployment>,
    /// What differs.
    #[serde(default)]
    device: toml::Table,
    #[serde(default)]
    tags: BTreeSet<String>,
    #[serde(default)]
    profile: Option<Profile>,
    /// Settings that nobody configured are told as well.
    #[serde(default)]
    defaults: bool,
}

fn morning() -> Timestamp {
    // 2026-11-25T09:00Z, a Wednesday.
    Timestamp(1_795_597_200_000)
}

impl Case {
    fn read(name: &str, text: &str) -> Self {
        toml::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn resolve(&self, name: &str) -> Resolved {
        let policies = self.policies.iter().map(|(id, table)| {
            let text = toml::to_string(table).expect("a document");
            let document = Document::parse(&text).unwrap_or_else(|faults| panic!("{name}: {id}: {faults:?}"));
            PolicySource {
                id: id.parse().expect("a short name"),
                name: document.document.name,
                assignments: document.document.assignments,
            }
        });
        let collections = Collections::new(self.collections.clone()).unwrap_or_else(|e| panic!("{name}: {e:?}"));
        let targeting = Targeting::new(collections, policies.collect(), self.deployments.clone())
            .unwrap_or_else(|errors| panic!("{name}: {errors:?}"));
        let inventory = self.inventory(name);
        let facts = DeviceFacts {
            id: DeviceId(Uuid::from_u128(1)),
            inventory: &inventory,
            tags: &self.tags,
        };
        targeting.resolve(&facts, self.profile.as_ref(), self.now)
    }

    fn inventory(&self, name: &str) -> Inventory {
        let mut device = json!({
            "hostname": "BER-1", "os": "Windows 11 Enterprise", "os_version": "10.0.26100", "os_kind": "windows_client",
            "portable": true, "join": "domain", "domain": "corp.example", "tpm": { "state": "ready" },
            "ou": "CN=BER-1,OU=Berlin,DC=corp,DC=example", "groups": ["Laptops Berlin"], "users": ["CORP\\anna"],
        });
        for (field, value) in &self.device {
            device[field] = serde_json::to_value(value).expect("JSON");
        }
        serde_json::from_value(device).unwrap_or_else(|error| panic!("{name}: device: {error}"))
    }
}

fn table() -> Vec<(String, PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/explanations");
    let entries = std::fs::read_dir(folder).expect("the folder of the table");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).expect("a case");
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        (name, path, text)
    };
    paths.into_iter().map(read).collect()
}

#[test]
fn every_situation_is_explained_as_its_file_says() {
    let update = std::env::var_os("UPDATE_EXPLANATIONS").is_some();
    let mut differing = Vec::new();
    let table = table();
    assert!(table.len() >= 20, "{} situations", table.len());
    for (name, path, text) in table {
        let (above, below) = text.split_once(MARK).unwrap_or((text.trim_end(), ""));
        let case = Case::read(&name, above);
        let lines = case.resolve(&name).told(case.defaults);
        let told: String = lines.iter().map(|line| format!("# {line}\n")).collect();
        if below != told {
            if update {
                std::fs::write(&path, format!("{}\n{MARK}{told}", above.trim_end())).expect("the case is written");
            }
            differing.push(format!("{name}: {}\n{told}", case.about));
        }
    }
    assert!(
        update || differing.is_empty(),
        "explained otherwise (UPDATE_EXPLANATIONS=1 writes it down):\n{}",
        differing.join("\n")
    );
}

#[test]
fn every_origin_way_in_and_reason_occurs_in_the_table_of_explanations() {
    let (mut origins, mut because, mut ways) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let (mut faults, mut conflicts) = (0, 0);
    for (name, _, text) in table() {
        let (above, _) = text.split_once(MARK).unwrap_or((&text, ""));
        let resolved = Case::read(&name, above).resolve(&name);
        for setting in &resolved.settings {
            origins.insert(match setting.origin {
                Origin::Default => "default",
                Origin::Profile { .. } => "profile",
                Origin::Deployment(_) => "deployment",
            });
            because.extend(setting.beat.iter().map(|beaten| match beaten.because {
                Because::Profile => "profile",
                Because::Priority => "priority",
                Because::NameOrder => "name",
            }));
        }
        ways.extend(resolved.deployments.iter().map(|applied| match applied.because {
            Why::Direct => "direct",
            Why::Rule { .. } => "rule",
            Why::Included { .. } => "included",
        }));
        faults += resolved.faults.len();
        conflicts += resolved.conflicts.len();
    }
    assert_eq!((origins.len(), because.len()), (3, 3), "{origins:?} {because:?}");
    assert!(ways.len() >= 3, "{ways:?}");
    assert!(faults > 0 && conflicts > 0);
}
