//! A first set-up by a program instead of a person: accounts, policy and an enrolment token, recorded as done by the system.

use std::time::Duration;

use domain::access::{Grant, Role};
use domain::policy::Policy;
use store::model::NewAccount;
use zeroize::Zeroizing;

use crate::error::Result;
use crate::services::accounts::{checked_name, hashed};
use crate::services::sign_in::subject;
use crate::services::{enrolment, passwords, policy};
use crate::state::AppState;

const ACTOR: &str = "system";

/// An account to make, with a password that the caller has drawn.
pub struct NewPerson {
    /// Sign-in name.
    pub name: String,
    /// Role.
    pub role: Role,
    /// Password; not asked to be changed.
    pub password: Zeroizing<String>,
}

/// Makes accounts, puts a policy in force, and returns an enrolment token for `devices` devices, good for a year.
///
/// # Errors
/// As the services have them for a name, a password, a policy; 409 for an account that exists.
pub async fn set_up(
    state: &AppState,
    people: Vec<NewPerson>,
    wanted: Policy,
    note: &str,
    devices: u32,
) -> Result<Zeroizing<String>> {
    for person in people {
        add(state, person).await?;
    }
    policy::update_as(state, ACTOR, wanted, note).await?;
    let token = enrolment::create_as(
        state,
        ACTOR,
        note,
        Duration::from_secs(365 * 24 * 60 * 60),
        Some(devices),
    )
    .await?;
    Ok(token.token)
}

async fn add(state: &AppState, person: NewPerson) -> Result<()> {
    let name = checked_name(&person.name)?;
    passwords::check_rule(name, &person.password)?;
    let account = NewAccount {
        name: name.to_owned(),
        password: hashed(state, &person.password).await?,
        grant: Grant::everywhere(person.role),
        must_change_password: false,
        at: state.now(),
    };
    let event = state.event(
        ACTOR,
        "account.created",
        subject(name),
        Grant::everywhere(person.role).words(),
    );
    state.store.add_account(account, vec![event]).await?;
    Ok(())
}
