//! One file per page, with its handlers.

pub(super) mod account;
pub(super) mod accounts;
pub(super) mod api_tokens;
pub(super) mod audit;
pub(super) mod collections;
pub(super) mod dashboard;
pub(super) mod deployments;
pub(super) mod device;
pub(super) mod devices;
pub(super) mod effective;
pub(super) mod enrolment;
pub(super) mod exemptions;
pub(super) mod files;
pub(super) mod helpdesk;
pub(super) mod home;
pub(super) mod login;
pub(super) mod policies;
pub(super) mod policy_text;
pub(super) mod preview;
pub(super) mod selfservice;
pub(super) mod theme;
