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

use axum::middleware;
use domain::access::Permission::{
    ManageAccounts, ManageDevices, ManageEnrolment, ManagePolicy, ReadAudit, ReadDevices, ReadPolicy, ReadReports,
    RecoverNamedDrive, RecoverOwnDrive,
};

use crate::routes::Access::{Anybody, Needs, SignedIn};
use crate::routes::Routes;
use crate::state::AppState;

/// Every page, the assets, and the answer to addresses that do not exist.
pub(crate) fn routes(state: &AppState) -> Routes {
    let as_pages = middleware::from_fn_with_state(state.clone(), faults::as_pages);
    Routes::new(state)
        .merge(for_everybody(state))
        .merge(fleet(state))
        .merge(policy(state))
        .merge(recovery(state))
        .merge(settings(state))
        .merge(known_addresses(state))
        .with(|pages| {
            pages
                .fallback(pages::home::missing)
                .method_not_allowed_fallback(pages::home::wrong_method)
                .layer(as_pages)
        })
}

fn for_everybody(state: &AppState) -> Routes {
    Routes::new(state)
        .get("/", Anybody, pages::home::start)
        .get("/login", Anybody, pages::login::form)
        .post("/login", Anybody, pages::login::sign_in)
        .post("/logout", SignedIn, pages::login::sign_out)
        .post("/theme", Anybody, pages::theme::choose)
        .get("/account", SignedIn, pages::account::page)
        .get("/account/password", SignedIn, pages::account::password)
        .post("/account/password", SignedIn, pages::account::change_password)
        .post("/account/sessions/revoke", SignedIn, pages::account::revoke)
        .get("/assets/{name}", Anybody, pages::files::asset)
        .get("/favicon.ico", Anybody, pages::files::favicon)
}

fn fleet(state: &AppState) -> Routes {
    Routes::new(state)
        .get("/admin", Needs(ReadReports), pages::dashboard::page)
        .get("/admin/devices", Needs(ReadDevices), pages::devices::page)
        .get("/admin/devices/{id}", Needs(ReadDevices), pages::device::page)
        .post(
            "/admin/devices/{id}/rotate",
            Needs(ManageDevices),
            pages::device::rotate,
        )
        .get("/admin/devices/{id}/policy", Needs(ReadDevices), pages::effective::page)
        .post(
            "/admin/devices/{id}/policy",
            Needs(ManagePolicy),
            pages::effective::save,
        )
        .get("/admin/audit", Needs(ReadAudit), pages::audit::page)
        .get("/admin/audit.csv", Needs(ReadAudit), pages::audit::export)
}

fn policy(state: &AppState) -> Routes {
    Routes::new(state)
        .get("/admin/policies", Needs(ReadPolicy), pages::policies::list)
        .post("/admin/policies", Needs(ManagePolicy), pages::policy_text::create)
        .get("/admin/policies/new", Needs(ManagePolicy), pages::policy_text::new)
        .get("/admin/policies/{id}", Needs(ReadPolicy), pages::policies::page)
        .get("/admin/policies/{id}/edit", Needs(ManagePolicy), pages::policies::edit)
        .post("/admin/policies/{id}/edit", Needs(ManagePolicy), pages::policies::save)
        .get(
            "/admin/policies/{id}/text",
            Needs(ManagePolicy),
            pages::policy_text::edit,
        )
        .post(
            "/admin/policies/{id}/text",
            Needs(ManagePolicy),
            pages::policy_text::save,
        )
        .post(
            "/admin/policies/{id}/preview",
            Needs(ManagePolicy),
            pages::preview::policy,
        )
        .post(
            "/admin/policies/{id}/retire",
            Needs(ManagePolicy),
            pages::policy_text::retire,
        )
        .post(
            "/admin/policies/{id}/deploy",
            Needs(ManagePolicy),
            pages::deployments::save,
        )
        .post(
            "/admin/policies/{id}/deploy/preview",
            Needs(ManagePolicy),
            pages::preview::deployment,
        )
        .post(
            "/admin/policies/{id}/deploy/end",
            Needs(ManagePolicy),
            pages::deployments::end,
        )
        .get("/admin/collections", Needs(ReadPolicy), pages::collections::list)
        .post("/admin/collections", Needs(ManagePolicy), pages::collections::save)
        .get("/admin/collections/{id}", Needs(ReadPolicy), pages::collections::page)
        .get("/admin/exemptions", Needs(ReadPolicy), pages::exemptions::list)
        .post("/admin/exemptions", Needs(ManagePolicy), pages::exemptions::request)
        .post(
            "/admin/exemptions/decide",
            Needs(ManagePolicy),
            pages::exemptions::decide,
        )
}

fn recovery(state: &AppState) -> Routes {
    Routes::new(state)
        .get("/helpdesk", Needs(RecoverNamedDrive), pages::helpdesk::form)
        .post("/helpdesk", Needs(RecoverNamedDrive), pages::helpdesk::recover)
        .post("/helpdesk/save", Needs(RecoverNamedDrive), pages::helpdesk::save)
        .get("/selfservice", Needs(RecoverOwnDrive), pages::selfservice::form)
        .post("/selfservice", Needs(RecoverOwnDrive), pages::selfservice::recover)
        .get("/selfservice/exemption", Needs(RecoverOwnDrive), pages::exemptions::own)
        .post(
            "/selfservice/exemption",
            Needs(RecoverOwnDrive),
            pages::exemptions::request_own,
        )
}

fn settings(state: &AppState) -> Routes {
    Routes::new(state)
        .get("/admin/enrolment", Needs(ManageEnrolment), pages::enrolment::page)
        .post("/admin/enrolment", Needs(ManageEnrolment), pages::enrolment::create)
        .post(
            "/admin/enrolment/revoke",
            Needs(ManageEnrolment),
            pages::enrolment::revoke,
        )
        .get("/admin/api-tokens", Needs(ManageAccounts), pages::api_tokens::page)
        .post("/admin/api-tokens", Needs(ManageAccounts), pages::api_tokens::create)
        .post(
            "/admin/api-tokens/revoke",
            Needs(ManageAccounts),
            pages::api_tokens::revoke,
        )
        .get("/admin/accounts", Needs(ManageAccounts), pages::accounts::page)
        .post("/admin/accounts", Needs(ManageAccounts), pages::accounts::create)
        .post(
            "/admin/accounts/role",
            Needs(ManageAccounts),
            pages::accounts::set_grant,
        )
        .post("/admin/accounts/reset", Needs(ManageAccounts), pages::accounts::reset)
        .post(
            "/admin/accounts/disable",
            Needs(ManageAccounts),
            pages::accounts::disable,
        )
        .post("/admin/accounts/enable", Needs(ManageAccounts), pages::accounts::enable)
}

/// Addresses that people know from other products, or that they are likely to type.
fn known_addresses(state: &AppState) -> Routes {
    const KNOWN: [(&str, &str); 9] = [
        ("/HelpDesk", "/helpdesk"),
        ("/HelpDesk/", "/helpdesk"),
        ("/helpdesk/", "/helpdesk"),
        ("/SelfService", "/selfservice"),
        ("/SelfService/", "/selfservice"),
        ("/selfservice/", "/selfservice"),
        ("/audit", "/admin/audit"),
        ("/reports", "/admin"),
        ("/admin/", "/admin"),
    ];
    KNOWN.into_iter().fold(Routes::new(state), |routes, (from, to)| {
        routes.get(from, Anybody, move || async move { frame::go(to) })
    })
}
