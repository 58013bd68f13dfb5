//! The gate as a store.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use domain::audit::{AuditEntry, AuditEvent, ChainHead, Checkpoint};
use domain::exemption::Decision;
use domain::ids::{DeviceId, RequestId};
use domain::inventory::Inventory;
use domain::ledger::Ledger;
use domain::policy::Policy;
use domain::policy::resolve::Targeting as Resolver;

use domain::time::Timestamp;
use store::model::*;
use store::{
    Accounts, ApiTokens, AuditLog, Dashboard, Devices, Keys, Maintenance, Policies, Requests, Result, Sessions,
    Settings, StoreError, Targeting, Tokens,
};

use super::super::faults::Fault;
use super::careless::everybodys;
use super::gate::{Gate, What};

/// Hands calls on as they are.
macro_rules! pass {
    ($part:ident { $($name:ident($($arg:ident: $kind:ty),*) -> $out:ty;)* } $($own:tt)*) => {
        #[async_trait]
        impl $part for Gate {
            $(async fn $name(&self, $($arg: $kind),*) -> Result<$out> {
                self.inner.$name($($arg),*).await
            })*
            $($own)*
        }
    };
}

/// Stops a write at the gate.
macro_rules! at_gate {
    ($gate:ident, $what:expr, $store:ident => $work:expr) => {
        $gate
            .gated($what, move |$store: Arc<dyn store::Store>| {
                Box::pin(async move { $work.await })
            })
            .await
    };
}

pass! { Devices {
    device(id: DeviceId) -> Option<Device>;
    device_within(id: DeviceId, within: &Within) -> Option<Device>;
    devices(query: DeviceQuery) -> Page<DeviceRow>;
    devices_of_user(user: &str) -> Vec<DeviceRow>;
    volumes(device: DeviceId) -> Vec<VolumeRecord>;
    reevaluate(after: Option<DeviceId>, limit: u32, now: Timestamp) -> Option<DeviceId>;
}
    async fn check_in_view(&self, device: DeviceId) -> Result<Option<CheckInView>> {
        let mut view = self.inner.check_in_view(device).await?;
        if let Some(view) = &mut view {
            self.careless().view(self.fault, view);
        }
        Ok(view)
    }

    fn seen(&self, device: DeviceId, at: Timestamp) {
        self.inner.seen(device, at);
    }

    fn checked_in(&self, device: DeviceId, sequence: u64, at: Timestamp) {
        self.inner.checked_in(device, sequence, at);
    }

    async fn enrol(&self, device: NewDevice, token: SecretHash, audit: Vec<AuditEvent>) -> Result<Device> {
        at_gate!(self, What::Enrol(device.id), store => store.enrol(device, token, audit))
    }

    async fn record_inventory(
        &self,
        device: DeviceId,
        sequence: u64,
        inventory: Inventory,
        digest: String,
        at: Timestamp,
        audit: Vec<AuditEvent>,
    ) -> Result<Option<InventoryOutcome>> {
        let sequence = self.counted(sequence);
        let mut older = None;
        if self.fault == Some(Fault::RealStaleInventory) {
            older = self.careless().inventories.insert(device, (inventory.clone(), digest.clone()));
        }
        at_gate!(self, What::Inventory(device), store => async move {
            let outcome = store.record_inventory(device, sequence, inventory, digest, at, audit).await;
            if let Some((inventory, digest)) = older {
                return store.record_inventory(device, 0, inventory, digest, at, Vec::new()).await;
            }
            outcome
        })
    }

    async fn record_report(
        &self,
        device: DeviceId,
        sequence: u64,
        mut report: Report,
        at: Timestamp,
        audit: Vec<AuditEvent>,
    ) -> Result<Option<Vec<RequestId>>> {
        let sequence = self.counted(sequence);
        if self.fault == Some(Fault::RealDoneForgotten) {
            report.done.clear();
        }
        at_gate!(self, What::Report(device), store => store.record_report(device, sequence, report, at, audit))
    }

    async fn set_retired(&self, device: DeviceId, at: Option<Timestamp>, audit: Vec<AuditEvent>) -> Result<()> {
        at_gate!(self, What::Retire(device, at.is_some()), store => store.set_retired(device, at, audit))
    }
}

pass! { Requests {
    pending_requests(device: DeviceId) -> Vec<DeviceRequest>;
    requests(device: DeviceId) -> Vec<DeviceRequest>;
}
    async fn add_request(&self, request: NewRequest, audit: Vec<AuditEvent>) -> Result<()> {
        let what = What::Ask(request.id, request.device, request.kind.clone());
        at_gate!(self, what, store => store.add_request(request, audit))
    }
}

pass! { Keys {
    key(name: KeyName) -> Option<KeyRecord>;
    keys_of_device(device: DeviceId) -> Vec<KeyRecord>;
    ledger(device: DeviceId) -> Ledger;
    unproven(limit: u32) -> Vec<ProofJob>;
    evidence(name: KeyName, version: u32) -> Option<Vec<u8>>;
}
    async fn escrow(&self, escrow: NewEscrow, audit: Vec<AuditEvent>) -> Result<Escrowed> {
        let (at, name, fault) = (escrow.at, escrow.name, self.fault);
        let claimed = Escrowed { escrowed_at: at, version: 1, new: true };
        let result = at_gate!(self, What::Escrow(name), store => async move {
            match fault {
                Some(Fault::RealEscrowSwallowed) => Ok(claimed),
                _ => store.escrow(escrow, audit).await,
            }
        });
        match (result, fault) {
            (Err(StoreError::Full | StoreError::Io(_)), Some(Fault::RealFailureTaken)) => Ok(claimed),
            (result, _) => result,
        }
    }

    async fn disclose(
        &self,
        name: KeyName,
        within: &Within,
        at: Timestamp,
        mut audit: Vec<AuditEvent>,
    ) -> Result<Disclosed> {
        let within = match self.fault {
            Some(Fault::RealOthersKeysTold) => Within::default(),
            _ => within.clone(),
        };
        if self.fault == Some(Fault::RealToldUnrecorded) {
            audit.iter_mut().for_each(|event| event.action = "key.looked_up".to_owned());
        }
        at_gate!(self, What::Disclose(name), store => async move {
            store.disclose(name, &within, at, audit).await
        })
    }

    async fn find_keys(&self, search: KeySearch, within: &Within) -> Result<Vec<FoundKey>> {
        let within = match self.fault {
            Some(Fault::RealOthersKeysTold) => &Within::default(),
            _ => within,
        };
        let mut found = self.inner.find_keys(search, within).await?;
        everybodys(self.fault, &mut found);
        Ok(found)
    }

    async fn record_proof(&self, result: ProofResult, audit: Vec<AuditEvent>) -> Result<bool> {
        let what = What::Proof(result.name, result.version, result.proof);
        at_gate!(self, what, store => store.record_proof(result, audit))
    }
}

pass! { Policies {
    policy() -> Option<PolicyVersion>;
    policy_history() -> Vec<PolicyVersion>;
}
    async fn put_policy(&self, policy: NewPolicy, audit: Vec<AuditEvent>) -> Result<u32> {
        at_gate!(self, What::Policy, store => store.put_policy(policy, audit))
    }
}

pass! { Targeting {
    put_item(item: NewItem, audit: Vec<AuditEvent>) -> u32;
    items(kind: ItemKind) -> Vec<Item>;
    item(kind: ItemKind, id: &str) -> Option<Item>;
    item_history(kind: ItemKind, id: &str) -> Vec<Item>;
    resolver() -> Resolver;
    effective_policy(digest: &str) -> Option<Policy>;
    marks(device: DeviceId) -> Marks;
    set_marks(device: DeviceId, marks: Marks, at: Timestamp, by: String, audit: Vec<AuditEvent>) -> ();
    refresh(device: DeviceId, now: Timestamp) -> ();
    time_passed(now: Timestamp) -> Passed;
    stored_devices(within: &Within, after: Option<DeviceId>, limit: u32) -> Vec<StoredInventory>;
    exemption(id: ExemptionId) -> Option<ExemptionRecord>;
    exemptions(query: ExemptionQuery) -> Page<ExemptionRecord>;
    exemptions_of_user(user: &str) -> Vec<ExemptionRecord>;
    exemptions_of(device: DeviceId) -> Vec<ExemptionRecord>;
}
    async fn request_exemption(
        &self,
        wish: NewExemption,
        audit: Vec<AuditEvent>,
    ) -> Result<(ExemptionId, Vec<DeviceId>)> {
        at_gate!(self, What::Wish(wish.user.clone()), store => store.request_exemption(wish, audit))
    }

    async fn decide_exemption(
        &self,
        id: ExemptionId,
        decision: Decision,
        at: Timestamp,
        by: String,
        note: String,
        audit: Vec<AuditEvent>,
    ) -> Result<Vec<DeviceId>> {
        let what = What::Decide(id.0, decision.word());
        at_gate!(self, what, store => store.decide_exemption(id, decision, at, by, note, audit))
    }
}

pass! { Tokens {
    add_token(token: NewToken, audit: Vec<AuditEvent>) -> TokenId;
    tokens() -> Vec<Token>;
    revoke_token(id: TokenId, at: Timestamp, audit: Vec<AuditEvent>) -> ();
} }

pass! { ApiTokens {
    add_api_token(token: NewApiToken, audit: Vec<AuditEvent>) -> ApiTokenId;
    api_tokens() -> Vec<ApiToken>;
    api_token(hash: SecretHash, now: Timestamp) -> Option<ApiToken>;
    revoke_api_token(id: ApiTokenId, at: Timestamp, audit: Vec<AuditEvent>) -> ();
}
    fn api_token_used(&self, hash: SecretHash, at: Timestamp) {
        self.inner.api_token_used(hash, at);
    }
}

pass! { Accounts {
    add_account(account: NewAccount, audit: Vec<AuditEvent>) -> ();
    add_first_account(account: NewAccount, audit: Vec<AuditEvent>) -> bool;
    account(name: &str) -> Option<Account>;
    accounts() -> Vec<Account>;
    change_account(name: &str, change: AccountChange, audit: Vec<AuditEvent>) -> Account;
    sign_in_failed(name: &str, at: Timestamp, rule: LockRule, audit: Vec<AuditEvent>) -> Account;
    sign_in(session: NewSession, audit: Vec<AuditEvent>) -> Session;
} }

pass! { Sessions {
    session(hash: SecretHash, now: Timestamp) -> Option<Session>;
    end_session(hash: SecretHash, audit: Vec<AuditEvent>) -> ();
    sessions_of(account: &str, now: Timestamp) -> Vec<Session>;
    remove_stale_sessions(now: Timestamp, idle_since: Timestamp) -> u64;
}
    fn session_used(&self, hash: SecretHash, at: Timestamp) {
        self.inner.session_used(hash, at);
    }
}

pass! { AuditLog {
    audit_head() -> ChainHead;
    audit_entries(from: u64, limit: u32) -> Vec<AuditEntry>;
    search_audit(query: AuditQuery) -> Page<AuditEntry>;
    add_checkpoint(checkpoint: Checkpoint) -> ();
    checkpoints() -> Vec<Checkpoint>;
    signed_up_to() -> u64;
}
    async fn append_audit(&self, events: Vec<AuditEvent>) -> Result<ChainHead> {
        let noted = events.iter().map(|e| (e.action.clone(), e.subject.clone())).collect();
        at_gate!(self, What::Note(noted), store => store.append_audit(events))
    }
}

pass! { Dashboard {
    summary(within: &Within) -> Summary;
} }

pass! { Settings {
    setting(name: &str) -> Option<Vec<u8>>;
    settings(prefix: &str) -> Vec<(String, Vec<u8>)>;
    set_setting(name: &str, value: Vec<u8>, audit: Vec<AuditEvent>) -> ();
    set_setting_once(name: &str, value: Vec<u8>, audit: Vec<AuditEvent>) -> Vec<u8>;
} }

pass! { Maintenance {
    flush() -> ();
    backup(to: &Path) -> ();
} }
