//! What the provider's tests share.

pub(crate) mod swtpm;
