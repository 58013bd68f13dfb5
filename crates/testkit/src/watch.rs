//! Watches volumes and the server's store from outside while the product works, and checks P1 and P2 at every look.
//!
//! Each look reads the volume first and the store after. What the store holds is never deleted, so a volume that shows
//! ciphertext while the store, asked later, has no key of it, has broken the promise.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};
use domain::ids::{ProtectorId, VolumeId};
use domain::ledger::ProofState;
use fve::io::{FileDevice, ReadAt};
use fve::{ConversionStatus, Guid, ProtectorKind, Volume, VolumeInfo, is_fve};
use store::model::{FoundKey, KeySearch};
use store::{Keys, SqliteStore};
use uuid::Uuid;

/// What a look at a volume from outside tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// BitLocker's id of the volume; none as long as it is plain.
    pub volume: Option<Uuid>,
    /// Whether any sector, or the conversion log, may hold ciphertext.
    pub ciphertext: bool,
    /// Whether it is protected: encrypted from end to end, without a clear key.
    pub protected: bool,
    /// Recovery passwords that it carries.
    pub recovery_passwords: Vec<Uuid>,
}

/// Reads a volume's state without any key.
///
/// # Errors
/// When the image cannot be read as what it says it is.
pub fn look(image: &Path) -> Result<Look> {
    let device = FileDevice::open_read(image)?;
    if !is_fve(&device)? {
        return Ok(Look::default());
    }
    let volume = Volume::open(&device).with_context(|| format!("looking at {}", image.display()))?;
    let info = volume.info();
    let ciphertext = info.status != ConversionStatus::FullyDecrypted || has_log_record(&device, &info)?;
    let of_kind = |kind| info.protectors.iter().filter(move |p| p.kind == kind);
    Ok(Look {
        volume: Some(uuid(info.volume)),
        ciphertext,
        protected: info.status == ConversionStatus::FullyEncrypted && of_kind(ProtectorKind::ClearKey).next().is_none(),
        recovery_passwords: of_kind(ProtectorKind::RecoveryPassword).map(|p| uuid(p.id)).collect(),
    })
}

/// Whether the conversion log holds a record: the first ciphertext that ever reaches a volume.
fn has_log_record(device: &dyn ReadAt, info: &VolumeInfo) -> Result<bool> {
    let Some(extended) = &info.extended else {
        return Ok(false);
    };
    if extended.log_offset == 0 {
        return Ok(false);
    }
    let mut magic = [0; 8];
    device.read_at(extended.log_offset + 4096, &mut magic)?;
    Ok(&magic == b"CLAVREC2")
}

/// The same GUID in the other crate's type.
#[must_use]
pub fn uuid(guid: Guid) -> Uuid {
    Uuid::from_bytes_le(*guid.as_bytes())
}

/// What is wrong with a volume, given what the store holds: the promises P1 and P2.
///
/// # Errors
/// When the store cannot be read.
pub async fn breach(look: &Look, store: &SqliteStore) -> Result<Option<String>> {
    let Some(volume) = look.volume else { return Ok(None) };
    if !look.ciphertext {
        return Ok(None);
    }
    for id in &look.recovery_passwords {
        let found: Vec<FoundKey> = store
            .find_keys(KeySearch::Whole(ProtectorId(*id)), &store::model::Within::default())
            .await?;
        if found
            .iter()
            .any(|f| f.key.name.volume == VolumeId(volume) && f.key.proof != ProofState::Failed)
        {
            return Ok(None);
        }
    }
    Ok(Some(format!(
        "volume {volume} holds ciphertext, and the server holds none of its recovery passwords {:?}",
        look.recovery_passwords
    )))
}

/// Between two rounds, so that the watched have the processor.
const PAUSE: Duration = Duration::from_millis(3);

/// A watch that goes on until it is ended.
#[derive(Debug)]
pub struct Watch {
    stop: Sender<()>,
    thread: JoinHandle<Result<Report>>,
}

/// What a watch saw.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Looks at volumes.
    pub looks: u64,
    /// Looks that met ciphertext.
    pub with_ciphertext: u64,
    /// Breaches.
    pub breaches: Vec<String>,
}

impl Watch {
    /// Begins to watch these images, against the store in this file.
    ///
    /// # Errors
    /// When the store cannot be opened.
    pub fn start(images: Vec<PathBuf>, database: &Path) -> Result<Self> {
        let store = SqliteStore::open(database)?;
        let (stop, stopped) = channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build()?;
            let mut report = Report::default();
            while stopped.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout) {
                for image in &images {
                    // A look may meet a metadata copy in the middle of its update; the next one will see it whole.
                    let Ok(look) = look(image) else { continue };
                    report.looks += 1;
                    report.with_ciphertext += u64::from(look.ciphertext);
                    report.breaches.extend(runtime.block_on(breach(&look, &store))?);
                }
            }
            Ok(report)
        });
        Ok(Self { stop, thread })
    }

    /// Ends the watch.
    ///
    /// # Errors
    /// When it could not watch.
    pub fn end(self) -> Result<Report> {
        drop(self.stop);
        self.thread
            .join()
            .map_err(|_| anyhow::anyhow!("the watch broke down"))?
    }
}
