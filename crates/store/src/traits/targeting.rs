//! Documents, collections, deployments, marks of devices, exemptions.

use async_trait::async_trait;
use domain::audit::AuditEvent;
use domain::exemption::Decision;
use domain::ids::DeviceId;
use domain::policy::Policy;
use domain::policy::resolve::Targeting as Resolver;
use domain::time::Timestamp;

use crate::Result;
use crate::model::{
    ExemptionId, ExemptionQuery, ExemptionRecord, Item, ItemKind, Marks, NewExemption, NewItem, Page, Passed,
    StoredInventory, Within,
};

/// Policies as documents, whom they reach, and who is exempt. Nothing is deleted.
#[async_trait]
pub trait Targeting {
    /// Stores a version and returns its number. All that is in use afterwards must fit together. Devices are stale from
    /// then on, until [`Devices::reevaluate`](super::Devices::reevaluate) comes to them or they are refreshed.
    ///
    /// # Errors
    /// `Exists` when the base is 0 and it is there; `Outdated` when another version is the newest; `Rejected` with all
    /// faults when it does not fit with the rest, or would retire what is in use or built in.
    async fn put_item(&self, item: NewItem, audit: Vec<AuditEvent>) -> Result<u32>;

    /// The newest version of each, by short name, retired ones too.
    async fn items(&self, kind: ItemKind) -> Result<Vec<Item>>;

    /// The newest version of one.
    async fn item(&self, kind: ItemKind, id: &str) -> Result<Option<Item>>;

    /// All versions, newest first; none when there is no such thing.
    async fn item_history(&self, kind: ItemKind, id: &str) -> Result<Vec<Item>>;

    /// Everything in use, to resolve policies with.
    async fn resolver(&self) -> Result<Resolver>;

    /// A policy that a device was told, by its digest.
    async fn effective_policy(&self, digest: &str) -> Result<Option<Policy>>;

    /// Tags and own settings of a device.
    async fn marks(&self, device: DeviceId) -> Result<Marks>;

    /// Sets tags and own settings of a device, and evaluates it anew, in one transaction.
    ///
    /// # Errors
    /// `NotFound`.
    async fn set_marks(
        &self,
        device: DeviceId,
        marks: Marks,
        at: Timestamp,
        by: String,
        audit: Vec<AuditEvent>,
    ) -> Result<()>;

    /// Evaluates a device anew if it is stale.
    ///
    /// # Errors
    /// `NotFound`.
    async fn refresh(&self, device: DeviceId, now: Timestamp) -> Result<()>;

    /// Looks at what time alone changed since the last call: deployments that began, exemptions that ended.
    async fn time_passed(&self, now: Timestamp) -> Result<Passed>;

    /// The next of these devices as a preview needs them (not retired, with an inventory, by id, after `after`).
    async fn stored_devices(
        &self,
        within: &Within,
        after: Option<DeviceId>,
        limit: u32,
    ) -> Result<Vec<StoredInventory>>;

    /// Stores a wish to be exempt, and evaluates the person's devices anew. Returns its number and those devices.
    ///
    /// # Errors
    /// `Exists` when one of this person waits for a decision or holds; `Invalid` for a name that nobody has.
    async fn request_exemption(
        &self,
        wish: NewExemption,
        audit: Vec<AuditEvent>,
    ) -> Result<(ExemptionId, Vec<DeviceId>)>;

    /// Decides on one, and evaluates the person's devices anew. Returns those devices.
    ///
    /// # Errors
    /// `NotFound`; `Rejected` when the decision does not follow from its present state (an approval of what was refused).
    async fn decide_exemption(
        &self,
        id: ExemptionId,
        decision: Decision,
        at: Timestamp,
        by: String,
        note: String,
        audit: Vec<AuditEvent>,
    ) -> Result<Vec<DeviceId>>;

    /// One exemption.
    async fn exemption(&self, id: ExemptionId) -> Result<Option<ExemptionRecord>>;

    /// Exemptions, the newest first.
    async fn exemptions(&self, query: ExemptionQuery) -> Result<Page<ExemptionRecord>>;

    /// Exemptions of a person, the newest first.
    async fn exemptions_of_user(&self, user: &str) -> Result<Vec<ExemptionRecord>>;

    /// Exemptions of all users of a device, the newest first.
    async fn exemptions_of(&self, device: DeviceId) -> Result<Vec<ExemptionRecord>>;
}
