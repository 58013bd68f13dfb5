//! What of policy reaches beyond a scope, and is refused. Whoever has the scope *everything* is refused nothing here.

use domain::access::Scope;
use domain::ids::DeviceId;
use store::model::{BUILT_IN, Content, ExemptionId, ItemKind, Marks};

use crate::error::{AppError, Result};
use crate::session::CurrentUser;
use crate::state::AppState;

/// What has no bounds.
pub(super) fn everything(user: &CurrentUser) -> Result<()> {
    if user.grant.scope.is_everything() {
        Ok(())
    } else {
        Err(beyond())
    }
}

/// A version of a document, collection or deployment.
pub(super) async fn content(state: &AppState, user: &CurrentUser, content: &Content) -> Result<()> {
    let scope = &user.grant.scope;
    if scope.is_everything() {
        return Ok(());
    }
    let inside = match content {
        // Collections decide who belongs to a scope.
        Content::Collection(_) => false,
        Content::Document(document) => {
            document.id.as_str() != BUILT_IN && deployed_inside(state, scope, document.id.as_str()).await?
        }
        Content::Deployment(deployment) => {
            let before = state
                .store
                .item(ItemKind::Deployment, deployment.id.as_str())
                .await?
                .and_then(|item| item.content.deployment().cloned());
            let mut both = before.iter().chain([deployment]);
            both.all(|deployment| scope.covers(&deployment.collection))
        }
    };
    if inside { Ok(()) } else { Err(beyond()) }
}

/// Tags may be what a collection's rule asks for.
pub(super) async fn tags(state: &AppState, user: &CurrentUser, device: DeviceId, marks: &Marks) -> Result<()> {
    if user.grant.scope.is_everything() || state.store.marks(device).await?.tags == marks.tags {
        Ok(())
    } else {
        Err(beyond())
    }
}

/// An exemption holds on every device that the person uses.
pub(super) async fn person(state: &AppState, user: &CurrentUser, person: &str) -> Result<()> {
    if user.grant.scope.is_everything() {
        return Ok(());
    }
    let devices = state.store.devices_of_user(person).await?;
    let mut inside = !devices.is_empty();
    for device in devices {
        inside &= state.store.device_within(device.id, &user.within()).await?.is_some();
    }
    if inside { Ok(()) } else { Err(beyond()) }
}

/// A decision on an exemption. One of nobody's in the scope is as if it were not there.
pub(super) async fn exemption(state: &AppState, user: &CurrentUser, id: ExemptionId) -> Result<()> {
    if user.grant.scope.is_everything() {
        return Ok(());
    }
    let missing = || AppError::not_found("There is no such exemption.");
    let record = state.store.exemption(id).await?.ok_or_else(missing)?;
    let mut seen = false;
    for device in state.store.devices_of_user(&record.exemption.user).await? {
        seen |= state.store.device_within(device.id, &user.within()).await?.is_some();
    }
    if !seen {
        return Err(missing());
    }
    person(state, user, &record.exemption.user).await
}

async fn deployed_inside(state: &AppState, scope: &Scope, policy: &str) -> Result<bool> {
    let deployments = state.store.items(ItemKind::Deployment).await?;
    Ok(deployments
        .iter()
        .filter(|item| !item.retired)
        .filter_map(|item| item.content.deployment())
        .filter(|deployment| deployment.policy.as_str() == policy)
        .all(|deployment| scope.covers(&deployment.collection)))
}

fn beyond() -> AppError {
    AppError::forbidden(
        "beyond_scope",
        "This reaches devices outside your scope. Ask an administrator for everything.",
    )
}
