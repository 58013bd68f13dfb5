//! What a change of protectors would do, told beforehand and without any secret.

use super::plan::{MetadataTouched, ProtectorSummary, touched};
use super::unlocked::UnlockedVolume;
use crate::Error;
use crate::format::Datum;
use crate::format::constants::{kind, role};
use crate::format::read::nested;
use crate::format::write::unicode;
use crate::guid::Guid;
use crate::io::ReadAt;
use crate::protector::{ProtectorKind, list};

/// A change of the protectors, without its secrets: enough to say what it will touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtectorChange<'a> {
    /// [`UnlockedVolume::add_recovery_password`] and the like; a TPM protector's object has `blob_len` bytes.
    Add {
        /// Which kind.
        kind: ProtectorKind,
        /// Its name.
        name: Option<&'a str>,
        /// Length of a TPM protector's sealed object; of no account for other kinds.
        blob_len: usize,
    },
    /// [`UnlockedVolume::remove_protector`].
    Remove(Guid),
    /// [`UnlockedVolume::rotate_recovery_password`], [`UnlockedVolume::change_passphrase`] and the like: another secret of
    /// the same kind; a TPM protector's object has `blob_len` bytes.
    Replace {
        /// Which protector.
        id: Guid,
        /// Length of a TPM protector's sealed object; of no account for other kinds.
        blob_len: usize,
    },
    /// [`UnlockedVolume::rename_protector`].
    Rename(Guid, Option<&'a str>),
    /// [`UnlockedVolume::set_backup_info`].
    RecordBackup(Guid),
    /// [`UnlockedVolume::suspend`].
    Suspend(Option<u8>),
    /// [`UnlockedVolume::resume`].
    Resume,
    /// [`UnlockedVolume::set_description`].
    Describe(&'a str),
}

/// What a [`ProtectorChange`] would do. Nothing has been changed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ChangePlan {
    /// The change in a sentence.
    pub what: String,
    /// The protectors that stay as they are.
    pub untouched: Vec<ProtectorSummary>,
    /// What is written; nothing when everything is as wanted already.
    pub touched: Option<MetadataTouched>,
}

impl ChangePlan {
    /// The plan for a person, a sentence each.
    #[must_use]
    pub fn describe(&self) -> Vec<String> {
        let mut lines = vec![self.what.clone()];
        lines.extend(
            self.untouched
                .iter()
                .map(|protector| format!("leave as it is: {protector}")),
        );
        match &self.touched {
            Some(touched) => lines.extend(touched.describe()),
            None => lines.push("write nothing, for it is so already".to_owned()),
        }
        lines
    }
}

impl<D: ReadAt> UnlockedVolume<D> {
    /// What a change would do.
    ///
    /// # Errors
    /// Those of the change itself, as far as they can be told without the secret: [`Error::MetadataFull`],
    /// [`Error::NoSuchProtector`], [`Error::LastProtector`] and so on.
    pub fn plan_change(&self, change: &ProtectorChange<'_>) -> Result<ChangePlan, Error> {
        let state = self.state();
        let datums = &state.metadata.datums;
        let infos = list(&state.metadata)?;
        let before: usize = datums.iter().map(Datum::len).sum();
        let find = |id: Guid| {
            let found = infos.iter().find(|(_, info)| info.id == id);
            let (index, info) = found.ok_or(Error::NoSuchProtector(id))?;
            Ok::<_, Error>((&datums[*index], ProtectorSummary::from(info)))
        };
        let clear: Vec<_> = infos
            .iter()
            .filter(|(_, info)| info.kind == ProtectorKind::ClearKey)
            .collect();
        let clear_len = || clear.iter().map(|(index, _)| datums[*index].len()).sum::<usize>();
        let mut gone = Vec::new();
        let (what, after) = match *change {
            ProtectorChange::Add { kind, name, blob_len } => {
                (format!("add: {kind}"), before + protector_len(kind, name, blob_len)?)
            }
            ProtectorChange::Remove(id) => {
                let (datum, summary) = find(id)?;
                if infos.len() == 1 {
                    return Err(Error::LastProtector);
                }
                gone.push(id);
                (format!("remove: {summary}"), before - datum.len())
            }
            ProtectorChange::Replace { id, blob_len } => {
                let (datum, summary) = find(id)?;
                let new = protector_len(summary.kind, summary.name.as_deref(), blob_len)?;
                gone.push(id);
                (format!("give another secret to: {summary}"), before - datum.len() + new)
            }
            ProtectorChange::Rename(id, name) => {
                let (datum, summary) = find(id)?;
                gone.push(id);
                let old = child_len(datum, kind::UNICODE)?;
                (format!("rename: {summary}"), before - old + name_len(name))
            }
            ProtectorChange::RecordBackup(id) => {
                let (datum, summary) = find(id)?;
                if summary.kind != ProtectorKind::RecoveryPassword {
                    return Err(Error::WrongProtectorKind(id));
                }
                gone.push(id);
                let old = child_len(datum, kind::BACKUP_INFO)?;
                (format!("record the backup of: {summary}"), before - old + BACKUP_LEN)
            }
            ProtectorChange::Suspend(count) => {
                let what = match count {
                    Some(count) => format!("suspend protection for {count} restarts: a key will lie in clear"),
                    None => "suspend protection until it is resumed: a key will lie in clear".to_owned(),
                };
                let added = if clear.is_empty() {
                    protector_len(ProtectorKind::ClearKey, None, 0)?
                } else {
                    0
                };
                (what, before + added)
            }
            ProtectorChange::Resume if clear.is_empty() => {
                let untouched = infos.iter().map(|(_, info)| ProtectorSummary::from(info)).collect();
                let what = "resume protection".to_owned();
                return Ok(ChangePlan {
                    what,
                    untouched,
                    touched: None,
                });
            }
            ProtectorChange::Resume => {
                if clear.len() == infos.len() {
                    return Err(Error::LastProtector);
                }
                gone.extend(clear.iter().map(|(_, info)| info.id));
                (
                    "resume protection: the key in clear goes".to_owned(),
                    before - clear_len(),
                )
            }
            ProtectorChange::Describe(text) => {
                let old: usize = datums
                    .iter()
                    .filter(|d| d.role == role::DESCRIPTION)
                    .map(Datum::len)
                    .sum();
                let new = unicode(role::DESCRIPTION, text).len();
                ("change the description".to_owned(), before - old + new)
            }
        };
        Ok(ChangePlan {
            what,
            untouched: infos
                .iter()
                .filter(|(_, info)| !gone.contains(&info.id))
                .map(|(_, info)| ProtectorSummary::from(info))
                .collect(),
            touched: Some(touched(&state, after)?),
        })
    }
}

/// Length of a backup record.
const BACKUP_LEN: usize = 28;

/// Length of a protector as this crate builds it (BitLocker format notes §6).
fn protector_len(kind: ProtectorKind, name: Option<&str>, blob_len: usize) -> Result<usize, Error> {
    let bare = match kind {
        ProtectorKind::ClearKey => 160,
        ProtectorKind::ExternalKey => 208,
        ProtectorKind::Passphrase => 224,
        ProtectorKind::RecoveryPassword => 288,
        ProtectorKind::Tpm | ProtectorKind::TpmPin => 128_usize.saturating_add(blob_len),
        _ => return Err(Error::Unsupported("making protectors of this kind")),
    };
    let len = bare.saturating_add(name_len(name));
    if len > usize::from(u16::MAX) {
        return Err(Error::MetadataFull { needed: len });
    }
    Ok(len)
}

fn name_len(name: Option<&str>) -> usize {
    name.map_or(0, |name| unicode(role::PROPERTY, name).len())
}

fn child_len(datum: &Datum, wanted: u16) -> Result<usize, Error> {
    let inner = nested(datum)?;
    Ok(inner.iter().filter(|child| child.kind == wanted).map(Datum::len).sum())
}
