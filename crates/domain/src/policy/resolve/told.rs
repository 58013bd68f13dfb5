//! What holds for a device and why, as an administrator reads it.

use super::{Explained, Maintenance, Origin, Resolved};
use crate::policy::setting;

impl Resolved {
    /// The whole answer in lines: policies that reach the device, windows, every setting that somebody configured with who
    /// says so and what that beat, and what contradicts. `defaults`: those that nobody configured as well.
    #[must_use]
    pub fn told(&self, defaults: bool) -> Vec<String> {
        let mut lines = self.reached();
        lines.push(self.maintenance.sentence());
        let (said, left): (Vec<&Explained>, Vec<&Explained>) =
            self.settings.iter().partition(|s| s.origin != Origin::Default);
        for explained in &said {
            lines.push(format!("{} = {}", explained.setting, explained.label()));
            lines.push(format!("  by {}", explained.origin));
            lines.extend(
                explained
                    .overruled()
                    .into_iter()
                    .map(|beaten| format!("  beat {beaten}")),
            );
        }
        if defaults {
            let line = |s: &&Explained| format!("{} = {} (default)", s.setting, s.label());
            lines.extend(left.iter().map(line));
        } else {
            lines.push(format!(
                "Nobody configures the other {} settings: they have their defaults.",
                left.len()
            ));
        }
        for fault in &self.faults {
            lines.push(format!("CONTRADICTION: {}: {}", fault.setting, fault.message));
        }
        for conflict in &self.conflicts {
            lines.push(format!("CONFLICT (code 11): {}", conflict.sentence));
        }
        lines
    }

    fn reached(&self) -> Vec<String> {
        if self.deployments.is_empty() {
            return vec!["No policy reaches the device: nothing is enforced.".to_owned()];
        }
        let mut lines = vec!["Policies that reach it; the first one wins, setting by setting:".to_owned()];
        for (number, applied) in (1..).zip(&self.deployments) {
            lines.push(format!("  {number}. {applied}"));
        }
        lines
    }
}

impl Explained {
    /// Its title for people; the id of a setting that the reference does not know.
    #[must_use]
    pub fn title(&self) -> &'static str {
        setting(self.setting).map_or(self.setting, |known| known.title)
    }

    /// Its value as people read it.
    #[must_use]
    pub fn label(&self) -> String {
        self.shown(&self.value)
    }

    /// What was overruled, the strongest first: each a value, who said so, and why it did not win.
    #[must_use]
    pub fn overruled(&self) -> Vec<String> {
        let told = self
            .beat
            .iter()
            .map(|beaten| format!("{} of {}: {}", self.shown(&beaten.value), beaten.origin, beaten.because));
        told.collect()
    }

    fn shown(&self, value: &str) -> String {
        setting(self.setting).map_or_else(|| value.to_owned(), |known| known.label(value))
    }
}

impl Maintenance {
    /// When encryption and decryption may begin.
    #[must_use]
    pub fn sentence(&self) -> String {
        let windows: Vec<String> = self.windows.iter().map(ToString::to_string).collect();
        match (windows.is_empty(), self.outside_allowed) {
            (true, _) => "Encryption and decryption may begin at any time.".to_owned(),
            (false, true) => format!(
                "Encryption and decryption may begin at any time: there are windows ({}), and work outside them is allowed.",
                windows.join("; ")
            ),
            (false, false) => format!("Encryption and decryption begin {}.", windows.join("; or ")),
        }
    }
}
