//! Reading with several threads: the same bytes as with one, and an end when asked for.

#![expect(clippy::unwrap_used, reason = "a test whose ground is missing fails")]

use std::collections::BTreeMap;
use std::io;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};

use fve::io::{MemoryDevice, ReadAt, WriteAt};
use fve::pipeline::{CopyError, Parallel, copy, data_runs, read_in_order, write_sparse};
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha20Rng;

const SIZE: u64 = (17 << 20) + 1536;

/// Bytes that tell any displaced piece.
fn noise() -> Vec<u8> {
    static NOISE: OnceLock<Vec<u8>> = OnceLock::new();
    let noise = NOISE.get_or_init(|| {
        let mut bytes = vec![0; SIZE as usize];
        ChaCha20Rng::seed_from_u64(1).fill_bytes(&mut bytes);
        bytes
    });
    noise.clone()
}

fn threads(number: usize) -> Parallel {
    Parallel {
        threads: NonZeroUsize::new(number).unwrap(),
    }
}

/// Fails from some byte on, and counts what is read.
struct Failing {
    inner: MemoryDevice,
    from: u64,
    read: AtomicU64,
}

impl ReadAt for Failing {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        if offset + buf.len() as u64 > self.from {
            return Err(io::Error::other("unreadable"));
        }
        self.read.fetch_add(buf.len() as u64, Ordering::Relaxed);
        self.inner.read_at(offset, buf)
    }

    fn size(&self) -> u64 {
        self.inner.size()
    }
}

/// A disk of a pebibyte, full of zeros.
struct Endless;

impl ReadAt for Endless {
    fn read_at(&self, _offset: u64, buf: &mut [u8]) -> io::Result<()> {
        buf.fill(0);
        Ok(())
    }

    fn size(&self) -> u64 {
        1 << 50
    }
}

fn failing(from: u64) -> Failing {
    Failing {
        inner: MemoryDevice::new(noise()),
        from,
        read: AtomicU64::new(0),
    }
}

#[test]
fn any_number_of_threads_and_any_range_give_the_same_bytes() {
    let bytes = noise();
    let source = MemoryDevice::new(bytes.clone());
    for (number, range) in [
        (1, 0..SIZE),
        (2, 0..SIZE),
        (7, 0..SIZE),
        (3, 4097..SIZE - 513),
        (2, 5..5),
    ] {
        let expected = &bytes[range.start as usize..range.end as usize];
        let mut last = 0;
        let mut rising = |done: u64| {
            assert!(done > last);
            last = done;
            ControlFlow::Continue(())
        };
        let target = MemoryDevice::new(vec![0; expected.len()]);
        let write = |offset: u64, data: &[u8]| target.write_at(offset - range.start, data);
        copy(&source, range.clone(), &threads(number), &write, &mut rising).unwrap();
        assert_eq!(last, expected.len() as u64);
        assert!(target.to_vec() == expected, "{number} threads, {range:?}");

        let (mut received, mut last) = (Vec::new(), 0);
        let mut take = |offset: u64, data: &[u8]| {
            assert_eq!(offset, range.start + received.len() as u64);
            received.extend_from_slice(data);
            Ok(())
        };
        let mut note = |done| {
            last = done;
            ControlFlow::Continue(())
        };
        read_in_order(&source, range.clone(), &threads(number), &mut take, &mut note).unwrap();
        assert_eq!(last, expected.len() as u64);
        assert!(received == expected, "{number} threads, {range:?}");
    }
}

#[test]
fn stopping_ends_soon_and_names_a_byte_before_which_everything_was_handed_over() {
    let bytes = noise();
    for number in [1, 4] {
        let written = Mutex::new(BTreeMap::new());
        let write = |offset, data: &[u8]| {
            written.lock().unwrap().insert(offset, data.len() as u64);
            Ok(())
        };
        // So large that it does not end by itself.
        let stopped = copy(&Endless, 0..Endless.size(), &threads(number), &write, &mut |_| {
            ControlFlow::Break(())
        });
        let Err(CopyError::Stopped { offset }) = stopped else {
            panic!("{stopped:?}");
        };
        let mut reached = 0;
        while let Some(len) = written.lock().unwrap().get(&reached) {
            reached += len;
        }
        assert!(offset > 0 && offset <= reached, "{offset} of {reached}");

        let mut received = Vec::new();
        let mut take = |_, data: &[u8]| {
            received.extend_from_slice(data);
            Ok(())
        };
        let stop = &mut |done| {
            if done > 3 << 20 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        let stopped = read_in_order(&failing(SIZE), 0..SIZE, &threads(number), &mut take, stop);
        assert!(
            matches!(stopped, Err(CopyError::Stopped { offset }) if offset == 4 << 20),
            "{stopped:?}"
        );
        assert!(received == bytes[..4 << 20]);
    }
}

#[test]
fn the_first_of_many_failures_of_the_source_is_told_and_the_rest_is_not_tried() {
    let from = (9 << 20) + 300_000;
    for number in [1, 2, 5] {
        let source = failing(from);
        let target = MemoryDevice::new(vec![0; SIZE as usize]);
        let write = |offset: u64, data: &[u8]| target.write_at(offset, data);
        let failed = copy(&source, 0..SIZE, &threads(number), &write, &mut |_| {
            ControlFlow::Continue(())
        });
        assert!(
            matches!(failed, Err(CopyError::Read { offset, .. }) if offset == (9 << 20) + (256 << 10)),
            "{failed:?}"
        );

        let mut received = 0;
        let mut take = |_, data: &[u8]| {
            received += data.len();
            Ok(())
        };
        let failed = read_in_order(&source, 0..SIZE, &threads(number), &mut take, &mut |_| {
            ControlFlow::Continue(())
        });
        assert!(
            matches!(failed, Err(CopyError::Read { offset, .. }) if offset == (9 << 20) + (256 << 10)),
            "{failed:?}"
        );
        assert_eq!(received, 9 << 20);
    }
}

#[test]
fn a_failing_target_ends_the_copy_with_its_own_error() {
    let source = failing(SIZE);
    let write = |offset: u64, _: &[u8]| {
        if offset > 5 << 20 {
            Err(io::Error::other("full"))
        } else {
            Ok(())
        }
    };
    let failed = copy(
        &source,
        0..SIZE,
        &threads(2),
        &write,
        &mut |_| ControlFlow::Continue(()),
    );
    assert!(
        matches!(&failed, Err(CopyError::Write(error)) if error.to_string() == "full"),
        "{failed:?}"
    );
    let failed = read_in_order(
        &source,
        0..SIZE,
        &threads(2),
        &mut |_, _| Err(io::Error::other("full")),
        &mut |_| ControlFlow::Continue(()),
    );
    assert!(matches!(failed, Err(CopyError::Write(_))), "{failed:?}");
    // The buffers are few: nobody read far ahead of a target that takes nothing.
    assert!(source.read.load(Ordering::Relaxed) < 15 << 20);
}

#[test]
fn zeros_stay_holes_and_everything_else_is_written() {
    let mut data = vec![0; 1 << 20];
    assert_eq!(data_runs(&data), []);
    for at in [70_000, 131_071, 131_072, 400_000, (1 << 20) - 1] {
        data[at] = 1;
    }
    assert_eq!(data_runs(&data), [65536..196_608, 393_216..458_752, 983_040..1_048_576]);
    let file = tempfile::tempfile().unwrap();
    file.set_len(3 << 20).unwrap();
    write_sparse(&file, 1 << 20, &data).unwrap();
    let mut read = vec![1; 1 << 20];
    file.read_exact_at(&mut read, 1 << 20).unwrap();
    assert!(read == data);
    assert!(file.metadata().unwrap().blocks() * 512 < 600_000);
}
