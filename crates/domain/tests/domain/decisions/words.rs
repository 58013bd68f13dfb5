//! A decision, as an administrator reads it.

use domain::compliance::{Compliance, ErrorCategory, StatusCategory, Verdict, device_encryption_status, evaluate};
use domain::plan::{Plan, plan};

use super::case::Case;

/// The lower part of a case's file: every line is a comment.
pub(super) fn decided(case: &Case) -> String {
    let compliance = evaluate(&case.policy, &case.inventory, &case.ledger, &case.situation);
    let plan = plan(&case.policy, &case.inventory, &case.ledger, &case.situation);
    let mut lines = verdicts(case, &compliance);
    lines.extend(steps(&plan));
    lines
        .iter()
        .map(|line| format!("{}\n", format!("# {line}").trim_end()))
        .collect()
}

fn verdicts(case: &Case, compliance: &Compliance) -> Vec<String> {
    let mut device = format!("Device: {}", verdict(compliance.verdict));
    let status = StatusCategory::of(Some(compliance));
    device.push_str(&format!(" (dashboard: {}", status.label()));
    if let Some(error) = ErrorCategory::of(Some(&case.inventory), Some(compliance)) {
        device.push_str(&format!("; {}", error.label()));
    }
    device.push(')');
    let mut lines = vec![device];
    let bits = device_encryption_status(&case.policy, &case.inventory, compliance);
    if bits != 0 {
        let bits: Vec<String> = (0..32)
            .filter(|bit| bits >> bit & 1 == 1)
            .map(|bit| bit.to_string())
            .collect();
        lines.push(format!("  CSP status bits: {}", bits.join(", ")));
    }
    if compliance.enforcement.code() != 1 {
        lines.push(format!("  MBAMPolicyEnforced: {}", compliance.enforcement.code()));
    }
    if compliance.postponed {
        lines.push("  put off by the user".to_owned());
    }
    for volume in &compliance.volumes {
        let key = if volume.escrowed {
            "key stored"
        } else {
            "key not stored"
        };
        let mut line = format!("{} {}, {key}", volume.device, verdict(volume.verdict));
        if let Some(since) = volume.detected_at {
            line.push_str(&format!(", since {}", since.date()));
        }
        if let Some(from) = volume.enforce_from {
            line.push_str(&format!(", enforced from {}", from.date()));
        }
        lines.push(line);
        for reason in &volume.reasons {
            lines.push(format!("  {:>2} {}", reason.code(), reason.sentence()));
        }
    }
    lines
}

fn steps(plan: &Plan) -> Vec<String> {
    let mut lines = vec!["Plan:".to_owned()];
    if plan.actions.is_empty() {
        lines.push("  nothing to do".to_owned());
    }
    for (number, action) in plan.actions.iter().enumerate() {
        lines.push(format!("  {}. {}.", number + 1, action.sentence()));
    }
    for blocked in &plan.blocked {
        let device = Some(blocked.device.as_str()).filter(|device| !device.is_empty());
        lines.push(format!(
            "  not now ({}): {}",
            device.unwrap_or("device"),
            blocked.reason
        ));
    }
    if let Some(prompt) = &plan.prompt {
        lines.push(format!("  ask: {}", prompt.question.sentence()));
        if let Some(until) = prompt.may_postpone_until {
            lines.push(format!("    may be put off until {}", until.date()));
        }
        if prompt.may_request_exemption {
            lines.push("    may ask to be exempt".to_owned());
        }
        if let Some(contact) = &prompt.contact {
            lines.push(format!("    contact: {:?} {}", contact.method, contact.detail));
        }
        if let Some(url) = &prompt.security_policy_url {
            lines.push(format!("    rules: {url}"));
        }
    }
    lines.extend(plan.notes.iter().map(|note| format!("  note: {note}")));
    if plan.next_check_minutes != 90 {
        lines.push(format!("  looks again after {} minutes", plan.next_check_minutes));
    }
    lines
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
