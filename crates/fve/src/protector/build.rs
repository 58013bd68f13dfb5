//! Builds the VMK datum of each kind of protector, as Windows 10 lays it out (BitLocker format notes §6).

use super::{CLEAR_KEY_COUNT_FLAG, ProtectorKind};
use crate::Error;
use crate::context::Context;
use crate::crypto::ccm::NonceSource;
use crate::crypto::stretch::{passphrase_hash, recovery_hash, stretch};
use crate::format::Datum;
use crate::format::constants::{key_type, kind, role};
use crate::format::write::{key, nesting, unicode, wrapped};
use crate::guid::Guid;
use crate::secret::{ExternalKey, Passphrase, RecoveryPassword, VolumeMasterKey};

/// What every protector is built from.
pub(crate) struct Builder<'a, 'c> {
    pub(crate) ctx: &'a mut Context<'c>,
    pub(crate) nonces: &'a mut NonceSource,
    pub(crate) vmk: &'a VolumeMasterKey,
}

impl Builder<'_, '_> {
    pub(crate) fn recovery_password(
        &mut self,
        id: Guid,
        password: &RecoveryPassword,
        name: Option<&str>,
    ) -> Result<Datum, Error> {
        let salt = self.ctx.random::<16>();
        let stretched = stretch(&recovery_hash(password), &salt);
        let raw = self.wrapped_by_vmk(role::RAW_PASSWORD, key_type::RECOVERY_PASSWORD, password.as_bytes())?;
        let copy = self.wrapped_by_vmk(role::STRETCHED_KEY, key_type::STRETCHED_RECOVERY, stretched.as_slice())?;
        let stretch = nesting(
            role::PROPERTY,
            kind::STRETCH,
            &key_head(key_type::RECOVERY_PASSWORD, salt.as_slice()),
            &[raw, copy],
        );
        self.protector(id, ProtectorKind::RecoveryPassword, name, stretch, &stretched)
    }

    pub(crate) fn passphrase(&mut self, id: Guid, passphrase: &Passphrase, name: Option<&str>) -> Result<Datum, Error> {
        let salt = self.ctx.random::<16>();
        let stretched = stretch(&passphrase_hash(passphrase), &salt);
        let copy = self.wrapped_by_vmk(role::PROPERTY, key_type::STRETCHED_PASSPHRASE, stretched.as_slice())?;
        let stretch = nesting(
            role::PROPERTY,
            kind::STRETCH,
            &key_head(key_type::PASSPHRASE, salt.as_slice()),
            &[copy],
        );
        self.protector(id, ProtectorKind::Passphrase, name, stretch, &stretched)
    }

    pub(crate) fn external_key(
        &mut self,
        id: Guid,
        external: &ExternalKey,
        name: Option<&str>,
    ) -> Result<Datum, Error> {
        let copy = self.wrapped_by_vmk(role::PROPERTY, key_type::EXTERNAL_KEY, external.as_bytes())?;
        let use_key = nesting(
            role::PROPERTY,
            kind::USE_KEY,
            &key_head(key_type::EXTERNAL_KEY, &[]),
            &[copy],
        );
        self.protector(id, ProtectorKind::ExternalKey, name, use_key, external.as_bytes())
    }

    pub(crate) fn clear_key(&mut self, id: Guid, reboot_count: Option<u8>) -> Result<Datum, Error> {
        let clear = self.ctx.random::<32>();
        let lying_open = key(role::PROPERTY, key_type::CLEAR_KEY, clear.as_slice());
        let mut datum = self.protector(id, ProtectorKind::ClearKey, None, lying_open, &clear)?;
        datum.flags = clear_key_flags(reboot_count);
        Ok(datum)
    }

    /// A TPM or TPM+PIN protector: `blob` is the sealed form of `sealed`.
    pub(crate) fn tpm(&mut self, id: Guid, tpm: &TpmSeal<'_>, name: Option<&str>) -> Result<Datum, Error> {
        let mut body = tpm.pcr_bitmap.to_le_bytes().to_vec();
        body.extend_from_slice(tpm.blob);
        self.protector(
            id,
            tpm.kind,
            name,
            Datum::new(role::PROPERTY, kind::TPM_BLOB, body),
            tpm.key,
        )
    }

    fn protector(
        &mut self,
        id: Guid,
        kind: ProtectorKind,
        name: Option<&str>,
        how: Datum,
        key: &[u8; 32],
    ) -> Result<Datum, Error> {
        let vmk = wrapped(
            role::PROPERTY,
            key,
            self.nonces.draw()?,
            key_type::VMK,
            self.vmk.as_bytes(),
        );
        let mut fixed = id.as_bytes().to_vec();
        fixed.extend_from_slice(&self.ctx.now.0.to_le_bytes());
        fixed.extend_from_slice(&0_u16.to_le_bytes());
        fixed.extend_from_slice(&kind.priority().to_le_bytes());
        let mut inner: Vec<Datum> = name.map(|name| unicode(role::PROPERTY, name)).into_iter().collect();
        inner.extend([how, vmk]);
        let datum = nesting(role::VMK_INFO, kind::VMK_INFO, &fixed, &inner);
        if datum.len() > usize::from(u16::MAX) {
            Err(Error::MetadataFull { needed: datum.len() })
        } else {
            Ok(datum)
        }
    }

    fn wrapped_by_vmk(&mut self, role: u16, key_type: u16, secret: &[u8]) -> Result<Datum, Error> {
        Ok(wrapped(
            role,
            self.vmk.as_bytes(),
            self.nonces.draw()?,
            key_type,
            secret,
        ))
    }
}

/// What a TPM protector is made of.
pub(crate) struct TpmSeal<'a> {
    pub(crate) kind: ProtectorKind,
    pub(crate) pcr_bitmap: u32,
    pub(crate) blob: &'a [u8],
    pub(crate) key: &'a [u8; 32],
}

/// Flags of a clear key's VMK datum: without count it stays until removed.
pub(crate) fn clear_key_flags(reboot_count: Option<u8>) -> u16 {
    reboot_count.map_or(1, |count| {
        u16::from_le_bytes([0x01 | CLEAR_KEY_COUNT_FLAG.to_le_bytes()[0], count])
    })
}

fn key_head(key_type: u16, salt: &[u8]) -> Vec<u8> {
    let mut head = key_type.to_le_bytes().to_vec();
    head.extend_from_slice(&[0, 0]);
    head.extend_from_slice(salt);
    head
}
