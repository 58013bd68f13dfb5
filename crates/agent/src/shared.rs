//! The volume provider, shared between the loop and the threads that its blocking calls run on.

use std::sync::{Arc, Mutex, PoisonError};

use crate::provider::Provider;

/// One provider, one caller at a time.
#[derive(Clone)]
pub struct SharedProvider(Arc<Mutex<Box<dyn Provider>>>);

impl SharedProvider {
    /// Takes a provider.
    #[must_use]
    pub fn new(provider: Box<dyn Provider>) -> Self {
        Self(Arc::new(Mutex::new(provider)))
    }

    /// Runs blocking work with the provider on a thread of its own; it is not interrupted when the caller goes away.
    ///
    /// # Errors
    /// A sentence, when the work panicked.
    pub async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut dyn Provider) -> T + Send + 'static,
    ) -> Result<T, String> {
        let shared = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || {
            let mut provider = shared.lock().unwrap_or_else(PoisonError::into_inner);
            work(&mut **provider)
        })
        .await
        .map_err(|_| "the volume provider broke off in the middle of an operation".to_owned())
    }
}
