//! A plan changes nothing, and what is then changed is what the plan said.

use std::ops::Range;

use super::ground::Ground;
use crate::program::tree;

/// The byte ranges in the output of a plan.
fn ranges(said: &str) -> Vec<Range<usize>> {
    let range = |line: &str| {
        let (start, end) = line
            .strip_prefix("  0x")?
            .split_whitespace()
            .next()?
            .split_once("..0x")?;
        let number = |text| usize::from_str_radix(text, 16).ok();
        Some(number(start)?..number(end)?)
    };
    said.lines().filter_map(range).collect()
}

/// Plans a command, carries it out, and compares. With `Differ::All` each planned range really differs afterwards.
fn check(ground: &Ground, command: &str, differ: Differ) {
    let image = command.split_whitespace().find(|word| word.ends_with(".img")).unwrap();
    let before = (tree(ground.folder.path()), ground.bytes(image));
    let planned = ranges(&ground.done(&format!("{command} --plan")));
    assert!(
        tree(ground.folder.path()) == before.0,
        "the plan changed something: {command}"
    );
    assert!(!planned.is_empty(), "{command}");
    ground.done(command);
    let after = ground.bytes(image);
    let outside = (0..after.len()).find(|at| before.1[*at] != after[*at] && !planned.iter().any(|r| r.contains(at)));
    assert_eq!(outside, None, "{command}: a byte outside of {planned:x?}");
    for range in planned.iter().filter(|_| differ == Differ::All) {
        assert!(
            before.1[range.clone()] != after[range.clone()],
            "{command}: {range:x?} did not change"
        );
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Differ {
    All,
    Some,
}

const UNLOCK: &str = "--recovery-password-file recovery.txt";

#[test]
fn operations_on_protectors_change_what_their_plans_say() {
    let ground = Ground::new();
    ground.folder.put("new.txt", "four plain words here");
    let id = ground.id("drive.img", "passphrase");
    for command in [
        "protectors add drive.img --recovery-password-out second.txt --startup-key-out usb",
        "protectors suspend drive.img --reboots 2",
        "protectors resume drive.img",
        "protectors change-passphrase drive.img --new-passphrase-file new.txt",
        "rotate-master-key drive.img",
        &format!("protectors remove drive.img --protector {id}"),
    ] {
        check(&ground, &format!("{command} {UNLOCK}"), Differ::All);
    }
}

#[test]
fn conversions_change_what_their_plans_say() {
    let ground = Ground::new();
    let unlock = "--recovery-password-file new.txt";
    check(
        &ground,
        "encrypt plain.img --recovery-password-out new.txt",
        Differ::Some,
    );
    check(
        &ground,
        &format!("reencrypt plain.img --yes {unlock} --new-master-key"),
        Differ::Some,
    );
    check(&ground, &format!("wipe-free-space plain.img {unlock}"), Differ::Some);
    check(&ground, &format!("decrypt plain.img --yes {unlock}"), Differ::Some);
    check(
        &ground,
        "encrypt plain.img --used-space-only --recovery-password-out again.txt",
        Differ::Some,
    );
}

#[test]
fn a_plan_of_used_space_leaves_free_space_out() {
    let ground = Ground::new();
    let planned = |mode: &str| -> usize {
        let said = ground.done(&format!(
            "encrypt plain.img --recovery-password-out new.txt --plan {mode}"
        ));
        ranges(&said).iter().map(ExactSizeIterator::len).sum()
    };
    assert!(planned("--used-space-only") < planned("") / 2);
}

#[test]
fn mending_changes_what_its_plan_says() {
    let ground = Ground::new();
    ground.done("metadata backup drive.img --output drive.metadata");
    let mut image = ground.bytes("drive.img");
    let at = ground.info("drive.img")["copies"][1]["offset"].as_u64().unwrap() as usize;
    image[at..at + 65536].fill(0);
    image[..512].fill(0);
    ground.folder.put("drive.img", &image);
    check(
        &ground,
        &format!("repair mend drive.img --yes --undo-file undo.bin {UNLOCK}"),
        Differ::All,
    );
    check(
        &ground,
        "repair undo drive.img --yes --undo-file undo.bin",
        Differ::Some,
    );
    check(
        &ground,
        &format!("metadata restore drive.img --yes --metadata drive.metadata {UNLOCK}"),
        Differ::Some,
    );
}

#[test]
fn a_planned_creation_makes_nothing() {
    let ground = Ground::new();
    let before = tree(ground.folder.path());
    let said =
        ground.done("create new.img --from plain.img --recovery-password-out new.txt --startup-key-out usb --plan");
    assert!(
        said.contains("would create new.txt (mode 0600)") && said.contains("new.img"),
        "{said}"
    );
    assert!(tree(ground.folder.path()) == before);
}
