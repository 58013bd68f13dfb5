//! Run lists: where the clusters of a non-resident attribute lie.

use super::NtfsError;
use super::bytes::slice;

/// `len` clusters from `lcn` on; `None` is a hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) lcn: Option<u64>,
    pub(super) len: u64,
}

/// Decodes a mapping-pairs array; every run must lie within `clusters`, and
/// together they may not hold more than the volume has.
pub(super) fn decode(pairs: &[u8], clusters: u64) -> Result<Vec<Run>, NtfsError> {
    let mut runs = Vec::new();
    let (mut at, mut lcn, mut mapped) = (0, 0_i64, 0_u64);
    loop {
        let head = *pairs.get(at).ok_or_else(|| bad("has no end"))?;
        if head == 0 {
            return Ok(runs);
        }
        let (len_size, lcn_size) = (usize::from(head & 15), usize::from(head >> 4));
        let len = signed(slice(pairs, at + 1, len_size)?)?;
        let delta = signed(slice(pairs, at + 1 + len_size, lcn_size)?)?;
        at += 1 + len_size + lcn_size;
        let len = u64::try_from(len)
            .ok()
            .filter(|&len| len > 0)
            .ok_or_else(|| bad("has an empty run"))?;
        if lcn_size == 0 {
            if len > 1 << 48 {
                return Err(bad("has an impossible hole"));
            }
            runs.push(Run { lcn: None, len });
            continue;
        }
        lcn = lcn.checked_add(delta).ok_or_else(|| bad("overflows"))?;
        let start = u64::try_from(lcn).map_err(|_| bad("points before the volume"))?;
        mapped = mapped.saturating_add(len);
        if mapped > clusters || start.checked_add(len).is_none_or(|end| end > clusters) {
            return Err(bad("points beyond the volume"));
        }
        runs.push(Run { lcn: Some(start), len });
    }
}

/// Encodes `runs` with its end mark.
pub(super) fn encode(runs: &[Run]) -> Vec<u8> {
    let mut pairs = Vec::new();
    let mut previous = 0;
    for run in runs {
        let len = minimal(run.len.cast_signed());
        let delta = run.lcn.map_or_else(Vec::new, |lcn| {
            let lcn = lcn.cast_signed();
            let delta = minimal(lcn - previous);
            previous = lcn;
            delta
        });
        // At most 8 each.
        pairs.push((delta.len() << 4 | len.len()) as u8);
        pairs.extend(len);
        pairs.extend(delta);
    }
    pairs.push(0);
    pairs
}

/// Appends a run, joining it to the last one when they touch.
pub(super) fn append(runs: &mut Vec<Run>, lcn: u64, len: u64) {
    match runs.last_mut() {
        Some(Run {
            lcn: Some(last),
            len: last_len,
        }) if *last + *last_len == lcn => *last_len += len,
        _ => runs.push(Run { lcn: Some(lcn), len }),
    }
}

fn signed(bytes: &[u8]) -> Result<i64, NtfsError> {
    if bytes.len() > 8 {
        return Err(bad("has a number of more than 8 bytes"));
    }
    let fill = if bytes.last().is_some_and(|top| top & 0x80 != 0) {
        0xFF
    } else {
        0
    };
    let mut wide = [fill; 8];
    wide[..bytes.len()].copy_from_slice(bytes);
    Ok(i64::from_le_bytes(wide))
}

fn minimal(value: i64) -> Vec<u8> {
    let mut bytes = value.to_le_bytes().to_vec();
    while bytes.len() > 1 {
        let sign = if bytes[bytes.len() - 2] & 0x80 != 0 { 0xFF } else { 0 };
        if bytes[bytes.len() - 1] != sign {
            break;
        }
        bytes.pop();
    }
    bytes
}

fn bad(how: &str) -> NtfsError {
    NtfsError::Damaged(format!("a run list {how}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_run_list_that_leaves_the_volume_is_refused() {
        let pairs = encode(&[Run { lcn: Some(90), len: 11 }]);
        assert!(decode(&pairs, 100).is_err());
        assert!(decode(&pairs, 101).is_ok());
    }

    proptest! {
        #[test]
        fn encoding_and_decoding_agree(list in prop::collection::vec((prop::option::of(0_u64..1 << 40), 1_u64..1 << 30), 0..20)) {
            let runs: Vec<Run> = list.into_iter().map(|(lcn, len)| Run { lcn, len }).collect();
            prop_assert_eq!(decode(&encode(&runs), 1 << 50).unwrap(), runs);
        }

        #[test]
        fn arbitrary_pairs_never_panic(pairs in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = decode(&pairs, 1 << 20);
        }
    }
}
