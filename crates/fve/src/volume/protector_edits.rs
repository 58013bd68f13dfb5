//! Changing what a protector carries besides its secret, and counting a suspension down. Each is one atomic metadata update.

use super::protectors::index_of;
use super::unlocked::UnlockedVolume;
use crate::Error;
use crate::context::Context;
use crate::format::Datum;
use crate::format::constants::{kind, role};
use crate::format::read::nested;
use crate::format::write::{unicode, with_nested};
use crate::guid::Guid;
use crate::io::WriteAt;
use crate::protector::{BackupInfo, ProtectorKind};
use crate::secret::ExternalKey;

impl<D: WriteAt> UnlockedVolume<D> {
    /// Changes the key of an external key protector; GUID and name stay. A `.BEK` file made before opens nothing any more.
    pub fn change_external_key(&self, ctx: &mut Context<'_>, id: Guid, key: &ExternalKey) -> Result<(), Error> {
        let (_, info) = Self::find(&self.state(), id)?;
        if info.kind != ProtectorKind::ExternalKey {
            return Err(Error::WrongProtectorKind(id));
        }
        self.update(ctx, |edit| {
            let index = index_of(&edit.datums, id).ok_or(Error::NoSuchProtector(id))?;
            edit.datums[index] = edit.builder().external_key(id, key, info.name.as_deref())?;
            Ok(())
        })
    }

    /// Gives a protector another name, or none.
    pub fn rename_protector(&self, ctx: &mut Context<'_>, id: Guid, name: Option<&str>) -> Result<(), Error> {
        let name = name.map(|name| unicode(role::PROPERTY, name));
        // Windows puts the name first.
        self.edit_inside(ctx, id, kind::UNICODE, |inner| inner.splice(0..0, name).for_each(drop))
    }

    /// Records where a recovery password was backed up (BitLocker format notes §5.4). The record is information for people:
    /// it proves nothing.
    pub fn set_backup_info(&self, ctx: &mut Context<'_>, id: Guid, backup: &BackupInfo) -> Result<(), Error> {
        if Self::find(&self.state(), id)?.1.kind != ProtectorKind::RecoveryPassword {
            return Err(Error::WrongProtectorKind(id));
        }
        let mut body = backup.created.0.to_le_bytes().to_vec();
        body.extend_from_slice(&backup.backed_up.0.to_le_bytes());
        for field in [backup.method, backup.flags] {
            body.extend_from_slice(&field.to_le_bytes());
        }
        let record = Datum::new(role::PROPERTY, kind::BACKUP_INFO, body);
        self.edit_inside(ctx, id, kind::BACKUP_INFO, |inner| inner.push(record))
    }

    /// Counts one restart of a suspension with a count; the last one ends it. Gives the restarts that are left: `None`
    /// when protection is not suspended, or not for a number of restarts.
    ///
    /// # Errors
    /// As [`resume`](Self::resume).
    pub fn count_restart(&self, ctx: &mut Context<'_>) -> Result<Option<u8>, Error> {
        let Some(count) = self.suspend_count()? else {
            return Ok(None);
        };
        let left = count.saturating_sub(1);
        if left == 0 {
            self.resume(ctx)?;
        } else {
            self.set_suspend_count(ctx, Some(left))?;
        }
        Ok(Some(left))
    }

    /// Takes the datums of type `drop` out of a protector and lets others be put in.
    fn edit_inside(
        &self,
        ctx: &mut Context<'_>,
        id: Guid,
        drop: u16,
        put: impl FnOnce(&mut Vec<Datum>),
    ) -> Result<(), Error> {
        self.update(ctx, |edit| {
            let index = index_of(&edit.datums, id).ok_or(Error::NoSuchProtector(id))?;
            let mut inner = nested(&edit.datums[index])?;
            inner.retain(|datum| datum.kind != drop);
            put(&mut inner);
            let datum = with_nested(&edit.datums[index], &inner)?;
            if datum.len() > usize::from(u16::MAX) {
                return Err(Error::MetadataFull { needed: datum.len() });
            }
            edit.datums[index] = datum;
            Ok(())
        })
    }
}
