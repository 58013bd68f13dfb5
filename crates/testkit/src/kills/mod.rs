//! Kills: the agent at every action boundary and at random instants, the server with `kill -9` while keys are escrowed.
//! After every kill P1, P2 and P3 are checked from outside; after every round everything has converged.

use std::path::PathBuf;

use anyhow::{Context, Result};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use crate::process::Programs;

mod agent;
mod check;
mod device;
mod escrows;
mod ground;
mod server;
mod vault;
mod walk;

/// What to do.
#[derive(Clone, Debug)]
pub struct Options {
    /// The built programs.
    pub programs: Programs,
    /// Folder to work in; must not exist. A short path: it holds a chip's socket.
    pub dir: PathBuf,
    /// Seed of the volumes' content and of the instants.
    pub seed: u64,
    /// Kills of the agent, and as many of the server. From 200 on, the first walk over the boundaries goes to its end
    /// even when that takes more.
    pub kills: u32,
    /// Which of the two.
    pub whom: Whom,
}

/// Who is killed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Whom {
    /// Agent and server, one after the other.
    #[default]
    Both,
    /// The agent only.
    Agent,
    /// The server only.
    Server,
}

/// What is told while it goes on.
#[derive(Clone, Copy, Debug)]
pub enum Note<'a> {
    /// A line to keep.
    Line(&'a str),
    /// Where things are; replaces the last one.
    Progress(&'a str),
}

/// Where it is told.
pub type Say<'a> = &'a mut dyn FnMut(Note<'_>);

/// Number of kills from which on nothing is cut short.
const COMPLETE: u32 = 200;

/// Kills, checks, and tells the figures.
///
/// # Errors
/// The first promise that is broken, with the seed to see it again.
pub fn run(options: &Options, say: Say<'_>) -> Result<()> {
    say(Note::Line(&format!("Seed {}", options.seed)));
    std::fs::create_dir(&options.dir).with_context(|| format!("creating {}", options.dir.display()))?;
    if options.whom != Whom::Server {
        agent::kill(options, say).with_context(|| format!("killing the agent (seed {})", options.seed))?;
    }
    if options.whom != Whom::Agent {
        server::kill(options, say).with_context(|| format!("killing the server (seed {})", options.seed))?;
    }
    Ok(())
}

fn generator(options: &Options, stream: u64) -> ChaCha20Rng {
    let mut rng = ChaCha20Rng::seed_from_u64(options.seed);
    rng.set_stream(stream);
    rng
}
