//! The table.

use std::time::Duration;

/// One ratio.
pub(crate) struct Row {
    name: String,
    ours: String,
    peer: String,
    ratio: f64,
    target: Target,
}

/// What the ratio has to be.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    AtLeast(f64),
    AtMost(f64),
}

impl Row {
    /// Two times for the same bytes, told as speeds.
    pub(crate) fn speeds(name: &str, bytes: u64, (ours, peer): (Duration, Duration), target: Target) -> Self {
        let speed = |time: Duration| format!("{:.0} MB/s", bytes as f64 / time.as_secs_f64() / 1e6);
        Self {
            name: name.to_owned(),
            ours: speed(ours),
            peer: speed(peer),
            ratio: peer.as_secs_f64() / ours.as_secs_f64(),
            target,
        }
    }

    /// Two times; the ratio is ours to the peer's.
    pub(crate) fn times(name: &str, (ours, peer): (Duration, Duration), target: Target) -> Self {
        let show = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1e3);
        Self {
            name: name.to_owned(),
            ours: show(ours),
            peer: show(peer),
            ratio: ours.as_secs_f64() / peer.as_secs_f64(),
            target,
        }
    }

    /// Two rates; the ratio is ours to the peer's.
    pub(crate) fn rates(name: &str, (ours, peer): (f64, f64), target: Target) -> Self {
        Self {
            name: name.to_owned(),
            ours: format!("{ours:.1} /s"),
            peer: format!("{peer:.1} /s"),
            ratio: ours / peer,
            target,
        }
    }
}

pub(crate) fn print(rows: &[Row]) {
    let width = rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
    println!("{:width$}  {:>12}  {:>12}  {:>7}  target", "", "ours", "peer", "ratio");
    for row in rows {
        let (words, met) = match row.target {
            Target::AtLeast(least) => (format!("at least {least}"), row.ratio >= least),
            Target::AtMost(most) => (format!("at most {most}"), row.ratio <= most),
        };
        let verdict = if met { "ok" } else { "short" };
        println!(
            "{:width$}  {:>12}  {:>12}  {:>7.2}  {words:<13} {verdict}",
            row.name, row.ours, row.peer, row.ratio
        );
    }
}
