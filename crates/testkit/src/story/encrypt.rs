//! Agents enrol, escrow and encrypt, while the volumes and the store are watched from outside.

use anyhow::{Result, bail, ensure};
use domain::ledger::{KeyState, ProofState};
use store::model::{DeviceQuery, KeyRecord};
use store::{Devices, Keys};

use super::{Say, Stage};
use crate::poll::Poll;
use crate::watch::{Watch, look};

pub(super) fn everything(stage: &mut Stage, say: Say<'_>) -> Result<()> {
    say("Devices enrol, escrow and encrypt");
    let images = stage.subjects.iter().map(|s| s.image.clone()).collect();
    let watch = Watch::start(images, &stage.database())?;
    stage.start_agents()?;
    let mut poll = Poll::until_minutes(10);
    loop {
        let looks = stage
            .subjects
            .iter()
            .map(|s| look(&s.image))
            .collect::<Result<Vec<_>>>();
        let protected = looks.unwrap_or_default().iter().filter(|l| l.protected).count();
        let proven = keys(stage)?
            .iter()
            .filter(|k| k.proof == ProofState::Proven && k.state == KeyState::Live)
            .count();
        poll.progress(
            &format!("  protected {protected}/{0}, proven {proven}/{0}", stage.subjects.len()),
            say,
        );
        if protected == stage.subjects.len() && proven == stage.subjects.len() {
            break;
        }
        for agent in &mut stage.agents {
            ensure!(
                agent.is_running()?,
                "an agent ended; see agent.log under {}",
                stage.options.dir.display()
            );
        }
        poll.wait("volumes protected and their keys proven")?;
    }
    let seconds = poll.seconds();
    let report = watch.end()?;
    ensure!(
        report.breaches.is_empty(),
        "P1/P2 broken {} times, first: {:?}",
        report.breaches.len(),
        report.breaches.first()
    );
    ensure!(
        report.with_ciphertext > 0,
        "the watch saw no ciphertext: it proves nothing"
    );
    say(&format!(
        "  {} volumes encrypted and their keys proven in {seconds:.1} s; P1, P2: {} looks, {} met ciphertext, none without an escrow",
        stage.subjects.len(),
        report.looks,
        report.with_ciphertext,
    ));
    Ok(())
}

/// All keys of all devices.
pub(super) fn keys(stage: &Stage) -> Result<Vec<KeyRecord>> {
    let store = stage.store()?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async {
        let mut keys = Vec::new();
        let page = store.devices(DeviceQuery::default()).await?;
        if page.total > page.items.len() as u64 {
            bail!("more devices than one page");
        }
        for device in page.items {
            keys.extend(store.keys_of_device(device.id).await?);
        }
        Ok(keys)
    })
}
