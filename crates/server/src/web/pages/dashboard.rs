//! The dashboard.

use axum::{extract::State, response::Response};
use domain::{access::Permission, compliance::Verdict, volume::VolumeKind};
use store::model::{DeviceRow, Summary, device_of};

use crate::{
    error::Result,
    services::dashboard::{self, Overview},
    session::CurrentUser,
    state::AppState,
    web::{
        frame::{Frame, page as answer},
        icons,
        names::Names,
        view::{
            chart::{Bar, Bars, Ring, Slice},
            chrome::Place,
            dashboard::{Attention, Dashboard, Tile},
            part::{Tag, Tone},
        },
        words,
    },
};

const LINES: usize = 10;

/// `GET /admin`.
pub(crate) async fn page(State(state): State<AppState>, frame: Frame, user: CurrentUser) -> Result<Response> {
    let overview = dashboard::overview(&state, &user).await?;
    let now = state.now();
    // Who may not read the audit sees what happened to devices, and nothing about accounts and sign-ins.
    let mut activity = overview.activity.clone();
    if !user.may(Permission::ReadAudit) {
        activity.retain(|entry| device_of(&entry.event).is_some());
    }
    let names = Names::of(&state, &activity).await?;
    let summary = &overview.summary;
    answer(&Dashboard {
        chrome: frame.chrome(&user, Place::Dashboard),
        tiles: tiles(summary),
        compliance: compliance(summary),
        drives: drives(summary),
        attention: attention(&overview),
        activity: activity.iter().map(|entry| names.event(entry, now, None)).collect(),
        fresh: summary.devices_total() == 0 && summary.retired == 0,
    })
}

fn tiles(summary: &Summary) -> Vec<Tile> {
    let total = summary.devices_total();
    let verdict = |verdict| summary.devices.get(&verdict).copied().unwrap_or(0);
    let tile = |label, count, note: String, tone, icon, href| Tile {
        label,
        count,
        note,
        tone,
        icon,
        href,
    };
    let when = |count, tone| if count > 0 { tone } else { Tone::Calm };
    let (compliant, wrong) = (verdict(Verdict::Compliant), verdict(Verdict::NonCompliant));
    let keys = &summary.keys;
    let mut devices = match summary.retired {
        0 => "enrolled".to_owned(),
        retired => format!("and {retired} retired"),
    };
    if summary.pending_requests > 0 {
        devices = format!("{} requests open", summary.pending_requests);
    }
    vec![
        tile("Devices", total, devices, Tone::Calm, icons::DEVICES, "/admin/devices"),
        tile(
            "Protected",
            compliant,
            share(compliant, total),
            when(compliant, Tone::Good),
            icons::SHIELD_LOCK,
            "/admin/devices?compliance=compliant",
        ),
        tile(
            "Recoverable",
            keys.proven,
            "keys stored and proven".to_owned(),
            when(keys.proven, Tone::Good),
            icons::ROSETTE_DISCOUNT_CHECK,
            "/admin/devices",
        ),
        tile(
            "Exposed keys",
            keys.disclosed,
            "told, not yet replaced".to_owned(),
            when(keys.disclosed, Tone::Warn),
            icons::EYE,
            "/admin/devices?keys=exposed",
        ),
        tile(
            "Non-compliant",
            wrong,
            share(wrong, total),
            when(wrong, Tone::Bad),
            icons::ALERT_TRIANGLE,
            "/admin/devices?compliance=non_compliant",
        ),
        match keys.failed {
            0 => tile(
                "Not proven",
                keys.not_proven,
                "keys stored, not yet tried".to_owned(),
                when(keys.not_proven, Tone::Info),
                icons::CLOCK,
                "/admin/devices?keys=not_proven",
            ),
            failed => tile(
                "Not proven",
                keys.not_proven + failed,
                format!("{failed} keys failed the proof"),
                Tone::Bad,
                icons::CLOCK,
                "/admin/devices?keys=not_proven",
            ),
        },
    ]
}

fn share(part: u64, whole: u64) -> String {
    match whole {
        0 => "of no devices".to_owned(),
        whole => format!("{} % of devices", part.saturating_mul(100) / whole),
    }
}

fn compliance(summary: &Summary) -> Ring {
    let slice = |verdict| {
        let (tone, label) = words::verdict_words(verdict);
        Slice {
            label: label.to_owned(),
            count: summary.devices.get(&verdict).copied().unwrap_or(0),
            tone,
            href: Some(format!("/admin/devices?compliance={}", words::verdict_name(verdict))),
        }
    };
    let order = [
        Verdict::Compliant,
        Verdict::NonCompliant,
        Verdict::NotEnforced,
        Verdict::NotApplicable,
        Verdict::Unknown,
    ];
    let slices = order
        .map(slice)
        .into_iter()
        .filter(|slice| slice.count > 0 || matches!(slice.tone, Tone::Good | Tone::Bad))
        .collect();
    Ring {
        title: "Devices by compliance".to_owned(),
        unit: if summary.devices_total() == 1 {
            "device"
        } else {
            "devices"
        }
        .to_owned(),
        slices,
    }
}

fn drives(summary: &Summary) -> Bars {
    let kinds = [
        (VolumeKind::Os, "Operating system drives"),
        (VolumeKind::Fixed, "Fixed data drives"),
        (VolumeKind::Removable, "Removable data drives"),
    ];
    let count = |kind, verdicts: &[Verdict]| {
        verdicts
            .iter()
            .filter_map(|verdict| summary.drives.get(&(kind, *verdict)))
            .sum()
    };
    let bars = kinds
        .into_iter()
        .map(|(kind, label)| Bar {
            label: label.to_owned(),
            parts: vec![
                (Tone::Good, "Compliant".to_owned(), count(kind, &[Verdict::Compliant])),
                (
                    Tone::Bad,
                    "Non-compliant".to_owned(),
                    count(kind, &[Verdict::NonCompliant]),
                ),
                (
                    Tone::Calm,
                    "Other".to_owned(),
                    count(kind, &[Verdict::NotEnforced, Verdict::NotApplicable, Verdict::Unknown]),
                ),
            ],
        })
        .collect();
    Bars {
        title: "Drives by type and compliance".to_owned(),
        bars,
    }
}

/// Each device once, with the worst thing about it.
fn attention(overview: &Overview) -> Vec<Attention> {
    let mut lines: Vec<Attention> = Vec::new();
    let mut add = |device: &DeviceRow, tag: Tag, text: &str| {
        let href = format!("/admin/devices/{}", device.id);
        if lines.len() < LINES && !lines.iter().any(|line| line.href == href) {
            lines.push(Attention {
                device: device.hostname.clone(),
                href,
                tag,
                text: text.to_owned(),
            });
        }
    };
    for device in overview.in_doubt.iter().filter(|device| device.keys.failed > 0) {
        add(
            device,
            Tag::new(Tone::Bad, "Proof failed"),
            "A stored key does not open its volume",
        );
    }
    for device in &overview.non_compliant {
        let text = if device.has_problems {
            "Not as policy wants it, and the device reports a problem"
        } else {
            "Not as policy wants it"
        };
        add(device, Tag::new(Tone::Bad, "Non-compliant"), text);
    }
    for device in &overview.exposed {
        add(
            device,
            Tag::new(Tone::Warn, "Exposed"),
            "A key was read and is not replaced yet",
        );
    }
    for device in overview.in_doubt.iter().filter(|device| device.keys.failed == 0) {
        add(
            device,
            Tag::new(Tone::Info, "Not proven"),
            "A key is stored, but not tried yet",
        );
    }
    for device in &overview.duplicates {
        add(
            device,
            Tag::new(Tone::Warn, "Clash"),
            "Another device has the same hardware ID",
        );
    }
    lines
}
