//! Random sequences of changes: what is listed opens, what was removed does not, and plans tell the truth.

use std::collections::BTreeMap;

use fve::format::Datum;
use fve::format::constants::kind;
use fve::format::read::{nested, read_metadata};
use fve::io::MemoryDevice;
use fve::{
    BackupInfo, Credential, Error, ExternalKey, FileTime, Guid, MasterKeyRotation, Passphrase, ProtectorChange,
    ProtectorKey, ProtectorKind, RecoveryPassword, UnlockedVolume, Volume,
};
use proptest::prelude::*;

use crate::sequences::{NOW, PASSPHRASE, Small, context};

/// One step; numbers choose among what is there.
#[derive(Clone, Debug)]
enum Step {
    AddRecovery(Option<String>),
    AddPassphrase(String),
    AddExternal(Option<String>),
    AddTpm(bool, usize),
    Remove(usize),
    RotateRecovery(usize),
    ChangePassphrase(usize, String),
    ChangeExternal(usize),
    ReplaceTpm(usize, usize),
    Rename(usize, Option<String>),
    RecordBackup(usize),
    Suspend(Option<u8>),
    CountRestart,
    Resume,
    Describe(String),
    RotateMasterKey,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let name = || proptest::option::of("\\PC{0,40}");
    // What is slow, a stretch each, comes up seldom.
    prop_oneof![
        1 => name().prop_map(Step::AddRecovery),
        1 => "\\PC{1,40}".prop_map(Step::AddPassphrase),
        3 => name().prop_map(Step::AddExternal),
        3 => (any::<bool>(), 0..3000_usize).prop_map(|(pin, len)| Step::AddTpm(pin, len)),
        3 => any::<usize>().prop_map(Step::Remove),
        1 => any::<usize>().prop_map(Step::RotateRecovery),
        1 => (any::<usize>(), "\\PC{1,40}").prop_map(|(which, text)| Step::ChangePassphrase(which, text)),
        2 => any::<usize>().prop_map(Step::ChangeExternal),
        2 => (any::<usize>(), 0..3000_usize).prop_map(|(which, len)| Step::ReplaceTpm(which, len)),
        3 => (any::<usize>(), name()).prop_map(|(which, name)| Step::Rename(which, name)),
        2 => any::<usize>().prop_map(Step::RecordBackup),
        2 => proptest::option::of(1..4_u8).prop_map(Step::Suspend),
        2 => Just(Step::CountRestart),
        2 => Just(Step::Resume),
        2 => "\\PC{0,200}".prop_map(Step::Describe),
        3 => Just(Step::RotateMasterKey),
        1 => Just(Step::Reopen),
    ]
}

/// The secret of a protector, as whoever uses it keeps it.
#[derive(Clone)]
enum Secret {
    Recovery(RecoveryPassword),
    Passphrase(String),
    External(ExternalKey),
    Tpm([u8; 32]),
}

impl Secret {
    fn opens(&self, id: Guid, device: &MemoryDevice) -> bool {
        let unlock = |credential: &Credential<'_>| match Volume::open(device).unwrap().unlock(credential) {
            Ok(_) => true,
            Err(Error::WrongCredential | Error::NoProtectorOfKind | Error::NoSuchProtector(_)) => false,
            Err(error) => panic!("{error}"),
        };
        match self {
            Self::Recovery(password) => unlock(&Credential::RecoveryPassword(password)),
            Self::Passphrase(text) => unlock(&Credential::Passphrase(&Passphrase::new(text.as_str()))),
            Self::External(key) => unlock(&Credential::ExternalKey(key)),
            Self::Tpm(key) => unlock(&Credential::Tpm { protector: id, key }),
        }
    }

    fn is_slow(&self) -> bool {
        matches!(self, Self::Recovery(_) | Self::Passphrase(_))
    }
}

struct Model {
    small: Small,
    volume: UnlockedVolume<MemoryDevice>,
    live: BTreeMap<Guid, Secret>,
    dead: Vec<(Guid, Secret)>,
    /// Every nonce that was ever on the disk, with the envelope it was used for.
    nonces: std::cell::RefCell<BTreeMap<Vec<u8>, Vec<u8>>>,
}

impl Model {
    fn new(seed: u64) -> Self {
        let mut small = Small::new(seed);
        let volume = small.unlock();
        let infos = volume.protectors().unwrap();
        let live = [
            (infos[0].id, Secret::Recovery(small.recovery.clone())),
            (infos[1].id, Secret::Passphrase(PASSPHRASE.to_owned())),
        ];
        Self {
            small,
            volume,
            live: live.into(),
            dead: Vec::new(),
            nonces: std::cell::RefCell::default(),
        }
    }

    /// The clock stands still in these tests, so only the counter keeps nonces apart.
    fn note_nonces(&self) {
        fn walk(datum: &Datum, seen: &mut BTreeMap<Vec<u8>, Vec<u8>>) {
            if datum.kind == kind::AES_CCM {
                let (nonce, rest) = datum.body.split_at(12);
                let known = seen.entry(nonce.to_vec()).or_insert_with(|| rest.to_vec());
                assert!(known == rest, "a nonce was used twice");
            }
            for inner in nested(datum).unwrap() {
                walk(&inner, seen);
            }
        }
        let metadata = read_metadata(&self.volume.metadata_bytes()).unwrap();
        let seen = &mut *self.nonces.borrow_mut();
        metadata.datums.iter().for_each(|datum| walk(datum, seen));
        walk(&metadata.validation.integrity, seen);
    }

    fn pick(&self, which: usize, wanted: impl Fn(&Secret) -> bool) -> Option<Guid> {
        let fitting: Vec<_> = self
            .live
            .iter()
            .filter(|(_, secret)| wanted(secret))
            .map(|(id, _)| *id)
            .collect();
        (!fitting.is_empty()).then(|| fitting[which % fitting.len()])
    }

    fn replace(&mut self, id: Guid, secret: Secret) {
        let old = self.live.insert(id, secret).unwrap();
        self.dead.push((id, old));
    }

    /// The bytes that a change was said to need, and the counter before; compared after it.
    fn plan(&self, change: &ProtectorChange<'_>) -> (usize, u32) {
        let touched = self.volume.plan_change(change).unwrap().touched.unwrap();
        (touched.used[1], touched.nonce_counter)
    }

    fn check_plan(&self, (used, counter): (usize, u32)) {
        let now = self
            .volume
            .plan_change(&ProtectorChange::Suspend(None))
            .unwrap()
            .touched
            .unwrap();
        assert_eq!(now.used[0], used, "the plan's size");
        assert!(now.nonce_counter > counter, "the counter grows");
    }

    fn apply(&mut self, step: &Step) {
        let mut rng = self.small.rng.clone();
        let ctx = &mut context(&mut rng);
        let volume = &mut self.volume;
        match step {
            Step::AddRecovery(name) => {
                let plan = self.plan(&add(ProtectorKind::RecoveryPassword, name.as_deref(), 0));
                let id = self.volume.add_recovery_password(ctx, None, name.as_deref()).unwrap();
                let password = self.volume.recovery_password(id).unwrap();
                self.live.insert(id, Secret::Recovery(password));
                self.check_plan(plan);
            }
            Step::AddPassphrase(text) => {
                let plan = self.plan(&add(ProtectorKind::Passphrase, None, 0));
                let id = self
                    .volume
                    .add_passphrase(ctx, &Passphrase::new(text.as_str()), None)
                    .unwrap();
                self.live.insert(id, Secret::Passphrase(text.clone()));
                self.check_plan(plan);
            }
            Step::AddExternal(name) => {
                let plan = self.plan(&add(ProtectorKind::ExternalKey, name.as_deref(), 0));
                let id = self.volume.add_external_key(ctx, None, name.as_deref()).unwrap();
                self.live
                    .insert(id, Secret::External(self.volume.external_key(id).unwrap()));
                self.check_plan(plan);
            }
            Step::AddTpm(pin, len) => {
                let kind = if *pin {
                    ProtectorKind::TpmPin
                } else {
                    ProtectorKind::Tpm
                };
                let plan = self.plan(&add(kind, None, *len));
                let key = [u8::try_from(len % 251).unwrap(); 32];
                let id = self.volume.add_tpm(ctx, kind, 0x815, &vec![7; *len], &key).unwrap();
                self.live.insert(id, Secret::Tpm(key));
                self.check_plan(plan);
            }
            Step::Remove(which) => {
                let id = self.pick(*which, |_| true).unwrap();
                if self.volume.protectors().unwrap().len() == 1 {
                    assert!(matches!(
                        self.volume.remove_protector(ctx, id),
                        Err(Error::LastProtector)
                    ));
                } else if self.live.len() > 1 {
                    let plan = self.plan(&ProtectorChange::Remove(id));
                    self.volume.remove_protector(ctx, id).unwrap();
                    let secret = self.live.remove(&id).unwrap();
                    self.dead.push((id, secret));
                    self.check_plan(plan);
                }
            }
            Step::RotateRecovery(which) => {
                if let Some(id) = self.pick(*which, |secret| matches!(secret, Secret::Recovery(_))) {
                    let plan = self.plan(&ProtectorChange::Replace { id, blob_len: 0 });
                    let (new, password) = self.volume.rotate_recovery_password(ctx, id).unwrap();
                    let old = self.live.remove(&id).unwrap();
                    self.dead.push((id, old));
                    self.live.insert(new, Secret::Recovery(password));
                    // A rotated password has no backup record any more: the plan allows for none.
                    self.check_plan(plan);
                }
            }
            Step::ChangePassphrase(which, text) => {
                if let Some(id) = self.pick(*which, |secret| matches!(secret, Secret::Passphrase(_))) {
                    let plan = self.plan(&ProtectorChange::Replace { id, blob_len: 0 });
                    self.volume
                        .change_passphrase(ctx, id, &Passphrase::new(text.as_str()))
                        .unwrap();
                    self.replace(id, Secret::Passphrase(text.clone()));
                    self.check_plan(plan);
                }
            }
            Step::ChangeExternal(which) => {
                if let Some(id) = self.pick(*which, |secret| matches!(secret, Secret::External(_))) {
                    let key = ExternalKey::generate(ctx.rng);
                    let plan = self.plan(&ProtectorChange::Replace { id, blob_len: 0 });
                    self.volume.change_external_key(ctx, id, &key).unwrap();
                    self.replace(id, Secret::External(key));
                    self.check_plan(plan);
                }
            }
            Step::ReplaceTpm(which, len) => {
                if let Some(id) = self.pick(*which, |secret| matches!(secret, Secret::Tpm(_))) {
                    let mut key = [0; 32];
                    rand::RngCore::fill_bytes(ctx.rng, &mut key);
                    let plan = self.plan(&ProtectorChange::Replace { id, blob_len: *len });
                    self.volume.replace_tpm(ctx, id, 0x95, &vec![3; *len], &key).unwrap();
                    self.replace(id, Secret::Tpm(key));
                    self.check_plan(plan);
                }
            }
            Step::Rename(which, name) => {
                let id = self.pick(*which, |_| true).unwrap();
                let plan = self.plan(&ProtectorChange::Rename(id, name.as_deref()));
                self.volume.rename_protector(ctx, id, name.as_deref()).unwrap();
                let infos = self.volume.protectors().unwrap();
                assert_eq!(&infos.iter().find(|info| info.id == id).unwrap().name, name);
                self.check_plan(plan);
            }
            Step::RecordBackup(which) => {
                if let Some(id) = self.pick(*which, |secret| matches!(secret, Secret::Recovery(_))) {
                    let backup = BackupInfo {
                        created: NOW,
                        backed_up: FileTime(NOW.0 + 1),
                        method: 8,
                        flags: 2,
                    };
                    let plan = self.plan(&ProtectorChange::RecordBackup(id));
                    self.volume.set_backup_info(ctx, id, &backup).unwrap();
                    let infos = self.volume.protectors().unwrap();
                    assert_eq!(infos.iter().find(|info| info.id == id).unwrap().backup, Some(backup));
                    self.check_plan(plan);
                }
            }
            Step::Suspend(count) => {
                let plan = self.plan(&ProtectorChange::Suspend(*count));
                self.volume.suspend(ctx, *count).unwrap();
                assert_eq!(self.volume.suspend_count().unwrap(), *count);
                assert!(
                    Volume::open(self.volume.device())
                        .unwrap()
                        .unlock(&Credential::ClearKey)
                        .is_ok()
                );
                self.check_plan(plan);
            }
            Step::CountRestart => {
                let before = volume.suspend_count().unwrap();
                let left = volume.count_restart(ctx).unwrap();
                assert_eq!(left, before.map(|count| count - 1));
                assert!(left != Some(0) || !volume.is_suspended().unwrap());
            }
            Step::Resume => {
                let plan = volume.plan_change(&ProtectorChange::Resume).unwrap();
                assert_eq!(plan.touched.is_some(), volume.is_suspended().unwrap());
                volume.resume(ctx).unwrap();
                assert!(
                    Volume::open(volume.device())
                        .unwrap()
                        .unlock(&Credential::ClearKey)
                        .is_err()
                );
            }
            Step::Describe(text) => {
                let plan = self.plan(&ProtectorChange::Describe(text));
                self.volume.set_description(ctx, text).unwrap();
                self.check_plan(plan);
            }
            Step::RotateMasterKey => {
                let old = volume.master_key().clone();
                let tpm = self.live.iter().filter_map(|(id, secret)| match secret {
                    Secret::Tpm(key) => Some((*id, *key)),
                    _ => None,
                });
                let tpm: Vec<_> = tpm.collect();
                let keys: Vec<_> = tpm.iter().map(|(id, key)| (*id, ProtectorKey(key))).collect();
                let rotation = MasterKeyRotation { keys: &keys, drop: &[] };
                let plan = volume.rotate_master_key_plan(&rotation).unwrap();
                volume.rotate_master_key(ctx, &rotation).unwrap();
                assert!(
                    Volume::open(volume.device())
                        .unwrap()
                        .unlock(&Credential::Vmk(&old))
                        .is_err()
                );
                self.check_plan((plan.touched.used[1], plan.touched.nonce_counter));
            }
            Step::Reopen => {
                let vmk = volume.master_key().clone();
                let device = MemoryDevice::new(volume.device().to_vec());
                self.volume = Volume::open(device).unwrap().unlock(&Credential::Vmk(&vmk)).unwrap();
            }
        }
        self.small.rng = rng;
    }

    fn check(&self, slow: bool) {
        self.note_nonces();
        let device = self.volume.device();
        let opened = Volume::open(device).unwrap();
        assert!(opened.info().copies.iter().all(|copy| copy.current));
        assert_eq!(opened.metadata_bytes().len(), 65536);
        let listed = opened
            .protectors()
            .iter()
            .filter(|info| info.kind != ProtectorKind::ClearKey);
        assert!(
            listed.map(|info| info.id).collect::<std::collections::BTreeSet<_>>()
                == self.live.keys().copied().collect()
        );
        for (id, secret) in self.live.iter().filter(|(_, secret)| slow || !secret.is_slow()) {
            assert!(secret.opens(*id, device), "{id} is listed");
        }
        for (id, secret) in self.dead.iter().filter(|(_, secret)| !secret.is_slow()) {
            assert!(!secret.opens(*id, device), "{id} is gone");
        }
        // One of the slow ones that are gone is enough each time.
        for (id, secret) in self.dead.iter().filter(|(_, secret)| slow && secret.is_slow()).take(1) {
            assert!(!secret.opens(*id, device), "{id} is gone");
        }
    }
}

fn add(kind: ProtectorKind, name: Option<&str>, blob_len: usize) -> ProtectorChange<'_> {
    ProtectorChange::Add { kind, name, blob_len }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn after_any_sequence_of_changes_what_is_listed_opens_and_what_was_removed_does_not(
        seed in any::<u64>(),
        steps in proptest::collection::vec(step(), 1..20),
    ) {
        let mut model = Model::new(seed);
        for step in &steps {
            model.apply(step);
            model.check(false);
        }
        model.check(true);
    }
}

#[test]
fn a_full_metadata_area_refuses_exactly_what_the_plan_refuses_and_nothing_is_changed() {
    let model = Model::new(1);
    let mut rng = model.small.rng.clone();
    let volume = &model.volume;
    volume
        .add_tpm(
            &mut context(&mut rng),
            ProtectorKind::Tpm,
            0,
            &vec![1; 40_000],
            &[1; 32],
        )
        .unwrap();
    let room = |volume: &UnlockedVolume<MemoryDevice>| {
        let plan = volume.plan_change(&ProtectorChange::Describe("MACHINE DATA")).unwrap();
        65536 - plan.touched.unwrap().used[0]
    };
    // The largest object that is sure to fit (88 bytes of validation stand behind a multiple of 16), and the next size up.
    let fits = room(volume) - 128 - 8;
    let before = volume.device().to_vec();
    for (len, needed) in [(fits + 16, 65544), (60_000, 0)] {
        let change = add(ProtectorKind::Tpm, None, len);
        let planned = volume.plan_change(&change);
        let done = volume.add_tpm(&mut context(&mut rng), ProtectorKind::Tpm, 0, &vec![2; len], &[2; 32]);
        for error in [planned.err(), done.err()] {
            match error {
                Some(Error::MetadataFull { needed: said }) => assert!(needed == 0 || needed == said, "{said}"),
                other => panic!("{other:?}"),
            }
        }
        assert!(before == volume.device().to_vec(), "nothing is changed");
    }
    volume
        .add_tpm(&mut context(&mut rng), ProtectorKind::Tpm, 0, &vec![2; fits], &[2; 32])
        .unwrap();
    assert_eq!(room(volume), 8);
    let long = "x".repeat(40_000);
    assert!(matches!(
        volume.set_description(&mut context(&mut rng), &long),
        Err(Error::MetadataFull { .. })
    ));
    assert!(Secret::Recovery(model.small.recovery.clone()).opens(Guid::from_bytes_le([0; 16]), volume.device()));
}

#[test]
fn operations_on_a_protector_of_another_kind_are_refused_by_name() {
    let mut model = Model::new(2);
    let mut rng = model.small.rng.clone();
    let infos = model.volume.protectors().unwrap();
    let (recovery, passphrase) = (infos[0].id, infos[1].id);
    let ctx = &mut context(&mut rng);
    let key = ExternalKey::from_bytes([1; 32]);
    let backup = BackupInfo {
        created: NOW,
        backed_up: NOW,
        method: 1,
        flags: 2,
    };
    assert!(
        matches!(model.volume.change_external_key(ctx, recovery, &key), Err(Error::WrongProtectorKind(id)) if id == recovery)
    );
    assert!(
        matches!(model.volume.set_backup_info(ctx, passphrase, &backup), Err(Error::WrongProtectorKind(id)) if id == passphrase)
    );
    let nobody = Guid::from_bytes_le([9; 16]);
    assert!(
        matches!(model.volume.rename_protector(ctx, nobody, None), Err(Error::NoSuchProtector(id)) if id == nobody)
    );
    for kind in [
        ProtectorKind::TpmStartupKey,
        ProtectorKind::TpmPinStartupKey,
        ProtectorKind::PublicKey,
    ] {
        assert!(matches!(
            model.volume.plan_change(&add(kind, None, 0)),
            Err(Error::Unsupported(_))
        ));
        assert!(matches!(
            model.volume.add_tpm(ctx, kind, 0, b"", &[0; 32]),
            Err(Error::InvalidArgument(_))
        ));
    }
    model.apply(&Step::Reopen);
    model.check(true);
}

#[test]
fn a_tpm_protector_with_a_new_pin_keeps_its_name() {
    let mut small = Small::new(7);
    let volume = small.unlock();
    let mut rng = small.rng.clone();
    let ctx = &mut context(&mut rng);
    let kind = ProtectorKind::TpmPin;
    let id = volume.add_tpm(ctx, kind, 0x815, &[7; 100], &[1; 32]).unwrap();
    volume.rename_protector(ctx, id, Some("Desk")).unwrap();
    volume.replace_tpm(ctx, id, 0x815, &[3; 90], &[2; 32]).unwrap();
    let infos = volume.protectors().unwrap();
    let info = infos.iter().find(|info| info.id == id).unwrap();
    assert_eq!(info.name.as_deref(), Some("Desk"));
}
