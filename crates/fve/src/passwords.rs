//! Many recovery passwords at once: all their stretches run side by side.

use crate::crypto::stretch::{Job, recovery_hash, stretch_many};
use crate::format::constants::key_type;
use crate::format::read::{nested, read_metadata};
use crate::format::{Datum, Metadata};
use crate::guid::Guid;
use crate::io::ReadAt;
use crate::keychain::{MAX_STRETCHED, salt, unwrap_vmk};
use crate::protector::{self, ProtectorKind};
use crate::secret::{RecoveryPassword, VolumeMasterKey};
use crate::volume::Volume;

/// A volume master key, and the protector that gave it.
pub(crate) type Opened = (VolumeMasterKey, Guid);

/// Tries each password on each recovery password protector of its metadata; `None` where it opens none.
pub(crate) fn open_many(attempts: &[(&Metadata, &RecoveryPassword)]) -> Vec<Option<Opened>> {
    let candidates: Vec<_> = attempts.iter().map(|(metadata, _)| candidates(metadata)).collect();
    let jobs: Vec<Job> = attempts
        .iter()
        .zip(&candidates)
        .flat_map(|((_, password), candidates)| {
            let first = recovery_hash(password);
            candidates
                .iter()
                .map(move |candidate| Job::new(&first, &candidate.salt))
        })
        .collect();
    let mut keys = stretch_many(&jobs).into_iter();
    candidates
        .into_iter()
        .map(|candidates| {
            let keys: Vec<_> = keys.by_ref().take(candidates.len()).collect();
            candidates
                .iter()
                .zip(keys)
                .find_map(|(candidate, key)| Some((unwrap_vmk(&candidate.inner, &key)?, candidate.id)))
        })
        .collect()
}

struct Candidate {
    id: Guid,
    inner: Vec<Datum>,
    salt: [u8; 16],
}

fn candidates(metadata: &Metadata) -> Vec<Candidate> {
    let protectors = protector::list(metadata).unwrap_or_default();
    protectors
        .into_iter()
        .filter(|(_, info)| info.kind == ProtectorKind::RecoveryPassword)
        .take(MAX_STRETCHED)
        .filter_map(|(index, info)| {
            let inner = nested(metadata.datums.get(index)?).ok()?;
            let salt = salt(&inner, key_type::RECOVERY_PASSWORD)?;
            Some(Candidate {
                id: info.id,
                inner,
                salt,
            })
        })
        .collect()
}

impl<D: ReadAt> Volume<D> {
    /// Tries many recovery passwords: for each the protector that it opens, or `None`. Eight and more take about a third
    /// of the time that they would take one by one.
    #[must_use]
    pub fn try_recovery_passwords(&self, passwords: &[RecoveryPassword]) -> Vec<Option<Guid>> {
        let Ok(metadata) = read_metadata(&self.metadata_bytes()) else {
            return vec![None; passwords.len()];
        };
        let attempts: Vec<_> = passwords.iter().map(|password| (&metadata, password)).collect();
        open_many(&attempts)
            .into_iter()
            .map(|opened| opened.map(|(_, protector)| protector))
            .collect()
    }
}
