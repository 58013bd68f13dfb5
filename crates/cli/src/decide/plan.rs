//! `claviger plan`

use std::process::ExitCode;

use domain::plan::check::check;
use domain::plan::{Plan, Prompt, plan};
use domain::policy::ContactMethod;

use super::inputs::Inputs;
use super::{Device, files};
use crate::terminal::{note, say};

pub(super) const AFTER_HELP: &str = concat!(
    "\
Exit codes:
  0    there is a plan, be it that nothing is to be done
  1    the plan checker refuses the plan (this is a fault of the planner)
  2    the command line or a file is wrong; standard error says where

Nothing is carried out. A plan names what is to be done now; after that the
device looks again.

",
    files!(),
    "

Examples:
  $ claviger plan --policy policy.toml --inventory laptop.json \\
      --ledger ledger.json
  $ claviger plan --policy policy.toml --inventory laptop.json \\
      --ledger ledger.json --situation monday.json --json"
);

pub(super) fn run(device: &Device) -> Result<ExitCode, Vec<String>> {
    let Inputs {
        policy,
        inventory,
        ledger,
        situation,
    } = Inputs::read(device)?;
    let plan = plan(&policy, &inventory, &ledger, &situation);
    if let Err(breaches) = check(&plan, &inventory, &ledger, &policy, &situation) {
        for breach in breaches {
            note(&format!("error: the plan checker refuses {breach}"));
        }
        return Ok(ExitCode::FAILURE);
    }
    if device.json {
        say(&serde_json::to_string_pretty(&plan).map_err(|error| vec![error.to_string()])?);
    } else {
        print(&plan);
    }
    Ok(ExitCode::SUCCESS)
}

fn print(plan: &Plan) {
    if plan.actions.is_empty() {
        say("Nothing is to be done now.");
    }
    for (number, action) in plan.actions.iter().enumerate() {
        say(&format!("{:>2}. {}.", number + 1, action.sentence()));
    }
    for blocked in &plan.blocked {
        if blocked.device.is_empty() {
            say(&format!("Not now: {}", blocked.reason));
        } else {
            say(&format!("Not now ({}): {}", blocked.device, blocked.reason));
        }
    }
    if let Some(prompt) = &plan.prompt {
        print_prompt(prompt);
    }
    for text in &plan.notes {
        say(&format!("Note: {text}"));
    }
    say(&format!(
        "Next look in {} minutes at the latest.",
        plan.next_check_minutes
    ));
}

fn print_prompt(prompt: &Prompt) {
    say(&format!("Ask the user: {}", prompt.question.sentence()));
    if let Some(until) = prompt.may_postpone_until {
        say(&format!("  It can be put off until {}.", until.date()));
    }
    if prompt.may_request_exemption {
        say("  The user may ask to be exempt.");
    }
    if let Some(contact) = &prompt.contact {
        let by = match contact.method {
            ContactMethod::Url => "at",
            ContactMethod::Email => "by mail to",
            ContactMethod::Phone => "by telephone at",
        };
        say(&format!("  That is decided {by} {}.", contact.detail));
    }
    if let Some(url) = &prompt.security_policy_url {
        say(&format!("  The organization's rules: {url}"));
    }
}
