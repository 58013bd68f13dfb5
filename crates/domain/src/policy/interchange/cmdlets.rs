//! The cmdlets of Configuration Manager that make BitLocker policies: `New-CMBMSOSDEncryptionPolicy -PolicyState Enabled …`.
//!
//! Read are calls with literal values, in scripts of any layout; nothing is run. A switch that a call leaves out is off, as it
//! is there.

use thiserror::Error;

use super::MAX_LEN;
use crate::policy::{CmdletValue, Setting, reference};

pub use read::import;
pub use write::export;

mod calls;
mod read;
mod write;

/// Why a text is no script.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// A quotation mark, a comment or a bracket is not closed.
    #[error("line {line}: {what} is not closed")]
    Open {
        /// Where it begins, from 1.
        line: usize,
        /// What.
        what: &'static str,
    },
    /// Brackets within brackets.
    #[error("line {0}: brackets are nested too deeply")]
    Deep(usize),
    /// Too large.
    #[error("{0} bytes; at most {MAX_LEN} are read")]
    TooLarge(usize),
    /// None of the cmdlets is called.
    #[error("no cmdlet that makes a BitLocker policy is called")]
    Nothing,
}

/// Its two switches say together which text is shown; both: that of Windows.
const RECOVERY_SCREEN: &str = "New-CMPrebootRecoveryInfo";
const SCREEN_MODE: &str = "os.preboot_message_mode";
const USE_MESSAGE: &str = "UseRecoveryMessage";
const USE_URL: &str = "UseRecoveryUrl";

/// Makes the settings object that the policies belong to.
const SETTING_OBJECT: &str = "New-CMBlmSetting";

/// Takes no parameters.
const PLAINTEXT: &str = "Set-CMBlmPlaintextStorage";
const PLAINTEXT_SETTING: &str = "client.allow_plaintext_storage";

const STATE: &str = "PolicyState";

/// The settings that a cmdlet carries; the one that its `-PolicyState` is comes apart.
struct Carried {
    state: Option<&'static Setting>,
    others: Vec<&'static Setting>,
}

impl Carried {
    fn by(cmdlet: &str) -> Self {
        let of = |s: &&Setting| s.cmdlet.is_some_and(|c| c.name.eq_ignore_ascii_case(cmdlet));
        let (state, others): (Vec<_>, Vec<_>) = reference().iter().filter(of).partition(|s| parameter(s) == STATE);
        Self {
            state: state.into_iter().next(),
            others,
        }
    }

    fn is_empty(&self) -> bool {
        self.state.is_none() && self.others.is_empty()
    }
}

fn parameter(setting: &Setting) -> &'static str {
    setting.cmdlet.map_or("", |cmdlet| cmdlet.parameter)
}

/// What it means when the setting's switch is left out; none: it is no switch.
fn when_left_out(setting: &Setting) -> Option<&'static str> {
    match setting.cmdlet?.value {
        CmdletValue::Switch => Some("false"),
        CmdletValue::InvertedSwitch => Some("true"),
        _ => None,
    }
}
