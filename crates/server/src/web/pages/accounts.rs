//! Local accounts.

use axum::{extract::State, http::StatusCode, response::Response};
use domain::{access::Role, time::Timestamp};
use serde::Deserialize;
use store::model::{Account, same_account};

use crate::{
    csrf::CsrfForm,
    error::{AppError, Result},
    services::accounts::{self, role_from_name, role_name},
    session::{CurrentUser, Require, may},
    state::AppState,
    web::{
        format::moment,
        frame::{Frame, go, page_with},
        view::{
            accounts::{AccountRow, Accounts, FreshPassword},
            chrome::{Place, role_label},
            form::{Choice, SelectField, TextField},
            part::{Tag, Tone},
        },
    },
};

const ROLES: [Role; 4] = [Role::Administrator, Role::HelpDeskAdministrator, Role::Auditor, Role::SelfService];

/// A new account.
#[derive(Debug, Deserialize)]
pub(crate) struct Fields {
    name: String,
    role: String,
}

/// Another role for an account.
#[derive(Debug, Deserialize)]
pub(crate) struct RoleFields {
    id: String,
    role: String,
}

/// Which account.
#[derive(Debug, Deserialize)]
pub(crate) struct Chosen {
    id: String,
}

/// `GET /admin/accounts`.
pub(crate) async fn page(
    State(state): State<AppState>,
    frame: Frame,
    user: Require<may::ManageAccounts>,
) -> Result<Response> {
    show(
        &state,
        &frame,
        &user.0,
        StatusCode::OK,
        None,
        ("", Role::HelpDeskAdministrator),
        None,
    )
    .await
}

/// `POST /admin/accounts`: the first password is shown in the answer, once.
pub(crate) async fn create(
    State(state): State<AppState>,
    frame: Frame,
    user: Require<may::ManageAccounts>,
    CsrfForm(fields): CsrfForm<Fields>,
) -> Result<Response> {
    let user = user.0;
    let role = role(&fields.role)?;
    match accounts::create(&state, &user, &fields.name, role).await {
        Ok(password) => {
            let fresh = FreshPassword {
                name: fields.name.trim().to_owned(),
                password,
            };
            show(
                &state,
                &frame,
                &user,
                StatusCode::OK,
                Some(fresh),
                ("", Role::HelpDeskAdministrator),
                None,
            )
            .await
        }
        Err(error) if matches!(error.code(), "name" | "exists") => {
            let fault = match error.code() {
                "exists" => "There is an account of this name already.",
                _ => "1 to 64 letters, digits, spaces and . - _ @ \\",
            };
            show(
                &state,
                &frame,
                &user,
                error.status(),
                None,
                (&fields.name, role),
                Some(fault.to_owned()),
            )
            .await
        }
        Err(error) => Err(error),
    }
}

/// `POST /admin/accounts/role`.
pub(crate) async fn set_role(
    State(state): State<AppState>,
    user: Require<may::ManageAccounts>,
    CsrfForm(fields): CsrfForm<RoleFields>,
) -> Result<Response> {
    not_own(&user.0, &fields.id)?;
    accounts::set_role(&state, &user.0, &fields.id, role(&fields.role)?).await?;
    Ok(go("/admin/accounts?done=role"))
}

/// `POST /admin/accounts/reset`: the new password is shown in the answer, once.
pub(crate) async fn reset(
    State(state): State<AppState>,
    frame: Frame,
    user: Require<may::ManageAccounts>,
    CsrfForm(chosen): CsrfForm<Chosen>,
) -> Result<Response> {
    let user = user.0;
    not_own(&user, &chosen.id)?;
    let password = accounts::reset_password(&state, &user, &chosen.id).await?;
    let fresh = FreshPassword {
        name: chosen.id,
        password,
    };
    show(
        &state,
        &frame,
        &user,
        StatusCode::OK,
        Some(fresh),
        ("", Role::HelpDeskAdministrator),
        None,
    )
    .await
}

/// `POST /admin/accounts/disable`.
pub(crate) async fn disable(
    State(state): State<AppState>,
    user: Require<may::ManageAccounts>,
    CsrfForm(chosen): CsrfForm<Chosen>,
) -> Result<Response> {
    not_own(&user.0, &chosen.id)?;
    accounts::set_disabled(&state, &user.0, &chosen.id, true).await?;
    Ok(go("/admin/accounts?done=disabled"))
}

/// `POST /admin/accounts/enable`.
pub(crate) async fn enable(
    State(state): State<AppState>,
    user: Require<may::ManageAccounts>,
    CsrfForm(chosen): CsrfForm<Chosen>,
) -> Result<Response> {
    accounts::set_disabled(&state, &user.0, &chosen.id, false).await?;
    Ok(go("/admin/accounts?done=enabled"))
}

fn role(name: &str) -> Result<Role> {
    role_from_name(name).ok_or_else(|| AppError::invalid("role", "role: administrator, help_desk, auditor or user"))
}

/// Nobody locks themselves out by mistake; one's own password is changed on the account's page.
fn not_own(user: &CurrentUser, name: &str) -> Result<()> {
    if same_account(&user.name, name) {
        return Err(AppError::conflict(
            "own_account",
            "This is your own account: another administrator can change it.",
        ));
    }
    Ok(())
}

async fn show(
    state: &AppState,
    frame: &Frame,
    user: &CurrentUser,
    status: StatusCode,
    fresh: Option<FreshPassword>,
    typed: (&str, Role),
    fault: Option<String>,
) -> Result<Response> {
    let now = state.now();
    let rows = accounts::list(state, user).await?;
    let view = Accounts {
        chrome: frame.chrome(user, Place::Accounts),
        fresh,
        name: TextField {
            name: "name",
            label: "User name".to_owned(),
            value: typed.0.to_owned(),
            hint: "As the agent reports people, domain\\name, for self-service on their own devices.".to_owned(),
            error: fault,
            required: true,
            max: 64,
            ..TextField::default()
        },
        role: SelectField {
            name: "role",
            label: "Role".to_owned(),
            choices: roles(typed.1),
            ..SelectField::default()
        },
        rows: rows.iter().map(|account| line(account, user, now)).collect(),
    };
    page_with(status, &view)
}

fn roles(chosen: Role) -> Vec<Choice> {
    Choice::list(
        &ROLES.map(|role| (role_name(role), role_label(role))),
        role_name(chosen),
    )
}

fn line(account: &Account, user: &CurrentUser, now: Timestamp) -> AccountRow {
    let locked = account.locked_until.is_some_and(|until| until > now);
    let state = match (account.disabled, locked, account.must_change_password) {
        (true, _, _) => Tag::new(Tone::Calm, "Disabled"),
        (false, true, _) => Tag::new(Tone::Warn, "Locked"),
        (false, false, true) => Tag::new(Tone::Info, "First sign-in"),
        (false, false, false) => Tag::new(Tone::Good, "Active"),
    };
    AccountRow {
        id: account.name.clone(),
        name: account.name.clone(),
        roles: roles(account.role),
        role: role_label(account.role).to_owned(),
        state,
        last: account.last_sign_in.map(|at| moment(at, now)),
        own: same_account(&account.name, &user.name),
        disabled: account.disabled,
    }
}
