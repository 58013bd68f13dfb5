//! Local accounts.

use axum::{extract::State, http::StatusCode, response::Response};
use domain::{
    access::{Grant, Role, Scope},
    time::Timestamp,
};
use serde::Deserialize;
use store::model::{Account, same_account};

use crate::{
    csrf::CsrfForm,
    error::{AppError, Result},
    services::accounts,
    session::CurrentUser,
    state::AppState,
    web::{
        format::moment,
        frame::{Frame, go, page_with},
        view::{
            accounts::{AccountRow, Accounts, FreshPassword},
            chrome::Place,
            form::{Choice, SelectField, TextField},
            part::{Tag, Tone},
        },
    },
};

/// A new account.
#[derive(Debug, Deserialize)]
pub(crate) struct Fields {
    name: String,
    role: String,
    scope: String,
}

/// Another role or scope for an account.
#[derive(Debug, Deserialize)]
pub(crate) struct GrantFields {
    id: String,
    role: String,
    scope: String,
}

/// Which account.
#[derive(Debug, Deserialize)]
pub(crate) struct Chosen {
    id: String,
}

/// What the form for a new account shows.
struct Typed {
    name: String,
    role: Role,
    scope: String,
    name_fault: Option<String>,
    scope_fault: Option<String>,
}

impl Default for Typed {
    fn default() -> Self {
        Self {
            name: String::new(),
            role: Role::HelpDeskUser,
            scope: Scope::Everything.words(),
            name_fault: None,
            scope_fault: None,
        }
    }
}

/// `GET /admin/accounts`.
pub(crate) async fn page(State(state): State<AppState>, frame: Frame, user: CurrentUser) -> Result<Response> {
    show(&state, &frame, &user, StatusCode::OK, None, Typed::default()).await
}

/// `POST /admin/accounts`: the first password is shown in the answer, once.
pub(crate) async fn create(
    State(state): State<AppState>,
    frame: Frame,
    user: CurrentUser,
    CsrfForm(fields): CsrfForm<Fields>,
) -> Result<Response> {
    let role = role(&fields.role)?;
    let made = match scope(&fields.scope) {
        Ok(scope) => accounts::create(&state, &user, &fields.name, Grant { role, scope }).await,
        Err(error) => Err(error),
    };
    match made {
        Ok(password) => {
            let fresh = FreshPassword {
                name: fields.name.trim().to_owned(),
                password,
            };
            show(&state, &frame, &user, StatusCode::OK, Some(fresh), Typed::default()).await
        }
        Err(error) if matches!(error.code(), "name" | "exists" | "scope") => {
            let name_fault = match error.code() {
                "exists" => Some("There is an account of this name already."),
                "name" => Some("1 to 64 letters, digits, spaces and . - _ @ \\"),
                _ => None,
            };
            let typed = Typed {
                scope_fault: name_fault.is_none().then(|| error.detail().to_owned()),
                name_fault: name_fault.map(str::to_owned),
                name: fields.name,
                role,
                scope: fields.scope,
            };
            show(&state, &frame, &user, error.status(), None, typed).await
        }
        Err(error) => Err(error),
    }
}

/// `POST /admin/accounts/role`.
pub(crate) async fn set_grant(
    State(state): State<AppState>,
    user: CurrentUser,
    CsrfForm(fields): CsrfForm<GrantFields>,
) -> Result<Response> {
    not_own(&user, &fields.id)?;
    let grant = Grant {
        role: role(&fields.role)?,
        scope: scope(&fields.scope)?,
    };
    accounts::set_grant(&state, &user, &fields.id, grant).await?;
    Ok(go("/admin/accounts?done=role"))
}

/// `POST /admin/accounts/reset`: the new password is shown in the answer, once.
pub(crate) async fn reset(
    State(state): State<AppState>,
    frame: Frame,
    user: CurrentUser,
    CsrfForm(chosen): CsrfForm<Chosen>,
) -> Result<Response> {
    not_own(&user, &chosen.id)?;
    let password = accounts::reset_password(&state, &user, &chosen.id).await?;
    let fresh = FreshPassword {
        name: chosen.id,
        password,
    };
    show(&state, &frame, &user, StatusCode::OK, Some(fresh), Typed::default()).await
}

/// `POST /admin/accounts/disable`.
pub(crate) async fn disable(
    State(state): State<AppState>,
    user: CurrentUser,
    CsrfForm(chosen): CsrfForm<Chosen>,
) -> Result<Response> {
    not_own(&user, &chosen.id)?;
    accounts::set_disabled(&state, &user, &chosen.id, true).await?;
    Ok(go("/admin/accounts?done=disabled"))
}

/// `POST /admin/accounts/enable`.
pub(crate) async fn enable(
    State(state): State<AppState>,
    user: CurrentUser,
    CsrfForm(chosen): CsrfForm<Chosen>,
) -> Result<Response> {
    accounts::set_disabled(&state, &user, &chosen.id, false).await?;
    Ok(go("/admin/accounts?done=enabled"))
}

fn role(name: &str) -> Result<Role> {
    Role::from_name(name).ok_or_else(|| {
        let names = Role::ALL.map(Role::name).join(", ");
        AppError::invalid("role", format!("role: one of {names}"))
    })
}

fn scope(text: &str) -> Result<Scope> {
    text.parse()
        .map_err(|error| AppError::invalid("scope", format!("scope: {error}")))
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
    typed: Typed,
) -> Result<Response> {
    let now = state.now();
    let rows = accounts::list(state, user).await?;
    let view = Accounts {
        chrome: frame.chrome(user, Place::Accounts),
        fresh,
        name: TextField {
            name: "name",
            label: "User name".to_owned(),
            value: typed.name,
            hint: "As the agent reports people, domain\\name, for self-service on their own devices.".to_owned(),
            error: typed.name_fault,
            required: true,
            max: 64,
            ..TextField::default()
        },
        role: SelectField {
            name: "role",
            label: "Role".to_owned(),
            choices: roles(typed.role),
            ..SelectField::default()
        },
        scope: TextField {
            name: "scope",
            label: "Scope".to_owned(),
            value: typed.scope,
            hint: "everything, or collections with commas: berlin, paris. Devices of no other collection are seen."
                .to_owned(),
            error: typed.scope_fault,
            required: true,
            max: 1024,
            ..TextField::default()
        },
        rows: rows.iter().map(|account| line(account, user, now)).collect(),
    };
    page_with(status, &view)
}

fn roles(chosen: Role) -> Vec<Choice> {
    Choice::list(&Role::ALL.map(|role| (role.name(), role.label())), chosen.name())
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
        roles: roles(account.grant.role),
        role: account.grant.role.label().to_owned(),
        scope: account.grant.scope.words(),
        state,
        last: account.last_sign_in.map(|at| moment(at, now)),
        own: same_account(&account.name, &user.name),
        disabled: account.disabled,
    }
}
