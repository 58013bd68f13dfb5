//! The pages: everything that renders HTML. They work without a script and under a policy that allows none.

pub mod assets;
pub mod icons;
pub mod view;
