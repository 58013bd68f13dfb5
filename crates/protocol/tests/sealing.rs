//! Sealing: what is sealed opens with the right key and binding, and with nothing else.

use domain::ids::{DeviceId, ProtectorId, VolumeId};
use proptest::prelude::*;
use protocol::sealing::{Binding, RecoveryPrivateKey, RecoveryPublicKey, SealingError, seal};
use rand_chacha::rand_core::SeedableRng;
use uuid::Uuid;

fn binding(n: u128) -> Binding {
    Binding {
        device: DeviceId(Uuid::from_u128(n)),
        volume: VolumeId(Uuid::from_u128(n + 1)),
        protector: ProtectorId(Uuid::from_u128(n + 2)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn a_sealed_secret_opens_only_with_its_key_and_binding(
        seed: [u8; 32], other: [u8; 32], secret in prop::collection::vec(any::<u8>(), 0..100), n in 0u128..1 << 64, flip in any::<prop::sample::Index>(),
    ) {
        prop_assume!(seed != other);
        let mut rng = rand_chacha::ChaCha20Rng::from_seed(seed);
        let key = RecoveryPrivateKey::derive(3, &seed);
        let sealed = seal(&key.public(), &binding(n), &secret, &mut rng).unwrap();
        prop_assert_eq!(&*key.open(&sealed, &binding(n)).unwrap(), &secret);

        for wrong in [
            Binding { device: DeviceId(Uuid::from_u128(n + 9)), ..binding(n) },
            Binding { volume: VolumeId(Uuid::from_u128(n + 9)), ..binding(n) },
            Binding { protector: ProtectorId(Uuid::from_u128(n + 9)), ..binding(n) },
        ] {
            prop_assert_eq!(key.open(&sealed, &wrong).unwrap_err(), SealingError::DoesNotOpen);
        }
        prop_assert_eq!(
            RecoveryPrivateKey::derive(3, &other).open(&sealed, &binding(n)).unwrap_err(), SealingError::DoesNotOpen
        );
        prop_assert_eq!(
            RecoveryPrivateKey::derive(4, &seed).open(&sealed, &binding(n)).unwrap_err(), SealingError::DoesNotOpen
        );

        let mut changed = sealed.clone();
        let mut bytes = hex::decode(&changed.ciphertext).unwrap();
        let at = flip.index(bytes.len());
        bytes[at] ^= 1;
        changed.ciphertext = hex::encode(bytes);
        prop_assert_eq!(key.open(&changed, &binding(n)).unwrap_err(), SealingError::DoesNotOpen);
    }

    #[test]
    fn malformed_public_keys_are_refused(text in "[0-9a-f]{0,80}") {
        prop_assume!(text.len() != 64);
        let mut rng = rand_chacha::ChaCha20Rng::from_seed([0; 32]);
        let key = RecoveryPublicKey { version: 1, public_key: text };
        prop_assert_eq!(seal(&key, &binding(0), b"secret", &mut rng).unwrap_err(), SealingError::PublicKey);
    }
}
