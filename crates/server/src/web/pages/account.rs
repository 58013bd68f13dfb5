//! One's own account: password and sessions.

use axum::{extract::State, http::StatusCode, response::Response};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::{
    csrf::CsrfForm,
    error::Result,
    services::{sessions, sign_in},
    session::{CurrentUser, forget_cookie},
    state::AppState,
    web::{
        format::moment,
        frame::{Frame, go, page_with, secret, with_cookie},
        view::{
            account::{Account, SessionRow},
            chrome::{Chrome, Place, home_of},
            login::NewPassword,
        },
    },
};

/// The form's fields.
#[derive(Deserialize)]
pub(crate) struct PasswordFields {
    #[serde(deserialize_with = "secret")]
    current: Zeroizing<String>,
    #[serde(deserialize_with = "secret")]
    new: Zeroizing<String>,
    #[serde(deserialize_with = "secret")]
    again: Zeroizing<String>,
}

/// Which session.
#[derive(Debug, Deserialize)]
pub(crate) struct SessionFields {
    id: String,
}

/// What is wrong with each field.
#[derive(Default)]
struct Faults {
    current: Option<String>,
    new: Option<String>,
    again: Option<String>,
}

/// `GET /account`.
pub(crate) async fn page(State(state): State<AppState>, frame: Frame, user: CurrentUser) -> Result<Response> {
    show(&state, &frame, &user, StatusCode::OK, Faults::default()).await
}

/// `GET /account/password`: asked for at a first sign-in, otherwise part of the account's page.
pub(crate) async fn password(State(state): State<AppState>, frame: Frame, user: CurrentUser) -> Result<Response> {
    if user.must_change_password {
        show(&state, &frame, &user, StatusCode::OK, Faults::default()).await
    } else {
        Ok(go("/account"))
    }
}

/// `POST /account/password`.
pub(crate) async fn change_password(
    State(state): State<AppState>,
    frame: Frame,
    user: CurrentUser,
    CsrfForm(fields): CsrfForm<PasswordFields>,
) -> Result<Response> {
    if *fields.new != *fields.again {
        let faults = Faults {
            again: Some("The two new passwords differ.".to_owned()),
            ..Faults::default()
        };
        return show(&state, &frame, &user, StatusCode::UNPROCESSABLE_ENTITY, faults).await;
    }
    match sign_in::change_password(&state, &user, fields.current, fields.new).await {
        Ok(()) if user.must_change_password => Ok(go(home_of(user.grant.role))),
        Ok(()) => Ok(go("/account?done=password")),
        Err(error) => {
            let said = Some(error.detail().to_owned());
            let faults = match error.code() {
                "wrong_password" | "locked_out" | "later" => Faults {
                    current: said,
                    ..Faults::default()
                },
                "weak_password" => Faults {
                    new: said,
                    ..Faults::default()
                },
                _ => return Err(error),
            };
            show(&state, &frame, &user, error.status(), faults).await
        }
    }
}

/// `POST /account/sessions/revoke`.
pub(crate) async fn revoke(
    State(state): State<AppState>,
    user: CurrentUser,
    CsrfForm(fields): CsrfForm<SessionFields>,
) -> Result<Response> {
    let own = sessions::end(&state, &user, &fields.id).await?;
    Ok(if own {
        with_cookie(go("/login"), Some(forget_cookie()))
    } else {
        go("/account?done=session")
    })
}

async fn show(
    state: &AppState,
    frame: &Frame,
    user: &CurrentUser,
    status: StatusCode,
    faults: Faults,
) -> Result<Response> {
    let Faults { current, new, again } = faults;
    if user.must_change_password {
        // No menu: every other page is closed until the password is changed.
        let chrome = Chrome {
            viewer: None,
            ..frame.chrome(user, Place::Account)
        };
        return page_with(
            status,
            &NewPassword {
                chrome,
                current_error: current,
                new_error: new,
                again_error: again,
            },
        );
    }
    let now = state.now();
    let sessions = sessions::list(state, user).await?;
    let sessions = sessions
        .iter()
        .map(|session| SessionRow {
            id: hex::encode(session.hash.as_bytes()),
            client: client(&session.user_agent),
            since: moment(session.created_at, now),
            last: moment(session.last_used, now),
            current: session.hash == user.session,
        })
        .collect();
    let chrome = frame.chrome(user, Place::Account);
    page_with(
        status,
        &Account {
            chrome,
            current_error: current,
            new_error: new,
            again_error: again,
            sessions,
        },
    )
}

/// "Firefox on Linux", as far as the browser says so.
fn client(agent: &str) -> String {
    let find = |names: &[(&'static str, &'static str)]| {
        names
            .iter()
            .find(|(part, _)| agent.contains(part))
            .map(|(_, name)| *name)
    };
    let browser = find(&[
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("HeadlessChrome", "Chromium"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
    ]);
    let system = find(&[
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Android", "Android"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("CrOS", "ChromeOS"),
        ("Linux", "Linux"),
    ]);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(name), None) | (None, Some(name)) => name.to_owned(),
        (None, None) if agent.is_empty() => "Unknown".to_owned(),
        (None, None) => agent.chars().take(40).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::client;

    #[test]
    fn browsers_are_told_by_name_and_system() {
        assert_eq!(
            client("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36 Edg/130.0"),
            "Edge on Windows"
        );
        assert_eq!(
            client("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile/15E148 Safari/604.1"),
            "Safari on iPhone"
        );
        assert_eq!(client("curl/8.5.0"), "curl");
        assert_eq!(client(""), "Unknown");
    }
}
