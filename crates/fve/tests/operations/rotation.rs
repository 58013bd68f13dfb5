//! A new volume master key.

use std::path::Path;
use std::process::Command;

use fve::io::{FileDevice, MemoryDevice, ReadAt, WriteAt};
use fve::{
    Credential, Error, Guid, MasterKeyRotation, Passphrase, ProtectorInfo, ProtectorKey, ProtectorKind,
    RecoveryPassword, UnlockedVolume, Volume, VolumeMasterKey,
};
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;

use crate::sequences::{Small, context};
use crate::windows::images;

const NOTHING: MasterKeyRotation<'_> = MasterKeyRotation { keys: &[], drop: &[] };

fn opens(device: impl ReadAt, credential: &Credential<'_>) -> bool {
    Volume::open(device).unwrap().unlock(credential).is_ok()
}

/// What must not change about a protector.
fn identity(info: &ProtectorInfo) -> impl PartialEq + std::fmt::Debug + use<> {
    let ProtectorInfo {
        id,
        kind,
        created,
        name,
        tpm,
        backup,
        suspend_count,
        stretch,
        parts,
    } = info.clone();
    (id, kind, created, name, tpm, backup, suspend_count, stretch, parts)
}

#[test]
fn windows_made_volumes_keep_every_protector_and_nothing_opens_by_the_old_key() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let mut smart_cards = 0;
    for image in images() {
        let by = image.credentials();
        let first = by.first().unwrap_or_else(|| panic!("{}", image.name));
        let mut volume = Volume::open(image.device()).unwrap().unlock(first).unwrap();
        let old = volume.master_key().clone();
        let before = volume.protectors().unwrap();
        let size = volume.size();
        let old_area = volume.metadata_bytes();
        let sample = |volume: &UnlockedVolume<_>| {
            // One image has a Windows conversion under way whose bitmaps the collection cut out: it does not read.
            let mut bytes = vec![0; 1 << 20];
            volume.read_at(0, &mut bytes).is_ok().then_some(bytes)
        };
        let plain = sample(&volume);
        let plan = volume.rotate_master_key_plan(&NOTHING).unwrap();
        assert!(
            plan.key_needed.is_empty() && plan.not_opened.is_empty(),
            "{}: {plan:?}",
            image.name
        );
        smart_cards += plan.kept.iter().filter(|p| p.kind == ProtectorKind::PublicKey).count();
        let counter = plan.touched.nonce_counter;
        volume.rotate_master_key(&mut context(&mut rng), &NOTHING).unwrap();

        let after = volume.protectors().unwrap();
        assert!(
            before.iter().map(identity).eq(after.iter().map(identity)),
            "{}",
            image.name
        );
        assert!(sample(&volume) == plain, "{}", image.name);
        let device = volume.into_device();
        for credential in &by {
            let again = Volume::open(&device).unwrap();
            assert!(again.info().copies.iter().all(|copy| copy.current));
            assert!(again.info().next_nonce > counter, "the counter goes on");
            let again = again
                .unlock(credential)
                .unwrap_or_else(|error| panic!("{} by {credential:?}: {error}", image.name));
            assert_eq!(again.size(), size);
        }
        assert!(!opens(&device, &Credential::Vmk(&old)), "{}: the old key", image.name);
        let area = Volume::open(&device).unwrap().metadata_bytes();
        assert!(
            nothing_shared(&area, &old_area),
            "{}: a wrapped value is still there",
            image.name
        );
        if let Some(password) = &image.recovery {
            fve::verify(&area, password).unwrap();
        }
    }
    assert_eq!(smart_cards, 1, "a smart card's key has its copy too");
}

/// No 16 bytes of an envelope's cipher text occur in both areas. Envelopes begin with the type 5, flags 1 of an AES-CCM datum.
fn nothing_shared(new: &[u8], old: &[u8]) -> bool {
    let bodies = |area: &[u8]| -> std::collections::BTreeSet<Vec<u8>> {
        (0..area.len() - 80)
            .filter(|&at| area[at + 4..at + 8] == [5, 0, 1, 0] && area[at + 1] == 0 && area[at] >= 64)
            .map(|at| area[at + 36..at + 52].to_vec())
            .collect()
    };
    let (new, old) = (bodies(new), bodies(old));
    assert!(!new.is_empty());
    new.is_disjoint(&old)
}

#[test]
fn one_who_kept_the_old_key_or_a_removed_password_gets_nothing_from_the_new_metadata() {
    let mut small = Small::new(2);
    let recovery = small.recovery.clone();
    let removed = RecoveryPassword::generate(&mut small.rng);
    let mut volume = small.unlock();
    let id = volume
        .add_recovery_password(&mut context(&mut small.rng), Some(&removed), Some("left"))
        .unwrap();
    let (old_area, old_vmk) = (volume.metadata_bytes(), volume.master_key().clone());
    volume.remove_protector(&mut context(&mut small.rng), id).unwrap();
    volume
        .rotate_master_key(&mut context(&mut small.rng), &NOTHING)
        .unwrap();

    let new_area = volume.metadata_bytes();
    assert!(fve::verify(&new_area, &recovery).is_ok());
    assert!(fve::verify(&new_area, &removed).is_err());
    let device = volume.into_device();
    assert!(!opens(&device, &Credential::Vmk(&old_vmk)));
    assert!(opens(&device, &Credential::RecoveryPassword(&recovery)));
    // The honest limit: the old area still proves the removed password.
    assert!(fve::verify(&old_area, &removed).is_ok());
}

#[test]
fn a_suspended_volume_stays_suspended_with_a_new_key_in_clear() {
    let mut small = Small::new(3);
    let mut volume = small.unlock();
    volume.suspend(&mut context(&mut small.rng), Some(3)).unwrap();
    let clear = |volume: &UnlockedVolume<MemoryDevice>| {
        let area = volume.metadata_bytes();
        // A KEY datum of 44 bytes, key type 0x2000.
        let at = area
            .windows(10)
            .position(|w| w == [44, 0, 0, 0, 1, 0, 1, 0, 0, 0x20])
            .unwrap();
        area[at + 12..at + 44].to_vec()
    };
    let before = clear(&volume);
    let plan = volume.rotate_master_key_plan(&NOTHING).unwrap();
    assert_eq!(plan.redrawn.len(), 1);
    volume
        .rotate_master_key(&mut context(&mut small.rng), &NOTHING)
        .unwrap();
    assert_ne!(before, clear(&volume));
    assert_eq!(volume.suspend_count().unwrap(), Some(3));
    assert!(opens(volume.device(), &Credential::ClearKey));
}

#[test]
fn a_tpm_protector_needs_its_key_or_leave_to_go_and_a_refusal_changes_nothing() {
    let mut small = Small::new(4);
    let recovery = small.recovery.clone();
    let mut volume = small.unlock();
    let sealed = [9; 32];
    let tpm = volume
        .add_tpm(
            &mut context(&mut small.rng),
            ProtectorKind::TpmPin,
            0x815,
            b"object",
            &sealed,
        )
        .unwrap();
    let before = volume.device().to_vec();
    let plan = volume.rotate_master_key_plan(&NOTHING).unwrap();
    assert_eq!(plan.key_needed.iter().map(|p| p.id).collect::<Vec<_>>(), [tpm]);
    let wanted = format!("cannot be kept unless its key is given: TPM and PIN {tpm}");
    assert!(plan.describe().contains(&wanted), "{:#?}", plan.describe());
    match volume.rotate_master_key(&mut context(&mut small.rng), &NOTHING) {
        Err(Error::ProtectorsNeedKeys(needed)) => assert_eq!(needed[0].id, tpm),
        other => panic!("{other:?}"),
    }
    let wrong = [(tpm, ProtectorKey(&[8; 32]))];
    let wrong = MasterKeyRotation {
        keys: &wrong,
        drop: &[],
    };
    assert!(matches!(
        volume.rotate_master_key(&mut context(&mut small.rng), &wrong),
        Err(Error::WrongProtectorKey(id)) if id == tpm
    ));
    let nobody = [Guid::from_bytes_le([7; 16])];
    let unknown = MasterKeyRotation {
        keys: &[],
        drop: &nobody,
    };
    assert!(matches!(
        volume.rotate_master_key(&mut context(&mut small.rng), &unknown),
        Err(Error::NoSuchProtector(_))
    ));
    let everybody: Vec<_> = volume.protectors().unwrap().iter().map(|info| info.id).collect();
    let all = MasterKeyRotation {
        keys: &[],
        drop: &everybody,
    };
    assert!(matches!(
        volume.rotate_master_key(&mut context(&mut small.rng), &all),
        Err(Error::LastProtector)
    ));
    assert!(before == volume.device().to_vec(), "refusals change nothing");

    let keys = [(tpm, ProtectorKey(&sealed))];
    volume
        .rotate_master_key(
            &mut context(&mut small.rng),
            &MasterKeyRotation { keys: &keys, drop: &[] },
        )
        .unwrap();
    let by_tpm = Credential::Tpm {
        protector: tpm,
        key: &sealed,
    };
    assert!(opens(volume.device(), &by_tpm));
    let drop = [tpm];
    volume
        .rotate_master_key(
            &mut context(&mut small.rng),
            &MasterKeyRotation { keys: &[], drop: &drop },
        )
        .unwrap();
    assert!(!opens(volume.device(), &by_tpm));
    assert!(opens(volume.device(), &Credential::RecoveryPassword(&recovery)));
}

#[test]
fn a_crash_between_any_two_copies_leaves_a_volume_that_opens_by_the_same_secrets() {
    let mut small = Small::new(5);
    let recovery = small.recovery.clone();
    let mut volume = small.unlock();
    let before = volume.device().to_vec();
    let copies = volume.copies().map(|copy| copy.offset as usize);
    volume
        .rotate_master_key(&mut context(&mut small.rng), &NOTHING)
        .unwrap();
    let after = volume.device().to_vec();
    for written in 0..=3 {
        let mut image = before.clone();
        for &at in &copies[..written] {
            image[at..at + 65536].copy_from_slice(&after[at..at + 65536]);
        }
        // The next copy torn in the middle.
        if let Some(&at) = copies.get(written) {
            image[at..at + 512].copy_from_slice(&after[at..at + 512]);
        }
        let device = MemoryDevice::new(image);
        assert!(
            opens(&device, &Credential::RecoveryPassword(&recovery)),
            "{written} copies written"
        );
        let volume = Volume::open(&device)
            .unwrap()
            .unlock(&Credential::RecoveryPassword(&recovery))
            .unwrap();
        volume.set_description(&mut context(&mut small.rng), "healed").unwrap();
        assert!(
            Volume::open(&device)
                .unwrap()
                .info()
                .copies
                .iter()
                .all(|copy| copy.current)
        );
    }
}

#[test]
fn independent_readers_accept_windows_made_volumes_after_rotation() {
    let mut rng = ChaCha20Rng::seed_from_u64(6);
    let directory = tempfile::tempdir().unwrap();
    for image in images() {
        let Some(recovery) = &image.recovery else { continue };
        if image.clear {
            continue; // cryptsetup 2.6 refuses suspended volumes whatever the secret.
        }
        let path = directory.path().join("volume.img");
        copy_sparse(&image.path, &path);
        let mut volume = Volume::open(FileDevice::open_write(&path).unwrap())
            .unwrap()
            .unlock(&Credential::RecoveryPassword(recovery))
            .unwrap();
        volume.rotate_master_key(&mut context(&mut rng), &NOTHING).unwrap();
        volume.flush().unwrap();
        let text = recovery.expose();
        cryptsetup_opens(&path, &text, &image.name);
        if let Some(passphrase) = &image.passphrase {
            cryptsetup_opens(&path, passphrase.expose(), &image.name);
        }
        // It takes seconds for each.
        if ["smart-card", "togo-aes-cbc", "128-4k"]
            .iter()
            .any(|part| image.name.contains(part))
        {
            dissect_vouches(&path, &text, &image.name);
        }
    }
}

fn copy_sparse(from: &Path, to: &Path) {
    let status = Command::new("cp")
        .args(["--sparse=always", "--no-preserve=mode"])
        .args([from, to])
        .status();
    assert!(status.unwrap().success());
}

fn cryptsetup_opens(path: &Path, secret: &str, name: &str) {
    let (opened, said) = feed(
        Command::new("cryptsetup")
            .args(["open", "--type", "bitlk", "-r", "--test-passphrase"])
            .arg(path),
        secret,
    );
    assert!(opened, "{name}: {said}");
}

fn dissect_vouches(path: &Path, recovery: &str, name: &str) {
    const SCRIPT: &str = r#"
import sys
from dissect.fve.bde.bde import BDE
bde = BDE(open(sys.argv[1], "rb"))
assert len(bde._valid_information) == 3, "not all copies are sound"
keys = []
check = type(bde.information).check_integrity
type(bde.information).check_integrity = lambda self, key: keys.append(key) or check(self, key)
bde.unlock_with_recovery_password(sys.stdin.read())
assert keys and all(check(copy, keys[-1]) for copy in bde._valid_information), "integrity"
"#;
    let (vouches, said) = feed(Command::new("python3").args(["-c", SCRIPT]).arg(path), recovery);
    assert!(vouches, "{name}: {said}");
}

fn feed(command: &mut Command, text: &str) -> (bool, String) {
    use std::io::Write;
    use std::process::Stdio;
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?} does not run: {error}; ./test installs the readers"));
    // A reader that does not ask for the secret closes the pipe.
    let _ = child.stdin.take().unwrap().write_all(text.as_bytes());
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn secrets_do_not_show_in_what_is_printed() {
    let key = [0x5A; 32];
    let keys = [(Guid::from_bytes_le([1; 16]), ProtectorKey(&key))];
    let shown = format!(
        "{:?} {:?}",
        MasterKeyRotation { keys: &keys, drop: &[] },
        VolumeMasterKey::from_bytes(key)
    );
    assert!(!shown.contains("90") && shown.contains("[redacted]"), "{shown}");
    assert_eq!(format!("{:?}", Passphrase::new("x")), "[redacted]");
}
