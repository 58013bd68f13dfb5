//! The volume provider for Linux: BitLocker volumes in files and block devices, and a TPM 2.0.

pub mod tpm;
