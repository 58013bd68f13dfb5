//! Changes kept in memory, in the order in which they have to reach the device.

use std::collections::{BTreeMap, BTreeSet};

use super::{ApplyError, StageError};
use crate::io::{ReadAt, WriteAt};

const BLOCK: u64 = 512;

/// One step of an ordered change.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Write {
        offset: u64,
        data: Vec<u8>,
        what: String,
    },
    /// Everything above is durable before anything below begins.
    Barrier,
}

/// A device as it will be once the staged writes are done.
pub(crate) struct Staged<'a> {
    base: &'a dyn ReadAt,
    blocks: BTreeMap<u64, [u8; BLOCK as usize]>,
    steps: Vec<Step>,
}

impl<'a> Staged<'a> {
    pub(crate) fn new(base: &'a dyn ReadAt) -> Self {
        Self {
            base,
            blocks: BTreeMap::new(),
            steps: Vec::new(),
        }
    }

    pub(crate) fn read(&self, offset: u64, buf: &mut [u8]) -> Result<(), StageError> {
        let end = offset
            .checked_add(buf.len() as u64)
            .filter(|&end| end <= self.base.size());
        let end = end.ok_or(StageError::Beyond { offset })?;
        self.base.read_at(offset, buf)?;
        for (&block, data) in self.blocks.range(offset / BLOCK..end.div_ceil(BLOCK)) {
            let start = (block * BLOCK).max(offset);
            let stop = (block * BLOCK + BLOCK).min(end);
            let (from, to) = ((start - block * BLOCK) as usize, (stop - block * BLOCK) as usize);
            buf[(start - offset) as usize..(stop - offset) as usize].copy_from_slice(&data[from..to]);
        }
        Ok(())
    }

    /// Stages a write of whole 512-byte blocks; one that changes nothing is dropped.
    pub(crate) fn write(&mut self, offset: u64, data: Vec<u8>, what: impl Into<String>) -> Result<(), StageError> {
        let mut now = vec![0; data.len()];
        self.read(offset, &mut now)?;
        if now == data {
            return Ok(());
        }
        for (index, block) in data.chunks_exact(BLOCK as usize).enumerate() {
            let mut copy = [0; BLOCK as usize];
            copy.copy_from_slice(block);
            self.blocks.insert(offset / BLOCK + index as u64, copy);
        }
        self.steps.push(Step::Write {
            offset,
            data,
            what: what.into(),
        });
        Ok(())
    }

    pub(crate) fn barrier(&mut self) {
        if matches!(self.steps.last(), Some(Step::Write { .. })) {
            self.steps.push(Step::Barrier);
        }
    }

    /// The steps, together with what the device held before them.
    pub(crate) fn into_change(self) -> Result<Change, StageError> {
        let mut before = BTreeMap::new();
        for &block in self.blocks.keys() {
            let mut data = [0; BLOCK as usize];
            self.base.read_at(block * BLOCK, &mut data)?;
            before.insert(block, data);
        }
        Ok(Change {
            steps: self.steps,
            before,
        })
    }
}

/// An ordered change of a device.
#[derive(Clone, Debug, Default)]
pub(crate) struct Change {
    steps: Vec<Step>,
    before: BTreeMap<u64, [u8; BLOCK as usize]>,
}

impl Change {
    pub(crate) fn describe(&self) -> Vec<String> {
        self.steps
            .iter()
            .filter_map(|step| match step {
                Step::Write { offset, data, what } => Some(format!("{what}: {} bytes at {offset}", data.len())),
                Step::Barrier => None,
            })
            .collect()
    }

    /// Writes the steps in order. Refused, with nothing written, when the device
    /// holds something else than at planning time or after part of this change.
    pub(crate) fn apply(&self, device: &dyn WriteAt) -> Result<(), ApplyError> {
        self.check(device)?;
        for step in &self.steps {
            match step {
                Step::Write { offset, data, .. } => device.write_at(*offset, data)?,
                Step::Barrier => device.flush()?,
            }
        }
        device.flush()?;
        Ok(())
    }

    fn check(&self, device: &dyn ReadAt) -> Result<(), ApplyError> {
        let mut known: BTreeSet<(u64, &[u8])> = self.before.iter().map(|(&block, data)| (block, &data[..])).collect();
        for step in &self.steps {
            if let Step::Write { offset, data, .. } = step {
                let first = offset / BLOCK;
                known.extend(
                    data.chunks_exact(BLOCK as usize)
                        .enumerate()
                        .map(|(index, block)| (first + index as u64, block)),
                );
            }
        }
        for &block in self.before.keys() {
            let mut now = [0; BLOCK as usize];
            device.read_at(block * BLOCK, &mut now)?;
            if !known.contains(&(block, &now[..])) {
                return Err(ApplyError::Changed { offset: block * BLOCK });
            }
        }
        Ok(())
    }
}
