//! The audit chain: whatever is done to it afterwards shows.

use domain::audit::{
    AuditEntry, AuditEvent, ChainFault, ChainHead, Checkpoint, append, verify, verify_end_with_checkpoints,
    verify_up_to, verify_with_checkpoints,
};
use domain::time::Timestamp;
use proptest::prelude::*;

fn event(n: i64) -> AuditEvent {
    AuditEvent {
        at: Timestamp(n),
        actor: "user:anna".to_owned(),
        action: "key.disclosed".to_owned(),
        subject: format!("protector {n}"),
        detail: "caller showed a badge".to_owned(),
    }
}

fn chain(length: i64) -> Vec<AuditEntry> {
    continue_chain(ChainHead::default(), length)
}

fn continue_chain(mut head: ChainHead, length: i64) -> Vec<AuditEntry> {
    let mut entries = Vec::new();
    for n in 1..=length {
        let entry = append(head, event(n));
        head = head_of(&entry);
        entries.push(entry);
    }
    entries
}

fn head_of(entry: &AuditEntry) -> ChainHead {
    ChainHead {
        sequence: entry.sequence,
        hash: entry.hash,
    }
}

fn checkpoint(entry: &AuditEntry) -> Checkpoint {
    let at = Timestamp(99);
    Checkpoint {
        head: head_of(entry),
        at,
        signature: sign(&Checkpoint::signed_bytes(head_of(entry), at)),
    }
}

/// Stands for a signature; the rule under test is when it is asked for, not how it is made.
fn sign(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|b| b ^ 0x5A).collect()
}

fn signed(bytes: &[u8], signature: &[u8]) -> bool {
    sign(bytes) == signature
}

#[test]
fn an_untouched_chain_verifies_up_to_its_head() {
    assert_eq!(verify([]), Ok(ChainHead::default()));
    let entries = chain(5);
    let head = head_of(&entries[4]);
    assert_eq!(verify(entries.clone()), Ok(head));
    assert_eq!(verify_up_to(entries, head), Ok(head));
}

#[test]
fn any_changed_field_is_found() {
    let changes: [fn(&mut AuditEntry); 7] = [
        |e| e.event.at.0 += 1,
        |e| e.event.actor.push('x'),
        |e| e.event.action.push('x'),
        |e| e.event.subject.push('x'),
        |e| e.event.detail.clear(),
        |e| e.previous[0] ^= 1,
        |e| e.hash[31] ^= 1,
    ];
    for change in changes {
        let mut entries = chain(5);
        change(&mut entries[2]);
        assert_eq!(verify(entries), Err(ChainFault::Changed { sequence: 3 }));
    }
}

#[test]
fn text_moved_from_one_field_to_the_next_is_found() {
    let mut entries = chain(3);
    let moved = entries[1].event.actor.pop().expect("a letter");
    entries[1].event.action.insert(0, moved);
    assert_eq!(verify(entries), Err(ChainFault::Changed { sequence: 2 }));
}

#[test]
fn an_entry_that_was_changed_and_hashed_again_does_not_carry_the_next() {
    let mut entries = chain(5);
    entries[2] = append(head_of(&entries[1]), event(77));
    assert_eq!(verify(entries), Err(ChainFault::Unlinked { sequence: 4 }));
}

#[test]
fn a_removed_entry_is_found() {
    let mut entries = chain(5);
    entries.remove(2);
    assert_eq!(verify(entries), Err(ChainFault::Gap { missing: 3, found: 4 }));
    let mut entries = chain(5);
    entries.remove(0);
    assert_eq!(verify(entries), Err(ChainFault::Gap { missing: 1, found: 2 }));
}

#[test]
fn a_removal_that_renumbers_the_rest_is_found() {
    let mut entries = chain(5);
    entries.remove(2);
    entries[2].sequence = 3;
    entries[3].sequence = 4;
    assert_eq!(verify(entries), Err(ChainFault::Changed { sequence: 3 }));
}

#[test]
fn reordered_and_repeated_entries_are_found() {
    let mut entries = chain(5);
    entries.swap(2, 3);
    assert_eq!(verify(entries), Err(ChainFault::Reordered { sequence: 4 }));
    let mut entries = chain(5);
    entries.insert(3, entries[1].clone());
    assert_eq!(verify(entries), Err(ChainFault::Reordered { sequence: 2 }));
    let mut entries = chain(5);
    entries.push(entries[1].clone());
    assert_eq!(verify(entries), Err(ChainFault::Reordered { sequence: 2 }));
}

#[test]
fn a_cut_off_end_shows_against_the_recorded_head() {
    let mut entries = chain(5);
    let head = head_of(&entries[4]);
    entries.truncate(3);
    assert!(verify(entries.clone()).is_ok(), "a shorter chain is sound in itself");
    assert_eq!(
        verify_up_to(entries, head),
        Err(ChainFault::HeadMismatch { recorded: 5, found: 3 })
    );
}

#[test]
fn checkpoints_vouch_for_the_chain_that_passes_through_them() {
    let entries = chain(6);
    let checkpoints = [checkpoint(&entries[4]), checkpoint(&entries[1])];
    let head = head_of(&entries[5]);
    assert_eq!(verify_with_checkpoints(entries, &checkpoints, signed), Ok(head));
}

#[test]
fn a_chain_written_anew_does_not_pass_its_checkpoints() {
    let entries = chain(6);
    let checkpoints = [checkpoint(&entries[3])];
    let mut forged = entries[..2].to_vec();
    forged.extend(continue_chain(head_of(&entries[1]), 4));
    assert!(verify(forged.clone()).is_ok());
    let verdict = verify_with_checkpoints(forged, &checkpoints, signed);
    assert_eq!(verdict, Err(ChainFault::HeadMismatch { recorded: 4, found: 4 }));
    let cut = entries[..3].to_vec();
    let verdict = verify_with_checkpoints(cut, &checkpoints, signed);
    assert_eq!(verdict, Err(ChainFault::HeadMismatch { recorded: 4, found: 3 }));
}

#[test]
fn the_end_of_a_long_chain_is_verified_against_the_checkpoints_in_it() {
    let entries = chain(8);
    let before = head_of(&entries[3]);
    let end = || entries[4..].to_vec();
    let checkpoints = [&entries[1], &entries[3], &entries[6]].map(checkpoint);
    let verdict = verify_end_with_checkpoints(before, end(), &checkpoints, signed);
    assert_eq!(verdict, Ok(head_of(&entries[7])));

    // Written anew from the fifth entry on, and from one before the part that is looked at.
    let mut forged = entries[4..5].to_vec();
    forged.extend(continue_chain(head_of(&entries[4]), 3));
    let verdict = verify_end_with_checkpoints(before, forged, &checkpoints, signed);
    assert_eq!(verdict, Err(ChainFault::HeadMismatch { recorded: 7, found: 7 }));
    let elsewhere = ChainHead {
        hash: [7; 32],
        ..before
    };
    let verdict = verify_end_with_checkpoints(elsewhere, Vec::new(), &checkpoints[..2], signed);
    assert_eq!(verdict, Err(ChainFault::HeadMismatch { recorded: 4, found: 4 }));

    let mut missing = end();
    missing.remove(0);
    let verdict = verify_end_with_checkpoints(before, missing, &checkpoints, signed);
    assert_eq!(verdict, Err(ChainFault::Gap { missing: 5, found: 6 }));
    let mut old = checkpoints.to_vec();
    old[0].at.0 += 1;
    let verdict = verify_end_with_checkpoints(before, end(), &old, signed);
    assert_eq!(verdict, Err(ChainFault::BadSignature { sequence: 2 }));
}

#[test]
fn a_checkpoint_with_a_wrong_signature_vouches_for_nothing() {
    let entries = chain(3);
    let mut later = checkpoint(&entries[1]);
    later.at.0 += 1;
    assert_eq!(
        verify_with_checkpoints(entries, &[later], signed),
        Err(ChainFault::BadSignature { sequence: 2 })
    );
}

proptest! {
    #[test]
    fn no_removal_repetition_or_exchange_goes_unseen(length in 2..30usize, a in 0..30usize, b in 0..30usize, how in 0..3) {
        let entries = chain(i64::try_from(length).expect("short"));
        let head = head_of(&entries[length - 1]);
        let (a, b) = (a % length, b % length);
        let mut changed = entries.clone();
        match how {
            0 => { changed.remove(a); }
            1 => changed.insert(a, entries[b].clone()),
            _ => changed.swap(a, b),
        }
        prop_assume!(changed != entries);
        prop_assert!(verify_up_to(changed, head).is_err());
    }
}
