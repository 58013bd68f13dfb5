//! Refusals: a stable code and a sentence for the person; private context for the log only.
//!
//! Use [`AppError::refused`] for input that breaks a rule, the named constructors for the usual refusals, and
//! [`AppError::internal`] for everything that is the server's own fault.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use protocol::messages::Problem;

/// Result of handlers and services.
pub type Result<T, E = AppError> = std::result::Result<T, E>;

/// A refusal. `Display` says code and sentence; the context goes to the log when it is answered.
#[derive(Debug, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct AppError {
    status: StatusCode,
    code: &'static str,
    detail: String,
    context: Option<String>,
    retry_after: Option<u32>,
}

impl AppError {
    /// Any refusal: status, stable code, and a sentence that says which field and what is allowed.
    pub fn refused(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            context: None,
            retry_after: None,
        }
    }

    /// 422: a field breaks a rule.
    pub fn invalid(code: &'static str, detail: impl Into<String>) -> Self {
        Self::refused(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
    }

    /// 403: the caller may not do this.
    pub fn forbidden(code: &'static str, detail: impl Into<String>) -> Self {
        Self::refused(StatusCode::FORBIDDEN, code, detail)
    }

    /// 404: there is no such thing, or none that the caller may know of.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::refused(StatusCode::NOT_FOUND, "not_found", detail)
    }

    /// 409: it contradicts what is there.
    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::refused(StatusCode::CONFLICT, code, detail)
    }

    /// 401: nobody is signed in, or the session ended.
    #[must_use]
    pub fn sign_in_needed() -> Self {
        Self::refused(StatusCode::UNAUTHORIZED, "sign_in_needed", "Sign in first.")
    }

    /// 429: later, after this many seconds.
    #[must_use]
    pub fn later(seconds: u32) -> Self {
        Self {
            retry_after: Some(seconds),
            ..Self::refused(
                StatusCode::TOO_MANY_REQUESTS,
                "later",
                format!("The server is busy. Try again in {seconds} seconds."),
            )
        }
    }

    /// 500: the server's own fault. The context is logged and never answered; it must not hold a secret.
    pub fn internal(context: impl std::fmt::Display) -> Self {
        Self::refused(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "The server could not do this. Its log says why.",
        )
        .because(context)
    }

    /// Adds what only the log may know.
    #[must_use]
    pub fn because(mut self, context: impl std::fmt::Display) -> Self {
        self.context = Some(context.to_string());
        self
    }

    /// Status of the answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The stable code, `snake_case`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The sentence for the person.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Seconds after which to try again, when that makes sense.
    #[must_use]
    pub fn retry_after(&self) -> Option<u32> {
        self.retry_after
    }

    /// Writes the private context to the log. Pages call it before they render their own answer.
    pub fn log(&self) {
        let context = self.context.as_deref().unwrap_or("");
        if self.status.is_server_error() {
            tracing::error!(code = self.code, context, "request failed");
        } else {
            tracing::debug!(code = self.code, context, "request refused");
        }
    }

    /// The body of the answer.
    #[must_use]
    pub fn problem(&self) -> Problem {
        Problem {
            code: self.code.to_owned(),
            detail: self.detail.clone(),
        }
    }
}

impl IntoResponse for AppError {
    fn into_response(self) -> Response {
        self.log();
        let body = serde_json::to_vec(&self.problem()).unwrap_or_default();
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<store::StoreError> for AppError {
    /// What the store refuses for a reason that a person can understand becomes a refusal; the rest is our own fault.
    fn from(error: store::StoreError) -> Self {
        use store::{Refusal, StoreError};
        match &error {
            StoreError::NotFound(what) => Self::not_found(format!("There is no such {what}.")),
            StoreError::Exists(what) => Self::conflict("exists", format!("This {what} exists already.")),
            StoreError::Outdated(what) => Self::conflict(
                "changed",
                format!("This {what} was changed by somebody else in between; nothing was saved."),
            ),
            StoreError::Rejected(why) => Self::invalid("rejected", why.clone()),
            StoreError::Invalid { field, allowed } => Self::invalid("invalid", format!("{field}: {allowed}")),
            StoreError::Refused(Refusal::DeviceRetired) => device_retired(),
            StoreError::Refused(Refusal::LastAdministrator) => Self::conflict(
                "last_administrator",
                "This would leave no administrator who can sign in.",
            ),
            // Why a token is refused is nobody's business who does not have a good one.
            StoreError::Refused(_) => token_refused().because(&error),
            StoreError::Full | StoreError::Busy | StoreError::Closed => Self {
                retry_after: Some(30),
                ..Self::refused(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "unavailable",
                    "The server cannot store anything now. Try again later.",
                )
                .because(&error)
            },
            _ => Self::internal(&error),
        }
    }
}

/// 403: the device was retired.
pub(crate) fn device_retired() -> AppError {
    AppError::forbidden(
        "device_retired",
        "This device was retired. An administrator can take it back.",
    )
}

fn token_refused() -> AppError {
    AppError::forbidden(
        "token_refused",
        "The enrolment token is unknown, expired, used up or revoked. Ask an administrator for a new one.",
    )
}
