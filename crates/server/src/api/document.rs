//! The description of the API, OpenAPI 3.1.

use axum::Json;
use serde::Serialize;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{OpenApi as Description, SecurityRequirement};
use utoipa::{Modify, OpenApi, ToSchema};

/// Why a request was refused.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct ProblemBody {
    /// Stable code, `snake_case`.
    code: String,
    /// A sentence for people.
    detail: String,
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Claviger",
        description = "BitLocker management: devices, keys, requests, policies, audit. A token has a role and a scope; what lies outside the scope is answered as if it did not exist.",
        license(name = "Apache-2.0 OR MIT")
    ),
    paths(
        super::devices::list, super::devices::get, super::keys::of_device, super::requests::list, super::requests::create,
        super::keys::search, super::keys::disclose, super::policies::list, super::policies::get, super::audit::list
    ),
    modifiers(&Token)
)]
struct Api;

struct Token;

impl Modify for Token {
    fn modify(&self, api: &mut Description) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        let components = api.components.get_or_insert_default();
        components.add_security_scheme("token", scheme);
        api.security = Some(vec![SecurityRequirement::new("token", Vec::<String>::new())]);
    }
}

/// `docs/openapi.json`.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn document() -> Result<String, serde_json::Error> {
    Ok(serde_json::to_string_pretty(&Api::openapi())? + "\n")
}

/// `GET /openapi.json`.
pub(super) async fn answer() -> Json<Description> {
    Json(Api::openapi())
}
