//! Many proofs at once: each has the outcome that it has alone.

use fve::io::MemoryDevice;
use fve::{CreateOptions, EvidenceError, NewProtector, RecoveryPassword, Volume, create, verify, verify_many};

use crate::common::{World, free_regions};

const SIZE: usize = 12 << 20;

/// A volume with these recovery passwords.
fn volume(world: &mut World, passwords: &[RecoveryPassword]) -> Volume<MemoryDevice> {
    let protectors: Vec<_> = passwords.iter().map(NewProtector::RecoveryPassword).collect();
    let options = CreateOptions {
        protectors: &protectors,
        placement: free_regions(512),
        ..CreateOptions::default()
    };
    let inner = MemoryDevice::new(vec![0; SIZE]);
    let volume = create(MemoryDevice::new(vec![0; SIZE]), &inner, &options, &mut world.ctx()).unwrap();
    Volume::open(volume.into_device()).unwrap()
}

#[test]
fn wrong_proofs_among_right_ones_touch_no_other() {
    let mut world = World::new(91);
    let passwords: Vec<_> = (1..=6).map(|byte| RecoveryPassword::from_bytes([byte; 16])).collect();
    let wrong = RecoveryPassword::from_bytes([99; 16]);
    let one = volume(&mut world, &passwords[..1]).metadata_bytes();
    let three = volume(&mut world, &passwords[1..4]).metadata_bytes();
    let two = volume(&mut world, &passwords[4..]).metadata_bytes();
    let mut damaged = one.clone();
    damaged[0x70] ^= 1;
    let proofs: [(&[u8], &RecoveryPassword); 10] = [
        (&damaged, &passwords[0]),
        (&three, &passwords[3]),
        (&one, &wrong),
        (&one, &passwords[0]),
        (&[], &passwords[0]),
        (&two, &passwords[0]),
        (&two, &passwords[5]),
        (&three, &passwords[1]),
        (&one, &passwords[0]),
        (&damaged[..100], &wrong),
    ];
    let outcomes = verify_many(&proofs);
    assert_eq!(outcomes.len(), proofs.len());
    for (index, ((metadata, password), outcome)) in proofs.iter().zip(&outcomes).enumerate() {
        assert_eq!(*outcome, verify(metadata, password), "proof {index}");
        let malformed = matches!(outcome, Err(EvidenceError::Malformed(_)));
        assert_eq!(malformed, [0, 4, 9].contains(&index), "proof {index}");
        assert_eq!(outcome.is_ok(), [1, 3, 6, 7, 8].contains(&index), "proof {index}");
    }
    assert_ne!(
        outcomes[1].as_ref().unwrap().protector,
        outcomes[7].as_ref().unwrap().protector
    );
    assert!(verify_many(&[]).is_empty());
}

#[test]
fn of_a_list_of_passwords_those_that_open_are_named_with_their_protectors() {
    let mut world = World::new(92);
    let passwords: Vec<_> = (1..=3).map(|byte| RecoveryPassword::from_bytes([byte; 16])).collect();
    let volume = volume(&mut world, &passwords[..2]);
    let ids: Vec<_> = volume.protectors().iter().map(|protector| protector.id).collect();
    let list = [&passwords[2], &passwords[1], &passwords[2], &passwords[0]].map(Clone::clone);
    assert_eq!(
        volume.try_recovery_passwords(&list),
        [None, Some(ids[1]), None, Some(ids[0])]
    );
}
