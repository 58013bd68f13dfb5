//! Volume providers: what the trait in [`crate::provider`] is carried out with.

#[cfg(target_os = "linux")]
pub mod linux;
