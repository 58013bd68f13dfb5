//! Random beginnings and what happens then.

use std::collections::{BTreeMap, BTreeSet};

use domain::ids::{ProtectorId, VolumeId};
use domain::inventory::{Tpm, TpmCause};
use domain::ledger::{KeyRecord, KeyState, Ledger, ProofState};
use domain::policy::{AutoUnlock, Encryption, OsProtector, Policy};
use domain::time::Timestamp;
use domain::volume::{ConversionStatus, EncryptionMethod, ProtectorType, VolumeKind};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use uuid::Uuid;

use super::provider::Volume;
use super::world::World;
use crate::build::tpm;

#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// The agent looks, checks in (or cannot), plans and acts, and perhaps dies after some actions.
    Cycle {
        reachable: bool,
        pin: bool,
        crash_after: Option<usize>,
    },
    Disclose(usize),
    Rotate(usize),
    Prove,
    Reboot,
    Progress,
    Pause(usize),
    Suspend(usize, u8),
    RunOutSuspensions,
    UnlockAll,
    StrangerAdds(usize),
    StrangerDeletes(usize),
    StrangerDecrypts(usize),
    AgentWiped,
    NewPolicy(Box<Policy>),
    NewTpm(Tpm),
}

pub(crate) fn history() -> impl Strategy<Value = (World, Vec<Event>)> {
    (world(), vec(event(), 0..24))
}

fn event() -> impl Strategy<Value = Event> {
    let n = 0..8usize;
    prop_oneof![
        12 => (prop::bool::weighted(0.8), any::<bool>(), option::weighted(0.6, 0..7usize))
            .prop_map(|(reachable, pin, crash_after)| Event::Cycle { reachable, pin, crash_after }),
        3 => n.clone().prop_map(Event::Disclose),
        1 => n.clone().prop_map(Event::Rotate),
        2 => Just(Event::Prove),
        2 => Just(Event::Reboot),
        3 => Just(Event::Progress),
        1 => n.clone().prop_map(Event::Pause),
        1 => (n.clone(), 0..4u8).prop_map(|(n, restarts)| Event::Suspend(n, restarts)),
        2 => Just(Event::UnlockAll),
        1 => n.clone().prop_map(Event::StrangerAdds),
        1 => n.clone().prop_map(Event::StrangerDeletes),
        1 => n.prop_map(Event::StrangerDecrypts),
        1 => Just(Event::AgentWiped),
        1 => policy().prop_map(|p| Event::NewPolicy(Box::new(p))),
        1 => chip().prop_map(Event::NewTpm),
    ]
}

fn world() -> impl Strategy<Value = World> {
    let volumes = (prop::bool::weighted(0.9), vec(any::<bool>(), 0..4)).prop_flat_map(|(os, data)| {
        let mut kinds = if os { vec![VolumeKind::Os] } else { Vec::new() };
        kinds.extend(data.into_iter().map(|fixed| {
            if fixed {
                VolumeKind::Fixed
            } else {
                VolumeKind::Removable
            }
        }));
        kinds
            .into_iter()
            .enumerate()
            .map(|(n, kind)| volume(n, kind))
            .collect::<Vec<_>>()
    });
    (policy(), chip(), prop::bool::weighted(0.05), volumes).prop_map(|(policy, tpm, virtual_machine, volumes)| {
        let server = volumes
            .iter()
            .flat_map(|(_, keys)| keys.clone())
            .collect::<BTreeMap<_, _>>();
        World {
            policy,
            tpm,
            virtual_machine,
            volumes: volumes.into_iter().map(|(volume, _)| volume).collect(),
            server,
            requests: Vec::new(),
            agents_ledger: Ledger::default(),
            next_id: 0x1_0000,
            has_way_back: BTreeSet::new(),
        }
    })
}

type Keys = Vec<((VolumeId, ProtectorId), (KeyRecord, bool))>;

fn volume(n: usize, kind: VolumeKind) -> impl Strategy<Value = (Volume, Keys)> {
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
        EncryptionMethod::Unknown,
    ]);
    let kinds: &[ProtectorType] = match kind {
        VolumeKind::Os => &[
            ProtectorType::Tpm,
            ProtectorType::TpmPin,
            ProtectorType::TpmNetworkKey,
            ProtectorType::TpmPinStartupKey,
            ProtectorType::Passphrase,
            ProtectorType::ExternalKey,
        ],
        VolumeKind::Fixed | VolumeKind::Removable => &[ProtectorType::Passphrase, ProtectorType::ExternalKey],
    };
    let others = proptest::sample::subsequence(kinds.to_vec(), 0..=kinds.len().min(3));
    let key = option::weighted(
        0.7,
        (
            select(vec![KeyState::Live, KeyState::Disclosed, KeyState::Superseded]),
            any::<bool>(),
            any::<bool>(),
        ),
    );
    (
        conversion,
        method,
        others,
        vec(key, 0..3),
        option::weighted(0.3, 0..3u8),
        prop::bool::weighted(0.15),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(
            move |(conversion, method, others, keys, suspended, locked, lists, auto_unlock)| {
                let base = 0x100 * (n as u128 + 1);
                let id = VolumeId(Uuid::from_u128(base));
                let others = others
                    .iter()
                    .enumerate()
                    .map(|(i, &kind)| (protector(base + 0x10 + i as u128), kind));
                let passwords =
                    (0..keys.len()).map(|i| (protector(base + 1 + i as u128), ProtectorType::RecoveryPassword));
                let protectors: Vec<_> = others.chain(passwords).collect();
                let is_encrypted = conversion != C::FullyDecrypted;
                let external = protectors
                    .iter()
                    .find(|p| p.1 == ProtectorType::ExternalKey)
                    .map(|p| p.0);
                let suspended = if protectors.is_empty() { Some(0) } else { suspended };
                let volume = Volume {
                    device: format!("volume{n}"),
                    kind,
                    id,
                    conversion,
                    method: if is_encrypted { method } else { EncryptionMethod::None },
                    suspended: suspended
                        .filter(|_| is_encrypted)
                        .map(|n| if kind == VolumeKind::Os { n } else { 0 }),
                    locked: locked && is_encrypted && suspended.is_none() && kind != VolumeKind::Os,
                    lists_protectors_when_locked: lists,
                    auto_unlock: external.filter(|_| auto_unlock && kind != VolumeKind::Os),
                    protectors,
                };
                let keys = keys.into_iter().enumerate().filter_map(|(i, key)| {
                    let (state, proven, right) = key?;
                    let protector = protector(base + 1 + i as u128);
                    let mut record = KeyRecord::new(id, protector, Timestamp(0));
                    record.ever_disclosed = state == KeyState::Disclosed;
                    record.entry.state = state;
                    record.entry.proof = match (proven, right) {
                        (false, _) => ProofState::NotProven,
                        (true, true) => ProofState::Proven,
                        (true, false) => ProofState::Failed,
                    };
                    Some(((id, protector), (record, right)))
                });
                (volume, keys.collect())
            },
        )
}

fn protector(n: u128) -> ProtectorId {
    ProtectorId(Uuid::from_u128(n))
}

fn chip() -> impl Strategy<Value = Tpm> {
    prop_oneof![
        4 => Just(tpm()),
        1 => Just(Tpm::Absent),
        1 => Just(Tpm::NotReady { reason: "It is locked out.".to_owned(), cause: TpmCause::LockedOut }),
    ]
}

fn policy() -> impl Strategy<Value = Policy> {
    let encryption = || {
        select(vec![
            Encryption::Require,
            Encryption::Require,
            Encryption::NotConfigured,
            Encryption::Forbid,
        ])
    };
    let method = || select(vec![EncryptionMethod::XtsAes128, EncryptionMethod::XtsAes256]);
    let auto_unlock = || select(vec![AutoUnlock::Allow, AutoUnlock::Require, AutoUnlock::Prohibit]);
    (
        (encryption(), encryption(), encryption()),
        (method(), method(), method()),
        select(vec![OsProtector::Tpm, OsProtector::TpmPin]),
        (auto_unlock(), auto_unlock()),
        (prop::bool::weighted(0.9), prop::bool::weighted(0.9), any::<bool>()),
    )
        .prop_map(|(encryption, method, protector, auto_unlock, client)| {
            let mut policy = Policy::default();
            (
                policy.os.encryption,
                policy.fixed.encryption,
                policy.removable.encryption,
            ) = encryption;
            (policy.os.method, policy.fixed.method, policy.removable.method) = method;
            policy.os.protector = protector;
            (policy.fixed.auto_unlock, policy.removable.auto_unlock) = auto_unlock;
            policy.client.escrow = client.0;
            policy.client.rotate_after_disclosure = client.1;
            policy.client.manage_virtual_machines = client.2;
            policy
        })
}
