//! Two sites, and people who may see one of them.

use std::collections::BTreeSet;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use domain::access::{Grant, Role, Scope};
use domain::ids::DeviceId;
use domain::policy::targeting::{Collection, CollectionId, Deployment, PolicyId, Rule};
use server::services::recovery::{Why, disclose, search};
use server::services::{audit, dashboard, devices, requests, targeting};
use server::session::{CurrentUser, user_of};
use store::model::{AuditQuery, Content, DeviceQuery, Document, ExemptionQuery, KeyName, Marks};

use tower::ServiceExt as _;

use super::access::signed_in;
use crate::support::{Device, Harness, Volume, inventory};

/// BER-1, used by `CORP\anna`, and PAR-1, used by `CORP\bert`, each with one volume and key.
pub(crate) struct Sites {
    pub(crate) berlin: DeviceId,
    pub(crate) paris: DeviceId,
    pub(crate) key_of_berlin: KeyName,
    pub(crate) key_of_paris: KeyName,
}

pub(crate) fn berlin() -> Scope {
    Scope::of([CollectionId::new("berlin").unwrap()])
}

pub(crate) async fn sites(harness: &Harness) -> Sites {
    let admin = harness.admin().await;
    for (id, pattern) in [("berlin", "BER-*"), ("paris", "PAR-*")] {
        let collection = Content::Collection(Collection {
            rules: vec![Rule::Name(pattern.to_owned())],
            ..Collection::empty(CollectionId::new(id).unwrap(), id)
        });
        put(harness, &admin, collection).await.unwrap();
    }
    let key_of_berlin = device(harness, "BER-1", "CORP\\anna", 1).await;
    let key_of_paris = device(harness, "PAR-1", "CORP\\bert", 2).await;
    Sites {
        berlin: key_of_berlin.device,
        paris: key_of_paris.device,
        key_of_berlin,
        key_of_paris,
    }
}

async fn device(harness: &Harness, host: &str, user: &str, seed: u8) -> KeyName {
    let device = Device::enrol(harness, host).await;
    let volume = Volume::new(seed);
    device.escrow(&volume).await.unwrap();
    let mut report = inventory(&[user], &volume, &[volume.protector]);
    report.hostname = host.to_owned();
    report.hardware_id = host.to_owned();
    device.check_in(Some(report)).await.unwrap();
    KeyName {
        device: device.id,
        volume: volume.id,
        protector: volume.protector,
    }
}

async fn put(harness: &Harness, user: &CurrentUser, content: Content) -> server::error::Result<u32> {
    targeting::put(harness.state(), user, content, String::new(), 0, false, "").await
}

/// A person with a role for Berlin.
async fn of_berlin(harness: &Harness, role: Role) -> (CurrentUser, HeaderMap) {
    let grant = Grant { role, scope: berlin() };
    let headers = signed_in(harness, &format!("{}-of-berlin", role.name()), grant).await;
    (user_of(&headers, harness.state()).await.unwrap().unwrap(), headers)
}

/// Status and text of an answer; a form comes with its token.
async fn send(
    app: &Router,
    method: Method,
    path: &str,
    user: &CurrentUser,
    headers: &HeaderMap,
) -> (StatusCode, String) {
    let mut request = Request::builder().method(method.clone()).uri(path);
    *request.headers_mut().unwrap() = headers.clone();
    let mut body = Body::empty();
    if method == Method::POST {
        request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let form = [
            ("csrf", user.csrf.value()),
            ("reason", "r"),
            ("tags", ""),
            ("volume", ""),
        ];
        body = Body::from(serde_urlencoded::to_string(form).unwrap());
    }
    let answer = app.clone().oneshot(request.body(body).unwrap()).await.unwrap();
    let status = answer.status();
    let text = to_bytes(answer.into_body(), 1 << 22).await.unwrap();
    (status, String::from_utf8(text.to_vec()).unwrap())
}

#[tokio::test]
async fn a_device_outside_the_scope_is_answered_as_one_that_does_not_exist_on_every_route() {
    let harness = Harness::start().await;
    let sites = sites(&harness).await;
    let (user, headers) = of_berlin(&harness, Role::Administrator).await;
    let (app, routes) = harness.running.routes();
    let (nowhere, paris) = ("00000000-0000-4000-8000-000000000000", sites.paris.to_string());
    let mut looked_at = 0;
    for route in routes
        .iter()
        .filter(|route| route.path.starts_with("/admin/devices/{id}"))
    {
        let ask = async |id: &str| {
            let path = route.path.replace("{id}", id);
            let (status, text) = send(&app, route.method.clone(), &path, &user, &headers).await;
            (status, text.replace(id, "ID"))
        };
        let (missing, outside) = (ask(nowhere).await, ask(&paris).await);
        assert_eq!(missing.0, StatusCode::NOT_FOUND, "{route:?}: {}", missing.1);
        assert_eq!(missing, outside, "{route:?}");
        let own = ask(&sites.berlin.to_string()).await;
        assert_ne!(own.0, StatusCode::NOT_FOUND, "{route:?}: {}", own.1);
        looked_at += 1;
    }
    assert!(looked_at >= 4, "{looked_at}");
}

#[tokio::test]
async fn no_page_shows_anything_of_a_device_outside_the_scope() {
    let harness = Harness::start().await;
    let sites = sites(&harness).await;
    let (app, routes) = harness.running.routes();
    for role in [
        Role::Administrator,
        Role::PolicyAuthor,
        Role::HelpDeskAdministrator,
        Role::Auditor,
    ] {
        let (user, headers) = of_berlin(&harness, role).await;
        let mut seen = 0;
        for route in routes.iter().filter(|route| route.method == Method::GET) {
            let path = route
                .path
                .replace("/admin/policies/{id}", "/admin/policies/default")
                .replace("/admin/collections/{id}", "/admin/collections/paris")
                .replace("{id}", &sites.berlin.to_string());
            for path in [
                path.clone(),
                format!("{path}?q=PAR&device=PAR-1&subject={}", sites.paris),
            ] {
                let (status, text) = send(&app, Method::GET, &path, &user, &headers).await;
                let text = text
                    .replace(&path.replace('&', "&amp;"), "")
                    .replace(&path.replace('&', "&#38;"), "");
                let leaks = |what: &str| text.contains(what) && !path.contains("?q=");
                assert!(!text.contains("CORP\\bert"), "{role:?} {path}: {status} {text}");
                assert!(
                    !leaks("PAR-1") && !leaks(&sites.paris.to_string()),
                    "{role:?} {path}: {status} {text}"
                );
                seen += usize::from(text.contains("BER-1"));
            }
        }
        assert!(seen >= 2, "{role:?} sees what is in the scope: {seen}");
    }
}

#[tokio::test]
async fn services_list_and_count_only_what_is_in_the_scope() {
    let harness = Harness::start().await;
    let sites = sites(&harness).await;
    let state = harness.state();
    let (user, _) = of_berlin(&harness, Role::Administrator).await;
    let listed = devices::list(state, &user, DeviceQuery::default()).await.unwrap();
    assert_eq!((listed.total, listed.items[0].id), (1, sites.berlin));
    let overview = dashboard::overview(state, &user).await.unwrap();
    assert_eq!((overview.summary.devices_total(), overview.summary.keys.live), (1, 1));
    let entries = audit::search(state, &user, AuditQuery::default()).await.unwrap();
    assert!(entries.total > 0);
    let about = |id: DeviceId| format!("{id}");
    for entry in &entries.items {
        let text = format!("{} {}", entry.event.subject, entry.event.actor);
        assert!(
            text.contains(&about(sites.berlin)) && !text.contains(&about(sites.paris)),
            "{entry:?}"
        );
    }
    let refused = requests::rotate(state, &user, sites.paris, None, "").await.unwrap_err();
    assert_eq!(
        (refused.code(), refused.detail()),
        ("not_found", "There is no such device.")
    );
    requests::rotate(state, &user, sites.berlin, None, "").await.unwrap();
    let refused = requests::set_retired(state, &user, sites.paris, true)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), "not_found");
    let (count, members) = targeting::members(state, &user, &CollectionId::all_devices(), 0, 10)
        .await
        .unwrap();
    assert_eq!((count, members.len()), (1, 1));
}

fn why(caller: &str) -> Why {
    Why {
        reason: "Lost PIN".to_owned(),
        on_behalf_of: caller.to_owned(),
        ..Why::default()
    }
}

#[tokio::test]
async fn keys_outside_the_scope_are_neither_found_nor_told() {
    let harness = Harness::start().await;
    let sites = sites(&harness).await;
    let state = harness.state();
    let (dana, _) = of_berlin(&harness, Role::HelpDeskAdministrator).await;
    let digits = |name: KeyName| name.protector.short();
    assert_eq!(
        search(state, &dana, &digits(sites.key_of_berlin), "")
            .await
            .unwrap()
            .len(),
        1
    );
    assert!(
        search(state, &dana, &digits(sites.key_of_paris), "")
            .await
            .unwrap()
            .is_empty()
    );
    let refused = disclose(state, &dana, sites.key_of_paris, &why("CORP\\bert"))
        .await
        .unwrap_err();
    assert_eq!(refused.status(), StatusCode::NOT_FOUND);
    assert_eq!(
        (
            harness.audit_count("key.refused").await,
            harness.audit_count("key.disclosed").await
        ),
        (1, 0)
    );
    disclose(state, &dana, sites.key_of_berlin, &why("")).await.unwrap();
    assert_eq!(harness.audit_count("key.disclosed").await, 1);
}

#[tokio::test]
async fn a_help_desk_user_names_the_caller_who_must_use_the_device() {
    let harness = Harness::start().await;
    let sites = sites(&harness).await;
    let state = harness.state();
    let nora = harness.person("nora", Role::HelpDeskUser).await;
    let digits = sites.key_of_paris.protector.short();
    for nobody in ["", " ", "\\bert", "CORP\\"] {
        assert_eq!(
            search(state, &nora, &digits, nobody).await.unwrap_err().code(),
            "user",
            "{nobody:?}"
        );
        let refused = disclose(state, &nora, sites.key_of_paris, &why(nobody))
            .await
            .unwrap_err();
        assert_eq!(refused.code(), "user", "{nobody:?}");
    }
    for stranger in ["CORP\\anna", "bert", "LAB\\bert", "nora"] {
        assert!(
            search(state, &nora, &digits, stranger).await.unwrap().is_empty(),
            "{stranger}"
        );
        let refused = disclose(state, &nora, sites.key_of_paris, &why(stranger))
            .await
            .unwrap_err();
        assert_eq!(refused.status(), StatusCode::NOT_FOUND, "{stranger}");
    }
    assert_eq!(harness.audit_count("key.disclosed").await, 0);
    assert_eq!(search(state, &nora, &digits, "corp\\BERT").await.unwrap().len(), 1);
    disclose(state, &nora, sites.key_of_paris, &why("CORP\\bert"))
        .await
        .unwrap();
    let entries = harness.audit().await;
    let told = entries
        .iter()
        .find(|entry| entry.event.action == "key.disclosed")
        .unwrap();
    assert_eq!(told.event.detail, "Lost PIN; for CORP\\bert");

    let grant = Grant {
        role: Role::HelpDeskUser,
        scope: berlin(),
    };
    let headers = signed_in(&harness, "narrow", grant).await;
    let narrow = user_of(&headers, state).await.unwrap().unwrap();
    assert!(search(state, &narrow, &digits, "CORP\\bert").await.unwrap().is_empty());
}

fn policy(id: &str) -> Content {
    Content::Document(Document {
        id: PolicyId::new(id).unwrap(),
        name: id.to_owned(),
        description: String::new(),
        assignments: domain::policy::Assignments::default(),
    })
}

fn deployment(id: &str, policy: &str, collection: &str) -> Content {
    Content::Deployment(Deployment {
        id: id.parse().unwrap(),
        policy: PolicyId::new(policy).unwrap(),
        collection: CollectionId::new(collection).unwrap(),
        priority: 1,
        not_before: None,
        windows: Vec::new(),
        outside_window_allowed: true,
    })
}

#[tokio::test]
async fn a_policy_author_reaches_only_the_collections_of_the_scope() {
    let harness = Harness::start().await;
    let sites = sites(&harness).await;
    let state = harness.state();
    let admin = harness.admin().await;
    let (pam, _) = of_berlin(&harness, Role::PolicyAuthor).await;
    put(&harness, &admin, policy("shared")).await.unwrap();
    put(&harness, &admin, deployment("in-paris", "shared", "paris"))
        .await
        .unwrap();

    put(&harness, &pam, policy("own")).await.unwrap();
    put(&harness, &pam, deployment("d1", "own", "berlin")).await.unwrap();
    let change = async |content: Content, base: u32, retired: bool| {
        targeting::put(state, &pam, content, String::new(), base, retired, "").await
    };
    change(policy("own"), 1, false).await.unwrap();
    for (what, refused) in [
        (
            "to another site",
            change(deployment("d2", "own", "paris"), 0, false).await,
        ),
        (
            "to everybody",
            change(deployment("d2", "own", "all-devices"), 0, false).await,
        ),
        (
            "a move out of the scope",
            change(deployment("d1", "own", "paris"), 1, false).await,
        ),
        (
            "a move into the scope",
            change(deployment("in-paris", "shared", "berlin"), 1, false).await,
        ),
        (
            "an end elsewhere",
            change(deployment("in-paris", "shared", "paris"), 1, true).await,
        ),
        ("a policy that others have", change(policy("shared"), 1, false).await),
        ("its retirement", change(policy("shared"), 1, true).await),
        ("the built-in policy", change(policy("default"), 0, false).await),
        (
            "a wider scope",
            change(
                Content::Collection(Collection {
                    rules: vec![Rule::All(Vec::new())],
                    ..Collection::empty(CollectionId::new("berlin").unwrap(), "berlin")
                }),
                1,
                false,
            )
            .await,
        ),
    ] {
        assert_eq!(refused.unwrap_err().code(), "beyond_scope", "{what}");
    }
    let tagged = Marks {
        tags: BTreeSet::from(["lab".to_owned()]),
        ..Marks::default()
    };
    let refused = targeting::mark(state, &pam, sites.berlin, tagged.clone())
        .await
        .unwrap_err();
    assert_eq!(refused.code(), "beyond_scope");
    let refused = targeting::mark(state, &pam, sites.paris, tagged).await.unwrap_err();
    assert_eq!(refused.code(), "not_found");
    targeting::mark(state, &pam, sites.berlin, Marks::default())
        .await
        .unwrap();
}

#[tokio::test]
async fn exemptions_are_decided_for_people_whose_devices_are_all_in_the_scope() {
    let harness = Harness::start().await;
    sites(&harness).await;
    let state = harness.state();
    let admin = harness.admin().await;
    let (pam, _) = of_berlin(&harness, Role::PolicyAuthor).await;
    for person in ["CORP\\anna", "CORP\\bert"] {
        targeting::request_exemption(state, &admin, person, "r").await.unwrap();
    }
    let seen = targeting::exemptions(state, &pam, ExemptionQuery::default())
        .await
        .unwrap();
    assert_eq!((seen.total, seen.items[0].exemption.user.as_str()), (1, "CORP\\anna"));
    let refused = targeting::decide(state, &pam, 2, targeting::Verb::Deny, "")
        .await
        .unwrap_err();
    let missing = targeting::decide(state, &pam, 99, targeting::Verb::Deny, "")
        .await
        .unwrap_err();
    assert_eq!((refused.code(), refused.detail()), (missing.code(), missing.detail()));
    device(&harness, "PAR-2", "CORP\\anna", 3).await;
    let refused = targeting::decide(state, &pam, 1, targeting::Verb::Approve(None), "")
        .await
        .unwrap_err();
    assert_eq!(refused.code(), "beyond_scope", "she uses a device in Paris as well");
    let refused = targeting::request_exemption(state, &pam, "CORP\\bert", "r")
        .await
        .unwrap_err();
    assert_eq!(refused.code(), "beyond_scope");
}
