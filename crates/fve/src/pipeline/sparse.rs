//! Leaving holes where there is nothing.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// What is looked at as one: smaller holes cost more writes than they save.
const BLOCK: usize = 64 << 10;

/// What is written at once. For more, the kernel looks for larger pieces of contiguous memory to cache it in, which takes
/// longer than the copying once memory is fragmented.
const WRITE: usize = 16 << 10;

/// Writes `data` into a file of final length in which this range is still a hole, and keeps holes where `data` is zeros.
///
/// # Errors
/// Those of the file.
pub fn write_sparse(file: &File, offset: u64, data: &[u8]) -> io::Result<()> {
    for run in data_runs(data) {
        for start in run.clone().step_by(WRITE) {
            let end = run.end.min(start + WRITE);
            file.write_all_at(&data[start..end], offset + start as u64)?;
        }
    }
    Ok(())
}

/// The ranges of `data` that hold something, in blocks of 64 KiB: blocks of zeros are left out.
pub fn data_runs(data: &[u8]) -> Vec<Range<usize>> {
    let mut runs = Vec::<Range<usize>>::new();
    for (index, block) in data.chunks(BLOCK).enumerate() {
        if is_zero(block) {
            continue;
        }
        let start = index * BLOCK;
        let end = start + block.len();
        match runs.last_mut() {
            Some(last) if last.end == start => last.end = end,
            _ => runs.push(start..end),
        }
    }
    runs
}

fn is_zero(block: &[u8]) -> bool {
    block
        .chunks(256)
        .all(|part| part.iter().fold(0, |or, byte| or | byte) == 0)
}
