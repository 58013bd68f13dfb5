//! What every handler needs besides its own page: theme, address and notice of the request, and ways to answer.

use std::convert::Infallible;

use askama::Template;
use axum::{
    body::{Body, Bytes},
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use super::view::{
    chrome::{Chrome, Notice, Place, Theme, Viewer},
    part::Tone,
};
use crate::{
    csrf::form_token,
    error::AppError,
    session::{CurrentUser, cookie, user_of},
    state::AppState,
};

/// Cookie of the theme. Without the `__Host-` prefix of the session's: it is no secret.
pub(super) const THEME_COOKIE: &str = "claviger-theme";
/// Room for a page, so that a page with a secret is never copied to a larger place while it is rendered.
const PAGE_ROOM: usize = 64 * 1024;

/// What the request says beside its purpose.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    theme: Theme,
    path: String,
    notice: Option<Notice>,
}

impl Frame {
    pub(super) fn of(headers: &HeaderMap, uri: &axum::http::Uri) -> Self {
        let query = uri.query().unwrap_or_default();
        let done = query.split('&').find_map(|pair| pair.strip_prefix("done="));
        let kept: Vec<&str> = query
            .split('&')
            .filter(|pair| !pair.is_empty() && !pair.starts_with("done="))
            .collect();
        let mut path = uri.path().to_owned();
        if !kept.is_empty() {
            path.push('?');
            path.push_str(&kept.join("&"));
        }
        Self {
            theme: cookie(headers, THEME_COOKIE).map_or(Theme::Auto, Theme::from_name),
            path,
            notice: done.and_then(notice),
        }
    }

    /// The shared parts of a page for somebody who is signed in.
    pub(super) fn chrome(&self, user: &CurrentUser, place: Place) -> Chrome {
        Chrome {
            viewer: Some(Viewer {
                name: user.name.clone(),
                grant: user.grant.clone(),
            }),
            theme: self.theme,
            csrf: user.csrf.value().to_owned(),
            place,
            path: self.path.clone(),
            notice: self.notice.clone(),
        }
    }

    /// The shared parts of a page for anybody, and the cookie that a form on it needs.
    pub(super) async fn chrome_for_anybody(
        &self,
        state: &AppState,
        headers: &HeaderMap,
    ) -> (Chrome, Option<HeaderValue>) {
        // A page about a fault must not fail because the session cannot be read.
        if let Ok(Some(user)) = user_of(headers, state).await {
            return (self.chrome(&user, Place::Elsewhere), None);
        }
        self.chrome_for_nobody(state, headers)
    }

    /// As for somebody who is not signed in.
    pub(super) fn chrome_for_nobody(&self, state: &AppState, headers: &HeaderMap) -> (Chrome, Option<HeaderValue>) {
        let (token, cookie) = form_token(state, headers);
        let chrome = Chrome {
            viewer: None,
            theme: self.theme,
            csrf: token.value().to_owned(),
            place: Place::Elsewhere,
            path: self.path.clone(),
            notice: None,
        };
        (chrome, cookie)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Frame {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers, &parts.uri))
    }
}

/// Sentences after an action, by the word in the address that it redirects to.
fn notice(done: &str) -> Option<Notice> {
    let text = match done {
        "rotate" => {
            "The device was asked to replace its keys. It does so at once when it is online, else at its next contact."
        }
        "rotate-volume" => {
            "The device was asked to replace the key of this volume. It does so at once when it is online, else at its next contact."
        }
        "policy" => {
            "The policy is in force. Devices that are online learn of it at once; reports follow within seconds."
        }
        "retired" => "It is out of use from now on. Its history is kept.",
        "collection" => "The collection is saved. Devices that it concerns learn of it at once when they are online.",
        "deployment" => {
            "The deployment is in force. Devices that it concerns learn of it at once when they are online."
        }
        "marked" => "Saved. The device learns of it at once when it is online.",
        "exemption" => "Saved. The person's devices learn of it at once when they are online.",
        "policy-same" => "Nothing was changed: the policy in force says the same.",
        "revoked" => "The token was revoked. Devices that enrolled with it stay enrolled.",
        "api-token-revoked" => "The API token was revoked: programs that have it are let in no more.",
        "role" => "Role and scope were changed, and the account's sessions were ended.",
        "disabled" => "The account was disabled, and its sessions were ended.",
        "enabled" => "The account can sign in again.",
        "password" => "Your password was changed. Other sessions of your account were ended.",
        "session" => "The session was ended.",
        _ => return None,
    };
    Some(Notice {
        tone: Tone::Good,
        text: text.to_owned(),
    })
}

/// A page as an answer.
pub(super) fn page(view: &impl Template) -> Result<Response, AppError> {
    page_with(StatusCode::OK, view)
}

/// A page with another status.
pub(super) fn page_with(status: StatusCode, view: &impl Template) -> Result<Response, AppError> {
    let mut text = Zeroizing::new(String::with_capacity(PAGE_ROOM));
    view.render_into(&mut *text).map_err(AppError::internal)?;
    // The body wipes itself when it was sent: it may hold a secret.
    let body = Body::from(Bytes::from_owner(text));
    let kind = [(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    )];
    Ok((status, kind, body).into_response())
}

/// Reads a form field that holds a secret.
pub(super) fn secret<'de, D: Deserializer<'de>>(field: D) -> Result<Zeroizing<String>, D::Error> {
    String::deserialize(field).map(Zeroizing::new)
}

/// Adds a cookie to an answer.
pub(super) fn with_cookie(mut response: Response, cookie: Option<HeaderValue>) -> Response {
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// Sends the browser to another page by GET.
pub(super) fn go(to: &str) -> Response {
    match HeaderValue::from_str(to) {
        Ok(to) => (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response(),
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}

/// The address, if it is one on this server; never another origin.
pub(super) fn local(address: &str) -> Option<&str> {
    let mut signs = address.bytes();
    let rooted = signs.next() == Some(b'/') && !matches!(signs.next(), Some(b'/' | b'\\'));
    let plain = address.bytes().all(|sign| sign.is_ascii_graphic() && sign != b'\\');
    (rooted && plain && address.len() <= 2048).then_some(address)
}

/// Joins an address from pairs, leaving empty values out.
pub(super) fn address(path: &str, pairs: &[(&str, &str)]) -> String {
    let pairs: Vec<_> = pairs.iter().filter(|(_, value)| !value.is_empty()).collect();
    let query = serde_urlencoded::to_string(pairs).unwrap_or_default();
    if query.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{query}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_on_this_server_are_gone_back_to() {
        assert_eq!(local("/admin/devices?q=a%20b"), Some("/admin/devices?q=a%20b"));
        for elsewhere in [
            "//evil.test",
            "/\\evil.test",
            "https://evil.test",
            "",
            "admin",
            "/a b",
            "/a\r\nb",
            "/\u{e4}",
        ] {
            assert_eq!(local(elsewhere), None, "{elsewhere:?}");
        }
    }

    #[test]
    fn the_notice_word_is_left_out_of_the_address_to_come_back_to() {
        let uri = axum::http::Uri::from_static("/admin/devices?q=lt&done=rotate&page=2");
        let frame = Frame::of(&HeaderMap::new(), &uri);
        assert_eq!(frame.path, "/admin/devices?q=lt&page=2");
        assert!(frame.notice.is_some());
    }

    #[test]
    fn an_unknown_notice_word_says_nothing() {
        let uri = axum::http::Uri::from_static("/admin?done=%3Cscript%3E");
        assert!(Frame::of(&HeaderMap::new(), &uri).notice.is_none());
    }

    #[test]
    fn an_address_has_no_empty_values() {
        assert_eq!(address("/a", &[("q", ""), ("k", "x y")]), "/a?k=x+y");
        assert_eq!(address("/a", &[("q", "")]), "/a");
    }
}
