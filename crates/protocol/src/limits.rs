//! How large things may be. Both sides check; the server answers 413 or 422 with the limit in words.

/// Version of the protocol that this code speaks; it is part of each path (`/agent/v1/…`).
pub const VERSION: u32 = 1;
/// Longest request body in bytes. An escrow carries 64 KiB of metadata in base64.
pub const MAX_BODY: usize = 512 * 1024;
/// Size of a volume's metadata copy in bytes.
pub const METADATA_LEN: usize = 65536;
/// Longest text field (host name, label, model), in bytes.
pub const MAX_TEXT: usize = 260;
/// Most volumes a device may report.
pub const MAX_VOLUMES: usize = 128;
/// Most protectors a volume may report.
pub const MAX_PROTECTORS: usize = 128;
/// Most local users a device may report.
pub const MAX_USERS: usize = 256;
/// Longest time a held request may be held, in seconds.
pub const MAX_WAIT_SECONDS: u32 = 300;
/// Longest free text (a reason, a failure in words), in bytes.
pub const MAX_WORDS: usize = 4096;
/// Most things that a device may report as not possible.
pub const MAX_BLOCKED: usize = 256;
/// Most requests that a device may report as done at once.
pub const MAX_DONE: usize = 256;
/// Most exemptions that may be asked for at once.
pub const MAX_WISHES: usize = 16;
/// Longest certificate request (PEM), in bytes.
pub const MAX_CERTIFICATE_REQUEST: usize = 16 * 1024;
/// Longest sealed secret, in bytes before hexadecimal.
pub const MAX_SEALED: usize = 256;
/// Most restarts that a suspension may last.
pub const MAX_SUSPEND_COUNT: u8 = 15;
/// Highest number of a check-in: SQL integers are signed.
pub const MAX_SEQUENCE: u64 = i64::MAX as u64;
/// Groups that a machine is in.
pub const MAX_GROUPS: usize = 1024;
/// How far a device's clock may be ahead of or behind UTC, in minutes.
pub const MAX_UTC_OFFSET: u16 = 18 * 60;
/// Policy values in a machine's registry.
pub const MAX_REGISTRY_VALUES: usize = 512;
/// Hardware ids of one drive.
pub const MAX_HARDWARE_IDS: usize = 32;
