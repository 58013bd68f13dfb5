//! `claviger policy preview`: what a document would do to the fleet.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::builder::PossibleValue;
use clap::{Args as ClapArgs, ValueEnum};
use domain::policy::resolve::Targeting;
use domain::policy::targeting::{CollectionId, Deployment, DeploymentId};
use domain::preview::{Effect, Listing, Preview, Question, Run};
use domain::time::{Clock, Timestamp};

use crate::system::SystemClock;
use crate::terminal::{note, say};
use fleet::{Fleet, SourceArgs};
use watch::Watch;

mod files;
pub(super) mod fleet;
mod table;
mod watch;

pub(crate) const HELP: &str = "\
The policy is taken to be deployed to the collection with the priority that is given; one of the same short name that is \
in force already is taken to be replaced, wherever it is deployed. Nothing is changed.

Inventories in files: a folder of *.json, or a file with one JSON text on each line. Each is an inventory, or
  {\"device\": ID, \"inventory\": {…}, \"ledger\": […], \"tags\": […], \"profile\": {\"assignments\": {…}, \"reason\": …}, \"exemptions\": [{\"user\": …, \"requested\": …, \"decision\": {\"state\": \"approved\", \"at\": …}}]}

What is in force, in a file (--targeting):
  [[policies]]
  id = \"base\"
  file = \"base.toml\"
  [[collections]]
  id = \"laptops\"
  name = \"Laptops\"
  rules = [{ all = [{ name = \"BER-*\" }, { chassis = \"portable\" }] }]
  [[deployments]]
  id = \"base\"
  policy = \"base\"
  collection = \"all-devices\"
  priority = 1000

Exit codes: 0 answered, 1 something cannot be read or does not fit together, 2 wrong usage, 3 stopped by a signal before \
all devices were looked at.";

/// A signal came before all devices were looked at.
const STOPPED: u8 = 3;

#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// The policy, TOML or JSON
    #[arg(value_name = "FILE")]
    policy: PathBuf,
    /// The collection that it would be deployed to
    #[arg(long, value_name = "ID", default_value = "all-devices")]
    collection: CollectionId,
    /// The deployment's priority; the lower number wins
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    priority: u32,
    /// The policy's short name; otherwise the file's name
    #[arg(long = "as", value_name = "ID")]
    id: Option<String>,
    #[command(flatten)]
    source: SourceArgs,
    /// What is in force, when it does not come from the server's data
    #[arg(long, value_name = "FILE")]
    targeting: Option<PathBuf>,
    /// List at most so many devices
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    list: usize,
    /// Pass over so many devices before listing
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    offset: u64,
    /// List only devices to which this happens
    #[arg(long, value_name = "EFFECT")]
    effect: Option<EffectName>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
    /// Work on so many threads; otherwise on all processors
    #[arg(long, value_name = "NUMBER")]
    threads: Option<NonZeroUsize>,
}

/// An effect by its name in JSON.
#[derive(Clone, Copy, Debug)]
struct EffectName(Effect);

impl ValueEnum for EffectName {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: [EffectName; Effect::ALL.len()] = {
            let mut all = [EffectName(Effect::Settings); Effect::ALL.len()];
            let mut index = 0;
            while index < all.len() {
                all[index] = EffectName(Effect::ALL[index]);
                index += 1;
            }
            all
        };
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(match self.0 {
            Effect::Settings => "settings",
            Effect::Encrypt => "encrypt",
            Effect::Decrypt => "decrypt",
            Effect::Reencrypt => "reencrypt",
            Effect::Waits => "waits",
            Effect::BeginsAtOnce => "begins_at_once",
            Effect::Exempt => "exempt",
            Effect::HeldBack => "held_back",
            Effect::BecomesNonCompliant => "becomes_non_compliant",
            Effect::BecomesCompliant => "becomes_compliant",
        }))
    }
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let now = SystemClock.now();
    let policy = files::policy(&args.policy, args.id.as_deref())?;
    let fleet = args.source.open()?;
    let present = fleet.targeting(args.targeting.as_deref())?;
    let known = present.policies().iter().any(|p| p.id == policy.id);
    let (id, name) = (policy.id.clone(), policy.name.clone());
    let deployed = present
        .deployments()
        .any(|d| d.policy == policy.id && d.collection == args.collection);
    let mut proposed = present.clone().with_policy(policy);
    if !deployed {
        let deployment = Deployment {
            id: free_name(&present)?,
            policy: id,
            collection: args.collection.clone(),
            priority: args.priority,
            not_before: None,
            windows: Vec::new(),
            outside_window_allowed: false,
        };
        proposed = proposed
            .with_deployment(deployment)
            .map_err(|errors| files::all_of(&errors))?;
    }
    let question = Question {
        present: &present,
        proposed: &proposed,
        now,
        // A policy that is in force already may reach others too.
        scope: (!known).then_some(&args.collection),
        listing: Listing {
            effect: args.effect.map(|name| name.0),
            offset: args.offset,
            limit: args.list,
        },
    };
    let preview = look(args, fleet, question, now)?;
    if args.json {
        say(&serde_json::to_string_pretty(&preview)?);
    } else {
        let collection = proposed
            .collections()
            .get(&args.collection)
            .map_or("", |c| c.name.as_str());
        say(&table::write(&preview, &question.listing, &name, collection));
    }
    Ok(ExitCode::from(if preview.complete { 0 } else { STOPPED }))
}

fn look(args: &Args, fleet: Fleet, question: Question<'_>, begin: Timestamp) -> Result<Preview> {
    let threads = match args.threads {
        Some(threads) => threads,
        None => std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
    };
    let watch = Watch::begin(fleet.count()?)?;
    let run = Run {
        question,
        threads,
        progress: &|looked_at| watch.at(looked_at),
    };
    let answer = run.run(fleet.stored()?, fleet::read);
    watch.end();
    let preview = answer.map_err(domain::preview::Stopped::into_inner)?;
    let seconds = SystemClock.now().since(begin).as_secs_f64();
    let stopped = if preview.complete { "" } else { "stopped: only " };
    note(&format!(
        "{stopped}{} devices looked at in {seconds:.1} s, {} evaluations",
        table::grouped(preview.looked_at),
        table::grouped(preview.evaluations)
    ));
    Ok(preview)
}

/// A name that no deployment has.
fn free_name(present: &Targeting) -> Result<DeploymentId> {
    (0u32..)
        .map(|number| {
            if number == 0 {
                "preview".to_owned()
            } else {
                format!("preview-{number}")
            }
        })
        .find(|name| !present.deployments().any(|d| d.id.as_str() == name))
        .context("finding a name for the deployment")?
        .parse()
        .context("naming the deployment")
}
