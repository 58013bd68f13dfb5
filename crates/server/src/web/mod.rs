//! The pages: everything that renders HTML. They work without a script and under a policy that allows none.
//!
//! `pages` holds one file per page with its handlers, [`view`] what their templates render. Handlers call
//! [`services`](crate::services), fill a view and answer; a form is answered by a redirect, except where a secret is shown,
//! which happens once and only in the answer to the form that asked for it.

pub mod assets;
pub mod icons;
pub mod view;

mod faults;
mod format;
mod frame;
mod names;
mod pages;
mod words;

pub(crate) use words::{VERDICTS, verdict_name};

use axum::{
    Router, middleware,
    routing::{get, post},
};

use crate::state::AppState;

/// Every page, the assets, and the answer to addresses that do not exist.
pub fn router(state: &AppState) -> Router<AppState> {
    Router::new()
        .route("/", get(pages::home::start))
        .route("/login", get(pages::login::form).post(pages::login::sign_in))
        .route("/logout", post(pages::login::sign_out))
        .route("/theme", post(pages::theme::choose))
        .route("/account", get(pages::account::page))
        .route(
            "/account/password",
            get(pages::account::password).post(pages::account::change_password),
        )
        .route("/account/sessions/revoke", post(pages::account::revoke))
        .route("/admin", get(pages::dashboard::page))
        .route("/admin/devices", get(pages::devices::page))
        .route("/admin/devices/{id}", get(pages::device::page))
        .route("/admin/devices/{id}/rotate", post(pages::device::rotate))
        .route(
            "/admin/policies",
            get(pages::policies::list).post(pages::policy_text::create),
        )
        .route("/admin/policies/new", get(pages::policy_text::new))
        .route(
            "/admin/policies/{id}/text",
            get(pages::policy_text::edit).post(pages::policy_text::save),
        )
        .route("/admin/policies/{id}/preview", post(pages::preview::policy))
        .route("/admin/policies/{id}/retire", post(pages::policy_text::retire))
        .route("/admin/policies/{id}/deploy", post(pages::deployments::save))
        .route("/admin/policies/{id}/deploy/preview", post(pages::preview::deployment))
        .route("/admin/policies/{id}/deploy/end", post(pages::deployments::end))
        .route(
            "/admin/collections",
            get(pages::collections::list).post(pages::collections::save),
        )
        .route("/admin/collections/{id}", get(pages::collections::page))
        .route(
            "/admin/exemptions",
            get(pages::exemptions::list).post(pages::exemptions::request),
        )
        .route("/admin/exemptions/decide", post(pages::exemptions::decide))
        .route(
            "/selfservice/exemption",
            get(pages::exemptions::own).post(pages::exemptions::request_own),
        )
        .route(
            "/admin/devices/{id}/policy",
            get(pages::effective::page).post(pages::effective::save),
        )
        .route("/admin/policies/{id}", get(pages::policies::page))
        .route(
            "/admin/policies/{id}/edit",
            get(pages::policies::edit).post(pages::policies::save),
        )
        .route(
            "/admin/enrolment",
            get(pages::enrolment::page).post(pages::enrolment::create),
        )
        .route("/admin/enrolment/revoke", post(pages::enrolment::revoke))
        .route(
            "/admin/accounts",
            get(pages::accounts::page).post(pages::accounts::create),
        )
        .route("/admin/accounts/role", post(pages::accounts::set_role))
        .route("/admin/accounts/reset", post(pages::accounts::reset))
        .route("/admin/accounts/disable", post(pages::accounts::disable))
        .route("/admin/accounts/enable", post(pages::accounts::enable))
        .route("/admin/audit", get(pages::audit::page))
        .route("/admin/audit.csv", get(pages::audit::export))
        .route("/helpdesk", get(pages::helpdesk::form).post(pages::helpdesk::recover))
        .route("/helpdesk/save", post(pages::helpdesk::save))
        .route(
            "/selfservice",
            get(pages::selfservice::form).post(pages::selfservice::recover),
        )
        .route("/assets/{name}", get(pages::files::asset))
        .route("/favicon.ico", get(pages::files::favicon))
        .merge(known_addresses())
        .fallback(pages::home::missing)
        .method_not_allowed_fallback(pages::home::wrong_method)
        .layer(middleware::from_fn_with_state(state.clone(), faults::as_pages))
}

/// Addresses that people know from other products, or that they are likely to type.
fn known_addresses() -> Router<AppState> {
    const KNOWN: [(&str, &str); 7] = [
        ("/HelpDesk", "/helpdesk"),
        ("/HelpDesk/", "/helpdesk"),
        ("/helpdesk/", "/helpdesk"),
        ("/SelfService", "/selfservice"),
        ("/SelfService/", "/selfservice"),
        ("/selfservice/", "/selfservice"),
        ("/audit", "/admin/audit"),
    ];
    let mut router = Router::new();
    for (from, to) in KNOWN {
        router = router.route(from, get(move || async move { frame::go(to) }));
    }
    router
        .route("/reports", get(|| async { frame::go("/admin") }))
        .route("/admin/", get(|| async { frame::go("/admin") }))
}
