//! A volume that will not open any more: looking for what is left of it, opening that in memory,
//! proving it by decryption, and only then mending it in place.
//!
//! [`examine`] looks at a device and at metadata backups, [`rescue`] opens what was found without writing,
//! [`Rescue::unlock`] proves it, [`Rescued::plan`] names every byte that mending would change, and
//! [`Rescued::apply`] changes them. [`salvage`] copies what can be read past what cannot.

mod area;
mod examine;
mod files;
mod map;
mod plan;
mod proof;
mod rescue;
mod salvage;
mod scan;
mod undo;
mod window;

pub use examine::{
    AreaInfo, AreaSource, BootCondition, BootFinding, ExamineOptions, Findings, FoundVolume, ScanMode, examine,
};
pub use files::{AffectedFile, affected_files};
pub use map::{BlockStatus, Map, MapError};
pub use plan::{Plan, Step};
pub use proof::Proof;
pub use rescue::{Extent, Rescue, RescueOptions, Rescued, rescue};
pub use salvage::{SalvageEvent, SalvageOptions, SalvagePhase, SalvageProgress, salvage};
pub use scan::{ScanState, scan};
pub use undo::Undo;
pub use window::Window;
