//! `claviger compliance evaluate`

use std::process::ExitCode;

use domain::compliance::{Verdict, evaluate};
use domain::volume::VolumeKind;

use super::inputs::Inputs;
use super::output::{Evaluation, VolumeEvaluation};
use super::{Device, files};
use crate::terminal::{say, word};

pub(super) const AFTER_HELP: &str = concat!(
    "\
Exit codes:
  0    compliant
  1    not compliant
  2    the command line or a file is wrong; standard error says where
  3    neither: nothing is enforced, not applicable, or not enough is known

",
    files!(),
    "

Examples:
  $ claviger compliance evaluate --policy policy.toml --inventory laptop.json
  $ claviger compliance evaluate --policy policy.toml --inventory laptop.json \\
      --ledger ledger.json --situation monday.json --json"
);

pub(super) fn run(device: &Device) -> Result<ExitCode, Vec<String>> {
    let inputs = Inputs::read(device)?;
    let compliance = evaluate(&inputs.policy, &inputs.inventory, &inputs.ledger, &inputs.situation);
    let evaluation = Evaluation::of(&inputs.policy, &inputs.inventory, compliance);
    if device.json {
        say(&serde_json::to_string_pretty(&evaluation).map_err(|error| vec![error.to_string()])?);
    } else {
        print(&evaluation);
    }
    Ok(ExitCode::from(match evaluation.verdict {
        Verdict::Compliant => 0,
        Verdict::NonCompliant => 1,
        Verdict::NotEnforced | Verdict::NotApplicable | Verdict::Unknown => 3,
    }))
}

fn print(evaluation: &Evaluation) {
    let name = Some(evaluation.hostname.as_str())
        .filter(|name| !name.is_empty())
        .unwrap_or("The device");
    say(&format!("{name}: {}", verdict(evaluation.verdict)));
    let error = evaluation
        .error
        .as_ref()
        .map(|error| format!("; {error}"))
        .unwrap_or_default();
    say(&format!("  dashboard: {}{error}", evaluation.status));
    if evaluation.postponed {
        say("  a user put encryption off");
    }
    say(&format!(
        "  MBAMPolicyEnforced {}, DeviceEncryptionStatus {}",
        evaluation.enforcement_code, evaluation.device_encryption_status
    ));
    for volume in &evaluation.volumes {
        print_volume(volume);
    }
}

fn print_volume(volume: &VolumeEvaluation) {
    let kind = match volume.kind {
        VolumeKind::Os => "operating system drive",
        VolumeKind::Fixed => "fixed drive",
        VolumeKind::Removable => "removable drive",
    };
    let name = match &volume.letter {
        Some(letter) if *letter != volume.device => format!("{letter} ({})", volume.device),
        _ => volume.device.clone(),
    };
    say(&format!("{name}, {kind}: {}", verdict(volume.verdict)));
    for ((code, reason), sentence) in volume.reason_codes.iter().zip(&volume.reasons).zip(&volume.sentences) {
        say(&format!("  {code:>2}  {}: {sentence}", word(reason)));
    }
    let stored = if volume.escrowed { "holds a" } else { "holds no" };
    say(&format!("  the server {stored} recovery password of it"));
    if let Some(since) = volume.detected_at {
        say(&format!("  not compliant since {}", since.date()));
    }
    if let Some(from) = volume.enforce_from {
        say(&format!("  encryption can be put off until {}", from.date()));
    }
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Compliant => "compliant",
        Verdict::NonCompliant => "not compliant",
        Verdict::NotEnforced => "not enforced",
        Verdict::NotApplicable => "not applicable",
        Verdict::Unknown => "unknown",
    }
}
