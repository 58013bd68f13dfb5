//! Previews, resolution and evaluation over an invented fleet.
//!
//! `cargo bench -p domain --bench preview` prints the figures; `CLAVIGER_BENCH_DEVICES` says how many devices (a million).
//! Making the devices is part of what is measured for the preview, as reading them would be.

#![expect(clippy::unwrap_used, reason = "a measurement whose ground is missing ends")]
#![expect(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    reason = "a benchmark measures time and prints a table"
)]

use std::collections::BTreeSet;
use std::hint::black_box;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::time::Instant;

use domain::compliance::evaluate;
use domain::plan::{Situation, plan};
use domain::policy::Assignments;
use domain::policy::resolve::{PolicySource, Targeting};
use domain::policy::targeting::{Collection, Collections, Deployment};
use domain::preview::{Effect, Listing, Question, Run, StoredDevice};
use domain::time::Timestamp;
use invented::device;

mod invented;
mod measured;

fn main() {
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let count = std::env::var("CLAVIGER_BENCH_DEVICES").ok();
    let count: u64 = count.and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let present = targeting();
    let proposed = proposed();
    single_steps(&present);
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    for threads in BTreeSet::from([1, threads]) {
        let (begin, worked) = (Instant::now(), measured::processor_seconds());
        let run = Run {
            question: Question {
                present: &present,
                proposed: &proposed,
                now: Timestamp(0),
                scope: None,
                listing: Listing {
                    effect: None,
                    offset: 0,
                    limit: 100,
                },
            },
            threads: NonZeroUsize::new(threads).unwrap(),
            progress: &|_| ControlFlow::Continue(()),
        };
        let preview = run.run((0..count).map(Ok::<_, ()>), |n| Ok(device(n))).unwrap();
        let seconds = begin.elapsed().as_secs_f64();
        println!(
            "preview of {count} devices, {threads} thread(s): {seconds:.2} s ({:.2} s of processors), {:.0} devices a second, {} evaluations, {} MiB at most",
            measured::processor_seconds() - worked,
            count as f64 / seconds,
            preview.evaluations,
            measured::peak_mib()
        );
        println!(
            "  {} get other settings, {} would encrypt, {} would decrypt, {} become non-compliant",
            preview.count(Effect::Settings),
            preview.count(Effect::Encrypt),
            preview.count(Effect::Decrypt),
            preview.count(Effect::BecomesNonCompliant)
        );
    }
}

fn single_steps(targeting: &Targeting) {
    const ROUNDS: u64 = 100_000;
    let devices: Vec<StoredDevice> = (0..1000).map(device).collect();
    let situation = Situation {
        server_reachable: true,
        pin_available: true,
        ..Situation::default()
    };
    let measure = |name: &str, work: &dyn Fn(&StoredDevice)| {
        let begin = Instant::now();
        let mut left = ROUNDS;
        for device in devices.iter().cycle() {
            if left == 0 {
                break;
            }
            left -= 1;
            work(device);
        }
        println!(
            "{name}: {:.2} µs a device",
            begin.elapsed().as_secs_f64() * 1e6 / ROUNDS as f64
        );
    };
    measure("making a device", &|d| {
        black_box(device(u64::try_from(d.id.0.as_u128()).unwrap()));
    });
    measure("which deployments reach it", &|d| {
        black_box(targeting.matching(&d.facts(), Timestamp(0)));
    });
    measure("effective policy", &|d| {
        black_box(targeting.effective(&targeting.matching(&d.facts(), Timestamp(0)), None));
    });
    measure("resolution with every reason", &|d| {
        black_box(targeting.resolve(&d.facts(), None, Timestamp(0)));
    });
    let policies: Vec<_> = devices
        .iter()
        .map(|d| targeting.resolve(&d.facts(), None, Timestamp(0)).policy)
        .collect();
    let policy = |d: &StoredDevice| policies.get(usize::try_from(d.id.0.as_u128()).unwrap()).unwrap();
    measure("compliance", &|d| {
        black_box(evaluate(policy(d), &d.inventory, &d.ledger, &situation));
    });
    measure("plan", &|d| {
        black_box(plan(policy(d), &d.inventory, &d.ledger, &situation));
    });
}

fn source(id: &str, pairs: &[(&str, &str)]) -> PolicySource {
    let mut assignments = Assignments::default();
    for (id, value) in pairs {
        assignments.set(id, value).unwrap();
    }
    PolicySource {
        id: id.parse().unwrap(),
        name: id.to_owned(),
        assignments,
    }
}

/// Twenty collections by site, and some that matter; five policies.
fn targeting() -> Targeting {
    let mut collections: Vec<Collection> = (0..20)
        .map(|site| collection(&format!("site-{site}"), &format!(r#"[{{"name":"S{site:02}-*"}}]"#)))
        .collect();
    collections.push(collection(
        "laptops",
        r#"[{"all":[{"chassis":"portable"},{"kind":"windows_client"}]}]"#,
    ));
    collections.push(collection(
        "old",
        r#"[{"os_version":{"below":"10.0.19045"}},{"tpm":"absent"}]"#,
    ));
    collections.push(collection(
        "finance",
        r#"[{"ou":"OU=Finance,DC=corp,DC=example"},{"group":"Finance*"}]"#,
    ));
    let policies = vec![
        source("base", &[("os.encryption", "require"), ("os.protector", "tpm")]),
        source("laptops", &[("os.min_pin_length", "8")]),
        source("finance", &[("setup.encryption_method_os", "xts_aes256")]),
        source(
            "old",
            &[
                ("os.encryption", "not_configured"),
                ("client.check_interval_minutes", "600"),
            ],
        ),
    ];
    let deployments = vec![
        deploy("base", "all-devices", 1000),
        deploy("laptops", "laptops", 100),
        deploy("finance", "finance", 50),
        deploy("old", "old", 10),
    ];
    Targeting::new(Collections::new(collections).unwrap(), policies, deployments).unwrap()
}

fn proposed() -> Targeting {
    targeting()
        .with_policy(source(
            "pin",
            &[("os.protector", "tpm_pin"), ("fixed.encryption", "require")],
        ))
        .with_deployment(deploy("pin", "laptops", 5))
        .unwrap()
}

fn collection(id: &str, rules: &str) -> Collection {
    Collection {
        rules: serde_json::from_str(rules).unwrap(),
        ..Collection::empty(id.parse().unwrap(), id)
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
