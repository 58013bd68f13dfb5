//! `claviger volume export`, interrupted: what stays, and that the same command goes on from it.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use fve::io::FileDevice;
use fve::ntfs::Regions;
use fve::{Context, CreateOptions, FileTime, NewProtector, Placement, create};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use rustix::process::{Pid, Signal, kill_process};

use crate::program::{Run, claviger, names, wait};
use crate::sample::Folder;

const MIB: u64 = 1 << 20;
const SIZE: u64 = 320 * MIB;
const METADATA: [u64; 3] = [70 * MIB, 80 * MIB, 300 * MIB];
const HEADER: u64 = 100 * MIB;

/// A volume that takes a moment, in a folder of its own.
fn large() -> &'static Path {
    static LARGE: OnceLock<(Folder, PathBuf)> = OnceLock::new();
    let make = || {
        let folder = Folder::new();
        let (image, inner) = (folder.join("volume.img"), folder.join("inner.img"));
        let device = |path: &Path| {
            let file = File::options()
                .read(true)
                .write(true)
                .create_new(true)
                .open(path)
                .unwrap();
            file.set_len(SIZE).unwrap();
            file
        };
        let plain = device(&inner);
        for mib in 0..SIZE / MIB {
            plain.write_all_at(&piece(mib), mib * MIB).unwrap();
        }
        let regions = Regions {
            metadata: METADATA,
            header: HEADER,
            ice: HEADER + 8192,
            log: 0,
        };
        let options = CreateOptions {
            protectors: &[NewProtector::ClearKey],
            placement: Placement::At {
                regions,
                sector_size: 512,
                log_len: 0,
            },
            ..CreateOptions::default()
        };
        let mut ctx = Context {
            now: FileTime(133_500_000_000_000_000),
            rng: &mut ChaCha20Rng::seed_from_u64(11),
        };
        let open = |file| FileDevice::from_file(file).unwrap();
        create(open(device(&image)), &open(plain), &options, &mut ctx).unwrap();
        fs::remove_file(inner).unwrap();
        (folder, image)
    };
    &LARGE.get_or_init(make).1
}

/// A piece of the plain text: noise, and different at each place.
fn piece(mib: u64) -> Vec<u8> {
    static NOISE: OnceLock<Vec<u8>> = OnceLock::new();
    let noise = NOISE.get_or_init(|| {
        let mut noise = vec![0; MIB as usize];
        ChaCha20Rng::seed_from_u64(12).fill_bytes(&mut noise);
        noise
    });
    let mut piece = noise.clone();
    for sector in piece.chunks_exact_mut(4096) {
        sector[..8].copy_from_slice(&mib.to_le_bytes());
    }
    piece
}

/// The output is the plain text, to the last byte.
fn is_whole(output: &Path) {
    let file = File::open(output).unwrap();
    assert_eq!(file.metadata().unwrap().len(), SIZE);
    let mut read = vec![0; MIB as usize];
    for mib in 0..SIZE / MIB {
        file.read_exact_at(&mut read, mib * MIB).unwrap();
        let mut wanted = piece(mib);
        if METADATA.contains(&(mib * MIB)) {
            wanted[..65536].fill(0);
        }
        if HEADER == mib * MIB {
            wanted[..8192].fill(0);
        }
        assert!(read == wanted, "the MiB at {mib}");
    }
}

fn export(output: &Path) -> Run {
    claviger([
        "volume",
        "export",
        "--clear-key",
        "--progress",
        "--threads",
        "1",
        "--output",
    ])
    .arg(output)
    .arg(large())
}

/// Starts an export and sends it a signal half-way. Should it be quicker than the signal, it is tried again.
fn interrupted(output: &Path, signal: Signal) -> (Option<i32>, String) {
    for _ in 0..50 {
        let mut child = export(output).start();
        let pid = Pid::from_child(&child);
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let half = lines
            .by_ref()
            .map(Result::unwrap)
            .find(|line| line.starts_with("exporting: 4"));
        assert!(half.is_some());
        kill_process(pid, signal).unwrap();
        let rest: Vec<_> = lines.map(Result::unwrap).collect();
        let status = wait(child).status;
        if !status.success() {
            assert!(status.code().is_some() || status.signal() == Some(signal.as_raw()));
            return (status.code(), rest.last().cloned().unwrap_or_default());
        }
        fs::remove_file(output).unwrap();
    }
    panic!("the export is always quicker");
}

/// Exports to the end and says at how many per cent that began.
fn goes_on(output: &Path) -> u32 {
    let ended = export(output).end();
    ended.done();
    is_whole(output);
    let first = ended
        .stderr
        .lines()
        .next()
        .unwrap()
        .strip_prefix("exporting: ")
        .unwrap();
    first.split_once(' ').unwrap().0.parse().unwrap()
}

#[test]
fn a_killed_export_goes_on_where_it_was() {
    let folder = Folder::new();
    let output = folder.join("plain");
    let (code, _) = interrupted(&output, Signal::KILL);
    assert_eq!(code, None);
    assert_eq!(names(folder.path()), ["plain.part", "plain.part.note"]);
    // What lies behind the noted place is not believed, nor left where a hole belongs.
    let part = File::options().write(true).open(folder.join("plain.part")).unwrap();
    part.write_all_at(&[7; 4096], METADATA[2]).unwrap();
    drop(part);
    assert!(goes_on(&output) > 15);
    assert_eq!(names(folder.path()), ["plain"]);
}

#[test]
fn an_export_asked_to_end_says_how_it_goes_on() {
    let folder = Folder::new();
    let output = folder.join("plain");
    for signal in [Signal::INT, Signal::TERM] {
        let (code, said) = interrupted(&output, signal);
        assert_eq!(code, Some(3), "{said}");
        assert!(
            said.contains("plain.part: the same command goes on from there"),
            "{said}"
        );
        assert_eq!(names(folder.path()), ["plain.part", "plain.part.note"]);
        assert!(goes_on(&output) >= 40);
        fs::remove_file(&output).unwrap();
    }
}

#[test]
fn after_a_restart_of_the_system_what_was_not_on_the_disk_is_compared() {
    let folder = Folder::new();
    let output = folder.join("plain");
    interrupted(&output, Signal::INT);
    let note = folder.join("plain.part.note");
    let mut text: serde_json::Value = serde_json::from_slice(&fs::read(&note).unwrap()).unwrap();
    text["boot"] = "another".into();
    fs::write(&note, text.to_string()).unwrap();
    let part = File::options().write(true).open(folder.join("plain.part")).unwrap();
    part.write_all_at(&[0; 300_000], 20 * MIB + 5).unwrap();
    drop(part);
    goes_on(&output);
}

#[test]
fn a_beginning_that_is_not_this_exports_is_left_as_it_is() {
    let folder = Folder::new();
    let output = folder.join("plain");
    let part = folder.put("plain.part", "precious");
    let foreign = ["plain.part", "is not the beginning of this export", "remove it"];
    export(&output).end().refused_with(&foreign);
    assert_eq!(fs::read(&part).unwrap(), b"precious");
    fs::remove_file(&part).unwrap();

    interrupted(&output, Signal::INT);
    let note = folder.join("plain.part.note");
    let kept = fs::read_to_string(&note).unwrap();
    for (from, to) in [
        ("\"volume\":\"{", "\"volume\":\"{F"),
        ("\"changes\":", "\"changes\":9"),
        ("{", "["),
    ] {
        fs::write(&note, kept.replacen(from, to, 1)).unwrap();
        export(&output).end().refused_with(&foreign);
    }
    fs::write(&note, &kept).unwrap();
    let file = File::options().read(true).write(true).open(&part).unwrap();
    let mut first = [0; 4096];
    file.read_exact_at(&mut first, 0).unwrap();
    file.write_all_at(&[1; 4096], 0).unwrap();
    export(&output)
        .end()
        .refused_with(&["plain.part does not hold at byte 0 what the volume holds"]);
    file.lock().unwrap();
    export(&output)
        .end()
        .refused_with(&["plain.part is being written by another program"]);
    file.unlock().unwrap();
    file.write_all_at(&first, 0).unwrap();
    assert!(goes_on(&output) >= 40);
}
