//! One bar for each volume, drawn from what the agents write down.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

use agent::config::Config;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tokio::task::JoinHandle;

use super::Demo;
use super::fleet::DeviceSpec;

const EVERY: Duration = Duration::from_millis(300);

/// Draws until every volume is encrypted. Draws nothing where nobody looks.
pub(super) fn watch(demo: &Demo, devices: &[DeviceSpec]) -> JoinHandle<()> {
    let configs: Vec<(String, PathBuf)> = devices
        .iter()
        .map(|d| (d.name.clone(), demo.device(&d.name).config()))
        .collect();
    tokio::spawn(async move {
        if std::io::stderr().is_terminal() {
            draw(&configs).await;
        }
    })
}

async fn draw(configs: &[(String, PathBuf)]) {
    let screen = MultiProgress::new();
    let mut bars = std::collections::BTreeMap::<String, ProgressBar>::new();
    let mut ticks = tokio::time::interval(EVERY);
    loop {
        ticks.tick().await;
        let mut all_done = true;
        for (name, config) in configs {
            let status = Config::load(config).ok().and_then(|c| agent::status(&c).ok());
            let Some(status) = status else {
                all_done = false;
                continue;
            };
            for volume in &status.volumes {
                let label = format!("{name} {}", volume.letter.as_deref().unwrap_or("?"));
                let bar = bars.entry(label.clone()).or_insert_with(|| new_bar(&screen, label));
                bar.set_position(u64::from(volume.encrypted_basis_points));
                all_done &= volume.encrypted_basis_points == 10_000;
            }
        }
        if all_done {
            return bars.values().for_each(ProgressBar::finish);
        }
    }
}

fn new_bar(screen: &MultiProgress, label: String) -> ProgressBar {
    let bar = screen.add(ProgressBar::new(10_000));
    if let Ok(style) = ProgressStyle::with_template("{prefix:16} {bar:40} {percent:>3} % encrypted") {
        bar.set_style(style);
    }
    bar.set_prefix(label);
    bar
}
