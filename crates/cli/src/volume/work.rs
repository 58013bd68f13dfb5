//! Long work: progress for whoever looks, and an end in order when a signal asks for it.

use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use signal_hook::SigId;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::low_level::unregister;

use crate::terminal::note;

/// How a long command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All is done.
    Done,
    /// A signal came; the same command goes on.
    Stopped,
}

/// The exit code of work that a signal stopped.
pub(crate) const STOPPED: u8 = 3;

/// How progress is told.
#[derive(Debug, Default, Args)]
pub(crate) struct WorkArgs {
    /// Tell progress as lines, one for every five per cent (at a terminal there is a bar without asking)
    #[arg(long)]
    progress: bool,
}

/// Long work under way.
pub(crate) struct Work {
    bar: ProgressBar,
    lines: Option<Lines>,
    stop: Arc<AtomicBool>,
    heard_by: Vec<SigId>,
    begun: bool,
}

struct Lines {
    verb: &'static str,
    told: u64,
}

const LINE_STEP: u64 = 5;

impl Work {
    /// Begins: from now on a first interrupt or termination is only noted, a second one ends the program at once.
    ///
    /// # Errors
    /// When signals cannot be heard.
    pub(crate) fn begin(args: &WorkArgs, verb: &'static str, total: u64) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut heard_by = Vec::new();
        for (signal, code) in [(SIGINT, 130), (SIGTERM, 143)] {
            let listening = "listening for signals";
            heard_by.push(flag::register_conditional_shutdown(signal, code, stop.clone()).context(listening)?);
            heard_by.push(flag::register(signal, stop.clone()).context(listening)?);
        }
        let terminal = std::io::stderr().is_terminal();
        let bar = ProgressBar::new(total);
        if !terminal {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        let style = "{msg} {wide_bar} {percent:>3} % {bytes}/{total_bytes} {bytes_per_sec} {eta}";
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        bar.set_message(verb);
        Ok(Self {
            bar,
            lines: (args.progress && !terminal).then_some(Lines { verb, told: 0 }),
            stop,
            heard_by,
            begun: false,
        })
    }

    /// Whether a signal came.
    pub(crate) fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// The same for the library.
    pub(crate) fn flow(&self) -> ControlFlow<()> {
        if self.stopped() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    /// Tells how far the work is.
    pub(crate) fn at(&mut self, done: u64, total: u64) {
        self.bar.set_length(total);
        self.bar.set_position(done);
        if !self.begun {
            // What an earlier run did tells nothing of the rate of this one.
            self.bar.reset_eta();
            self.begun = true;
        }
        let Some(lines) = &mut self.lines else { return };
        let percent = (u128::from(done) * 100)
            .checked_div(u128::from(total))
            .map_or(0, |p| u64::try_from(p).unwrap_or(100));
        if percent / LINE_STEP > lines.told / LINE_STEP {
            lines.told = percent;
            note(&format!("{}: {percent} %, {done} of {total} bytes", lines.verb));
        }
    }

    /// Takes the bar away.
    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }

    /// Ends after a signal: says how to go on.
    pub(crate) fn end_stopped(&self, how: &str) -> Outcome {
        self.end();
        note(&format!("stopped; {how}"));
        Outcome::Stopped
    }
}

/// From the end of the work on a signal is for somebody else.
impl Drop for Work {
    fn drop(&mut self) {
        self.heard_by.drain(..).for_each(|id| {
            unregister(id);
        });
    }
}
