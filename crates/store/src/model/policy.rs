//! Versions of the policy.

use domain::policy::Policy;
use domain::time::Timestamp;

/// A policy to be put in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPolicy {
    /// The policy.
    pub policy: Policy,
    /// Its digest, as the protocol computes it.
    pub digest: String,
    /// When.
    pub at: Timestamp,
    /// Who: as in the audit.
    pub by: String,
    /// Why, in the administrator's words.
    pub note: String,
}

/// A version of the policy; the one with the highest number is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyVersion {
    /// 1, 2, …
    pub version: u32,
    /// The policy.
    pub policy: Policy,
    /// Its digest.
    pub digest: String,
    /// When it was put in force.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
    /// Why.
    pub note: String,
}
