//! The messages.
//!
//! | path | request | answer |
//! |---|---|---|
//! | `POST /agent/v1/enrol` | [`EnrolRequest`] | [`EnrolResponse`] |
//! | `POST /agent/v1/check-in` | [`CheckInRequest`] | [`CheckInResponse`] |
//! | `POST /agent/v1/escrow` | [`EscrowRequest`] | [`EscrowResponse`] |
//! | `POST /agent/v1/wait` | [`WaitRequest`] | [`WaitResponse`] |
//! | `POST /agent/v1/renew` | [`RenewRequest`] | [`EnrolResponse`] |
//!
//! Every refusal is a [`Problem`] with a stable code. `429` and `503` carry `Retry-After` in seconds, and the agent obeys.

pub use domain::digest::digest;
use domain::exemption::Exemption;
use domain::ids::{DeviceId, ProtectorId, RequestId, VolumeId};
use domain::inventory::Inventory;
use domain::ledger::Ledger;
use domain::plan::{Blocked, Detected, RotateRequest};
use domain::policy::Policy;
use domain::policy::resolve::Maintenance;
use domain::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::sealing::{RecoveryPublicKey, SealedSecret};

/// Asks for an identity. Sent over server-authenticated TLS, without a client certificate.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolRequest {
    /// The enrolment token, as an administrator made it. A secret.
    pub token: String,
    /// PKCS#10 request, PEM; its key never leaves the device.
    pub certificate_request: String,
    /// Computer name.
    pub hostname: String,
    /// Serial number or SMBIOS UUID. A clash makes a new record and a warning, never an overwrite.
    pub hardware_id: String,
}

/// The identity.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolResponse {
    /// The device's id; also the common name of the certificate.
    pub device: DeviceId,
    /// Client certificate and chain, PEM.
    pub certificate: String,
    /// When to renew it.
    pub renew_after: Timestamp,
    /// The organisation's recovery key, to which escrows are sealed.
    pub recovery_key: RecoveryPublicKey,
}

/// Renews the client certificate; authenticated by the present one.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RenewRequest {
    /// PKCS#10 request, PEM.
    pub certificate_request: String,
}

/// "Here I am, and this is how I look."
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckInRequest {
    /// Counts this device's check-ins, from 1, each message its own number; at most [`crate::limits::MAX_SEQUENCE`]. A
    /// message with a lower number than one that the server has taken is answered, and nothing of it is stored: it was
    /// under way for long. A counter, not a time: clocks go back. 0: the agent does not count, and is always believed.
    #[serde(default)]
    pub sequence: u64,
    /// Digest of the inventory: lower-case hexadecimal SHA-256 of its canonical JSON ([`digest`]).
    pub inventory_digest: String,
    /// The inventory itself; sent when the digest is new to the device, or the server asked.
    pub inventory: Option<Inventory>,
    /// Digest of the policy that the device has, if any.
    pub policy_digest: Option<String>,
    /// What the device could not do and why, from its last plan; shown to administrators.
    pub blocked: Vec<Blocked>,
    /// The last failure while carrying a plan out, in words without secrets.
    pub last_error: Option<String>,
    /// Requests of the server that are done.
    pub done: Vec<RequestId>,
    /// Users of the device who ask, at the device, to be exempt.
    #[serde(default)]
    pub exemption_wishes: Vec<ExemptionWish>,
}

/// A user of the device asks to be exempt. Where policy does not allow that, or one of theirs holds or waits already, it is
/// passed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExemptionWish {
    /// Who, as the inventory names them.
    pub user: String,
    /// Why, in their words.
    pub reason: String,
}

/// What changed, and when to come back.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckInResponse {
    /// The highest number that the server has taken from this device, this message's included. Higher than the one sent:
    /// nothing of the message was stored. A device whose state was restored from a copy, or lost, goes on above it and
    /// says it all again; so nothing that happens to its counter keeps it from reporting.
    #[serde(default)]
    pub sequence: u64,
    /// The digest was new to the server and no inventory came with it: send again with the inventory.
    pub send_inventory: bool,
    /// The policy, when it is not the one that the device has.
    pub policy: Option<Policy>,
    /// Digest of the policy in force; compare and keep.
    pub policy_digest: String,
    /// The server's view of every protector of this device.
    pub ledger: Ledger,
    /// What the server wants done now.
    pub requests: Vec<Request>,
    /// The server's clock. What is counted from moments that the server noted (the age of a key, the end of an exemption)
    /// is counted by it, so that a device whose clock is wrong does not replace its keys in every cycle.
    #[serde(default)]
    pub now: Option<Timestamp>,
    /// Exemptions of the device's users, whatever their state.
    #[serde(default)]
    pub exemptions: Vec<Exemption>,
    /// When its volumes were first found not compliant: from then on the time counts that users may put encryption off. The
    /// server keeps it, so that neither a restart nor a lost state directory begins it anew.
    #[serde(default)]
    pub detected: Vec<Detected>,
    /// When the device may begin to encrypt or decrypt.
    #[serde(default)]
    pub maintenance: Maintenance,
    /// The organisation's recovery key, to which escrows are sealed.
    pub recovery_key: RecoveryPublicKey,
    /// Seconds until the next check-in, jitter included.
    pub next_check_in_seconds: u32,
}

/// A wish of the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// To be named in [`CheckInRequest::done`].
    pub id: RequestId,
    /// What.
    pub kind: RequestKind,
}

/// Kinds of wishes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum RequestKind {
    /// Replace recovery passwords.
    Rotate(RotateRequest),
    /// Report the inventory afresh.
    Report,
}

/// A recovery password, sealed, with the volume's own metadata as evidence.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EscrowRequest {
    /// The volume.
    pub volume: VolumeId,
    /// The recovery password's protector.
    pub protector: ProtectorId,
    /// The 48 digits with dashes, sealed to the organisation's recovery key, bound to device, volume and protector.
    pub sealed_password: SealedSecret,
    /// One 64 KiB metadata copy of the volume that holds this protector, base64. No secret: it is readable on the disk.
    pub metadata: String,
}

/// The escrow is durable (P3): sent only after the commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EscrowResponse {
    /// The protector, repeated.
    pub protector: ProtectorId,
    /// When it was stored. The same escrow sent again is acknowledged with the first moment.
    pub escrowed_at: Timestamp,
}

/// A request that the server holds until there is something to say.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaitRequest {
    /// Digest of the policy that the device has.
    pub policy_digest: Option<String>,
    /// Longest time to hold, in seconds; at most [`crate::limits::MAX_WAIT_SECONDS`].
    pub seconds: u32,
}

/// Why the held request came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaitResponse {
    /// Check in now. False: nothing happened, wait again (with jitter).
    pub check_in_now: bool,
}

/// Any refusal (`application/problem+json`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Stable code, `snake_case`.
    pub code: String,
    /// A sentence for the person; says which field and what is allowed.
    pub detail: String,
}
