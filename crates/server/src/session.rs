//! Who is signed in: the session cookie, and the extractors that handlers use.
//!
//! The cookie holds a random token of 32 bytes; the store holds only its hash. A session ends after 30 idle minutes, or
//! after 12 hours whatever happens.

use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use domain::access::{Grant, Permission, Reach};
use domain::time::Timestamp;
use store::model::{ApiTokenId, SecretHash, Session, Within};
use zeroize::Zeroizing;

use crate::csrf::CsrfToken;
use crate::error::AppError;
use crate::services::api_tokens;
use crate::state::AppState;

/// Name of the session cookie; the prefix makes browsers demand `Secure`, `Path=/` and no `Domain`.
pub const COOKIE: &str = "__Host-claviger";
/// A session ends after this time without a request.
pub const IDLE: Duration = Duration::from_secs(30 * 60);
/// A session ends after this time whatever happens.
pub const ABSOLUTE: Duration = Duration::from_secs(12 * 60 * 60);
/// Where a person who must change the password may still go.
const PASSWORD_PATHS: [&str; 2] = ["/account/password", "/logout"];

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// A person with a session.
    Person,
    /// A program with an API token.
    Token(ApiTokenId),
}

/// The person or program behind a request. Extracting it refuses everybody who is not signed in, and sends people who must change
/// their password to `/account/password`.
#[derive(Clone, Debug)]
pub struct CurrentUser {
    /// Account name.
    pub name: String,
    /// Person or program. A program has no own devices.
    pub caller: Caller,
    /// Role and scope.
    pub grant: Grant,
    /// The password must be changed before anything else.
    pub must_change_password: bool,
    /// Names the session to the store.
    pub session: SecretHash,
    /// For the hidden field of forms.
    pub csrf: CsrfToken,
}

impl CurrentUser {
    /// Whether role and scope allow it.
    #[must_use]
    pub fn may(&self, permission: Permission) -> bool {
        let own = permission.reach() == Reach::Own;
        (self.caller == Caller::Person || !own) && self.grant.allows(permission)
    }

    /// Refuses unless role and scope allow it.
    ///
    /// # Errors
    /// 403 `not_allowed`.
    pub fn demand(&self, permission: Permission) -> Result<(), AppError> {
        if self.may(permission) {
            return Ok(());
        }
        Err(AppError::forbidden(
            "not_allowed",
            "Your role does not allow this. Ask an administrator.",
        ))
    }

    /// The devices that this person may see.
    #[must_use]
    pub fn within(&self) -> Within {
        Within::of(&self.grant.scope)
    }

    /// As the audit names this person or program.
    #[must_use]
    pub fn actor(&self) -> String {
        match self.caller {
            Caller::Person => format!("user:{}", self.name),
            Caller::Token(id) => format!("api-token:{}", id.0),
        }
    }
}

impl FromRequestParts<AppState> for CurrentUser {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Self::Rejection> {
        // Found already by the guard of the route.
        if let Some(user) = parts.extensions.get::<Self>() {
            return Ok(user.clone());
        }
        let reject = |reason| SessionRejection::new(parts, reason);
        let user = user_of(&parts.headers, state)
            .await
            .map_err(|error| reject(Reason::Failed(error)))?
            .ok_or_else(|| reject(Reason::SignIn))?;
        if user.must_change_password && !PASSWORD_PATHS.contains(&parts.uri.path()) {
            return Err(reject(Reason::ChangePassword));
        }
        Ok(user)
    }
}

/// The person behind these headers, if the session is alive. Pages that anybody may see use it.
///
/// # Errors
/// When the store fails.
pub async fn user_of(headers: &HeaderMap, state: &AppState) -> Result<Option<CurrentUser>, AppError> {
    let Some(token) = cookie(headers, COOKIE).and_then(Token::parse) else {
        return Ok(None);
    };
    let now = state.now();
    let Some(session) = state.store.session(token.hash(), now).await? else {
        return Ok(None);
    };
    if !alive(&session, now) {
        return Ok(None);
    }
    state.store.session_used(session.hash, now);
    Ok(Some(CurrentUser {
        csrf: CsrfToken::of_session(&token),
        name: session.account.name,
        caller: Caller::Person,
        grant: session.account.grant,
        must_change_password: session.account.must_change_password,
        session: session.hash,
    }))
}

fn alive(session: &Session, now: Timestamp) -> bool {
    now < session.expires_at && now.since(session.last_used) < IDLE
}

/// The program behind these headers, by its API token: `Authorization: Bearer …`.
pub(crate) async fn program_of(headers: &HeaderMap, state: &AppState) -> Result<Option<CurrentUser>, AppError> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Ok(None);
    };
    let Some(text) = value.to_str().ok().and_then(|value| value.strip_prefix("Bearer ")) else {
        return Ok(None);
    };
    let (hash, now) = (api_tokens::hash(text), state.now());
    let Some(token) = state.store.api_token(hash, now).await? else {
        return Ok(None);
    };
    state.store.api_token_used(hash, now);
    Ok(Some(CurrentUser {
        // A name that no device can report: a program is nobody's user.
        name: String::new(),
        caller: Caller::Token(token.id),
        grant: token.grant,
        must_change_password: false,
        session: hash,
        // Forms are for people: no form has this token.
        csrf: CsrfToken::of_session(&Token::new(state.random())),
    }))
}

/// Nobody who may is signed in. Browsers that ask for a page are sent to where that can be mended; everything else gets
/// a problem with status 401 or 403.
#[derive(Debug)]
pub struct SessionRejection {
    reason: Reason,
    /// The page that was asked for, when it was a page.
    page: Option<Uri>,
}

#[derive(Debug)]
enum Reason {
    SignIn,
    ChangePassword,
    Failed(AppError),
}

impl SessionRejection {
    fn new(parts: &Parts, reason: Reason) -> Self {
        let accepts_pages = parts
            .headers
            .get(header::ACCEPT)
            .and_then(|accept| accept.to_str().ok())
            .is_some_and(|accept| accept.contains("text/html"));
        Self {
            reason,
            page: (accepts_pages && matches!(parts.method, Method::GET | Method::HEAD)).then(|| parts.uri.clone()),
        }
    }
}

impl IntoResponse for SessionRejection {
    fn into_response(self) -> Response {
        let to = |address: String| (StatusCode::SEE_OTHER, [(header::LOCATION, address)]).into_response();
        match (self.reason, self.page) {
            (Reason::SignIn, Some(page)) => {
                let next = page.path_and_query().map_or("/", |path| path.as_str());
                let query = serde_urlencoded::to_string([("next", next)]).unwrap_or_default();
                to(format!("/login?{query}"))
            }
            (Reason::ChangePassword, Some(_)) => to("/account/password".to_owned()),
            (Reason::SignIn, None) => AppError::sign_in_needed().into_response(),
            (Reason::ChangePassword, None) => {
                AppError::forbidden("password_change_needed", "Change your password first.").into_response()
            }
            (Reason::Failed(error), _) => error.into_response(),
        }
    }
}

/// A session's (or a sign-in form's) secret: 32 random bytes.
pub(crate) struct Token(Zeroizing<[u8; 32]>);

impl Token {
    pub(crate) fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut bytes = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text, &mut *bytes).ok()?;
        Some(Self(bytes))
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(crate) fn hash(&self) -> SecretHash {
        SecretHash::of(&*self.0)
    }

    /// The `Set-Cookie` value.
    pub(crate) fn set_cookie(&self, name: &str) -> HeaderValue {
        let text = Zeroizing::new(format!(
            "{name}={}; Path=/; Secure; HttpOnly; SameSite=Lax",
            hex::encode(*self.0)
        ));
        let mut value = HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""));
        value.set_sensitive(true);
        value
    }
}

/// The `Set-Cookie` value that makes the browser forget the session.
#[must_use]
pub fn forget_cookie() -> HeaderValue {
    HeaderValue::from_static("__Host-claviger=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0")
}

/// The value of a cookie; none when the name comes more than once.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter_map(|(key, value)| (key == name).then_some(value));
    let value = values.next()?;
    values.next().is_none().then_some(value)
}
