//! A person at a browser: opens pages, fills in the forms that are on them, and keeps the session's cookie. What a page does not
//! offer cannot be done.

use std::path::Path;

use anyhow::{Context, Result, bail};
use domain::ids::ProtectorId;
use reqwest::blocking::Client;
use reqwest::{Certificate, StatusCode, Url};
use scraper::{ElementRef, Html, Selector};

/// A page as it was answered.
#[derive(Debug)]
pub struct Page {
    /// Address after redirections.
    pub url: Url,
    /// Status.
    pub status: StatusCode,
    /// The document's source.
    pub source: String,
}

/// The person.
#[derive(Debug)]
pub struct Person {
    client: Client,
    base: Url,
}

impl Person {
    /// Opens a browser that trusts only the authority in this PEM file.
    ///
    /// # Errors
    /// When the file is not a certificate or the address not a URL.
    pub fn new(base: &str, authority: &Path) -> Result<Self> {
        // An error says that one is installed already.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let pem = std::fs::read(authority).with_context(|| format!("reading {}", authority.display()))?;
        let client = Client::builder()
            .use_rustls_tls()
            .tls_built_in_root_certs(false)
            .add_root_certificate(Certificate::from_pem(&pem)?)
            .cookie_store(true)
            .build()?;
        Ok(Self {
            client,
            base: base.parse()?,
        })
    }

    /// Opens a page.
    ///
    /// # Errors
    /// When the server does not answer.
    pub fn open(&self, path: &str) -> Result<Page> {
        page(self.client.get(self.base.join(path)?).send()?)
    }

    /// Fills in the form whose `action` ends with `action` on this page, and sends it. Fields that are not named keep what the
    /// page put there.
    ///
    /// # Errors
    /// When there is no such form or field, or the server does not answer.
    pub fn submit(&self, on: &Page, action: &str, fields: &[(&str, &str)]) -> Result<Page> {
        let (target, body) = filled(on, action, fields)?;
        page(
            self.client
                .post(target)
                .header("Origin", self.origin())
                .form(&body)
                .send()?,
        )
    }

    /// Sends anything anywhere, as an attacker would.
    ///
    /// # Errors
    /// When the server does not answer.
    pub fn post_raw(&self, path: &str, origin: Option<&str>, fields: &[(&str, &str)]) -> Result<Page> {
        let mut request = self.client.post(self.base.join(path)?).form(fields);
        if let Some(origin) = origin {
            request = request.header("Origin", origin);
        }
        page(request.send()?)
    }

    /// This server's origin.
    #[must_use]
    pub fn origin(&self) -> String {
        self.base.origin().ascii_serialization()
    }

    /// Signs in.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn sign_in(&self, name: &str, password: &str) -> Result<Page> {
        let form = self.open("/login")?;
        let page = self.submit(&form, "/login", &[("name", name), ("password", password)])?;
        if !page.status.is_success() || page.url.path() == "/login" {
            bail!(
                "sign-in as {name} was refused: {}",
                page.text_of("[role=alert]").join(" ")
            );
        }
        Ok(page)
    }

    /// Asks the help desk's page for a key by its first eight digits, and reads the recovery password.
    ///
    /// # Errors
    /// When it is refused, or the page does not name the device.
    pub fn ask_help_desk(&self, id: ProtectorId, device: &str) -> Result<String> {
        let form = self.open("/helpdesk")?;
        let reason = form
            .attributes("select[name=reason] option", "value")
            .into_iter()
            .find(|v| !v.is_empty());
        let reason = reason.context("the form offers no reason")?;
        let page = self.submit(&form, "/helpdesk", &[("key_id", &id.short()), ("reason", &reason)])?;
        if !page.status.is_success() {
            bail!(
                "the help desk refused: {} {:?}",
                page.status,
                page.text_of("[role=alert]")
            );
        }
        if !page.source.contains(device) {
            bail!("the page does not name {device}");
        }
        let found = page.attributes("#whole-key", "value").into_iter().next();
        found.with_context(|| format!("no password on the page: {:?}", page.text_of("h1, [role=alert]")))
    }
}

impl Page {
    /// Text of all elements that a CSS selector finds.
    #[must_use]
    pub fn text_of(&self, selector: &str) -> Vec<String> {
        let Ok(selector) = Selector::parse(selector) else {
            return Vec::new();
        };
        let document = Html::parse_document(&self.source);
        document
            .select(&selector)
            .map(|e| e.text().collect::<String>().trim().to_owned())
            .collect()
    }

    /// An attribute of all elements that a CSS selector finds.
    #[must_use]
    pub fn attributes(&self, selector: &str, attribute: &str) -> Vec<String> {
        let Ok(selector) = Selector::parse(selector) else {
            return Vec::new();
        };
        let document = Html::parse_document(&self.source);
        document
            .select(&selector)
            .filter_map(|e| e.value().attr(attribute))
            .map(str::to_owned)
            .collect()
    }
}

fn page(response: reqwest::blocking::Response) -> Result<Page> {
    Ok(Page {
        url: response.url().clone(),
        status: response.status(),
        source: response.text()?,
    })
}

/// Where the form goes, and what it carries.
fn filled(on: &Page, action: &str, fields: &[(&str, &str)]) -> Result<(Url, Vec<(String, String)>)> {
    let document = Html::parse_document(&on.source);
    let forms = Selector::parse("form").map_err(|e| anyhow::anyhow!("{e}"))?;
    let inputs = Selector::parse("input, select, textarea").map_err(|e| anyhow::anyhow!("{e}"))?;
    let form = document
        .select(&forms)
        .find(|f| f.value().attr("action").is_some_and(|a| a.ends_with(action)))
        .with_context(|| format!("{} has no form that goes to {action}", on.url.path()))?;
    let mut body: Vec<(String, String)> = Vec::new();
    for input in form.select(&inputs) {
        if let (Some(name), Some(value)) = (input.value().attr("name"), value_of(input)) {
            body.push((name.to_owned(), value));
        }
    }
    for (name, value) in fields {
        let present = form.select(&inputs).any(|i| i.value().attr("name") == Some(name));
        if !present {
            bail!("the form {action} on {} has no field {name}", on.url.path());
        }
        body.retain(|(n, _)| n != name);
        body.push(((*name).to_owned(), (*value).to_owned()));
    }
    Ok((on.url.join(form.value().attr("action").unwrap_or_default())?, body))
}

/// What a browser would send for an untouched field; none for an unticked box.
fn value_of(input: ElementRef<'_>) -> Option<String> {
    let element = input.value();
    match (element.name(), element.attr("type")) {
        ("input", Some("checkbox" | "radio")) => {
            element.attr("checked")?;
            Some(element.attr("value").unwrap_or("on").to_owned())
        }
        ("input", Some("submit" | "button")) => None,
        ("input", _) => Some(element.attr("value").unwrap_or_default().to_owned()),
        ("textarea", _) => Some(input.text().collect()),
        _ => {
            let options = Selector::parse("option").ok()?;
            let chosen = input.select(&options).find(|o| o.value().attr("selected").is_some());
            let chosen = chosen.or_else(|| input.select(&options).next())?;
            let text: String = chosen.text().collect();
            Some(chosen.value().attr("value").map_or(text, str::to_owned))
        }
    }
}
