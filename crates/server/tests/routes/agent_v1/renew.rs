//! `POST /agent/v1/renew`.

use protocol::messages::{EnrolResponse, RenewRequest};
use server::services::requests;

use crate::support::{Device, Harness, Key, check_in, post};

#[tokio::test]
async fn a_device_gets_a_new_certificate_for_the_same_identity() {
    let harness = Harness::start().await;
    let device = Device::enrol(&harness, "HW-1").await;
    let key = Key::new();
    let message = RenewRequest {
        certificate_request: key.request(),
    };
    let renewed: EnrolResponse = device.post("renew", &message).await.unwrap();
    assert_eq!(renewed.device, device.id);
    assert_ne!(renewed.certificate, device.certificate);
    let client = harness.client(Some((&renewed.certificate, &key)));
    let answer = post::<serde_json::Value>(&client, &harness.url("/agent/v1/check-in"), &check_in(None)).await;
    assert!(answer.is_ok());
}

#[tokio::test]
async fn a_retired_device_is_refused_everywhere_until_it_is_taken_back() {
    let harness = Harness::start().await;
    let device = Device::enrol(&harness, "HW-1").await;
    let admin = harness.admin().await;
    requests::set_retired(harness.state(), &admin, device.id, true)
        .await
        .unwrap();
    let volume = crate::support::Volume::new(1);
    let renew = RenewRequest {
        certificate_request: Key::new().request(),
    };
    let refusals = [
        device.post::<EnrolResponse>("renew", &renew).await.unwrap_err(),
        device.check_in(None).await.unwrap_err(),
        device.wait(None, 1).await.unwrap_err(),
        device.escrow(&volume).await.unwrap_err(),
    ];
    for (status, problem) in refusals {
        assert_eq!((status.as_u16(), problem.code.as_str()), (403, "device_retired"));
    }
    requests::set_retired(harness.state(), &admin, device.id, false)
        .await
        .unwrap();
    device.check_in(None).await.unwrap();
}
