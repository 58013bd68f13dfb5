//! First-detected dates, and from when policy is enforced.

use super::{Verdict, VolumeCompliance};
use crate::exemption;
use crate::plan::{Detected, Situation};
use crate::policy::Policy;
use crate::time::Timestamp;
use crate::volume::VolumeKind;

/// Fills in the dates and says what has to be remembered. A removable drive is not waited for, and has a date only.
pub(super) fn note(policy: &Policy, situation: &Situation, volumes: &mut [VolumeCompliance]) -> Vec<Detected> {
    let os_settled = volumes
        .iter()
        .filter(|v| v.kind == VolumeKind::Os)
        .all(|v| matches!(v.verdict, Verdict::Compliant | Verdict::NotEnforced));
    let mut remembered = Vec::<Detected>::new();
    for volume in volumes {
        let before = situation.detected.iter().find(|d| d.device == volume.device);
        // While a drive is locked nobody can tell; its clock goes on.
        let counts =
            volume.verdict == Verdict::NonCompliant || (volume.verdict == Verdict::Unknown && before.is_some());
        if !counts || remembered.iter().any(|d| d.device == volume.device) {
            continue;
        }
        // A date that lies ahead was noted by a wrong clock.
        let now = situation.now;
        let since = before.map_or(now, |d| d.since.min(now));
        let begins = match volume.kind {
            VolumeKind::Os => Some(since),
            VolumeKind::Fixed | VolumeKind::Removable => os_settled.then_some(situation.now.max(since)),
        };
        let grace_since = before
            .and_then(|d| d.grace_since.map(|since| since.min(now)))
            .or(begins);
        let days = policy.grace_days(volume.kind);
        volume.detected_at = Some(since);
        volume.enforce_from = days.and_then(|days| exemption::latest_start(policy, grace_since, Some(days)));
        remembered.push(Detected {
            device: volume.device.clone(),
            since,
            grace_since,
        });
    }
    remembered
}

/// Until when the encryption of a volume can be put off, enforced or not; none: there is no end yet.
pub(super) fn latest_start(policy: &Policy, detected: &[Detected], volume: &VolumeCompliance) -> Option<Timestamp> {
    let grace_since = detected.iter().find(|d| d.device == volume.device)?.grace_since;
    exemption::latest_start(policy, grace_since, policy.grace_days(volume.kind))
}
