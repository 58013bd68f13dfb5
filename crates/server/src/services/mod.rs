//! What pages, interfaces and jobs call: the rules live here, once.

pub mod accounts;
pub mod api_tokens;
pub mod audit;
pub mod dashboard;
pub mod devices;
pub mod enrolment;
pub mod operator;
pub mod passwords;
pub mod policy;
pub mod preview;
pub mod recovery;
pub mod requests;
pub mod sessions;
pub mod set_up;
pub mod sign_in;
pub mod targeting;

pub(crate) mod random_text;
mod reaches;
