//! New volumes: made from a plain image, or put over an existing file system in place.

mod create;
mod initialise;
mod layout;
mod overlay;
mod parts;

pub use create::{CreateOptions, create};
pub use initialise::{InitOptions, initialise};
pub use layout::Placement;
pub use parts::NewProtector;
