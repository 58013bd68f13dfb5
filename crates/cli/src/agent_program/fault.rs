//! Fault injection for the kill tests: ends the process at a chosen boundary as a power cut would, without a farewell.

use agent::hooks::{Boundary, NoBoundary};

/// Hidden options.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Abort at the n-th boundary (1: the first)
    #[arg(long, hide = true, value_name = "N")]
    abort_at_boundary: Option<u64>,
    /// Abort at the n-th boundary of something that changes a volume or hands over a key (1: the first)
    #[arg(long, hide = true, value_name = "N")]
    abort_at_action: Option<u64>,
    /// Abort at the first boundary of this name
    #[arg(long, hide = true, value_name = "NAME")]
    abort_at_name: Option<String>,
    /// Print the name of each boundary on standard output
    #[arg(long, hide = true)]
    trace_boundaries: bool,
}

impl Args {
    pub(super) fn boundary(&self) -> Box<dyn Boundary> {
        let aborts = self.abort_at_boundary.is_some() || self.abort_at_action.is_some() || self.abort_at_name.is_some();
        if !aborts && !self.trace_boundaries {
            return Box::new(NoBoundary);
        }
        Box::new(Fault {
            passed: 0,
            actions: 0,
            abort_at: self.abort_at_boundary,
            abort_at_action: self.abort_at_action,
            abort_at_name: self.abort_at_name.clone(),
            trace: self.trace_boundaries,
        })
    }
}

struct Fault {
    passed: u64,
    actions: u64,
    abort_at: Option<u64>,
    abort_at_action: Option<u64>,
    abort_at_name: Option<String>,
    trace: bool,
}

impl Boundary for Fault {
    fn boundary(&mut self, name: &str) {
        self.passed += 1;
        self.actions += u64::from(is_action(name));
        if self.trace {
            crate::terminal::say(&format!("boundary {} {name}", self.passed));
        }
        let here = self.abort_at == Some(self.passed) || self.abort_at_name.as_deref() == Some(name);
        if here || (is_action(name) && self.abort_at_action == Some(self.actions)) {
            std::process::abort();
        }
    }
}

/// Looking, talking and waiting repeat in every run; all else moves things on.
fn is_action(name: &str) -> bool {
    const REPEATED: [&str; 7] = [
        "observe",
        "enrol",
        "store_identity",
        "renew",
        "check_in",
        "wait",
        "status",
    ];
    let what = name.split_once(':').map_or(name, |(_, what)| what);
    !REPEATED.contains(&what)
}
