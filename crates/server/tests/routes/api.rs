//! `/api/v1`, with tokens of several roles and scopes.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use domain::access::{Grant, Role, Scope};
use serde_json::{Value, json};
use server::routes::Access;
use server::services::api_tokens;
use store::model::KeyName;
use tower::ServiceExt as _;

use super::sites::{berlin, sites};
use crate::support::Harness;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Headers with a new token.
pub(crate) async fn token(harness: &Harness, grant: Grant) -> HeaderMap {
    let admin = harness.admin().await;
    let made = api_tokens::create(harness.state(), &admin, "tests", grant, DAY)
        .await
        .unwrap();
    with_token(&made.token)
}

fn with_token(token: &str) -> HeaderMap {
    let value = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
    HeaderMap::from_iter([(header::AUTHORIZATION, value)])
}

async fn call(app: &Router, method: Method, path: &str, headers: &HeaderMap, body: &str) -> (StatusCode, Value) {
    let mut request = Request::builder().method(method).uri(path);
    *request.headers_mut().unwrap() = headers.clone();
    let request = request.body(Body::from(body.to_owned())).unwrap();
    let answer = app.clone().oneshot(request).await.unwrap();
    let status = answer.status();
    let kind = answer.headers()[header::CONTENT_TYPE].clone();
    let expected = if status.is_success() {
        "application/json"
    } else {
        "application/problem+json"
    };
    assert_eq!(kind, expected, "{path}");
    let bytes = to_bytes(answer.into_body(), 1 << 22).await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap())
}

async fn read(app: &Router, path: &str, headers: &HeaderMap) -> (StatusCode, Value) {
    call(app, Method::GET, path, headers, "").await
}

/// `UPDATE_DOCS=1 cargo test -p server --test routes api` writes it anew.
#[test]
fn the_committed_description_is_that_of_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
    let now = server::api::document().unwrap();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &now).unwrap();
    }
    let stored = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        stored == now,
        "docs/openapi.json is stale: UPDATE_DOCS=1 writes it anew"
    );
}

#[tokio::test]
async fn the_description_has_every_route_of_the_api_and_no_other() {
    let harness = Harness::start().await;
    let (_, routes) = harness.running.routes();
    let declared: BTreeSet<_> = routes
        .iter()
        .filter(|route| matches!(route.access, Access::Api(_)))
        .map(|route| (route.path.clone(), route.method.to_string().to_lowercase()))
        .collect();
    let document: Value = serde_json::from_str(&server::api::document().unwrap()).unwrap();
    assert_eq!(
        document["openapi"].as_str().map(|version| version.starts_with("3.1")),
        Some(true)
    );
    let mut described = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        described.extend(
            methods
                .as_object()
                .unwrap()
                .keys()
                .map(|method| (path.clone(), method.clone())),
        );
    }
    assert_eq!(declared, described);
    assert!(declared.len() >= 10);
    for route in &routes {
        let api = matches!(route.access, Access::Api(_)) || route.path == "/api/v1/openapi.json";
        assert_eq!(route.path.starts_with(server::api::PREFIX), api, "{route:?}");
    }
}

#[tokio::test]
async fn a_program_sees_the_devices_of_its_scope() {
    let harness = Harness::start().await;
    let sites = sites(&harness).await;
    let (app, _) = harness.running.routes();
    let narrow = Grant {
        role: Role::Auditor,
        scope: berlin(),
    };
    let (narrow, wide) = (
        token(&harness, narrow).await,
        token(&harness, Role::Auditor.into()).await,
    );
    let (status, all) = read(&app, "/api/v1/devices", &wide).await;
    assert_eq!(
        (status, &all["total"], &all["page"], &all["per_page"]),
        (StatusCode::OK, &json!(2), &json!(1), &json!(50))
    );
    let (_, second) = read(&app, "/api/v1/devices?page=2&per_page=1", &wide).await;
    assert_eq!((&second["total"], &second["items"][0]), (&json!(2), &all["items"][1]));
    let (_, own) = read(&app, "/api/v1/devices", &narrow).await;
    assert_eq!(
        (&own["total"], &own["items"][0]["hostname"]),
        (&json!(1), &json!("BER-1"))
    );
    assert_eq!(own["items"][0]["keys"]["live"], 1);
    let nowhere = "00000000-0000-4000-8000-000000000000".to_owned();
    for below in ["", "/keys", "/requests"] {
        let at = |id: String| format!("/api/v1/devices/{id}{below}");
        let missing = read(&app, &at(nowhere.clone()), &narrow).await;
        assert_eq!(missing.0, StatusCode::NOT_FOUND);
        assert_eq!(
            read(&app, &at(sites.paris.to_string()), &narrow).await,
            missing,
            "{below}"
        );
        assert_eq!(
            read(&app, &at("nonsense".to_owned()), &narrow).await,
            missing,
            "{below}"
        );
        assert_eq!(read(&app, &at(sites.paris.to_string()), &wide).await.0, StatusCode::OK);
    }
    let (_, entries) = read(&app, "/api/v1/audit?per_page=200", &narrow).await;
    assert!(entries["total"].as_u64().unwrap() > 0);
    assert!(!entries.to_string().contains(&sites.paris.to_string()), "{entries}");
    let (_, policy) = read(&app, "/api/v1/policies/default", &wide).await;
    assert_eq!((&policy["id"], &policy["version"]), (&json!("default"), &json!(0)));
    harness.state().store.flush().await.unwrap();
    let tokens = harness.state().store.api_tokens().await.unwrap();
    assert!(tokens.iter().all(|token| token.last_used.is_some()));
}

fn wanted(name: KeyName, reason: &str, user: &str) -> String {
    json!({
        "device": name.device, "volume": name.volume, "protector": name.protector, "reason": reason, "user": user
    })
    .to_string()
}

#[tokio::test]
async fn a_key_is_told_to_a_program_with_a_reason_and_a_record_and_within_its_scope() {
    let harness = Harness::start().await;
    let sites = sites(&harness).await;
    let (app, _) = harness.running.routes();
    let grant = Grant {
        role: Role::HelpDeskUser,
        scope: berlin(),
    };
    let program = token(&harness, grant).await;
    let disclose = async |body: String| call(&app, Method::POST, "/api/v1/keys/disclose", &program, &body).await;
    let own = sites.key_of_berlin;
    for (body, code) in [
        (wanted(own, "", "CORP\\anna"), "reason"),
        (wanted(own, "Lost PIN", ""), "user"),
        (wanted(own, "Lost PIN", "CORP\\bert"), "not_found"),
        (wanted(sites.key_of_paris, "Lost PIN", "CORP\\bert"), "not_found"),
        ("{}".to_owned(), "body"),
        ("[".to_owned(), "body"),
        ("{\"device\": 1}".to_owned(), "body"),
    ] {
        let (status, problem) = disclose(body.clone()).await;
        assert!(
            status.is_client_error() && problem["code"] == code,
            "{body}: {status} {problem}"
        );
    }
    assert_eq!(harness.audit_count("key.disclosed").await, 0);
    let (status, told) = disclose(wanted(own, "Lost PIN", "CORP\\anna")).await;
    assert_eq!((status, &told["state"]), (StatusCode::OK, &json!("disclosed")));
    let password = told["recovery_password"].as_str().unwrap().to_owned();
    assert_eq!((password.len(), password.matches('-').count()), (55, 7));
    let entries = harness.audit().await;
    let entry = entries
        .iter()
        .find(|entry| entry.event.action == "key.disclosed")
        .unwrap();
    assert_eq!(
        (entry.event.actor.as_str(), entry.event.detail.as_str()),
        ("api-token:1", "Lost PIN; for CORP\\anna")
    );
    let path = format!("/api/v1/keys?key_id={}&user=CORP%5Canna", own.protector.short());
    let (_, found) = read(&app, &path, &program).await;
    assert_eq!(
        (&found[0]["state"], &found[0]["hostname"]),
        (&json!("disclosed"), &json!("BER-1"))
    );
    assert!(!found.to_string().contains(&password));
}

#[tokio::test]
async fn a_rotation_asked_for_by_a_program_waits_for_the_device() {
    let harness = Harness::start().await;
    let sites = sites(&harness).await;
    let (app, _) = harness.running.routes();
    let program = token(&harness, Role::Administrator.into()).await;
    let path = format!("/api/v1/devices/{}/requests", sites.berlin);
    let (status, accepted) = call(
        &app,
        Method::POST,
        &path,
        &program,
        r#"{"kind":"rotate","reason":"found"}"#,
    )
    .await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let (_, requests) = read(&app, &path, &program).await;
    assert_eq!(
        (&requests[0]["id"], &requests[0]["by"]),
        (&accepted["id"], &json!("api-token:1"))
    );
    let (status, problem) = call(&app, Method::POST, &path, &program, r#"{"kind":"erase"}"#).await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("body"))
    );
}

#[tokio::test]
async fn tokens_end_by_time_and_by_revocation_and_only_their_hash_is_stored() {
    let harness = Harness::start().await;
    let (app, _) = harness.running.routes();
    let admin = harness.admin().await;
    let made = api_tokens::create(harness.state(), &admin, "a report", Role::Auditor.into(), DAY)
        .await
        .unwrap();
    let other = token(&harness, Role::Auditor.into()).await;
    let program = with_token(&made.token);
    let status = async |headers: &HeaderMap| read(&app, "/api/v1/devices", headers).await.0;
    assert_eq!(status(&program).await, StatusCode::OK);
    let shown = format!("{made:?}");
    assert!(shown.contains("redacted") && !shown.contains(made.token.as_str()));
    let listed = format!(
        "{:?} {:?}",
        harness.audit().await,
        api_tokens::list(harness.state(), &admin).await.unwrap()
    );
    assert!(listed.contains("api_token.created") && !listed.contains(made.token.as_str()));
    api_tokens::revoke(harness.state(), &admin, made.id).await.unwrap();
    assert_eq!(harness.audit_count("api_token.revoked").await, 1);
    assert_eq!(status(&program).await, StatusCode::UNAUTHORIZED);
    assert_eq!(status(&other).await, StatusCode::OK);
    harness.clock.advance(DAY);
    assert_eq!(status(&other).await, StatusCode::UNAUTHORIZED);
    for bad in ["", "x", "claviger-", &made.token.to_uppercase()] {
        assert_eq!(status(&with_token(bad)).await, StatusCode::UNAUTHORIZED, "{bad:?}");
    }
    let mut twice = other.clone();
    twice.append(header::AUTHORIZATION, other[header::AUTHORIZATION].clone());
    assert_eq!(status(&twice).await, StatusCode::UNAUTHORIZED);
    let files = std::fs::read_dir(harness.directory.path()).unwrap();
    for file in files.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
        let bytes = std::fs::read(&file).unwrap();
        let token = made.token.as_bytes();
        assert!(
            !bytes.windows(token.len()).any(|window| window == token),
            "{}",
            file.display()
        );
    }
}

#[tokio::test]
async fn only_who_manages_accounts_for_everything_makes_tokens_and_they_are_for_programs() {
    let harness = Harness::start().await;
    sites(&harness).await;
    let state = harness.state();
    let admin = harness.admin().await;
    let refused = async |grant: Grant, note: &str, lasts| {
        let made = api_tokens::create(state, &admin, note, grant, lasts).await;
        made.unwrap_err().code()
    };
    assert_eq!(refused(Role::SelfService.into(), "x", DAY).await, "role");
    assert_eq!(refused(Role::Auditor.into(), " ", DAY).await, "note");
    assert_eq!(refused(Role::Auditor.into(), "x", Duration::ZERO).await, "lasts");
    assert_eq!(refused(Role::Auditor.into(), "x", 367 * DAY).await, "lasts");
    let nowhere = Scope::of([domain::policy::targeting::CollectionId::new("nowhere").unwrap()]);
    let grant = Grant {
        role: Role::Auditor,
        scope: nowhere,
    };
    assert_eq!(refused(grant, "x", DAY).await, "scope");
    let narrow = Grant {
        role: Role::Administrator,
        scope: berlin(),
    };
    let headers = super::access::signed_in(&harness, "narrow", narrow).await;
    let narrow = server::session::user_of(&headers, state).await.unwrap().unwrap();
    let made = api_tokens::create(state, &narrow, "x", Role::Administrator.into(), DAY).await;
    assert_eq!(made.unwrap_err().code(), "not_allowed");
    assert!(api_tokens::list(state, &narrow).await.is_err());
}

#[tokio::test]
async fn strange_input_is_refused_and_never_a_fault_of_the_server() {
    let harness = Harness::start().await;
    let sites = sites(&harness).await;
    let (app, _) = harness.running.routes();
    let program = token(&harness, Role::Administrator.into()).await;
    let id = sites.berlin;
    let strange = [
        "%00",
        "-1",
        "0",
        "18446744073709551616",
        "x",
        "%F0%9F%98%80",
        "'%20OR%201=1--",
        "%7B%7D",
        "true",
    ];
    let mut asked = 0;
    for path in ["devices", "audit", "keys", "policies", &format!("devices/{id}/keys")] {
        for field in [
            "page",
            "per_page",
            "q",
            "verdict",
            "exposed",
            "key_id",
            "user",
            "actor",
            "action",
            "device",
            "from",
            "until",
            "newest_first",
        ] {
            for value in strange {
                let (status, _) = read(&app, &format!("/api/v1/{path}?{field}={value}"), &program).await;
                assert!(!status.is_server_error(), "{path} {field}={value}: {status}");
                asked += 1;
            }
        }
    }
    assert!(asked > 500);
    for path in ["policies/%00", "policies/..%2F", "devices/%00", "nowhere"] {
        let (status, _) = read(&app, &format!("/api/v1/{path}"), &program).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
    }
    let long = "x".repeat(70 * 1024);
    let (status, problem) = call(&app, Method::POST, "/api/v1/keys/disclose", &program, &long).await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::PAYLOAD_TOO_LARGE, &json!("body"))
    );
}
