//! A device and a server, driven through random histories: crashes between any two actions, disclosures, an unreachable
//! server, changes of policy, people who meddle. P1 and P2 must hold at every step, and everything must converge.

mod history;
mod provider;
mod world;

use domain::compliance::{Verdict, evaluate};
use domain::plan::Situation;
use domain::policy::Encryption;
use history::{Event, history};
use proptest::prelude::*;
use world::World;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases()) })]

    #[test]
    fn promises_hold_at_every_step_and_everything_converges((mut world, events) in history()) {
        for event in events {
            world.happen(event);
        }
        settle(&mut world);
        assert_settled(&mut world);
    }
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(3000)
}

/// Nothing disturbs any more: volumes are unlocked, counted suspensions run out, conversions end.
fn settle(world: &mut World) {
    for _ in 0..8 {
        for event in [
            Event::UnlockAll,
            Event::RunOutSuspensions,
            Event::Prove,
            Event::Progress,
        ] {
            world.happen(event);
        }
        world.happen(Event::Cycle {
            reachable: true,
            pin: true,
            crash_after: None,
        });
    }
}

fn assert_settled(world: &mut World) {
    let (plan, inventory, ledger) = world.look(true, true);
    assert!(plan.actions.is_empty(), "does not converge: {plan:#?}");
    let compliance = evaluate(&world.policy, &inventory, &ledger, &Situation::default());
    for (report, verdict) in inventory.volumes.iter().zip(&compliance.volumes) {
        let explained = plan.blocked.iter().any(|b| b.device == report.device);
        assert!(
            explained || verdict.verdict != Verdict::NonCompliant,
            "{verdict:?} without a reason for {report:#?}"
        );
        if explained || !world.policy.manages(&inventory) || !world.policy.client.escrow {
            continue;
        }
        let required = world.policy.rule(report.kind).encryption == Encryption::Require;
        assert!(!required || verdict.escrowed, "not escrowed: {report:#?}");
        assert!(!required || world.policy.validate().is_err() || verdict.verdict == Verdict::Compliant);
    }
    world.assert_no_exposed_key_is_left(&inventory);
}
