//! Random text that people can read out and type: lower-case letters and digits without look-alikes.

use zeroize::Zeroizing;

use crate::state::Shared;

/// 32 signs, so five random bits each: no i, l, o, u.
const SIGNS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// So many signs, in groups of five joined by hyphens; five random bits a sign.
pub(crate) fn signs<const SIGN_COUNT: usize>(state: &Shared) -> Zeroizing<String> {
    spelled(&state.random::<SIGN_COUNT>())
}

/// The same of bytes that the caller drew.
pub(crate) fn spelled<const SIGN_COUNT: usize>(bytes: &[u8; SIGN_COUNT]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(SIGN_COUNT * 2));
    for (index, byte) in bytes.iter().enumerate() {
        if index > 0 && index % 5 == 0 {
            text.push('-');
        }
        text.push(char::from(SIGNS[usize::from(byte & 31)]));
    }
    text
}
