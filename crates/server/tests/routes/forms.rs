//! Sessions and forms, as pages use them: small pages of the test's own on the real state.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::response::Response;
use axum::routing::{get, post};
use domain::access::{Permission, Role};
use serde::Deserialize;
use server::csrf::{CsrfForm, SessionlessForm, form_token};
use server::services::{accounts, sign_in};
use server::session::{CurrentUser, user_of};
use server::{AppError, AppState};
use tower::ServiceExt as _;
use zeroize::Zeroizing;

use crate::support::{ADMIN_PASSWORD, Harness};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    name: String,
}

#[expect(clippy::disallowed_methods, reason = "pages of the tests' own")]
fn pages(state: &AppState) -> Router {
    Router::new()
        .route("/who", get(async |user: CurrentUser| user.name))
        .route(
            "/accounts",
            get(async |user: CurrentUser| user.demand(Permission::ManageAccounts).map(|()| user.name)),
        )
        .route(
            "/form",
            post(async |_: CurrentUser, CsrfForm(form): CsrfForm<Fields>| form.name),
        )
        .route(
            "/login",
            post(async |SessionlessForm(form): SessionlessForm<Fields>| form.name),
        )
        .with_state(state.clone())
}

async fn send(harness: &Harness, request: Request<Body>) -> (StatusCode, String, HeaderMap) {
    let response: Response = pages(harness.state()).oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    (parts.status, String::from_utf8(bytes.to_vec()).unwrap(), parts.headers)
}

fn form(path: &str, headers: &HeaderMap, body: String) -> Request<Body> {
    let mut request = Request::post(path).body(Body::from(body)).unwrap();
    *request.headers_mut() = headers.clone();
    request.headers_mut().insert(
        header::CONTENT_TYPE,
        "application/x-www-form-urlencoded".parse().unwrap(),
    );
    request
}

fn page(path: &str, headers: &HeaderMap) -> Request<Body> {
    let mut request = Request::get(path).body(Body::empty()).unwrap();
    *request.headers_mut() = headers.clone();
    request
        .headers_mut()
        .insert(header::ACCEPT, "text/html".parse().unwrap());
    request
}

#[tokio::test]
async fn a_form_is_accepted_only_with_its_own_sessions_token() {
    let harness = Harness::start().await;
    let headers = harness.session("admin", ADMIN_PASSWORD).await;
    let other = harness.session("admin", ADMIN_PASSWORD).await;
    let own = user_of(&headers, harness.state()).await.unwrap().unwrap().csrf;
    let foreign = user_of(&other, harness.state()).await.unwrap().unwrap().csrf;
    let (own, foreign) = (own.value(), foreign.value());
    assert_ne!(own, foreign);
    let good = form("/form", &headers, format!("csrf={own}&name=a+b"));
    assert_eq!(send(&harness, good).await.1, "a b");
    let bad = [
        "name=a".to_owned(),
        "csrf=&name=a".to_owned(),
        format!("csrf={foreign}&name=a"),
        format!("csrf={own}0&name=a"),
        format!("csrf={own}&csrf={own}&name=a"),
        format!("csrf={own}&csrf={foreign}&name=a"),
    ];
    for body in bad {
        let (status, answer, _) = send(&harness, form("/form", &headers, body.clone())).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{body}");
        assert!(answer.contains("\"csrf\""), "{answer}");
    }
}

#[tokio::test]
async fn a_form_from_another_site_is_refused_even_with_the_token() {
    let harness = Harness::start().await;
    let mut headers = harness.session("admin", ADMIN_PASSWORD).await;
    let token = user_of(&headers, harness.state()).await.unwrap().unwrap().csrf;
    headers.insert(header::HOST, "localhost:8443".parse().unwrap());
    let cases = [
        ("origin", "https://localhost:8443", StatusCode::OK),
        ("origin", "https://evil.example", StatusCode::FORBIDDEN),
        ("origin", "http://localhost:8443", StatusCode::FORBIDDEN),
        ("origin", "null", StatusCode::FORBIDDEN),
        ("sec-fetch-site", "same-origin", StatusCode::OK),
        ("sec-fetch-site", "cross-site", StatusCode::FORBIDDEN),
        ("sec-fetch-site", "same-site", StatusCode::FORBIDDEN),
    ];
    for (name, value, expected) in cases {
        let mut headers = headers.clone();
        headers.insert(name, value.parse().unwrap());
        let request = form("/form", &headers, format!("csrf={}&name=a", token.value()));
        assert_eq!(send(&harness, request).await.0, expected, "{name}: {value}");
    }
}

#[tokio::test]
async fn the_sign_in_form_is_bound_to_its_own_cookie() {
    let harness = Harness::start().await;
    let (token, cookie) = form_token(harness.state(), &HeaderMap::new());
    let cookie = cookie.unwrap();
    let text = cookie.to_str().unwrap();
    for part in ["__Host-", "; Path=/", "; Secure", "; HttpOnly", "; SameSite="] {
        assert!(text.contains(part), "{part}");
    }
    let headers = HeaderMap::from_iter([(header::COOKIE, text.split(';').next().unwrap().parse().unwrap())]);
    let body = format!("csrf={}&name=a", token.value());
    assert_eq!(
        send(&harness, form("/login", &headers, body.clone())).await.0,
        StatusCode::OK
    );
    let without_cookie = form("/login", &HeaderMap::new(), body.clone());
    assert_eq!(send(&harness, without_cookie).await.0, StatusCode::FORBIDDEN);
    // It is no token of a session, and a session's is none of the sign-in form.
    let (again, none) = form_token(harness.state(), &headers);
    assert!(none.is_none());
    assert_eq!(again.value(), token.value());
}

#[tokio::test]
async fn unknown_fields_and_other_content_types_are_refused() {
    let harness = Harness::start().await;
    let headers = harness.session("admin", ADMIN_PASSWORD).await;
    let token = user_of(&headers, harness.state()).await.unwrap().unwrap().csrf;
    let body = format!("csrf={}&name=a&role=administrator", token.value());
    let (status, ..) = send(&harness, form("/form", &headers, body.clone())).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let mut plain = form("/form", &headers, body);
    plain
        .headers_mut()
        .insert(header::CONTENT_TYPE, "text/plain".parse().unwrap());
    assert_eq!(send(&harness, plain).await.0, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_session_ends_when_idle_and_after_twelve_hours_whatever_happens() {
    let harness = Harness::start().await;
    let headers = harness.session("admin", ADMIN_PASSWORD).await;
    harness.clock.advance(Duration::from_secs(29 * 60));
    assert_eq!(send(&harness, page("/who", &headers)).await.0, StatusCode::OK);
    harness.state().store.flush().await.unwrap();
    harness.clock.advance(Duration::from_secs(31 * 60));
    assert_eq!(send(&harness, page("/who", &headers)).await.0, StatusCode::SEE_OTHER);
    let headers = harness.session("admin", ADMIN_PASSWORD).await;
    for _ in 0..24 {
        assert_eq!(send(&harness, page("/who", &headers)).await.0, StatusCode::OK);
        harness.clock.advance(Duration::from_secs(29 * 60));
        harness.state().store.flush().await.unwrap();
    }
    assert_eq!(send(&harness, page("/who", &headers)).await.0, StatusCode::OK);
    harness.clock.advance(Duration::from_secs(29 * 60));
    assert_eq!(send(&harness, page("/who", &headers)).await.0, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn people_who_are_not_signed_in_are_sent_to_the_form_and_programs_get_a_problem() {
    let harness = Harness::start().await;
    let (status, _, headers) = send(&harness, page("/who?a=1&b=2", &HeaderMap::new())).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    assert_eq!(headers[header::LOCATION], "/login?next=%2Fwho%3Fa%3D1%26b%3D2");
    let program = Request::get("/who").body(Body::empty()).unwrap();
    assert_eq!(send(&harness, program).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_role_without_the_permission_is_refused() {
    let harness = Harness::start().await;
    for (role, expected) in [
        (Role::Administrator, StatusCode::OK),
        (Role::HelpDeskAdministrator, StatusCode::FORBIDDEN),
        (Role::Auditor, StatusCode::FORBIDDEN),
        (Role::SelfService, StatusCode::FORBIDDEN),
    ] {
        let name = role.name();
        let headers = signed_in_with_own_password(&harness, name, role).await;
        assert_eq!(send(&harness, page("/accounts", &headers)).await.0, expected, "{name}");
    }
}

#[tokio::test]
async fn a_generated_password_must_be_changed_before_anything_else() {
    let harness = Harness::start().await;
    let admin = harness.admin().await;
    let password = accounts::create(harness.state(), &admin, "dana", Role::HelpDeskAdministrator)
        .await
        .unwrap();
    let headers = harness.session("dana", &password).await;
    let (status, _, answer) = send(&harness, page("/who", &headers)).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    assert_eq!(answer[header::LOCATION], "/account/password");
    let user = user_of(&headers, harness.state()).await.unwrap().unwrap();
    let new = Zeroizing::new("an entirely new sentence".to_owned());
    sign_in::change_password(harness.state(), &user, password, new)
        .await
        .unwrap();
    assert_eq!(send(&harness, page("/who", &headers)).await.0, StatusCode::OK);
}

async fn signed_in_with_own_password(harness: &Harness, name: &str, role: Role) -> HeaderMap {
    let user = harness.person(name, role).await;
    let admin = harness.admin().await;
    let given = accounts::reset_password(harness.state(), &admin, name).await.unwrap();
    let headers = harness.session(name, &given).await;
    let user = CurrentUser {
        session: user_of(&headers, harness.state()).await.unwrap().unwrap().session,
        ..user
    };
    let new = Zeroizing::new("an entirely new sentence".to_owned());
    let changed: Result<(), AppError> = sign_in::change_password(harness.state(), &user, given, new).await;
    changed.unwrap();
    headers
}
