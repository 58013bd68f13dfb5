//! What agent and server say to one another: versioned messages, their limits, and the sealing of secrets.
//!
//! JSON over HTTPS with TLS 1.3. All but enrolment need the client certificate that enrolment gave. Unknown fields are
//! refused, so that a mistake shows at once; a new field means a new version.

pub mod limits;
pub mod messages;
pub mod sealing;
pub mod validate;
