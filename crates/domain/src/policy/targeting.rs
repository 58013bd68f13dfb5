//! Which policies reach which devices: collections, deployments, maintenance windows.
//!
//! A [`Collection`] says who belongs to it, a [`Deployment`] brings a policy to a collection, and
//! [`Targeting`](super::resolve::Targeting) works out what that means for one device, setting by setting.

pub use collection::{Collection, CollectionId};
pub use collections::{CollectionError, Collections, Membership, Why};
pub use deployment::{Deployment, DeploymentId, PolicyId, Profile};
pub use device::{DeviceFacts, TpmState};
pub use names::NameError;
pub use rule::{Chassis, Rule, VersionRange};
pub use text::{DistinguishedName, OsVersion};
pub use window::{Date, TimeOfDay, UtcOffset, Weekday, Window, WindowClock, WindowDays, is_open, next_opening};

mod collection;
mod collections;
mod deployment;
mod device;
mod names;
mod rule;
mod text;
mod window;
