//! Forged requests are refused: every form carries a token that only its own session can know.
//!
//! The token is an HMAC under the session's own secret, so it needs no storage and survives a restart. The sign-in form,
//! which has no session yet, is bound to a cookie of its own. `Origin` and `Sec-Fetch-Site` are looked at as well.

use std::fmt;

use aws_lc_rs::hmac;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize as _, Zeroizing};

use crate::error::AppError;
use crate::session::{COOKIE, Token, cookie};
use crate::state::AppState;

/// Name of the hidden field.
pub const FIELD: &str = "csrf";
/// Cookie of the sign-in form.
pub const FORM_COOKIE: &str = "__Host-claviger-form";

/// The hidden field's value. `Debug` does not show it.
#[derive(Clone)]
pub struct CsrfToken(String);

impl fmt::Debug for CsrfToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl CsrfToken {
    /// The value for the hidden field.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.0
    }

    pub(crate) fn of_session(token: &Token) -> Self {
        Self::derive(token, b"claviger csrf session v1")
    }

    fn of_form(token: &Token) -> Self {
        Self::derive(token, b"claviger csrf form v1")
    }

    fn derive(token: &Token, purpose: &[u8]) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, token.bytes());
        Self(hex::encode(hmac::sign(&key, purpose)))
    }

    fn fits(&self, given: &str) -> bool {
        self.0.as_bytes().ct_eq(given.as_bytes()).into()
    }
}

/// The token for a form without a session (sign-in), and the `Set-Cookie` value to send along when the browser has no
/// usable cookie yet.
#[must_use]
pub fn form_token(state: &AppState, headers: &HeaderMap) -> (CsrfToken, Option<HeaderValue>) {
    if let Some(token) = cookie(headers, FORM_COOKIE).and_then(Token::parse) {
        return (CsrfToken::of_form(&token), None);
    }
    let token = Token::new(state.random());
    (CsrfToken::of_form(&token), Some(token.set_cookie(FORM_COOKIE)))
}

/// The fields of a form that a session's own page sent. Use it as the last argument of a handler, after
/// [`CurrentUser`](crate::session::CurrentUser).
#[derive(Debug)]
pub struct CsrfForm<T>(pub T);

/// The fields of a form without a session (sign-in), sent by our own page.
#[derive(Debug)]
pub struct SessionlessForm<T>(pub T);

impl<T: DeserializeOwned> FromRequest<AppState> for CsrfForm<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Response> {
        let token = cookie(request.headers(), COOKIE).and_then(Token::parse);
        let expected = token.map(|token| CsrfToken::of_session(&token));
        checked(request, state, expected).await.map(Self)
    }
}

impl<T: DeserializeOwned> FromRequest<AppState> for SessionlessForm<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Response> {
        let token = cookie(request.headers(), FORM_COOKIE).and_then(Token::parse);
        let expected = token.map(|token| CsrfToken::of_form(&token));
        checked(request, state, expected).await.map(Self)
    }
}

async fn checked<T: DeserializeOwned>(
    request: Request,
    state: &AppState,
    expected: Option<CsrfToken>,
) -> Result<T, Response> {
    same_origin(request.headers()).map_err(IntoResponse::into_response)?;
    let is_form = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.split(';').next().unwrap_or("").trim() == "application/x-www-form-urlencoded");
    if !is_form {
        return Err(malformed().into_response());
    }
    let body = Bytes::from_request(request, state)
        .await
        .map_err(IntoResponse::into_response)?;
    fields(&body, expected.as_ref()).map_err(IntoResponse::into_response)
}

/// The form's fields without the token, once the token is seen to be right.
fn fields<T: DeserializeOwned>(body: &[u8], expected: Option<&CsrfToken>) -> Result<T, AppError> {
    let mut pairs: Vec<(String, String)> = serde_urlencoded::from_bytes(body).map_err(|_| malformed())?;
    let result = (|| {
        let mut given = pairs.iter().filter(|(name, _)| name == FIELD);
        let fits = match (given.next(), given.next(), expected) {
            (Some((_, given)), None, Some(expected)) => expected.fits(given),
            _ => false,
        };
        if !fits {
            return Err(refused());
        }
        let rest: Vec<_> = pairs.iter().filter(|(name, _)| name != FIELD).collect();
        let text = Zeroizing::new(serde_urlencoded::to_string(rest).map_err(|_| malformed())?);
        serde_urlencoded::from_str(&text).map_err(|error| malformed().because(error))
    })();
    for (_, value) in &mut pairs {
        value.zeroize();
    }
    result
}

/// Browsers say where a request comes from; one that comes from elsewhere is refused. Absent headers are no reason to
/// refuse: the token decides.
fn same_origin(headers: &HeaderMap) -> Result<(), AppError> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if let Some(site) = text("sec-fetch-site")
        && !matches!(site, "same-origin" | "none")
    {
        return Err(refused());
    }
    if let (Some(origin), Some(host)) = (text("origin"), text("host"))
        && origin != format!("https://{host}")
    {
        return Err(refused());
    }
    Ok(())
}

fn refused() -> AppError {
    AppError::forbidden(
        "csrf",
        "This form did not come from your session, or the session ended. Open the page again and send the form once more.",
    )
}

fn malformed() -> AppError {
    AppError::invalid("malformed_form", "The form's fields are not as this page sends them.")
}
