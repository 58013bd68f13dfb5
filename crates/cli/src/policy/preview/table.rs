//! The answer as people read it.

use std::fmt::Write;

use domain::compliance::Verdict;
use domain::exemption::Enforcement;
use domain::policy::setting;
use domain::preview::{Effect, Line, Listing, Preview};

use crate::terminal::word;

/// Widest bar.
const WIDTH: u64 = 24;

/// The whole answer.
pub(super) fn write(preview: &Preview, listing: &Listing, policy: &str, collection: &str) -> String {
    let mut text = format!(
        "Policy \"{policy}\" for collection \"{collection}\": {} of {} devices concerned\n",
        grouped(preview.devices),
        grouped(preview.looked_at)
    );
    if !preview.complete {
        text.push_str("STOPPED: what follows is of the devices that were looked at.\n");
    }
    text.push('\n');
    effects(&mut text, preview);
    compliance(&mut text, preview);
    exemptions(&mut text, preview);
    settings(&mut text, preview);
    devices(&mut text, preview, listing);
    text.truncate(text.trim_end().len());
    text
}

fn effects(text: &mut String, preview: &Preview) {
    for effect in Effect::ALL {
        let count = preview.count(effect);
        let volumes = match effect {
            Effect::Encrypt => preview.volumes_to_encrypt,
            Effect::Decrypt => preview.volumes_to_decrypt,
            _ => 0,
        };
        let more = if volumes > count {
            format!("  ({} volumes)", grouped(volumes))
        } else {
            String::new()
        };
        row(text, effect.words(), count, preview.devices, &more);
    }
    text.push('\n');
}

fn compliance(text: &mut String, preview: &Preview) {
    for (title, verdicts) in [
        ("Compliance now", &preview.verdicts_now),
        ("Compliance then", &preview.verdicts_then),
    ] {
        line(text, title);
        for verdict in VERDICTS {
            if let Some(count) = verdicts.get(&verdict) {
                row(text, &word(&verdict), *count, preview.devices, "");
            }
        }
        text.push('\n');
    }
}

/// Nothing, where nobody asked for one.
fn exemptions(text: &mut String, preview: &Preview) {
    let counts = [
        ("Exempt now", preview.exempt_now),
        ("Exempt then", preview.exempt_then),
        ("Wait for a decision", preview.exemption_pending),
    ];
    if counts.iter().all(|(_, count)| *count == 0) {
        return;
    }
    line(text, "Devices all of whose users are exempt, or have asked to be");
    for (title, count) in counts {
        row(text, title, count, preview.devices, "");
    }
    text.push('\n');
}

/// From good to bad.
const VERDICTS: [Verdict; 5] = [
    Verdict::Compliant,
    Verdict::NonCompliant,
    Verdict::Unknown,
    Verdict::NotEnforced,
    Verdict::NotApplicable,
];

fn settings(text: &mut String, preview: &Preview) {
    if preview.settings.is_empty() {
        line(text, "No setting changes on any device.");
        text.push('\n');
        return;
    }
    line(text, "Settings that change");
    for (change, count) in &preview.settings {
        let shown = |value: &str| setting(change.setting).map_or_else(|| value.to_owned(), |s| s.label(value));
        let what = format!("{}: {} → {}", change.setting, shown(&change.from), shown(&change.to));
        line(text, &format!("  {:>11}  {what}", grouped(*count)));
    }
    text.push('\n');
}

fn devices(text: &mut String, preview: &Preview, listing: &Listing) {
    if preview.listing.is_empty() {
        return;
    }
    let first = listing.offset.saturating_add(1);
    let last = listing.offset.saturating_add(preview.listing.len() as u64);
    let all = grouped(preview.listable);
    line(
        text,
        &format!("Devices {} to {} of {all}", grouped(first), grouped(last)),
    );
    for device in &preview.listing {
        line(text, &format!("  {:24} {}", device.hostname, happens(device)));
        if let Some(said) = exemption(device) {
            line(text, &format!("  {:24}   {said}", ""));
        }
        for blocked in &device.blocked {
            line(text, &format!("  {:24}   {blocked}", ""));
        }
    }
}

fn exemption(device: &Line) -> Option<String> {
    let users = device.users.join(", ");
    match device.enforcement {
        Enforcement::Exempt { until: None } => Some(format!("exempt: {users}")),
        Enforcement::Exempt { until: Some(until) } => Some(format!("exempt until {}: {users}", until.date())),
        Enforcement::Pending => Some(format!("an exemption waits for a decision: {users}")),
        Enforcement::Enforced | Enforcement::NotEnforced => None,
    }
}

/// What happens to one device, in words.
fn happens(device: &Line) -> String {
    let only_settings = device.effects.len() == 1;
    let mut parts = Vec::new();
    for effect in &device.effects {
        parts.push(match effect {
            Effect::Settings if only_settings => "other settings".to_owned(),
            Effect::Settings => continue,
            Effect::Encrypt => "encrypts".to_owned(),
            Effect::Decrypt => "decrypts".to_owned(),
            Effect::Reencrypt => "decrypts, to encrypt anew".to_owned(),
            Effect::Waits => match device.opens {
                Some(opens) => format!("waits for the window that opens {} UTC", opens.minute()),
                None => effect.words().to_owned(),
            },
            Effect::BeginsAtOnce => "begins at once, and waits for a window today".to_owned(),
            Effect::Exempt => "does not encrypt: exempt".to_owned(),
            Effect::HeldBack => "would have to encrypt, and cannot".to_owned(),
            Effect::BecomesNonCompliant => {
                let codes: Vec<String> = device.reasons.iter().map(|reason| reason.code().to_string()).collect();
                format!("becomes non-compliant (reasons {})", codes.join(", "))
            }
            Effect::BecomesCompliant => "becomes compliant".to_owned(),
        });
    }
    parts.join("; ")
}

fn row(text: &mut String, title: &str, count: u64, of: u64, more: &str) {
    // A count that is not zero has a bar, and one that is not all has none to the end.
    let length = match (u128::from(count) * u128::from(WIDTH)).checked_div(u128::from(of)) {
        Some(0) | None => u64::from(count > 0),
        Some(length) => u64::try_from(length).unwrap_or(WIDTH),
    };
    let bar: String = (0..WIDTH).map(|place| if place < length { '█' } else { '·' }).collect();
    line(text, &format!("  {title:32} {:>11}  {bar}{more}", grouped(count)));
}

fn line(text: &mut String, content: &str) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "{content}");
}

/// A number with its digits in groups of three.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
