//! Whatever the policy, the device and the moment: the checker finds no fault with the planner's plan, compliance does not
//! contradict it, and planning is a function.

use domain::compliance::{Verdict, evaluate};
use domain::exemption::{Decision, Exemption, Postponement};
use domain::ids::{ProtectorId, VolumeId};
use domain::inventory::{
    Inventory, OsKind, ProtectorReport, RegistryEntry, SystemPartition, Tpm, TpmCause, VolumeReport,
};
use domain::inventory::{Origin, RegistryData};
use domain::ledger::{KeyState, Ledger, LedgerEntry, ProofState};
use domain::plan::check::check;
use domain::plan::{Action, Detected, Maintenance, Power, RotateRequest, Situation, plan};
use domain::policy::{Assignments, Policy, Root, SettingKind, reference};
use domain::time::Timestamp;
use domain::volume::{ConversionStatus, EncryptionMethod, LockStatus, ProtectionStatus, ProtectorType, VolumeKind};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use uuid::Uuid;

use crate::build::tpm;

const DAY: i64 = 24 * 60 * 60 * 1000;
const NOW: Timestamp = Timestamp(1000 * DAY);

/// Any policy that passes validation: what does not is left out, setting by setting.
fn policies() -> impl Strategy<Value = Policy> {
    vec((prop::bool::weighted(0.5), any::<u32>()), reference().len()).prop_map(|draws| {
        let mut said = Assignments::default();
        for (setting, (configured, number)) in reference().iter().zip(draws) {
            if !configured {
                continue;
            }
            let value = match setting.kind {
                SettingKind::Switch => number.is_multiple_of(2).to_string(),
                SettingKind::Number { min, max, .. } => (min + number % (max - min + 1)).to_string(),
                SettingKind::Choice(choices) => choices[number as usize % choices.len()].value.to_owned(),
                SettingKind::Text { .. } => ["USB\\1", "text"][number as usize % 2].to_owned(),
            };
            said.set(setting.id, &value).expect("an allowed value");
        }
        let mut policy = said.policy();
        while let Err(errors) = policy.validate() {
            errors.iter().for_each(|error| said.unset(&error.field));
            // A text that is missing is asked for by the mode.
            said.unset("os.preboot_message_mode");
            policy = said.policy();
        }
        policy
    })
}

fn volume(number: u128, kind_of_volume: VolumeKind) -> impl Strategy<Value = VolumeReport> {
    use ConversionStatus as C;
    let conversion = select(vec![
        C::FullyDecrypted,
        C::FullyDecrypted,
        C::FullyEncrypted,
        C::FullyEncrypted,
        C::EncryptionInProgress,
        C::DecryptionInProgress,
        C::EncryptionPaused,
        C::DecryptionPaused,
    ]);
    let method = select(vec![
        EncryptionMethod::XtsAes128,
        EncryptionMethod::XtsAes256,
        EncryptionMethod::Aes128,
        EncryptionMethod::Aes256Diffuser,
        EncryptionMethod::Unknown,
    ]);
    let all = [
        ProtectorType::Tpm,
        ProtectorType::TpmPin,
        ProtectorType::ExternalKey,
        ProtectorType::Passphrase,
        ProtectorType::RecoveryPassword,
        ProtectorType::RecoveryPassword,
        ProtectorType::PublicKey,
    ];
    let protectors = proptest::sample::subsequence(all.to_vec(), 0..=all.len());
    let flags = (
        prop::bool::weighted(0.1),
        any::<bool>(),
        option::of(0..3u8),
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.1),
    );
    (conversion, method, protectors, flags).prop_map(
        move |(conversion, method, kinds, (locked, bound, suspended, foreign, listed))| {
            let encrypted = conversion != C::FullyDecrypted;
            let protectors: Vec<ProtectorReport> = kinds
                .into_iter()
                // TPM protectors lie on operating system volumes only.
                .filter(|kind| encrypted && (kind_of_volume == VolumeKind::Os || !kind.starts_by_tpm()))
                .enumerate()
                .map(|(i, kind)| ProtectorReport {
                    id: ProtectorId(Uuid::from_u128(number * 0x100 + 1 + i as u128)),
                    kind,
                    name: None,
                })
                .collect();
            let data = kind_of_volume != VolumeKind::Os;
            let has_key = protectors.iter().any(|p| p.kind == ProtectorType::ExternalKey);
            let suspended = suspended.filter(|_| encrypted && !data);
            let protected = conversion == C::FullyEncrypted && suspended.is_none() && !protectors.is_empty();
            let locked = locked && encrypted && data;
            VolumeReport {
                volume: encrypted.then_some(VolumeId(Uuid::from_u128(number))),
                protection: match (locked, protected) {
                    (true, _) => ProtectionStatus::Unknown,
                    (false, true) => ProtectionStatus::On,
                    (false, false) => ProtectionStatus::Off,
                },
                conversion,
                method: if encrypted { method } else { EncryptionMethod::None },
                lock: if locked {
                    LockStatus::Locked
                } else {
                    LockStatus::Unlocked
                },
                suspend_count: suspended,
                auto_unlock: data.then_some(bound && has_key),
                protectors,
                hardware_ids: if listed { vec!["usb\\1".to_owned()] } else { Vec::new() },
                other_encryption: (foreign && !encrypted).then(|| "Other".to_owned()),
                ..VolumeReport::plain(&format!("volume{number}"), kind_of_volume)
            }
        },
    )
}

fn inventories() -> impl Strategy<Value = Inventory> {
    let chip = prop_oneof![
        3 => Just(tpm()),
        1 => Just(Tpm::Absent),
        1 => Just(Tpm::NotReady { reason: "Locked out.".to_owned(), cause: TpmCause::LockedOut }),
    ];
    let registry = option::of(vec(
        (
            select(vec!["ShouldEncryptOSDrive", "UseTPM", "MorBehavior"]),
            0..3u32,
            any::<bool>(),
        ),
        0..3,
    ));
    let flags = (
        any::<bool>(),
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.2),
        prop::bool::weighted(0.1),
    );
    let partition = select(vec![
        SystemPartition::Unknown,
        SystemPartition::Present,
        SystemPartition::Missing,
    ]);
    (
        chip,
        option::weighted(0.9, volume(1, VolumeKind::Os)),
        option::of(volume(2, VolumeKind::Fixed)),
        option::of(volume(3, VolumeKind::Removable)),
        registry,
        flags,
        partition,
        0..3usize,
    )
        .prop_map(
            |(tpm, os, fixed, removable, registry, (fips, virtual_machine, co_managed, server), partition, users)| {
                let registry = registry.map(|entries| {
                    let entry = |(name, data, domain): (&str, u32, bool)| RegistryEntry {
                        root: if name == "ShouldEncryptOSDrive" {
                            Root::R3
                        } else {
                            Root::R1
                        },
                        name: name.to_owned(),
                        data: RegistryData::Number(data),
                        origin: if domain { Origin::Domain } else { Origin::Local },
                    };
                    entries.into_iter().map(entry).collect()
                });
                Inventory {
                    tpm,
                    volumes: os.into_iter().chain(fixed).chain(removable).collect(),
                    registry,
                    fips,
                    virtual_machine,
                    co_managed,
                    os_kind: if server {
                        OsKind::WindowsServer
                    } else {
                        OsKind::WindowsClient
                    },
                    system_partition: partition,
                    users: ["anna", "ben"][..users].iter().map(|u| (*u).to_owned()).collect(),
                    ..Inventory::default()
                }
            },
        )
}

/// Of each recovery password the server may know something.
fn ledgers(inventory: &Inventory) -> impl Strategy<Value = Ledger> + use<> {
    let keys: Vec<(VolumeId, ProtectorId)> = inventory
        .volumes
        .iter()
        .flat_map(|v| v.recovery_passwords().filter_map(|p| Some((v.volume?, p))))
        .collect();
    let states = select(vec![
        KeyState::Live,
        KeyState::Live,
        KeyState::Disclosed,
        KeyState::Superseded,
    ]);
    let proofs = select(vec![ProofState::Proven, ProofState::NotProven, ProofState::Failed]);
    vec(option::weighted(0.7, (states, proofs, 0..200i64)), keys.len()).prop_map(move |draws| {
        let entries = keys.iter().zip(draws).filter_map(|(&(volume, protector), draw)| {
            let (state, proof, age) = draw?;
            Some(LedgerEntry {
                volume,
                protector,
                state,
                proof,
                escrowed_at: Timestamp(NOW.0 - age * DAY),
            })
        });
        Ledger(entries.collect())
    })
}

fn situations() -> impl Strategy<Value = Situation> {
    let exemption =
        (select(vec!["anna", "ben"]), option::of(option::of(-5..5i64))).prop_map(|(user, decision)| Exemption {
            user: user.to_owned(),
            requested: NOW,
            decision: decision.map_or(Decision::Pending, |until| Decision::Approved {
                at: NOW,
                until: until.map(|days| Timestamp(NOW.0 + days * DAY)),
            }),
        });
    let flags = (
        prop::bool::weighted(0.8),
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        prop::bool::weighted(0.2),
    );
    let power = prop_oneof![
        Just(Power::Mains),
        (0..=100u8).prop_map(|percent| Power::Battery { percent })
    ];
    let window = prop_oneof![4 => Just(Maintenance::Open), 1 => Just(Maintenance::Closed { opens: None })];
    let dates = (option::of(-5..50i64), option::of(0..60i64));
    (flags, power, window, vec(exemption, 0..3), dates, any::<[bool; 3]>()).prop_map(
        |((server, pin, password, present, restart), power, maintenance, exemptions, (postponed, detected), wishes)| {
            let key = |volume: u128, i: u128| ProtectorId(Uuid::from_u128(volume * 0x100 + i));
            Situation {
                now: NOW,
                server_reachable: server,
                pin_available: pin,
                password_available: password,
                user_present: present,
                agreed: if wishes[2] {
                    vec!["volume1".to_owned()]
                } else {
                    Vec::new()
                },
                restart_pending: restart,
                power,
                maintenance,
                exemptions,
                postponed: postponed.map(|days| Postponement {
                    until: Timestamp(NOW.0 + days * DAY),
                }),
                detected: detected
                    .map(|days| Detected {
                        device: "volume1".to_owned(),
                        since: Timestamp(NOW.0 - days * DAY),
                        grace_since: Some(Timestamp(NOW.0 - days * DAY)),
                    })
                    .into_iter()
                    .collect(),
                used: if wishes[0] { vec![key(1, 3)] } else { Vec::new() },
                rotate: if wishes[1] {
                    vec![RotateRequest {
                        volume: None,
                        protectors: (1..8).map(|i| key(1, i)).collect(),
                    }]
                } else {
                    Vec::new()
                },
            }
        },
    )
}

fn cases() -> impl Strategy<Value = (Policy, Inventory, Ledger, Situation)> {
    (policies(), inventories(), situations()).prop_flat_map(|(policy, inventory, situation)| {
        ledgers(&inventory).prop_map(move |ledger| (policy.clone(), inventory.clone(), ledger, situation.clone()))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_checker_finds_no_fault_with_any_plan((policy, inventory, ledger, situation) in cases()) {
        let planned = plan(&policy, &inventory, &ledger, &situation);
        prop_assert_eq!(check(&planned, &inventory, &ledger, &policy, &situation), Ok(()));
        prop_assert_eq!(&plan(&policy, &inventory, &ledger, &situation), &planned);
        let compliance = evaluate(&policy, &inventory, &ledger, &situation);
        for (report, verdict) in inventory.volumes.iter().zip(&compliance.volumes) {
            let acts = |wanted: fn(&Action) -> bool| {
                planned.actions.iter().any(|a| a.device() == report.device && wanted(a))
            };
            if verdict.verdict == Verdict::Compliant {
                let converts = acts(|a| matches!(a, Action::Encrypt { .. } | Action::Decrypt { .. }));
                prop_assert!(!converts, "a compliant volume is left as it is: {report:?}");
            }
            if !policy.manages(&inventory) {
                prop_assert_eq!(verdict.verdict, Verdict::NotApplicable);
                prop_assert!(planned.actions.is_empty());
            }
        }
    }
}
