//! A browser without a screen: keeps a session, reads tokens from forms, sends forms.

use axum::http::{HeaderMap, HeaderValue, header};
use reqwest::StatusCode;

use crate::support::Harness;

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn location(&self) -> &str {
        self.headers.get(header::LOCATION).map_or("", |to| to.to_str().unwrap())
    }

    /// The value of the first hidden field of this name.
    pub(crate) fn hidden(&self, name: &str) -> String {
        let open = format!("name=\"{name}\" value=\"");
        let (_, rest) = self
            .body
            .split_once(&open)
            .unwrap_or_else(|| panic!("no field {name} in {}", self.body));
        rest.split('"').next().unwrap().to_owned()
    }

    /// The recovery password on the page: eight groups of six digits.
    pub(crate) fn password(&self) -> Option<String> {
        let (_, rest) = self.body.split_once("id=\"whole-key\" readonly value=\"")?;
        Some(rest.split('"').next().unwrap().to_owned())
    }
}

/// A person's browser.
pub(crate) struct Browser<'a> {
    harness: &'a Harness,
    client: reqwest::Client,
    cookies: HeaderMap,
}

impl<'a> Browser<'a> {
    pub(crate) fn new(harness: &'a Harness) -> Self {
        Self {
            harness,
            client: harness.client(None),
            cookies: HeaderMap::new(),
        }
    }

    pub(crate) async fn signed_in(harness: &'a Harness, name: &str, password: &str) -> Self {
        let cookies = harness.session(name, password).await;
        Self {
            cookies,
            ..Self::new(harness)
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.client.get(self.harness.url(path))).await
    }

    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body = serde_urlencoded::to_string(fields).unwrap();
        let form = (header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(
            self.client
                .post(self.harness.url(path))
                .header(form.0, form.1)
                .body(body),
        )
        .await
    }

    /// Opens a page and sends a form from it.
    pub(crate) async fn submit(&self, page: &str, action: &str, fields: &[(&str, &str)]) -> Answer {
        let csrf = self.get(page).await.hidden("csrf");
        let mut all = vec![("csrf", csrf.as_str())];
        all.extend_from_slice(fields);
        self.post(action, &all).await
    }

    /// Adds what an answer told the browser to keep.
    pub(crate) fn keep(&mut self, answer: &Answer) {
        for cookie in answer.headers.get_all(header::SET_COOKIE) {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            self.cookies
                .append(header::COOKIE, HeaderValue::from_str(pair).unwrap());
        }
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let cookies: Vec<_> = self
            .cookies
            .get_all(header::COOKIE)
            .iter()
            .map(|cookie| cookie.to_str().unwrap())
            .collect();
        let request = request
            .header(header::ACCEPT, "text/html")
            .header(header::COOKIE, cookies.join("; "));
        let response = request.send().await.unwrap();
        Answer {
            status: response.status(),
            headers: response.headers().clone(),
            body: response.text().await.unwrap(),
        }
    }
}
