//! Policies and chips as small numbers: a schedule names one in a word, and replays it.

use domain::inventory::{Tpm, TpmCause};
use domain::policy::{AutoUnlock, Encryption, OsProtector, Policy, TriState, WeakCipher};
use domain::volume::EncryptionMethod;
use serde::{Deserialize, Serialize};

/// A policy; each bit field is a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct PolicyChoice(pub(super) u32);

impl PolicyChoice {
    /// Bits that mean something.
    pub(super) const BITS: u32 = 26;

    /// The one number among those that mean the same policy.
    pub(super) fn plainly(self) -> Self {
        let mut bits = self.0 & ((1 << Self::BITS) - 1);
        let mut same = |at: u32, width: u32, but: &[u32]| {
            let mask = ((1 << width) - 1) << at;
            if !but.contains(&((bits & mask) >> at)) {
                bits &= !mask;
            }
        };
        for at in [0, 2, 4, 9, 11] {
            same(at, 2, &[2, 3]);
        }
        same(13, 3, &[7]);
        same(16, 3, &[7]);
        same(21, 2, &[3]);
        same(23, 2, &[3]);
        Self(bits)
    }

    pub(super) fn policy(self) -> Policy {
        let field = |at: u32, width: u32| (self.0 >> at) & ((1 << width) - 1);
        let encryption = |at| match field(at, 2) {
            0 | 1 => Encryption::Require,
            2 => Encryption::NotConfigured,
            _ => Encryption::Forbid,
        };
        let method = |at| match field(at, 1) {
            0 => EncryptionMethod::XtsAes128,
            _ => EncryptionMethod::XtsAes256,
        };
        let auto_unlock = |at| match field(at, 2) {
            0 | 1 => AutoUnlock::Allow,
            2 => AutoUnlock::Require,
            _ => AutoUnlock::Prohibit,
        };
        let mut policy = Policy::default();
        policy.os.encryption = encryption(0);
        policy.fixed.encryption = encryption(2);
        policy.removable.encryption = encryption(4);
        policy.os.method = method(6);
        policy.fixed.method = method(7);
        policy.removable.method = policy.fixed.method;
        policy.os.protector = if field(8, 1) == 1 {
            OsProtector::TpmPin
        } else {
            OsProtector::Tpm
        };
        policy.fixed.auto_unlock = auto_unlock(9);
        policy.removable.auto_unlock = auto_unlock(11);
        policy.client.escrow = field(13, 3) != 7;
        policy.client.rotate_after_disclosure = field(16, 3) != 7;
        policy.client.manage_virtual_machines = field(19, 1) == 1;
        policy.client.user_exemption = if field(20, 1) == 1 {
            TriState::Enabled
        } else {
            TriState::NotConfigured
        };
        policy.setup.reencrypt = if field(21, 2) == 3 {
            WeakCipher::Reencrypt
        } else {
            WeakCipher::Report
        };
        policy.client.rotate_max_age_days = if field(23, 2) == 3 { 30 } else { 0 };
        policy.client.min_battery_percent = if field(25, 1) == 1 { 30 } else { 0 };
        policy
    }
}

impl std::fmt::Display for PolicyChoice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let policy = self.policy();
        write!(
            f,
            "OS {:?} by {:?}, fixed {:?} (unlock {:?}), removable {:?} (unlock {:?}), escrow {}, replace told keys {}",
            policy.os.encryption,
            policy.os.protector,
            policy.fixed.encryption,
            policy.fixed.auto_unlock,
            policy.removable.encryption,
            policy.removable.auto_unlock,
            policy.client.escrow,
            policy.client.rotate_after_disclosure
        )
    }
}

/// State of a security chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Chip {
    Ready,
    NotReady,
    Absent,
}

impl Chip {
    pub(super) fn tpm(self) -> Tpm {
        match self {
            Self::Ready => Tpm::Ready {
                manufacturer: "IBM".to_owned(),
                spec_version: "2.0".to_owned(),
            },
            Self::NotReady => Tpm::NotReady {
                reason: "It is locked out.".to_owned(),
                cause: TpmCause::LockedOut,
            },
            Self::Absent => Tpm::Absent,
        }
    }
}
