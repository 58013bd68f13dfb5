//! The table of routes: each with who may use it, checked before its handler runs.
//!
//! A router of this server is made by `Routes` and in no other way (`clippy.toml` bans `axum::Router::route`), so a route
//! without a declaration cannot be added. A test walks every route with every role and scope.

use axum::Router;
use axum::extract::{FromRequestParts as _, Request, State};
use axum::handler::Handler;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodFilter, on};
use domain::access::Permission;

use crate::error::AppError;
use crate::session::{CurrentUser, program_of};
use crate::state::AppState;

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody: the sign-in page, health, style sheets. What it shows is no secret.
    Anybody,
    /// Whoever is signed in: one's own account.
    SignedIn,
    /// Whoever is signed in and has the permission. For which devices is seen by the services, in the store's queries.
    Needs(Permission),
    /// A program with an API token that has the permission. Sessions of people do not count, so nothing can be forged.
    Api(Permission),
    /// A device, by its client certificate; people never.
    Device,
    /// A device that enrols: nobody yet, but with an enrolment token.
    EnrolmentToken,
}

/// One route as it was declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// Its method; `GET` answers `HEAD` too.
    pub method: Method,
    /// Its path, with parameters in braces.
    pub path: String,
    /// Who may use it.
    pub access: Access,
}

/// A router together with what was declared of it.
pub(crate) struct Routes {
    state: AppState,
    router: Router<AppState>,
    declared: Vec<Declared>,
}

impl Routes {
    /// No routes.
    pub(crate) fn new(state: &AppState) -> Self {
        Self {
            state: state.clone(),
            router: Router::new(),
            declared: Vec::new(),
        }
    }

    /// Adds a `GET` route.
    pub(crate) fn get<H, T>(self, path: &str, access: Access, handler: H) -> Self
    where
        H: Handler<T, AppState>,
        T: 'static,
    {
        self.add((Method::GET, MethodFilter::GET), path, access, handler)
    }

    /// Adds a `POST` route.
    pub(crate) fn post<H, T>(self, path: &str, access: Access, handler: H) -> Self
    where
        H: Handler<T, AppState>,
        T: 'static,
    {
        self.add((Method::POST, MethodFilter::POST), path, access, handler)
    }

    /// Adds the routes of another table.
    pub(crate) fn merge(mut self, other: Self) -> Self {
        self.declared.extend(other.declared);
        self.router = self.router.merge(other.router);
        self
    }

    /// Adds the routes of another table under a prefix.
    pub(crate) fn nest(mut self, prefix: &str, other: Self) -> Self {
        self.declared.extend(other.declared.into_iter().map(|route| Declared {
            path: format!("{prefix}{}", route.path),
            ..route
        }));
        self.router = self.router.nest(prefix, other.router);
        self
    }

    /// Changes the router as a whole: layers and fall-backs, not routes.
    pub(crate) fn with(mut self, change: impl FnOnce(Router<AppState>) -> Router<AppState>) -> Self {
        self.router = change(self.router);
        self
    }

    /// The router, ready to serve, and the table.
    pub(crate) fn finish(self) -> (Router, Vec<Declared>) {
        (self.router.with_state(self.state), self.declared)
    }

    fn add<H, T>(mut self, (method, filter): (Method, MethodFilter), path: &str, access: Access, handler: H) -> Self
    where
        H: Handler<T, AppState>,
        T: 'static,
    {
        let guard = from_fn_with_state((self.state.clone(), access), guard);
        #[expect(clippy::disallowed_methods, reason = "the one place where a route is added")]
        {
            self.router = self.router.route(path, on(filter, handler).route_layer(guard));
        }
        self.declared.push(Declared {
            method,
            path: path.to_owned(),
            access,
        });
        self
    }
}

/// Middleware of each route. Handlers find the person that it let through by extracting [`CurrentUser`].
async fn guard(State((state, access)): State<(AppState, Access)>, request: Request, next: Next) -> Response {
    let permission = match access {
        // The handlers of devices look at certificates and tokens themselves, in the same read that they do anyway.
        Access::Anybody | Access::Device | Access::EnrolmentToken => return next.run(request).await,
        Access::Api(permission) => return for_programs(&state, permission, request, next).await,
        Access::SignedIn => None,
        Access::Needs(permission) => Some(permission),
    };
    let (mut parts, body) = request.into_parts();
    let user = match CurrentUser::from_request_parts(&mut parts, &state).await {
        Ok(user) => user,
        Err(refusal) => return refusal.into_response(),
    };
    if let Some(permission) = permission
        && let Err(refusal) = user.demand(permission)
    {
        return refusal.into_response();
    }
    parts.extensions.insert(user);
    next.run(Request::from_parts(parts, body)).await
}

async fn for_programs(state: &AppState, permission: Permission, mut request: Request, next: Next) -> Response {
    let program = match program_of(request.headers(), state).await {
        Ok(Some(program)) => program,
        Ok(None) => {
            let refusal = AppError::refused(
                StatusCode::UNAUTHORIZED,
                "token_needed",
                "This needs an API token that is good: \"Authorization: Bearer …\".",
            );
            let challenge = [(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))];
            return (challenge, refusal).into_response();
        }
        Err(error) => return error.into_response(),
    };
    if let Err(refusal) = program.demand(permission) {
        return refusal.into_response();
    }
    request.extensions_mut().insert(program);
    next.run(request).await
}
