//! Data that only Windows puts under the VMK.

use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;

use super::*;
use crate::io::MemoryDevice;
use crate::{CreateOptions, ExternalKey, FileTime, NewProtector, Placement, create};

fn context(rng: &mut ChaCha20Rng) -> Context<'_> {
    Context {
        now: FileTime(133_600_000_000_000_000),
        rng,
    }
}

fn volume(rng: &mut ChaCha20Rng, key: &ExternalKey) -> UnlockedVolume<MemoryDevice> {
    let placement = Placement::At {
        regions: crate::ntfs::Regions {
            metadata: [64 << 10, 128 << 10, 192 << 10],
            header: 256 << 10,
            ice: 264 << 10,
            log: 0,
        },
        sector_size: 512,
        log_len: 0,
    };
    let options = CreateOptions {
        protectors: &[NewProtector::ExternalKey(key)],
        placement,
        ..CreateOptions::default()
    };
    let plain = MemoryDevice::new(vec![0; 512 << 10]);
    create(
        MemoryDevice::new(vec![0; 512 << 10]),
        &plain,
        &options,
        &mut context(rng),
    )
    .unwrap()
}

fn plain_of(volume: &UnlockedVolume<MemoryDevice>, role: u16) -> Option<Vec<u8>> {
    let state = volume.state();
    let datum = state.metadata.datums.iter().find(|datum| datum.role == role)?;
    Some(ccm::unwrap(volume.vmk.as_bytes(), &datum.body)?.to_vec())
}

#[test]
fn auto_unlock_key_identification_and_unknown_data_follow_and_a_master_key_in_clear_goes() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let external = ExternalKey::from_bytes([4; 32]);
    let mut volume = volume(&mut rng, &external);
    let vmk = volume.vmk.clone();
    let foreign = [0xEE; 32];
    const UNKNOWN: u16 = 0x77;
    const FOREIGN: u16 = 0x78;
    const CACHED: u16 = 5;
    volume
        .update(&mut context(&mut rng), |edit| {
            let text = crate::format::write::unicode(role::PROPERTY, "contoso");
            let text = crate::format::write::serialise(&[text]);
            for (role, plain) in [(role::IDENTIFICATION, text.as_slice()), (UNKNOWN, b"whatever")] {
                let nonce = edit.builder().nonces.draw()?;
                let body = ccm::wrap(vmk.as_bytes(), nonce, plain);
                edit.datums.push(Datum::new(role, kind::AES_CCM, body));
            }
            for (role, by, secret) in [
                (role::AUTO_UNLOCK, vmk.as_bytes(), [1; 32]),
                (FOREIGN, &foreign, [2; 32]),
            ] {
                let nonce = edit.builder().nonces.draw()?;
                edit.datums.push(wrapped(role, by, nonce, 0x2000, &secret));
            }
            edit.datums.push(key(CACHED, key_type::VMK, vmk.as_bytes()));
            Ok(())
        })
        .unwrap();
    let roles = [role::IDENTIFICATION, UNKNOWN, role::AUTO_UNLOCK];
    let before = roles.map(|role| plain_of(&volume, role).unwrap());
    let foreign_before = volume
        .state()
        .metadata
        .datums
        .iter()
        .find(|d| d.role == FOREIGN)
        .cloned();
    let order = |volume: &UnlockedVolume<MemoryDevice>| -> Vec<u16> {
        volume.state().metadata.datums.iter().map(|datum| datum.role).collect()
    };
    let order_before = order(&volume);

    let plan = volume.rotate_master_key_plan(&MasterKeyRotation::default()).unwrap();
    assert_eq!(plan.not_opened, [(FOREIGN, kind::AES_CCM)]);
    assert_eq!(plan.removed, [(CACHED, kind::KEY)]);
    let named: Vec<_> = plan.rewrapped.iter().map(|(role, _)| *role).collect();
    assert!(
        roles.iter().all(|role| named.contains(role)) && named.contains(&role::FVEK),
        "{named:?}"
    );
    let text = plan.describe().join("\n");
    for part in [
        "wrap anew: the auto-unlock key",
        "wrap anew: the identification field",
        "old master key in clear",
    ] {
        assert!(text.contains(part), "{text}");
    }
    volume
        .rotate_master_key(&mut context(&mut rng), &MasterKeyRotation::default())
        .unwrap();

    assert_eq!(roles.map(|role| plain_of(&volume, role).unwrap()), before);
    assert_eq!(
        volume
            .state()
            .metadata
            .datums
            .iter()
            .find(|d| d.role == FOREIGN)
            .cloned(),
        foreign_before
    );
    let mut expected = order_before;
    expected.retain(|role| *role != CACHED);
    assert_eq!(order(&volume), expected, "everything keeps its place");
    let area = volume.metadata_bytes();
    assert!(
        !area.windows(32).any(|window| window == vmk.as_bytes()),
        "the old key is nowhere in clear"
    );
    for datum in &volume.state().metadata.datums {
        assert_ne!(reach(datum, &vmk), Some(true), "the old key opens {datum:?}");
    }
}
