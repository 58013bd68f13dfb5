//! Update sequences: each 512-byte stride of a record ends with a number that
//! shows a torn write; the bytes it replaced are kept in the record's array.

use super::NtfsError;
use super::bytes::{put, slice, u16_at};

const STRIDE: usize = 512;

/// Checks the magic and the update sequence of `record` and restores the bytes.
pub(super) fn open(record: &mut [u8], magic: &[u8; 4]) -> Result<(), NtfsError> {
    if slice(record, 0, 4)? != magic {
        return Err(NtfsError::Damaged(format!(
            "expected a {} record",
            String::from_utf8_lossy(magic)
        )));
    }
    let array = usize::from(u16_at(record, 4)?);
    let count = usize::from(u16_at(record, 6)?);
    let strides = record.len() / STRIDE;
    if count != strides + 1 || array % 2 != 0 || array + 2 * count > STRIDE - 2 {
        return Err(NtfsError::Damaged("an update sequence of impossible size".to_owned()));
    }
    let number = [record[array], record[array + 1]];
    for stride in 0..strides {
        let tail = (stride + 1) * STRIDE - 2;
        if record[tail..tail + 2] != number {
            return Err(NtfsError::Damaged("a record was only half written".to_owned()));
        }
        let saved = array + 2 + 2 * stride;
        record[tail] = record[saved];
        record[tail + 1] = record[saved + 1];
    }
    Ok(())
}

/// Puts sequence number `number` into `record`, whose header at 4 names the array.
pub(super) fn close(record: &mut [u8], number: u16) -> Result<(), NtfsError> {
    let array = usize::from(u16_at(record, 4)?);
    put(record, array, &number.to_le_bytes());
    for stride in 0..record.len() / STRIDE {
        let tail = (stride + 1) * STRIDE - 2;
        let saved = [record[tail], record[tail + 1]];
        put(record, array + 2 + 2 * stride, &saved);
        put(record, tail, &number.to_le_bytes());
    }
    Ok(())
}

/// The number after `number`; 0 and 0xFFFF are not used.
pub(super) fn next(number: u16) -> u16 {
    match number {
        0xFFFE.. => 1,
        _ => number + 1,
    }
}
