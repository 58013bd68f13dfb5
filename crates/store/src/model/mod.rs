//! What is kept, as plain values.

mod account;
mod api_token;
mod audit;
mod device;
mod key;
mod page;
mod policy;
mod request;
mod stored;
mod summary;
mod targeting;
mod token;
mod within;

pub use account::{
    Account, AccountChange, LockRule, NewAccount, NewSession, PasswordHash, SecretHash, Session, account_key,
    same_account,
};
pub use api_token::{ApiToken, ApiTokenId, NewApiToken};
pub use audit::{AuditQuery, device_of, subject};
pub use device::{
    CheckInView, Device, DeviceQuery, DeviceRow, DeviceSort, InventoryOutcome, NewDevice, Report, VolumeRecord,
};
pub use key::{
    Disclosed, Escrowed, FoundKey, KeyName, KeyRecord, KeySearch, KeyVersion, NewEscrow, ProofJob, ProofResult,
    SealedBytes,
};
pub use page::{Direction, Page, Paging};
pub use policy::{NewPolicy, PolicyVersion};
pub use request::{DeviceRequest, NewRequest, RequestKind};
pub use stored::StoredInventory;
pub use summary::{KeyTally, Summary};
pub use targeting::{
    BUILT_IN, Content, DecisionRecord, Document, ExemptionId, ExemptionQuery, ExemptionRecord, Item, ItemKind, Marks,
    NewExemption, NewItem, Passed,
};
pub use token::{NewToken, Token, TokenId};
pub use within::Within;
