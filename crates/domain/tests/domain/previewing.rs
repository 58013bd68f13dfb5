//! The preview, against one that looks at every device anew.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};

use domain::compliance::Verdict;
use domain::exemption::{Decision, Enforcement, Exemption};
use domain::ids::{DeviceId, ProtectorId, VolumeId};
use domain::inventory::{Inventory, ProtectorReport, Tpm, VolumeReport};
use domain::ledger::{KeyState, Ledger, LedgerEntry, ProofState};
use domain::policy::resolve::Targeting;
use domain::policy::targeting::{CollectionId, Collections, Deployment, Profile};
use domain::preview::{Effect, Line, Listing, Preview, Question, Run, Stopped, StoredDevice};
use domain::time::Timestamp;
use domain::volume::{EncryptionMethod, ProtectorType, VolumeKind};
use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

use crate::build::{device, encrypted, plain, tpm};
use crate::resolving::{assign, deploy, source, tagged};

fn present() -> Targeting {
    let collections = Collections::new(vec![tagged("laptops"), tagged("lab")]).unwrap();
    let base = source("base", &[("os.encryption", "require")]);
    Targeting::new(
        collections,
        vec![base],
        vec![deploy("everybody", "base", "all-devices", 1000)],
    )
    .unwrap()
}

fn proposed(pairs: &[(&str, &str)], collection: &str) -> Targeting {
    present()
        .with_policy(source("new", pairs))
        .with_deployment(deploy("new", "new", collection, 1))
        .unwrap()
}

/// What one device is made of; few of each, so that classes meet.
#[derive(Clone, Debug)]
struct Kind {
    os: u8,
    data: u8,
    tpm: u8,
    virtual_machine: bool,
    ledger: u8,
    tags: u8,
    own: bool,
    exemption: u8,
}

fn kind() -> impl Strategy<Value = Kind> {
    (
        0..5u8,
        0..3u8,
        0..3u8,
        prop::bool::weighted(0.1),
        0..4u8,
        0..4u8,
        prop::bool::weighted(0.2),
        0..8u8,
    )
        .prop_map(|(os, data, tpm, virtual_machine, ledger, tags, own, exemption)| Kind {
            os,
            data,
            tpm,
            virtual_machine,
            ledger,
            tags,
            own,
            exemption,
        })
}

fn stored(number: u128, kind: &Kind) -> StoredDevice {
    let protector = |n: u128| ProtectorId(Uuid::from_u128(number * 100 + n));
    let volume = |n: u128| VolumeId(Uuid::from_u128(number * 100 + 50 + n));
    let password = (protector(1), ProtectorType::RecoveryPassword);
    let mut os = match kind.os {
        0 => plain("C:", VolumeKind::Os),
        1 => encrypted(
            "C:",
            VolumeKind::Os,
            volume(1),
            &[(protector(2), ProtectorType::Tpm), password],
        ),
        2 => encrypted(
            "C:",
            VolumeKind::Os,
            volume(1),
            &[(protector(2), ProtectorType::TpmPin), password],
        ),
        3 => encrypted("C:", VolumeKind::Os, volume(1), &[(protector(2), ProtectorType::Tpm)]),
        _ => encrypted("C:", VolumeKind::Os, volume(1), &[password]),
    };
    if kind.os == 1 && kind.data == 1 {
        os.method = EncryptionMethod::Aes128;
    }
    os.label = format!("label {number}");
    let mut volumes: Vec<VolumeReport> = vec![os];
    match kind.data {
        0 => {}
        1 => volumes.push(plain("D:", VolumeKind::Fixed)),
        _ => volumes.push(encrypted(
            "D:",
            VolumeKind::Fixed,
            volume(2),
            &[(protector(3), ProtectorType::RecoveryPassword)],
        )),
    }
    for report in &mut volumes {
        for ProtectorReport { name, .. } in &mut report.protectors {
            *name = Some(format!("made for {number}"));
        }
    }
    let state = if kind.ledger == 2 {
        KeyState::Disclosed
    } else {
        KeyState::Live
    };
    let entry = |n| LedgerEntry {
        volume: volume(1),
        protector: protector(n),
        state,
        proof: if kind.ledger == 3 {
            ProofState::Failed
        } else {
            ProofState::Proven
        },
        escrowed_at: Timestamp(i64::try_from(number).unwrap()),
    };
    let tags = [(1, "laptops"), (2, "lab")]
        .into_iter()
        .filter(|(bit, _)| kind.tags & bit != 0);
    StoredDevice {
        id: DeviceId(Uuid::from_u128(number)),
        inventory: Inventory {
            hostname: format!("PC-{number}"),
            hardware_id: number.to_string(),
            virtual_machine: kind.virtual_machine,
            users: vec![format!("CORP\\user{number}")],
            tpm: match kind.tpm {
                0 => Tpm::Absent,
                1 => Tpm::NotReady {
                    reason: format!("reason {number}"),
                    cause: domain::inventory::TpmCause::Other,
                },
                _ => tpm(),
            },
            ..device(volumes)
        },
        ledger: Ledger(if kind.ledger == 0 {
            Vec::new()
        } else {
            vec![entry(1), entry(9)]
        }),
        tags: tags.map(|(_, tag)| tag.to_owned()).collect(),
        profile: kind.own.then(|| Profile {
            assignments: assign(&[("os.protector", "tpm")]),
            reason: "special".to_owned(),
        }),
        exemptions: exemptions(number, kind.exemption),
    }
}

/// The moment at which the questions are asked.
const NOW: Timestamp = Timestamp(10_000_000_000);
const LATER: Timestamp = Timestamp(NOW.0 + 86_400_000);

fn exemptions(number: u128, kind: u8) -> Vec<Exemption> {
    let at = Timestamp(1);
    let decision = match kind {
        1 => Decision::Approved { at, until: None },
        2 => Decision::Approved { at, until: Some(LATER) },
        3 => Decision::Approved { at, until: Some(NOW) },
        4 => Decision::Pending,
        5 => Decision::Revoked { at },
        _ => return Vec::new(),
    };
    vec![Exemption {
        user: format!("corp\\USER{number}"),
        requested: at,
        decision,
    }]
}

fn ask(question: Question<'_>, devices: &[StoredDevice], threads: usize) -> Preview {
    let run = Run {
        question,
        threads: NonZeroUsize::new(threads).unwrap(),
        progress: &|_| ControlFlow::Continue(()),
    };
    run.run(devices.iter().map(Ok::<_, Stopped<()>>), |d| Ok(d.clone()))
        .unwrap()
}

/// One device alone: nothing to remember, nothing to share.
fn one_by_one(question: Question<'_>, devices: &[StoredDevice]) -> (Preview, Vec<Line>) {
    let mut sum = Preview::default();
    let mut lines = Vec::new();
    let add = |to: &mut BTreeMap<Verdict, u64>, from: BTreeMap<Verdict, u64>| {
        from.into_iter()
            .for_each(|(verdict, n)| *to.entry(verdict).or_default() += n);
    };
    for device in devices {
        let alone = ask(question, std::slice::from_ref(device), 1);
        sum.devices += alone.devices;
        sum.volumes_to_encrypt += alone.volumes_to_encrypt;
        sum.volumes_to_decrypt += alone.volumes_to_decrypt;
        sum.exempt_now += alone.exempt_now;
        sum.exempt_then += alone.exempt_then;
        sum.exemption_pending += alone.exemption_pending;
        alone
            .effects
            .into_iter()
            .for_each(|(effect, n)| *sum.effects.entry(effect).or_default() += n);
        alone
            .settings
            .into_iter()
            .for_each(|(change, n)| *sum.settings.entry(change).or_default() += n);
        add(&mut sum.verdicts_now, alone.verdicts_now);
        add(&mut sum.verdicts_then, alone.verdicts_then);
        lines.extend(alone.listing);
    }
    (sum, lines)
}

fn question<'a>(present: &'a Targeting, proposed: &'a Targeting, limit: usize) -> Question<'a> {
    Question {
        present,
        proposed,
        now: NOW,
        scope: None,
        listing: Listing {
            effect: None,
            offset: 0,
            limit,
        },
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn the_whole_fleet_at_once_gives_the_same_as_each_device_by_itself(
        kinds in prop::collection::vec(kind(), 1..60),
        policy in 0..6usize,
        window in 0..3usize,
        scoped in any::<bool>(),
    ) {
        let pairs: [&[(&str, &str)]; 6] = [
            &[("client.user_exemption", "enabled"), ("fixed.encryption", "require")],
            &[("os.protector", "tpm_pin"), ("fixed.encryption", "require")],
            &[("os.encryption", "forbid"), ("fixed.encryption", "forbid")],
            &[("client.manage_virtual_machines", "true")],
            &[("setup.encryption_method_os", "xts_aes256"), ("setup.reencrypt", "reencrypt")],
            &[("client.rotate_max_age_days", "30"), ("client.management_services", "disabled")],
        ];
        let devices: Vec<StoredDevice> = (1..).zip(&kinds).map(|(n, kind)| stored(n, kind)).collect();
        let (present, proposed) = (present(), proposed(pairs[policy], "laptops"));
        let proposed = proposed.with_deployment(in_window("new", "new", "laptops", [None, Some(OPEN), Some(SHUT)][window])).unwrap();
        let lab: CollectionId = "lab".parse().unwrap();
        let question = Question { scope: scoped.then_some(&lab), ..question(&present, &proposed, 1000) };
        let together = ask(question, &devices, 3);
        let (expected, lines) = one_by_one(question, &devices);
        prop_assert!(together.complete);
        prop_assert_eq!(together.looked_at, devices.len() as u64);
        prop_assert_eq!(together.devices, expected.devices);
        prop_assert_eq!(&together.effects, &expected.effects);
        prop_assert_eq!(&together.settings, &expected.settings);
        prop_assert_eq!(&together.verdicts_now, &expected.verdicts_now);
        prop_assert_eq!(&together.verdicts_then, &expected.verdicts_then);
        prop_assert_eq!(together.volumes_to_encrypt, expected.volumes_to_encrypt);
        prop_assert_eq!(together.volumes_to_decrypt, expected.volumes_to_decrypt);
        prop_assert_eq!(
            (together.exempt_now, together.exempt_then, together.exemption_pending),
            (expected.exempt_now, expected.exempt_then, expected.exemption_pending)
        );
        prop_assert_eq!(together.listable, lines.len() as u64);
        prop_assert_eq!(&together.listing, &lines);
    }
}

fn of_kind(os: u8, data: u8, tpm: u8, tags: u8) -> Kind {
    Kind {
        os,
        data,
        tpm,
        virtual_machine: false,
        ledger: 1,
        tags,
        own: false,
        exemption: 0,
    }
}

/// It is 17:46 in UTC.
const OPEN: &str = "17:00";
const SHUT: &str = "22:00";

fn in_window(id: &str, policy: &str, collection: &str, start: Option<&str>) -> Deployment {
    let windows = start.map(|start| serde_json::from_value(json!({ "start": start, "minutes": 60 })).unwrap());
    Deployment {
        windows: windows.into_iter().collect(),
        ..deploy(id, policy, collection, 1)
    }
}

fn exempt(number: u128, exemption: u8) -> StoredDevice {
    let of = Kind {
        exemption,
        ..of_kind(0, 0, 2, 1)
    };
    stored(number, &of)
}

#[test]
fn who_is_exempt_does_not_encrypt_and_is_named_with_the_end_of_it() {
    let devices = [
        exempt(1, 1),
        exempt(2, 2),
        exempt(3, 3),
        exempt(4, 4),
        exempt(5, 5),
        exempt(6, 0),
    ];
    let collections = || Collections::new(vec![tagged("laptops")]).unwrap();
    let nothing = Targeting::new(collections(), Vec::new(), Vec::new()).unwrap();
    let heeding = [("os.encryption", "require"), ("client.user_exemption", "enabled")];
    let asking = |pairs: &[(&str, &str)]| {
        let proposed = nothing.clone().with_policy(source("new", pairs));
        proposed.with_deployment(deploy("new", "new", "laptops", 1)).unwrap()
    };
    let heeded = asking(&heeding);
    let preview = ask(question(&nothing, &heeded, 10), &devices, 1);
    assert_eq!(
        (
            preview.count(Effect::Encrypt),
            preview.count(Effect::Exempt),
            preview.count(Effect::HeldBack)
        ),
        (4, 2, 0),
        "{preview:?}"
    );
    assert_eq!(preview.count(Effect::BecomesNonCompliant), 4, "an exemption excuses");
    assert_eq!(
        (preview.exempt_now, preview.exempt_then, preview.exemption_pending),
        (0, 2, 1)
    );
    let of = |number: usize| preview.listing.get(number - 1).unwrap();
    assert_eq!(of(1).enforcement, Enforcement::Exempt { until: None });
    assert_eq!(of(2).enforcement, Enforcement::Exempt { until: Some(LATER) });
    assert_eq!(of(2).users, ["CORP\\user2"]);
    assert_eq!(
        (of(3).enforcement, of(4).enforcement),
        (Enforcement::Enforced, Enforcement::Pending)
    );
    assert!(of(6).users.is_empty());

    // The exemption ends before the moment that is asked about.
    let tomorrow = Question {
        now: LATER,
        ..question(&nothing, &heeded, 10)
    };
    assert_eq!(ask(tomorrow, &devices, 1).count(Effect::Exempt), 1);
    // A policy that no longer heeds exemptions encrypts what was exempt.
    let deaf = asking(&[("os.encryption", "require")]);
    let preview = ask(question(&heeded, &deaf, 10), &devices, 1);
    assert_eq!(
        (
            preview.count(Effect::Encrypt),
            preview.count(Effect::BecomesNonCompliant)
        ),
        (2, 2)
    );
    assert_eq!((preview.exempt_now, preview.exempt_then), (2, 0));
}

#[test]
fn what_waits_for_a_window_is_counted_and_told_with_its_opening() {
    let devices = [stored(1, &of_kind(0, 0, 2, 1)), stored(2, &of_kind(1, 0, 2, 1))];
    let collections = Collections::new(vec![tagged("laptops")]).unwrap();
    let nothing = Targeting::new(collections, Vec::new(), Vec::new()).unwrap();
    let with = |deployment: Deployment| {
        let proposed = nothing
            .clone()
            .with_policy(source("new", &[("os.encryption", "require")]));
        proposed.with_deployment(deployment).unwrap()
    };
    let starting = |start| with(in_window("new", "new", "laptops", start));
    let counts = |present: &Targeting, proposed: &Targeting| {
        let preview = ask(question(present, proposed, 10), &devices, 1);
        let count = |effect| preview.count(effect);
        let counts = [
            count(Effect::Encrypt),
            count(Effect::Waits),
            count(Effect::BeginsAtOnce),
            count(Effect::HeldBack),
        ];
        (counts, preview)
    };
    let (open, shut, none) = (starting(Some(OPEN)), starting(Some(SHUT)), starting(None));
    assert_eq!(counts(&nothing, &open).0, [1, 0, 0, 0]);
    let (waiting, preview) = counts(&nothing, &shut);
    assert_eq!(waiting, [1, 1, 0, 0]);
    assert_eq!(
        preview.listing[0].opens.map(Timestamp::minute).as_deref(),
        Some("1970-04-26 22:00")
    );
    assert_eq!(preview.listing[1].opens, None, "nothing is left to begin");
    // Nothing but the windows changes.
    let (waiting, preview) = counts(&none, &shut);
    assert_eq!((waiting, preview.settings.len()), ([0, 1, 0, 0], 0));
    assert_eq!(counts(&shut, &open).0, [0, 0, 1, 0]);
    assert_eq!(counts(&shut, &none).0, [0, 0, 1, 0]);
    assert_eq!(
        counts(&shut, &nothing).0,
        [0, 0, 0, 0],
        "what is no longer to be done does not begin"
    );
    // A day that has been never comes again.
    let mut over = in_window("new", "new", "laptops", None);
    over.windows =
        vec![serde_json::from_value(json!({ "date": "1970-01-01", "start": "22:00", "minutes": 60 })).unwrap()];
    let (held, preview) = counts(&nothing, &with(over.clone()));
    assert_eq!(held, [0, 0, 0, 1]);
    assert!(preview.listing[0].blocked[0].contains("none is to come"), "{preview:?}");
    over.outside_window_allowed = true;
    assert_eq!(counts(&nothing, &with(over)).0, [1, 0, 0, 0]);
}

#[test]
fn what_would_encrypt_decrypt_and_fall_out_of_compliance_is_counted_and_named() {
    let devices = [
        stored(1, &of_kind(1, 1, 2, 1)),
        stored(2, &of_kind(1, 2, 2, 1)),
        stored(3, &of_kind(1, 2, 2, 0)),
    ];
    let (present, encrypting) = (present(), proposed(&[("fixed.encryption", "require")], "laptops"));
    let preview = ask(question(&present, &encrypting, 10), &devices, 1);
    assert_eq!(
        (preview.count(Effect::Settings), preview.count(Effect::Encrypt)),
        (2, 1),
        "{preview:?}"
    );
    assert_eq!(preview.volumes_to_encrypt, 1);
    let names: Vec<&str> = preview.listing.iter().map(|l| l.hostname.as_str()).collect();
    assert_eq!(names, ["PC-1", "PC-2"]);

    let decrypting = proposed(&[("os.encryption", "forbid")], "all-devices");
    let preview = ask(question(&present, &decrypting, 10), &devices, 1);
    assert_eq!(preview.count(Effect::Decrypt), 3);
    let [first, ..] = preview.listing.as_slice() else {
        panic!("nothing listed")
    };
    assert_eq!(first.then, Verdict::NonCompliant);
    assert!(!first.reasons.is_empty());
}

#[test]
fn a_data_drive_that_waits_for_the_operating_system_drive_is_encrypted_in_the_end() {
    let devices = [stored(1, &of_kind(0, 1, 2, 1))];
    let proposed = proposed(&[("fixed.encryption", "require")], "laptops");
    let preview = ask(question(&present(), &proposed, 10), &devices, 1);
    assert_eq!(
        (preview.count(Effect::Encrypt), preview.count(Effect::HeldBack)),
        (1, 0),
        "{preview:?}"
    );
    assert_eq!(preview.volumes_to_encrypt, 1);
}

#[test]
fn devices_without_a_tpm_that_must_encrypt_are_shown_as_held_back() {
    let devices = [stored(1, &of_kind(0, 0, 0, 0)), stored(2, &of_kind(0, 0, 2, 0))];
    let collections = Collections::new(Vec::new()).unwrap();
    let nothing = Targeting::new(collections, Vec::new(), Vec::new()).unwrap();
    let preview = ask(question(&nothing, &present(), 10), &devices, 1);
    assert_eq!(
        (preview.count(Effect::Encrypt), preview.count(Effect::HeldBack)),
        (1, 1)
    );
    let held = preview
        .listing
        .iter()
        .find(|l| l.effects.contains(&Effect::HeldBack))
        .unwrap();
    assert_eq!(held.hostname, "PC-1");
    assert!(held.blocked.iter().any(|b| b.starts_with("C:: ")), "{:?}", held.blocked);
}

#[test]
fn pages_of_the_listing_follow_each_other_without_gap_on_any_number_of_threads() {
    let devices: Vec<StoredDevice> = (1..=5000)
        .map(|n| stored(n, &of_kind(1, 1, 2, u8::from(n % 3 == 0))))
        .collect();
    let (present, proposed) = (present(), proposed(&[("fixed.encryption", "require")], "laptops"));
    let mut seen = Vec::new();
    for offset in (0..2000).step_by(400) {
        let mut question = question(&present, &proposed, 400);
        question.listing.offset = offset;
        question.listing.effect = Some(Effect::Encrypt);
        let page = ask(question, &devices, 4);
        assert_eq!(page.listable, 1666);
        seen.extend(page.listing.into_iter().map(|line| line.hostname));
    }
    let expected: Vec<String> = (1..=5000).filter(|n| n % 3 == 0).map(|n| format!("PC-{n}")).collect();
    assert_eq!(seen, expected);
    let plain = ask(question(&present, &proposed, 0), &devices, 2);
    assert!(
        plain.evaluations <= 4,
        "alike devices share an evaluation: {}",
        plain.evaluations
    );
}

#[test]
fn a_stopped_preview_says_that_it_is_not_complete_and_an_unreadable_device_ends_it() {
    let devices: Vec<StoredDevice> = (1..=5000).map(|n| stored(n, &of_kind(1, 1, 2, 1))).collect();
    let (present, proposed) = (present(), proposed(&[("fixed.encryption", "require")], "laptops"));
    let told = AtomicU64::new(0);
    let mut run = Run {
        question: question(&present, &proposed, 0),
        threads: NonZeroUsize::MIN,
        progress: &|looked_at| {
            told.store(looked_at, Ordering::Relaxed);
            ControlFlow::Break(())
        },
    };
    let preview = run.run(devices.iter().map(Ok::<_, ()>), |d| Ok(d.clone())).unwrap();
    assert!(!preview.complete);
    assert_eq!(preview.looked_at, told.load(Ordering::Relaxed));
    assert!(preview.looked_at < 5000);

    run.progress = &|_| ControlFlow::Continue(());
    run.threads = NonZeroUsize::new(3).unwrap();
    let read = |device: &StoredDevice| {
        if device.id.0.as_u128() == 3333 {
            Err("damaged")
        } else {
            Ok(device.clone())
        }
    };
    let error = run.run(devices.iter().map(Ok), read).unwrap_err();
    assert_eq!(error.into_inner(), "damaged");
    let source = (0..10).map(|n| if n < 9 { Ok(()) } else { Err("disk") });
    let error = run.run(source, |()| Ok(stored(1, &of_kind(0, 0, 0, 0)))).unwrap_err();
    assert_eq!(error.into_inner(), "disk");
}

#[test]
fn only_devices_of_the_scope_are_counted_and_one_that_is_not_there_has_nobody() {
    let devices = [stored(1, &of_kind(1, 1, 2, 1)), stored(2, &of_kind(1, 1, 2, 3))];
    let (present, proposed) = (present(), proposed(&[("fixed.encryption", "require")], "laptops"));
    let count = |scope: &str| {
        let scope: CollectionId = scope.parse().unwrap();
        let scoped = Question {
            scope: Some(&scope),
            ..question(&present, &proposed, 10)
        };
        ask(scoped, &devices, 1).devices
    };
    assert_eq!((count("laptops"), count("lab"), count("nowhere")), (2, 1, 0));
    let tags: BTreeSet<String> = devices.iter().flat_map(|d| d.tags.clone()).collect();
    assert_eq!(tags.len(), 2);
}
