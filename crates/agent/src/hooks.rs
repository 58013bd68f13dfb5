//! What a caller may watch or disturb.

use domain::volume::ConversionStatus;
use zeroize::Zeroizing;

/// Called right before and right after every action on a volume and every exchange with the server, outside all locks.
/// Tests end the process here; shipped programs use [`NoBoundary`].
///
/// Names are `before:` or `after:` and one of `observe`, `enrol`, `store_identity`, `renew`, `check_in`, `escrow`,
/// `wait`, `convert`, `status`, or the name of an action as the plan spells it (`add_recovery_password`, `encrypt`, …).
pub trait Boundary: Send {
    /// One boundary is reached.
    fn boundary(&mut self, name: &str);
}

/// Does nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoBoundary;

impl Boundary for NoBoundary {
    fn boundary(&mut self, _name: &str) {}
}

/// How far the conversion of a volume is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConversionProgress {
    /// The provider's name of the volume.
    pub device: String,
    /// Drive letter or mount point.
    pub letter: Option<String>,
    /// Direction and state.
    pub status: ConversionStatus,
    /// Encrypted share in hundredths of a percent.
    pub encrypted_basis_points: u16,
}

/// Told what happens, for people: the command line draws bars from it. Never told a secret.
pub trait Progress: Send {
    /// A volume's conversion went on.
    fn conversion(&mut self, progress: &ConversionProgress);
    /// Something worth a line happened: an action done, a failure, the server away or back.
    fn message(&mut self, text: &str);
}

/// Shows nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn conversion(&mut self, _progress: &ConversionProgress) {}
    fn message(&mut self, _text: &str) {}
}

/// Where a PIN for a TPM+PIN protector, or a password for a drive, comes from. It is asked at the moment of use; plans never
/// carry a secret.
pub trait PinSource: Send {
    /// Whether a PIN is at hand now.
    fn available(&self) -> bool;
    /// The PIN; none when it is gone since.
    fn pin(&mut self) -> Option<Zeroizing<String>>;

    /// Whether a password is at hand now.
    fn password_available(&self) -> bool {
        false
    }

    /// The password; none when it is gone since.
    fn password(&mut self) -> Option<Zeroizing<String>> {
        None
    }
}

/// Secrets that whoever starts the agent gives it along: an imaging station, say.
#[derive(Clone, Default)]
pub struct Given {
    /// The PIN.
    pub pin: Option<Zeroizing<String>>,
    /// The password, for every drive that needs one.
    pub password: Option<Zeroizing<String>>,
}

impl std::fmt::Debug for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Given([redacted])")
    }
}

impl PinSource for Given {
    fn available(&self) -> bool {
        self.pin.is_some()
    }

    fn pin(&mut self) -> Option<Zeroizing<String>> {
        self.pin.clone()
    }

    fn password_available(&self) -> bool {
        self.password.is_some()
    }

    fn password(&mut self) -> Option<Zeroizing<String>> {
        self.password.clone()
    }
}

/// There is never a PIN.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoPin;

impl PinSource for NoPin {
    fn available(&self) -> bool {
        false
    }

    fn pin(&mut self) -> Option<Zeroizing<String>> {
        None
    }
}

/// All hooks of a run.
pub struct Hooks {
    /// Fault injection.
    pub boundary: Box<dyn Boundary>,
    /// Progress for people.
    pub progress: Box<dyn Progress>,
}

impl Default for Hooks {
    fn default() -> Self {
        Self {
            boundary: Box::new(NoBoundary),
            progress: Box::new(NoProgress),
        }
    }
}

impl Hooks {
    pub(crate) fn before(&mut self, name: &str) {
        self.boundary.boundary(&format!("before:{name}"));
    }

    pub(crate) fn after(&mut self, name: &str) {
        self.boundary.boundary(&format!("after:{name}"));
    }
}
