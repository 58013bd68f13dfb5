//! `claviger volume info`.

use std::path::PathBuf;

use anyhow::{Context, Result};
use fve::io::FileDevice;
use fve::{FileTime, Volume, VolumeInfo};

use crate::terminal::{say, word};

/// `claviger volume info`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The volume: an image file or a block device
    image: PathBuf,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let device = FileDevice::open_read(&args.image).with_context(|| format!("opening {}", args.image.display()))?;
    let volume =
        Volume::open(device).with_context(|| format!("{} cannot be read as BitLocker", args.image.display()))?;
    let info = volume.info();
    if args.json {
        say(&serde_json::to_string_pretty(&info)?);
    } else {
        text(&info).iter().for_each(|line| say(line));
    }
    Ok(())
}

fn text(info: &VolumeInfo) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = |name: &str, value: String| lines.push(format!("{name:<18}{value}"));
    line("volume", info.volume.to_string());
    if let Some(description) = &info.description {
        line("description", description.clone());
    }
    line("created", time(info.created));
    line(
        "method",
        info.method
            .map_or_else(|| "none".to_owned(), |m| format!("{m} (0x{:04X})", info.method_number)),
    );
    line("layout", word(&info.layout));
    line("size", format!("{} bytes, sectors of {}", info.size, info.sector_size));
    line("conversion", format!("{}, {} %", word(&info.status), info.percent));
    line(
        "states",
        format!("now {}, next {}", info.current_state, info.next_state),
    );
    for (index, copy) in info.copies.iter().enumerate() {
        let state = match (&copy.problem, copy.current) {
            (Some(problem), _) => format!("DAMAGED: {problem}"),
            (None, true) => "good".to_owned(),
            (None, false) => "good, but differs from the newest".to_owned(),
        };
        line(
            &format!("metadata copy {index}"),
            format!("at {:#x}, {state}", copy.offset),
        );
    }
    line(
        "relocated header",
        format!("at {:#x}, {} bytes", info.header_offset, info.header_len),
    );
    if let Some(extended) = &info.extended {
        line(
            "written by",
            format!(
                "Windows {}.{}.{}",
                extended.os_major, extended.os_minor, extended.os_build
            ),
        );
    }
    line("protectors", info.protectors.len().to_string());
    for protector in &info.protectors {
        let name = protector
            .name
            .as_deref()
            .map_or_else(String::new, |n| format!(", named {n}"));
        let count = protector
            .suspend_count
            .map_or_else(String::new, |n| format!(", {n} restarts"));
        lines.push(format!("  {} {}{name}{count}", protector.id, word(&protector.kind)));
    }
    lines
}

/// ISO 8601 in UTC; an impossible time as its number.
pub(super) fn time(time: FileTime) -> String {
    jiff::Timestamp::from_millisecond(time.unix_millis())
        .map_or_else(|_| format!("FILETIME {}", time.0), |t| t.to_string())
}
