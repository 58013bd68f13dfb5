//! `POST /agent/v1/wait`. Nothing here waits for time: requests are held for minutes and end because something happened.

use domain::policy::Policy;
use protocol::messages::digest;
use server::services::recovery::{self, Why};
use server::services::{policy, requests};
use store::model::KeyName;

use crate::support::{Device, Harness, Volume};

const LONG: u32 = 300;

async fn online(harness: &Harness) -> (Device, Volume, Option<String>) {
    let device = Device::enrol(harness, "HW-1").await;
    let volume = Volume::new(1);
    device.escrow(&volume).await.unwrap();
    harness.all_tried().await;
    device.check_in(None).await.unwrap();
    (device, volume, Some(digest(&Policy::default()).unwrap()))
}

#[tokio::test]
async fn a_rotation_request_ends_a_held_request() {
    let harness = Harness::start().await;
    let (device, _, policy) = online(&harness).await;
    let admin = harness.admin().await;
    let (held, asked) = tokio::join!(device.wait(policy, LONG), async {
        until_held(&harness).await;
        requests::rotate(harness.state(), &admin, device.id, None, "").await
    });
    asked.unwrap();
    assert!(held.unwrap().check_in_now);
}

#[tokio::test]
async fn a_disclosure_ends_a_held_request() {
    let harness = Harness::start().await;
    let (device, volume, policy) = online(&harness).await;
    let admin = harness.admin().await;
    let name = KeyName {
        device: device.id,
        volume: volume.id,
        protector: volume.protector,
    };
    let why = Why {
        reason: "test".to_owned(),
        ..Why::default()
    };
    let (held, told) = tokio::join!(device.wait(policy, LONG), async {
        until_held(&harness).await;
        recovery::disclose(harness.state(), &admin, name, &why).await
    });
    told.unwrap();
    assert!(held.unwrap().check_in_now);
}

#[tokio::test]
async fn a_changed_policy_ends_a_held_request() {
    let harness = Harness::start().await;
    let (device, _, digest) = online(&harness).await;
    let admin = harness.admin().await;
    let mut other = Policy::default();
    other.client.check_interval_minutes = 10;
    let (held, updated) = tokio::join!(device.wait(digest, LONG), async {
        until_held(&harness).await;
        policy::update(harness.state(), &admin, other, "").await
    });
    updated.unwrap();
    assert!(held.unwrap().check_in_now);
}

#[tokio::test]
async fn what_happened_before_the_server_restarted_ends_the_first_held_request() {
    let harness = Harness::start().await;
    let (device, _, _) = online(&harness).await;
    let admin = harness.admin().await;
    requests::report(harness.state(), &admin, device.id).await.unwrap();
    let harness = harness.restart().await;
    let message = protocol::messages::WaitRequest {
        policy_digest: Some(digest(&Policy::default()).unwrap()),
        seconds: LONG,
    };
    let answer: protocol::messages::WaitResponse =
        crate::support::post(&device.http, &harness.url("/agent/v1/wait"), &message)
            .await
            .unwrap();
    assert!(answer.check_in_now);
}

#[tokio::test]
async fn a_key_told_before_the_server_restarted_ends_the_first_held_request() {
    let harness = Harness::start().await;
    let (device, volume, policy) = online(&harness).await;
    let admin = harness.admin().await;
    let name = KeyName {
        device: device.id,
        volume: volume.id,
        protector: volume.protector,
    };
    let why = Why {
        reason: "test".to_owned(),
        ..Why::default()
    };
    recovery::disclose(harness.state(), &admin, name, &why).await.unwrap();
    let harness = harness.restart().await;
    let message = protocol::messages::WaitRequest {
        policy_digest: policy,
        seconds: 1,
    };
    let answer: protocol::messages::WaitResponse =
        crate::support::post(&device.http, &harness.url("/agent/v1/wait"), &message)
            .await
            .unwrap();
    assert!(answer.check_in_now);
}

#[tokio::test]
async fn a_server_that_stops_answers_held_requests() {
    let harness = Harness::start().await;
    let (device, _, policy) = online(&harness).await;
    let stop = harness.running.stop_handle();
    let (held, ()) = tokio::join!(device.wait(policy, LONG), async {
        until_held(&harness).await;
        stop.now();
    });
    assert!(!held.unwrap().check_in_now);
}

/// Until the server holds a request.
async fn until_held(harness: &Harness) {
    while harness.state().held_requests() == 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn more_held_requests_than_the_server_holds_are_told_when_to_come_back() {
    let harness = Harness::start_with(|config| config.limits.held_requests = 0).await;
    let (device, _, policy) = online(&harness).await;
    let (status, problem) = device.wait(policy, LONG).await.unwrap_err();
    assert_eq!((status.as_u16(), problem.code.as_str()), (429, "later"));
}

#[tokio::test]
async fn a_busy_server_says_later_with_a_time() {
    let harness = Harness::start_with(|config| config.limits.device_requests = 0).await;
    let response = harness
        .client(None)
        .post(harness.url("/agent/v1/enrol"))
        .body("{}")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status().as_u16(), 429);
    let seconds: u32 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((10..=40).contains(&seconds), "{seconds}");
}
