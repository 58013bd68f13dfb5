//! Accounts and API tokens from the command line of the server's machine, also while the server runs: whoever may write its
//! database. What is changed is in the audit, as done by the operator.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use domain::access::Grant;
use domain::time::Clock;
use rand_core::CryptoRng;
use store::model::{Account, ApiToken, ApiTokenId};
use store::{Accounts as _, ApiTokens as _, SqliteStore};
use zeroize::Zeroizing;

use crate::error::Result;
use crate::services::api_tokens::{self, CreatedApiToken};
use crate::services::{accounts, random_text};
use crate::{DATABASE, StartError};

const ACTOR: &str = "operator";

/// Somebody at the machine.
pub struct Operator {
    store: SqliteStore,
    clock: Arc<dyn Clock>,
}

impl Operator {
    /// Opens the database in a server's data directory. Blocks while it does so.
    ///
    /// # Errors
    /// When there is none, and those of opening it.
    pub fn open(data_dir: &Path, clock: Arc<dyn Clock>) -> Result<Self, StartError> {
        let path = data_dir.join(DATABASE);
        std::fs::metadata(&path).map_err(|source| StartError::Io {
            path: path.clone(),
            source,
        })?;
        let store = SqliteStore::open(&path)?;
        Ok(Self { store, clock })
    }

    /// All accounts by name.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn accounts(&self) -> Result<Vec<Account>> {
        Ok(self.store.accounts().await?)
    }

    /// Gives an account another role and scope; its sessions end.
    ///
    /// # Errors
    /// As [`accounts::set_grant`].
    pub async fn set_grant(&self, name: &str, grant: Grant) -> Result<()> {
        accounts::grant_as(&self.store, self.clock.now(), ACTOR.to_owned(), name, grant).await
    }

    /// All API tokens, newest first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn api_tokens(&self) -> Result<Vec<ApiToken>> {
        Ok(self.store.api_tokens().await?)
    }

    /// Makes an API token.
    ///
    /// # Errors
    /// As [`api_tokens::create`].
    pub async fn create_api_token(
        &self,
        note: &str,
        grant: Grant,
        lasts: Duration,
        rng: &mut (dyn CryptoRng + Send),
    ) -> Result<CreatedApiToken> {
        let mut bytes = Zeroizing::new([0_u8; 40]);
        rng.fill_bytes(&mut *bytes);
        let signs = random_text::spelled(&bytes);
        let wanted = (note, grant, lasts);
        api_tokens::create_as(&self.store, self.clock.now(), ACTOR.to_owned(), wanted, &signs).await
    }

    /// Revokes an API token.
    ///
    /// # Errors
    /// As [`api_tokens::revoke`].
    pub async fn revoke_api_token(&self, id: ApiTokenId) -> Result<()> {
        api_tokens::revoke_as(&self.store, self.clock.now(), ACTOR.to_owned(), id).await
    }
}
