//! What makes a conversion wait although everything is ready for it. Keys never wait.

use super::decide::{Decision, Steps};
use super::{Maintenance, Power};
use crate::exemption;
use crate::inventory::{SystemPartition, VolumeReport};
use crate::time::Timestamp;
use crate::volume::VolumeKind;

impl Decision<'_> {
    /// Why no conversion of whatever kind may start or go on now.
    fn machine_waits(&self) -> Option<String> {
        let situation = self.situation;
        let least = self.policy.client.min_battery_percent;
        if situation.restart_pending {
            return Some("A restart is pending; conversions wait until it is done.".to_owned());
        }
        if let Power::Battery { percent } = situation.power
            && percent < least
        {
            return Some(format!(
                "The battery has {percent} %; conversions wait for {least} % or the mains."
            ));
        }
        match situation.maintenance {
            Maintenance::Open => None,
            Maintenance::Closed { opens: None } => {
                Some("It is outside the maintenance windows, and none is to come.".to_owned())
            }
            Maintenance::Closed { opens: Some(_) } => {
                Some("It is outside the maintenance windows; work begins when the next one opens.".to_owned())
            }
        }
    }

    /// Whether a conversion that the machine can bear may start or go on; notes why not.
    pub(super) fn may_convert(&self, steps: &mut Steps<'_>) -> bool {
        match self.machine_waits() {
            Some(reason) => {
                steps.blocked(reason);
                steps.waits = true;
                false
            }
            None => true,
        }
    }

    /// Whether a drive in plain text may begin to be encrypted; notes why not.
    pub(super) fn may_begin(&self, steps: &mut Steps<'_>) -> bool {
        let volume = steps.volume;
        if let Some(until) = self.put_off(volume.device.as_str(), volume.kind) {
            steps.blocked(format!("The user put encryption off until {}.", until.date()));
            steps.waits = true;
            return false;
        }
        self.may_convert(steps)
    }

    /// What nobody but an administrator can change, and keeps a drive in plain text from being encrypted: such a drive gets
    /// no protectors either.
    pub(super) fn can_never_begin(&self, volume: &VolumeReport) -> Option<String> {
        if volume.is_encrypted_at_all() {
            return None;
        }
        if let Some(product) = &volume.other_encryption {
            return Some(format!("{product} encrypts it already; it is left alone."));
        }
        let method = self.policy.rule(volume.kind).method;
        if !method.can_be_written() {
            return Some(format!("Drives cannot be encrypted with {}.", method.name()));
        }
        match self.inventory.system_partition {
            _ if volume.kind != VolumeKind::Os => None,
            SystemPartition::Missing => Some(
                "There is no system partition to start from: the operating system drive cannot be encrypted."
                    .to_owned(),
            ),
            SystemPartition::TooSmall => {
                Some("The system partition is too small: the operating system drive cannot be encrypted.".to_owned())
            }
            SystemPartition::Unknown | SystemPartition::Present => None,
        }
    }

    /// Until when a user's postponement still holds.
    fn put_off(&self, device: &str, kind: VolumeKind) -> Option<Timestamp> {
        let wish = self.situation.postponed?.until;
        let until = match self.latest_start(device, kind) {
            Some(latest) => wish.min(latest),
            None => wish,
        };
        (self.situation.now < until).then_some(until)
    }

    /// Until when encryption of a volume may be put off; none: there is no end yet. Removable drives are not put off.
    pub(super) fn latest_start(&self, device: &str, kind: VolumeKind) -> Option<Timestamp> {
        if kind == VolumeKind::Removable {
            return Some(Timestamp(i64::MIN));
        }
        let detected = self.situation.detected.iter().find(|d| d.device == device);
        // Found for the first time right now; a fixed drive's grace has not begun.
        let grace_since = match (detected, kind) {
            // A date that lies ahead was noted by a wrong clock.
            (Some(detected), _) => detected.grace_since.map(|since| since.min(self.situation.now)),
            (None, VolumeKind::Os) => Some(self.situation.now),
            (None, _) => None,
        };
        exemption::latest_start(self.policy, grace_since, self.policy.grace_days(kind))
    }
}
