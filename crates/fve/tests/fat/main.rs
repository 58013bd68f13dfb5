//! Regions in FAT16, FAT32 and exFAT, judged by the programs that make, mount and check them.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod crash;
mod hostile;
mod reserve;
mod support;
