//! What an escrow is made of: the password, read back from the volume itself, and the volume's own metadata. Reading it
//! back, instead of keeping it from when it was made, means that what is escrowed is what the volume really carries.

use std::sync::Arc;

use domain::ids::{ProtectorId, VolumeId};
use domain::volume::ProtectorType;
use protocol::limits::METADATA_LEN;
use zeroize::Zeroizing;

use super::Acknowledged;
use super::act::{StepError, protectors};
use crate::provider::Provider;

/// One recovery password, ready to be sealed.
pub struct Evidence {
    /// The volume that carries it.
    pub volume: VolumeId,
    /// Its protector.
    pub protector: ProtectorId,
    /// The 48 digits with dashes.
    pub password: Zeroizing<String>,
    /// A metadata copy of the volume.
    pub metadata: Arc<Vec<u8>>,
}

impl std::fmt::Debug for Evidence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Evidence {{ volume: {}, protector: {}, password: [redacted] }}",
            self.volume, self.protector
        )
    }
}

/// Reads the named recovery password of a volume, or all that the server has never seen.
///
/// # Errors
/// The provider's refusal; `Refused` when the volume does not carry it.
pub fn collect(
    provider: &mut dyn Provider,
    device: &str,
    protector: Option<ProtectorId>,
    acknowledged: &Acknowledged,
) -> Result<Vec<Evidence>, StepError> {
    let mut volume = provider.volume(device)?;
    let Some(id) = volume.persistent_volume_id()? else {
        return Err(StepError::Refused("the volume has no recovery password"));
    };
    let present = protectors(&mut *volume, Some(ProtectorType::RecoveryPassword))?;
    let wanted: Vec<ProtectorId> = match protector {
        Some(one) if present.contains(&one) => vec![one],
        Some(_) => return Err(StepError::Refused("the volume no longer has this recovery password")),
        None => present
            .into_iter()
            .filter(|p| acknowledged.is_unknown(id, *p))
            .collect(),
    };
    let metadata = volume.metadata()?;
    if metadata.len() != METADATA_LEN {
        return Err(StepError::Refused(
            "the volume's metadata has not the length it must have",
        ));
    }
    let metadata = Arc::new(metadata);
    wanted
        .into_iter()
        .map(|protector| {
            Ok(Evidence {
                volume: id,
                protector,
                password: volume.key_protector_numerical_password(protector)?,
                metadata: Arc::clone(&metadata),
            })
        })
        .collect()
}
