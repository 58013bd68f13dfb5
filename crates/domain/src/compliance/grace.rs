//! First-detected dates, and from when policy is enforced.

use super::{Verdict, VolumeCompliance};
use crate::exemption;
use crate::plan::{Detected, Situation};
use crate::policy::{Policy, TriState};
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
        let since = before.map_or(situation.now, |d| d.since);
        let begins = match volume.kind {
            VolumeKind::Os => Some(since),
            VolumeKind::Fixed | VolumeKind::Removable => os_settled.then_some(situation.now.max(since)),
        };
        let grace_since = before.and_then(|d| d.grace_since).or(begins);
        let days = match volume.kind {
            VolumeKind::Os => (policy.os.enforcement == TriState::Enabled).then_some(policy.os.grace_days),
            VolumeKind::Fixed => (policy.fixed.enforcement == TriState::Enabled).then_some(policy.fixed.grace_days),
            VolumeKind::Removable => None,
        };
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
