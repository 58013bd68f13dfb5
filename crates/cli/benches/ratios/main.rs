//! The speed of `fve` and `claviger volume` as ratios to programs that people know, measured in one run on the same files.
//!
//! `cargo bench -p cli --bench ratios` prints the table. What it takes from the environment:
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `CLAVIGER_BENCH_MIB` | size of the volume that is exported and mounted | 4096 |
//! | `CLAVIGER_BENCH_CONVERT_MIB` | size of the volume that is encrypted in place | the same, at most 1024 |
//! | `CLAVIGER_BENCH_RUNS` | runs of each program, in turns; the median counts | 3 |
//!
//! Needs mkntfs, ntfs-3g, dislocker and a system with FUSE. The volume that is exported and mounted lies in memory
//! (`/dev/shm`) when three of its size are free, else under `target/tmp`, as does the volume that is encrypted in place: its
//! syncs have to mean something. Nothing is waited for that the peer does not wait for: page caches are warm, dirty pages are
//! written out between runs, and memory for the output is ready.

#![expect(clippy::unwrap_used, reason = "a measurement whose ground is missing ends")]
#![expect(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    reason = "a benchmark measures time and prints a table"
)]

mod clock;
mod convert;
mod export;
mod ground;
mod kernels;
mod mount;
mod proofs;
mod table;

use table::Row;

fn main() {
    // `cargo test --benches` and `--list` only want to know that it is there.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let mib = setting("CLAVIGER_BENCH_MIB", 4096);
    let convert_mib = setting("CLAVIGER_BENCH_CONVERT_MIB", mib.min(1024));
    let runs = usize::try_from(setting("CLAVIGER_BENCH_RUNS", 3)).unwrap();
    let mut rows = Vec::<Row>::new();
    rows.extend(kernels::rows());
    rows.extend(proofs::rows(runs));
    rows.extend(convert::rows(convert_mib, runs));
    let ground = ground::Ground::new(mib);
    rows.extend(export::rows(&ground, runs));
    rows.extend(mount::rows(&ground, runs));
    drop(ground);
    println!("\nVolume of {mib} MiB, AES-XTS-128, 512-byte sectors; converted: {convert_mib} MiB; median of {runs}.");
    table::print(&rows);
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}
