//! Progress for whoever looks, and an end in order when a signal asks for it.

use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use signal_hook::SigId;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::low_level::unregister;

/// A preview under way. A first signal stops it, a second one ends the program at once.
pub(super) struct Watch {
    bar: ProgressBar,
    stop: Arc<AtomicBool>,
    heard_by: Vec<SigId>,
}

impl Watch {
    /// Begins; `total`: how many devices there are, when that is known.
    pub(super) fn begin(total: Option<u64>) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut heard_by = Vec::new();
        for (signal, code) in [(SIGINT, 130), (SIGTERM, 143)] {
            let listening = "listening for signals";
            heard_by.push(flag::register_conditional_shutdown(signal, code, stop.clone()).context(listening)?);
            heard_by.push(flag::register(signal, stop.clone()).context(listening)?);
        }
        let (bar, style) = match total {
            Some(total) => (
                ProgressBar::new(total),
                "{wide_bar} {human_pos} of {human_len} devices, {eta}",
            ),
            None => (ProgressBar::no_length(), "{spinner} {human_pos} devices, {elapsed}"),
        };
        if !std::io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        Ok(Self { bar, stop, heard_by })
    }

    /// Tells how many devices were looked at; says whether to go on.
    pub(super) fn at(&self, looked_at: u64) -> ControlFlow<()> {
        self.bar.set_position(looked_at);
        if self.stop.load(Ordering::Relaxed) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    /// Takes the bar away.
    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}

/// From the end of the work on a signal is for somebody else.
impl Drop for Watch {
    fn drop(&mut self) {
        self.heard_by.drain(..).for_each(|id| {
            unregister(id);
        });
    }
}
