//! Which devices are alike: those that differ by names and ids only.
//!
//! A class is written out in bytes and compared as a whole, so two devices never share one by accident. Structures are
//! taken apart without `..`: whoever adds a field decides here whether it is a mere name.

use std::hash::{Hash, Hasher};

use crate::exemption::Enforcement;
use crate::ids::{ProtectorId, VolumeId};
use crate::inventory::{Inventory, ProtectorReport, Tpm, VolumeReport};
use crate::ledger::{Ledger, LedgerEntry};

/// Writes down what [`Hash`] would digest.
#[derive(Default)]
pub(super) struct Class {
    bytes: Vec<u8>,
}

impl Class {
    /// The class of a device under terms of this number. `enforcement`: what its users' exemptions come to where policy
    /// heeds them.
    pub(super) fn write(
        &mut self,
        terms: u32,
        enforcement: Enforcement,
        inventory: &Inventory,
        ledger: &Ledger,
    ) -> &[u8] {
        self.bytes.clear();
        // When an exemption ends is told by name only.
        (terms, enforcement.code()).hash(self);
        self.device(inventory, ledger);
        &self.bytes
    }

    fn device(&mut self, inventory: &Inventory, ledger: &Ledger) {
        let Inventory {
            hostname: _,
            os: _,
            os_version,
            manufacturer: _,
            model: _,
            hardware_id: _,
            portable,
            virtual_machine,
            agent_version: _,
            tpm,
            users: _,
            volumes,
            os_kind,
            join,
            domain: _,
            ou: _,
            groups: _,
            fips,
            system_partition,
            co_managed,
            registry,
            utc_offset_minutes: _,
        } = inventory;
        (os_version, portable, virtual_machine, volumes.len()).hash(self);
        (os_kind, join, fips, system_partition, co_managed, registry).hash(self);
        match tpm {
            Tpm::Absent => 0u8.hash(self),
            Tpm::NotReady { reason: _, cause } => (1u8, cause).hash(self),
            Tpm::Ready {
                manufacturer: _,
                spec_version,
            } => (2u8, spec_version).hash(self),
        }
        for volume in volumes {
            self.volume(volume, volumes, ledger);
        }
        let elsewhere = |entry: &&LedgerEntry| !volumes.iter().any(|v| v.volume == Some(entry.volume));
        ledger.0.iter().any(|entry| elsewhere(&entry)).hash(self);
    }

    fn volume(&mut self, report: &VolumeReport, all: &[VolumeReport], ledger: &Ledger) {
        let VolumeReport {
            device,
            letter: _,
            kind,
            label: _,
            file_system,
            size: _,
            volume,
            protection,
            conversion,
            encrypted_basis_points: _,
            method,
            lock,
            suspend_count,
            auto_unlock,
            protectors,
            extent,
            hardware_ids,
            org_identifier,
            other_encryption,
        } = report;
        // Ids stand for themselves only in so far as two are the same.
        let first = all.iter().position(|v| v.device == *device);
        let first_id = volume.and_then(|id| all.iter().position(|v| v.volume == Some(id)));
        (first, first_id, kind, file_system, protection, conversion).hash(self);
        (method, lock, suspend_count, auto_unlock, protectors.len()).hash(self);
        (extent, hardware_ids, org_identifier, other_encryption).hash(self);
        for protector in protectors {
            self.protector(protector, *volume, all, ledger);
        }
        let carries = |id: ProtectorId| protectors.iter().any(|p| p.id == id);
        let mut others: Vec<_> = ledger
            .0
            .iter()
            .filter(|entry| Some(entry.volume) == *volume && !carries(entry.protector))
            .map(|entry| (entry.state, entry.proof))
            .collect();
        others.sort_unstable();
        others.dedup();
        others.hash(self);
    }

    fn protector(&mut self, report: &ProtectorReport, volume: Option<VolumeId>, all: &[VolumeReport], ledger: &Ledger) {
        let ProtectorReport { id, kind, name: _ } = report;
        let first = all.iter().flat_map(|v| &v.protectors).position(|p| p.id == *id);
        (first, kind).hash(self);
        let entry = volume.and_then(|volume| ledger.entry(volume, *id));
        match entry {
            None => 0u8.hash(self),
            Some(LedgerEntry {
                volume: _,
                protector: _,
                state,
                proof,
                // Age makes keys be replaced; a preview does not tell that.
                escrowed_at: _,
            }) => (1u8, state, proof).hash(self),
        }
    }
}

impl Hasher for Class {
    fn write(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Not used: the bytes themselves are the key.
    fn finish(&self) -> u64 {
        0
    }
}
