//! What comes in, with refusals that are problems and name the field; and pages of lists, which go out.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::Serialize;
use serde::de::DeserializeOwned;
use store::model::Paging;
use utoipa::ToSchema;

use crate::error::AppError;
use crate::state::AppState;

const MOST: u32 = 200;

/// The fields of the query.
pub(super) struct Asked<T>(pub(super) T);

/// The fields of a JSON body.
pub(super) struct Sent<T>(pub(super) T);

/// The `{id}` of the path, read. What is no id is nobody's, so the answer is 404.
pub(super) struct Named<T>(pub(super) T);

/// Which part of a list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    page: u64,
    per_page: u32,
}

/// A part of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Listed<T> {
    /// The items.
    items: Vec<T>,
    /// Exact number of items in the whole list.
    total: u64,
    /// Which page this is, from 1.
    page: u64,
    /// Items on a page.
    per_page: u32,
}

impl Part {
    /// What a query asks for: the first page of 50 items when it says nothing.
    pub(super) fn new(page: Option<u64>, per_page: Option<u32>) -> Self {
        Self {
            page: page.unwrap_or(1),
            per_page: per_page.unwrap_or(50),
        }
    }

    pub(super) fn paging(&self) -> Result<Paging, AppError> {
        if self.page == 0 || !(1..=MOST).contains(&self.per_page) {
            return Err(AppError::invalid(
                "page",
                format!("page: from 1; per_page: 1 to {MOST}"),
            ));
        }
        Ok(Paging::page(self.page, self.per_page))
    }

    pub(super) fn of<S, T>(&self, found: store::model::Page<S>, item: impl FnMut(S) -> T) -> Listed<T> {
        Listed {
            items: found.items.into_iter().map(item).collect(),
            total: found.total,
            page: self.page,
            per_page: self.per_page,
        }
    }
}

impl<T: DeserializeOwned> FromRequestParts<AppState> for Asked<T> {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, AppError> {
        serde_urlencoded::from_str(parts.uri.query().unwrap_or_default())
            .map(Self)
            .map_err(|error| AppError::invalid("query", format!("query: {error}")))
    }
}

impl<T: DeserializeOwned> FromRequest<AppState> for Sent<T> {
    type Rejection = AppError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, AppError> {
        let body = Bytes::from_request(request, state).await.map_err(|rejection| {
            AppError::refused(
                rejection.status(),
                "body",
                "The body is too large or did not come whole.",
            )
        })?;
        serde_json::from_slice(&body)
            .map(Self)
            .map_err(|error| AppError::invalid("body", format!("body: {error}")))
    }
}

impl<T: DeserializeOwned + Send> FromRequestParts<AppState> for Named<T> {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, AppError> {
        let Path(id) = Path::<T>::from_request_parts(parts, state)
            .await
            .map_err(|_| AppError::refused(StatusCode::NOT_FOUND, "not_found", "There is no such device."))?;
        Ok(Self(id))
    }
}
