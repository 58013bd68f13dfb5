//! `/healthz`, `/readyz`, and the headers that every answer carries.

use crate::support::Harness;

#[tokio::test]
async fn a_server_that_runs_is_healthy_and_ready() {
    let harness = Harness::start().await;
    for path in ["/healthz", "/readyz"] {
        let response = harness.client(None).get(harness.url(path)).send().await.unwrap();
        assert_eq!(response.status().as_u16(), 200, "{path}");
    }
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let harness = Harness::start().await;
    for path in ["/healthz", "/agent/v1/check-in", "/no-such-page"] {
        let response = harness.client(None).get(harness.url(path)).send().await.unwrap();
        let headers = response.headers();
        let policy = headers["content-security-policy"].to_str().unwrap();
        for part in [
            "default-src 'none'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(headers["strict-transport-security"], "max-age=31536000");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["referrer-policy"], "no-referrer");
        assert_eq!(headers["cross-origin-opener-policy"], "same-origin");
        assert_eq!(headers["cache-control"], "no-store");
    }
}
