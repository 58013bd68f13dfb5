//! Policy.

use async_trait::async_trait;
use domain::audit::AuditEvent;

use crate::Result;
use crate::model::{NewPolicy, PolicyVersion};

/// The built-in document, which reaches all devices and which every other deployment beats, as a whole policy.
#[async_trait]
pub trait Policies {
    /// Puts a policy in force and returns its version. A policy with the digest of the one in force changes nothing.
    /// Follow it with [`Devices::reevaluate`](super::Devices::reevaluate), so that reports show its effect.
    async fn put_policy(&self, policy: NewPolicy, audit: Vec<AuditEvent>) -> Result<u32>;

    /// The policy in force; none before the first.
    async fn policy(&self) -> Result<Option<PolicyVersion>>;

    /// All versions, newest first.
    async fn policy_history(&self) -> Result<Vec<PolicyVersion>>;
}
