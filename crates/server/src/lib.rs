//! Recovery service, policy service, portals, sign-in, jobs

pub mod web;
