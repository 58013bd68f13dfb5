//! Every route, with every role and scope, beside the rule table.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use domain::access::{Grant, Role, Scope};
use domain::policy::targeting::CollectionId;
use server::routes::{Access, Declared};
use server::services::accounts;
use tower::ServiceExt as _;
use zeroize::Zeroizing;

use super::api::token;
use super::sites::{berlin, sites};
use crate::support::Harness;

/// Signed in, past the change of the first password.
pub(crate) async fn signed_in(harness: &Harness, name: &str, grant: Grant) -> HeaderMap {
    let admin = harness.admin().await;
    let given = accounts::create(harness.state(), &admin, name, grant).await.unwrap();
    let headers = harness.session(name, &given).await;
    let user = server::session::user_of(&headers, harness.state())
        .await
        .unwrap()
        .unwrap();
    let new = Zeroizing::new("an entirely new sentence".to_owned());
    server::services::sign_in::change_password(harness.state(), &user, given, new)
        .await
        .unwrap();
    headers
}

/// Status and code of the answer in-process.
pub(crate) async fn ask(app: &Router, method: Method, path: &str, headers: &HeaderMap) -> (StatusCode, String) {
    let mut request = Request::builder().method(method.clone()).uri(path);
    *request.headers_mut().unwrap() = headers.clone();
    request = request.header(header::ACCEPT, "application/json");
    if method == Method::POST {
        request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    }
    let answer = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let status = answer.status();
    let body = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    let problem: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    (status, problem["code"].as_str().unwrap_or_default().to_owned())
}

#[derive(Clone, Copy)]
enum Who<'a> {
    Nobody,
    Person(&'a Grant),
    Program(&'a Grant),
}

/// Who has the permission gets past it, whatever comes then; who has not is told so, and nothing else.
fn agrees(access: Access, who: Who<'_>, status: StatusCode, code: &str) -> bool {
    let refused = status == StatusCode::FORBIDDEN && code == "not_allowed";
    let nobody = status == StatusCode::UNAUTHORIZED && code == "sign_in_needed";
    let no_token = status == StatusCode::UNAUTHORIZED && code == "token_needed";
    match (access, who) {
        (Access::Anybody, _) | (Access::SignedIn, Who::Person(_)) => !refused && !nobody,
        (Access::SignedIn | Access::Needs(_), Who::Nobody | Who::Program(_)) => nobody,
        (Access::Api(_), Who::Nobody | Who::Person(_)) => no_token,
        (Access::Needs(permission), Who::Person(grant)) | (Access::Api(permission), Who::Program(grant)) => {
            refused != grant.allows(permission) && !nobody && !no_token
        }
        (Access::Device, _) => status == StatusCode::UNAUTHORIZED && code == "certificate_needed",
        // Without a message there is nothing that a token could be in.
        (Access::EnrolmentToken, _) => status.is_client_error() && !refused && !nobody,
    }
}

fn filled(route: &Declared, device: &str) -> String {
    route
        .path
        .replace("/policies/{id}", "/policies/default")
        .replace("/admin/collections/{id}", "/admin/collections/berlin")
        .replace("{id}", device)
        .replace("{name}", "nothing")
}

#[tokio::test]
#[expect(clippy::disallowed_macros, reason = "the figure belongs into the test's output")]
async fn every_route_answers_every_role_and_scope_as_the_rule_table_says() {
    let harness = Harness::start().await;
    let device = sites(&harness).await.berlin.to_string();
    let (app, routes) = harness.running.routes();
    let scopes = [
        ("everything", Scope::Everything),
        ("berlin", berlin()),
        ("all-devices", Scope::of([CollectionId::all_devices()])),
        ("nothing", Scope::of([])),
    ];
    let mut surprises = Vec::new();
    let mut combinations = 0;
    let mut look = async |who: &str, caller: Who<'_>, headers: &HeaderMap| {
        for route in &routes {
            let path = filled(route, &device);
            // Forms come without their token, so that whoever gets past the guard changes nothing.
            let (status, code) = ask(&app, route.method.clone(), &path, headers).await;
            combinations += 1;
            if !agrees(route.access, caller, status, &code) {
                surprises.push(format!("{who}: {} {path}: {status} {code}", route.method));
            }
        }
    };
    look("nobody", Who::Nobody, &HeaderMap::new()).await;
    for role in Role::ALL {
        for (name, scope) in &scopes {
            let grant = Grant {
                role,
                scope: scope.clone(),
            };
            let who = format!("{}-{name}", role.name());
            let headers = signed_in(&harness, &who, grant.clone()).await;
            look(&who, Who::Person(&grant), &headers).await;
            if role != Role::SelfService {
                let headers = token(&harness, grant.clone()).await;
                look(&format!("token-{who}"), Who::Program(&grant), &headers).await;
            }
        }
    }
    assert!(surprises.is_empty(), "{}", surprises.join("\n"));
    let callers = (2 * Role::ALL.len() - 1) * scopes.len() + 1;
    println!(
        "{combinations} combinations: {} routes, {callers} callers",
        routes.len()
    );
    assert_eq!(combinations, routes.len() * callers);
    assert!(routes.len() > 50, "{}", routes.len());
}

#[tokio::test]
async fn no_route_is_declared_twice_or_for_a_page_of_administration_without_a_permission() {
    let harness = Harness::start().await;
    let (_, routes) = harness.running.routes();
    let mut seen = std::collections::BTreeSet::new();
    for route in &routes {
        assert!(seen.insert((route.method.to_string(), route.path.clone())), "{route:?}");
        let administration = route.path.starts_with("/admin/") && route.path != "/admin/";
        let people = ["/helpdesk", "/selfservice"]
            .iter()
            .any(|path| route.path.starts_with(path))
            && !route.path.ends_with('/');
        if administration || people || route.path == "/admin" {
            assert!(matches!(route.access, Access::Needs(_)), "{route:?}");
        }
        if route.path.starts_with("/agent/") {
            assert!(
                matches!(route.access, Access::Device | Access::EnrolmentToken),
                "{route:?}"
            );
        }
    }
}
