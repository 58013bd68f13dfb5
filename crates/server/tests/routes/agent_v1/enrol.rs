//! `POST /agent/v1/enrol`.

use std::time::Duration;

use protocol::messages::{EnrolRequest, EnrolResponse};
use server::services::enrolment;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::support::{Answer, Device, Harness, Key, post};

async fn enrol(harness: &Harness, token: &str, request: String) -> Answer<EnrolResponse> {
    let message = EnrolRequest {
        token: token.to_owned(),
        certificate_request: request,
        hostname: "pc-1".to_owned(),
        hardware_id: "HW-1".to_owned(),
    };
    post(&harness.client(None), &harness.url("/agent/v1/enrol"), &message).await
}

#[tokio::test]
async fn a_token_gives_an_identity_whose_names_the_server_chose() {
    let harness = Harness::start().await;
    let device = Device::enrol(&harness, "HW-1").await;
    let pem = rustls::pki_types::CertificateDer::from(
        x509_parser::pem::parse_x509_pem(device.certificate.as_bytes())
            .unwrap()
            .1
            .contents,
    );
    let (_, certificate) = X509Certificate::from_der(&pem).unwrap();
    assert_eq!(certificate.subject().to_string(), format!("CN={}", device.id));
    assert!(certificate.subject_alternative_name().unwrap().is_none());
    let usage = certificate.extended_key_usage().unwrap().unwrap().value;
    assert!(usage.client_auth && !usage.server_auth);
    assert!(!certificate.is_ca());
    assert_eq!(harness.audit_count("device.enrolled").await, 1);
}

#[tokio::test]
async fn unknown_expired_used_up_and_revoked_tokens_are_refused_alike_and_change_nothing() {
    let harness = Harness::start().await;
    let admin = harness.admin().await;
    let hour = Duration::from_secs(3600);
    let once = enrolment::create(harness.state(), &admin, "", hour, Some(1))
        .await
        .unwrap();
    enrol(&harness, &once.token, Key::new().request()).await.unwrap();
    let revoked = enrolment::create(harness.state(), &admin, "", hour, None)
        .await
        .unwrap();
    enrolment::revoke(harness.state(), &admin, revoked.id).await.unwrap();
    let short = enrolment::create(harness.state(), &admin, "", hour, None)
        .await
        .unwrap();
    harness.clock.advance(hour);
    let before = harness.audit().await.len();
    for token in ["nonsense", &once.token, &revoked.token, &short.token] {
        let (status, problem) = enrol(&harness, token, Key::new().request()).await.unwrap_err();
        assert_eq!((status.as_u16(), problem.code.as_str()), (403, "token_refused"));
    }
    assert_eq!(harness.audit().await.len(), before);
}

#[tokio::test]
async fn a_request_that_cannot_be_certified_costs_no_use_of_the_token() {
    let harness = Harness::start().await;
    let admin = harness.admin().await;
    let once = enrolment::create(harness.state(), &admin, "", Duration::from_secs(60), Some(1))
        .await
        .unwrap();
    let good = Key::new().request();
    // One base64 digit in the signature at the end.
    let at = good.rfind("\n-----END").unwrap() - 6;
    let mut forged = good.clone().into_bytes();
    forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
    let (status, problem) = enrol(&harness, &once.token, String::from_utf8(forged).unwrap())
        .await
        .unwrap_err();
    assert_eq!((status.as_u16(), problem.code.as_str()), (422, "certificate_request"));
    enrol(&harness, &once.token, good).await.unwrap();
}

#[tokio::test]
async fn a_token_is_accepted_as_people_type_it() {
    let harness = Harness::start().await;
    let token = format!(" {} \n", harness.token().await.to_uppercase());
    // Control characters are refused by the limits; space and case do not matter.
    enrol(&harness, token.trim_end_matches('\n'), Key::new().request())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_hardware_id_that_clashes_makes_a_second_record_and_a_warning() {
    let harness = Harness::start().await;
    let one = Device::enrol(&harness, "HW-1").await;
    let other = Device::enrol(&harness, "HW-1").await;
    assert_ne!(one.id, other.id);
    let store = &harness.state().store;
    for id in [one.id, other.id] {
        assert!(store.device(id).await.unwrap().unwrap().duplicate_hardware);
    }
    assert_eq!(harness.audit_count("device.hardware_id_clash").await, 1);
}
