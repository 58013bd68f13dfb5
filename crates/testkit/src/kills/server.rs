//! The server is killed with `kill -9` while devices escrow. What it acknowledged is there after the restart (P3), and the
//! audit is whole and has a record of each.

use std::sync::Arc;
use std::time::Duration;

use agent::client::{Endpoint, Timeouts};
use agent::identity::EnrolmentToken;
use anyhow::{Context, Result, ensure};
use rand::Rng;
use rand_chacha::ChaCha20Rng;
use store::model::KeyName;
use tokio::runtime::Runtime;

use super::escrows::{Material, Sender, Sent};
use super::ground::Ground;
use super::vault::Vault;
use super::{Note, Options, Say, generator};
use crate::poll::pause;
use crate::process::ServerProcess;

/// Devices that send at the same time, so that commits are shared.
const SENDERS: usize = 3;
/// Volumes of each device.
const VOLUMES: usize = 12;
/// Latest instant of a kill after the first escrow is on its way.
const LATEST: Duration = Duration::from_millis(120);

#[derive(Default)]
struct Figures {
    kills: u32,
    /// Kills that met an escrow under way.
    met: u32,
    acknowledged: Vec<(KeyName, Vec<u8>)>,
    /// Under way at the kill, and found in the store after the restart all the same.
    stored_unsaid: u64,
}

struct Harness {
    ground: Ground,
    endpoint: Endpoint,
    token: EnrolmentToken,
    material: Arc<Vec<Material>>,
    runtime: Runtime,
    rng: ChaCha20Rng,
}

pub(super) fn kill(options: &Options, say: Say<'_>) -> Result<()> {
    let mut rng = generator(options, 2);
    let dir = options.dir.join("servers");
    let ground = Ground::raise(&options.programs, &dir)?;
    let token_file = dir.join("token");
    cli::demo::write_private(&token_file, &ground.token)?;
    let material = (0..VOLUMES).map(|_| Material::make(&mut rng)).collect::<Result<_>>()?;
    let mut harness = Harness {
        endpoint: Endpoint::new(&ground.address(), &ground.ca_file(), Timeouts::default())?,
        token: EnrolmentToken::read(&token_file)?,
        material: Arc::new(material),
        runtime: tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?,
        ground,
        rng,
    };
    let mut figures = Figures::default();
    let mut server = harness.ground.start()?;
    while figures.kills < options.kills {
        server = harness
            .round(server, &mut figures)
            .with_context(|| format!("round {}", figures.kills))?;
        say(Note::Progress(&format!(
            "server: {}/{} kills, {} escrows acknowledged",
            figures.kills,
            options.kills,
            figures.acknowledged.len()
        )));
    }
    harness.all_there(&figures.acknowledged)?;
    server.process.stop()?;
    harness.ground.audit_is_whole()?;
    ensure!(
        figures.met * 2 > figures.kills && !figures.acknowledged.is_empty(),
        "the kills met hardly any escrow: they prove nothing"
    );
    say(Note::Line(&format!(
        "Server: {} kills -9, {} met escrows under way; {} acknowledged escrows, every one in the store after the restart (P3); \
         {} were stored although the answer never came; the audit was whole each time and has one record for each stored key",
        figures.kills,
        figures.met,
        figures.acknowledged.len(),
        figures.stored_unsaid
    )));
    Ok(())
}

impl Harness {
    /// New devices escrow; the server is killed, started again, and looked at.
    fn round(&mut self, mut server: ServerProcess, figures: &mut Figures) -> Result<ServerProcess> {
        let senders = self.enrol()?;
        let tasks: Vec<_> = senders
            .into_iter()
            .map(|sender| self.runtime.spawn(sender.send(self.endpoint.clone())))
            .collect();
        pause(LATEST.mul_f64(self.rng.random_range(0.0..1.0)));
        server.process.kill()?;
        figures.kills += 1;
        let mut sent = Vec::new();
        for task in tasks {
            sent.push(self.runtime.block_on(task)??);
        }
        let server = self.ground.start()?;

        let said: Vec<_> = sent.iter().flat_map(|s| s.acknowledged.iter().cloned()).collect();
        self.all_there(&said)?;
        self.consistent()?;
        figures.met += u32::from(sent.iter().any(|s| s.under_way.is_some() && !s.acknowledged.is_empty()));
        figures.acknowledged.extend(said);
        for sent in &sent {
            self.once_more(sent, figures)?;
        }
        Ok(server)
    }

    fn enrol(&mut self) -> Result<Vec<Sender>> {
        let mut senders = Vec::new();
        for _ in 0..SENDERS {
            let seed = self.rng.random();
            let key = self.ground.keys.recovery_key();
            let enrolled = Sender::enrol(&self.endpoint, &self.token, key, Arc::clone(&self.material), seed);
            senders.push(self.runtime.block_on(enrolled)?);
        }
        Ok(senders)
    }

    /// P3: every acknowledged escrow is in the store, as it was sent.
    fn all_there(&self, acknowledged: &[(KeyName, Vec<u8>)]) -> Result<()> {
        let vault = Vault::open(&self.ground.database())?;
        for (name, sealed) in acknowledged {
            ensure!(
                vault.sealed(*name)?.contains(sealed),
                "P3 broken: {name:?} was acknowledged, and the store does not have it"
            );
        }
        Ok(())
    }

    /// The chain is whole, and keys and records come in pairs.
    fn consistent(&self) -> Result<()> {
        self.ground.audit_is_whole()?;
        let vault = Vault::open(&self.ground.database())?;
        let stored = vault.count("SELECT count(*) FROM key_versions")?;
        let recorded = vault.count("SELECT count(*) FROM audit WHERE action = 'key.escrowed'")?;
        ensure!(
            stored == recorded,
            "{stored} escrows are stored, {recorded} are in the audit"
        );
        let failed = vault.count("SELECT count(*) FROM key_versions WHERE proof = 'failed'")?;
        ensure!(failed == 0, "{failed} sound keys failed their proof");
        Ok(())
    }

    /// What was under way is sent again, as a device does: acknowledged, and stored once.
    fn once_more(&self, sent: &Sent, figures: &mut Figures) -> Result<()> {
        let Some(request) = &sent.under_way else { return Ok(()) };
        let vault = Vault::open(&self.ground.database())?;
        let (name, sealed) = sent.sender.record_of(request)?;
        let same = |versions: Vec<Vec<u8>>| versions.iter().filter(|v| **v == sealed).count();
        figures.stored_unsaid += u64::from(same(vault.sealed(name)?) > 0);
        let acknowledged = self.runtime.block_on(sent.sender.again(&self.endpoint, request))?;
        ensure!(
            same(vault.sealed(name)?) == 1,
            "P3 broken: sent again, {name:?} is not stored exactly once"
        );
        figures.acknowledged.push(acknowledged);
        Ok(())
    }
}
