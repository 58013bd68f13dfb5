//! Refusals as pages: services and extractors answer problems in JSON, and browsers get them as a page.

use axum::{
    body::to_bytes,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::Response,
};
use protocol::messages::Problem;

use super::{
    frame::{Frame, page_with, with_cookie},
    view::error::ErrorPage,
};
use crate::state::AppState;

const LONGEST_PROBLEM: usize = 64 * 1024;

/// Middleware: turns every refusal into a page, for those who accept pages.
pub(super) async fn as_pages(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let wants_pages = accepts_pages(request.headers());
    let headers = request.headers().clone();
    let frame = Frame::of(&headers, request.uri());
    let response = next.run(request).await;
    let status = response.status();
    if !wants_pages || !(status.is_client_error() || status.is_server_error()) || is_page(&response) {
        return response;
    }
    let retry_after = response.headers().get(header::RETRY_AFTER).cloned();
    let (code, sentence) = said(response).await;
    let (chrome, cookie) = frame.chrome_for_anybody(&state, &headers).await;
    let view = ErrorPage {
        chrome,
        status: status.as_u16(),
        code,
        sentence,
    };
    match page_with(status, &view) {
        Ok(mut page) => {
            if let Some(value) = retry_after {
                page.headers_mut().insert(header::RETRY_AFTER, value);
            }
            with_cookie(page, cookie)
        }
        Err(error) => {
            error.log();
            plain(status)
        }
    }
}

fn accepts_pages(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_none_or(|accept| accept.contains("text/html") || accept.contains("*/*")) && !wants_json(accept)
}

fn wants_json(accept: Option<&str>) -> bool {
    accept.is_some_and(|accept| accept.contains("json") && !accept.contains("text/html"))
}

fn is_page(response: &Response) -> bool {
    let kind = response
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("text/html"))
}

/// Code and sentence of a problem, or sentences of our own for answers that are none.
async fn said(response: Response) -> (String, String) {
    let status = response.status();
    let body = to_bytes(response.into_body(), LONGEST_PROBLEM)
        .await
        .unwrap_or_default();
    match serde_json::from_slice::<Problem>(&body) {
        Ok(problem) => (problem.code, problem.detail),
        Err(_) => (String::new(), fallback(status).to_owned()),
    }
}

fn fallback(status: StatusCode) -> &'static str {
    match status.as_u16() {
        404 => "There is no such page.",
        405 => "This page cannot be used in this way.",
        413 => "What was sent is too large.",
        429 => "The server is busy.",
        400..=499 => "The request cannot be understood.",
        _ => "The request could not be finished.",
    }
}

fn plain(status: StatusCode) -> Response {
    let mut response = Response::new(fallback(status).into());
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_get_pages_and_programs_get_problems() {
        let accepting = |value: &'static str| HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(value))]);
        assert!(accepts_pages(&accepting("text/html,application/xhtml+xml,*/*;q=0.8")));
        assert!(accepts_pages(&HeaderMap::new()));
        assert!(!accepts_pages(&accepting("application/json")));
        assert!(!accepts_pages(&accepting("application/problem+json, */*")));
    }
}
