//! One preview by a server over a real database.
//!
//! `cargo bench -p server --bench preview` prints the figures; `CLAVIGER_BENCH_DEVICES` says how many devices (100,000), and
//! `CLAVIGER_BENCH_DIR` names a folder that keeps the data, to try `claviger policy preview --data-dir` with.

#![expect(clippy::unwrap_used, reason = "a measurement whose ground is missing ends")]
#![expect(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    reason = "a benchmark measures time and prints a table"
)]

use std::path::{Path, PathBuf};
use std::time::Instant;

use domain::policy::targeting::{Collection, Deployment};
use domain::preview::Effect;
use rusqlite::{Connection, params};
use server::services::preview::{Proposal, preview};
use server::services::targeting;
use store::model::{Content, Document};
use support::Harness;

#[path = "../../domain/benches/invented/mod.rs"]
mod invented;
#[path = "../../domain/benches/measured/mod.rs"]
mod measured;
#[expect(
    dead_code,
    unused_imports,
    reason = "the support is shared with the tests of the routes"
)]
#[path = "../tests/routes/support/mod.rs"]
mod support;

#[tokio::main]
async fn main() {
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let count = std::env::var("CLAVIGER_BENCH_DEVICES").ok();
    let count: u64 = count.and_then(|text| text.parse().ok()).unwrap_or(100_000);
    let harness = Harness::start().await;
    let begin = Instant::now();
    fill(&harness.database(), count);
    println!("{count} devices stored in {:.1} s", begin.elapsed().as_secs_f64());
    let admin = harness.admin().await;
    let collection = Collection {
        rules: serde_json::from_str(r#"[{"all":[{"chassis":"portable"},{"kind":"windows_client"}]}]"#).unwrap(),
        ..Collection::empty("laptops".parse().unwrap(), "Laptops")
    };
    let put = async |content| {
        let state = harness.state();
        targeting::put(state, &admin, content, String::new(), 0, false, "")
            .await
            .unwrap()
    };
    put(Content::Collection(collection)).await;
    let document = document(
        "base",
        &[("os.encryption", "require"), ("client.user_exemption", "enabled")],
    );
    put(Content::Document(document)).await;
    put(Content::Deployment(deploy("base", "all-devices", 1000))).await;
    put(Content::Document(self::document(
        "pin",
        &[("os.protector", "tpm_pin"), ("fixed.encryption", "require")],
    )))
    .await;
    println!("{} MiB at most before", measured::peak_mib());
    for (round, offset) in [("first", 0), ("second", 0), ("further page of the second", 50)] {
        let (begin, worked) = (Instant::now(), measured::processor_seconds());
        let proposal = Proposal::Deployment(deploy("pin", "laptops", 5));
        let preview = preview(harness.state(), &admin, proposal, offset, 50)
            .await
            .unwrap()
            .preview;
        println!(
            "{round} preview: {:.2} s ({:.2} s of processors), {} devices, {} evaluations, {} would encrypt, {} exempt, {} MiB at most",
            begin.elapsed().as_secs_f64(),
            measured::processor_seconds() - worked,
            preview.devices,
            preview.evaluations,
            preview.count(Effect::Encrypt),
            preview.exempt_then,
            measured::peak_mib()
        );
    }
    let database = harness.database();
    let keep = std::env::var_os("CLAVIGER_BENCH_DIR").map(PathBuf::from);
    harness.running.stop().await;
    if let Some(folder) = keep {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::copy(database, folder.join(server::DATABASE)).unwrap();
    }
}

/// What enrolment, reports and escrow would leave: in one transaction, for want of weeks.
fn fill(database: &Path, count: u64) {
    let mut sql = Connection::open(database).unwrap();
    sql.pragma_update(None, "foreign_keys", false).unwrap();
    let transaction = sql.transaction().unwrap();
    {
        let mut devices = transaction
            .prepare("INSERT INTO devices (id, hostname, hardware_id, enrolled_at, inventory, search_text) VALUES (?1, ?2, ?3, 0, ?4, ?2)")
            .unwrap();
        let mut users = transaction
            .prepare("INSERT INTO device_users VALUES (?1, ?2, ?3)")
            .unwrap();
        let mut keys = transaction
            .prepare(
                "INSERT INTO keys (id, device, volume, protector, first_escrowed_at, state, proof) VALUES (?1, ?2, ?3, ?4, 0, ?5, ?6)",
            )
            .unwrap();
        let mut versions = transaction
            .prepare("INSERT INTO key_versions (key, version, key_version, escrowed_at, sealed, evidence) VALUES (?1, 1, 1, ?2, x'00', x'00')")
            .unwrap();
        let mut exemptions = transaction
            .prepare("INSERT INTO exemptions (user_key, user, requested_at, requested_by, reason, state) VALUES (?1, ?2, 0, 'a', 'b', 'approved')")
            .unwrap();
        let mut decisions = transaction
            .prepare("INSERT INTO exemption_decisions VALUES (?1, 1, '{\"state\":\"approved\",\"at\":0}', 0, 'a', '')")
            .unwrap();
        let name = |value: serde_json::Value| value.as_str().unwrap().to_owned();
        for n in 1..=count {
            let key = i64::try_from(n).unwrap();
            let device = invented::device(n);
            let (id, inventory) = (device.id.0.as_bytes(), &device.inventory);
            let text = serde_json::to_string(inventory).unwrap();
            devices
                .execute(params![id, inventory.hostname, inventory.hardware_id, text])
                .unwrap();
            for user in &inventory.users {
                users.execute(params![id, user.to_lowercase(), user]).unwrap();
                if n % 50 == 0 {
                    exemptions.execute(params![user.to_lowercase(), user]).unwrap();
                    decisions.execute([transaction.last_insert_rowid()]).unwrap();
                }
            }
            for entry in &device.ledger.0 {
                let (state, proof) = (
                    serde_json::to_value(entry.state).unwrap(),
                    serde_json::to_value(entry.proof).unwrap(),
                );
                let (volume, protector) = (entry.volume.0.as_bytes(), entry.protector.0.as_bytes());
                keys.execute(params![key, id, volume, protector, name(state), name(proof)])
                    .unwrap();
                versions.execute(params![key, entry.escrowed_at.0]).unwrap();
            }
        }
    }
    transaction.commit().unwrap();
}

fn document(id: &str, pairs: &[(&str, &str)]) -> Document {
    let mut assignments = domain::policy::Assignments::default();
    for (id, value) in pairs {
        assignments.set(id, value).unwrap();
    }
    Document {
        id: id.parse().unwrap(),
        name: id.to_owned(),
        description: String::new(),
        assignments,
    }
}

fn deploy(policy: &str, collection: &str, priority: u32) -> Deployment {
    Deployment {
        id: policy.parse().unwrap(),
        policy: policy.parse().unwrap(),
        collection: collection.parse().unwrap(),
        priority,
        not_before: None,
        windows: Vec::new(),
        outside_window_allowed: false,
    }
}
