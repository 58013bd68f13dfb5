//! Fault injection for the kill tests: ends the process at a chosen boundary as a power cut would, without a farewell.

use agent::hooks::{Boundary, NoBoundary};

/// Hidden options.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Abort at the n-th boundary (1: the first)
    #[arg(long, hide = true, value_name = "N")]
    abort_at_boundary: Option<u64>,
    /// Print the name of each boundary on standard output
    #[arg(long, hide = true)]
    trace_boundaries: bool,
}

impl Args {
    pub(super) fn boundary(&self) -> Box<dyn Boundary> {
        if self.abort_at_boundary.is_none() && !self.trace_boundaries {
            return Box::new(NoBoundary);
        }
        Box::new(Fault {
            passed: 0,
            abort_at: self.abort_at_boundary,
            trace: self.trace_boundaries,
        })
    }
}

struct Fault {
    passed: u64,
    abort_at: Option<u64>,
    trace: bool,
}

impl Boundary for Fault {
    fn boundary(&mut self, name: &str) {
        self.passed += 1;
        if self.trace {
            crate::terminal::say(&format!("boundary {} {name}", self.passed));
        }
        if self.abort_at == Some(self.passed) {
            std::process::abort();
        }
    }
}
