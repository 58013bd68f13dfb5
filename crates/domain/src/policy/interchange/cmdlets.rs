//! Configuration Manager's cmdlets: `New-CMBMSOSDEncryptionPolicy -PolicyState Enabled -Protector TpmAndPin …`.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::{Exported, ImportError, Imported, Inexpressible, Unknown, check_size};
use crate::policy::reference::{CmdletValue, Setting, reference};
use crate::policy::{Assignments, setting};

use words::{Line, lines};

mod words;

const STATE: &str = "PolicyState";
const PLAINTEXT: &str = "Set-CMBlmPlaintextStorage";
const MESSAGE: &str = "New-CMPrebootRecoveryInfo";
const MODE: &str = "os.preboot_message_mode";

/// Reads a script that makes BitLocker policies in Configuration Manager: a line for each policy object, assigned to a
/// variable or not. Nothing is carried out; expressions and loops are not understood.
///
/// # Errors
/// When a text in quotation marks has no end, with the line.
pub fn import_cmdlets(text: &str) -> Result<Imported, ImportError> {
    check_size(text.len())?;
    let mut imported = Imported::default();
    for line in lines(text)? {
        if let Err(unknown) = take(&mut imported, &line) {
            imported.unknown.extend(unknown);
        }
    }
    Ok(imported)
}

fn take(imported: &mut Imported, line: &Line) -> Result<(), Vec<Unknown>> {
    let unknown = |what: String, why: &str| Unknown {
        what: format!("line {}: {what}", line.number),
        why: why.to_owned(),
    };
    if line.is("New-CMBlmSetting") {
        imported.name = line.value("Name").map(str::to_owned);
        return Ok(());
    }
    if line.is(PLAINTEXT) {
        return assign(imported, "client.allow_plaintext_storage", "true")
            .map_err(|why| vec![unknown(PLAINTEXT.to_owned(), &why)]);
    }
    let known: Vec<&Setting> = reference()
        .iter()
        .filter(|s| s.cmdlet.is_some_and(|c| line.is(c.name)))
        .collect();
    if known.is_empty() {
        return Err(vec![unknown(
            line.command.clone(),
            "This command says nothing about BitLocker that is understood.",
        )]);
    }
    let state = line.value(STATE).unwrap_or("Enabled");
    if state.eq_ignore_ascii_case("NotConfigured") {
        return Ok(());
    }
    let mut problems = Vec::new();
    for (name, given) in &line.parameters {
        let shown = || match given {
            Some(value) => format!("{} -{name} {value}", line.command),
            None => format!("{} -{name}", line.command),
        };
        if line.is(MESSAGE) && name.to_ascii_lowercase().starts_with("userecovery") {
            continue;
        }
        let setting = known
            .iter()
            .find(|s| s.cmdlet.is_some_and(|c| c.parameter.eq_ignore_ascii_case(name)));
        match setting {
            Some(setting) => {
                let value = decode(setting, given.as_deref());
                let result = value.and_then(|value| assign(imported, setting.id, &value));
                problems.extend(result.err().map(|why| unknown(shown(), &why)));
            }
            // Of cmdlets whose state is no setting of its own.
            None if name.eq_ignore_ascii_case(STATE) => {}
            None => problems.push(unknown(shown(), "This parameter is not known.")),
        }
    }
    if line.is(MESSAGE) {
        let mode = match (line.switch("UseRecoveryMessage"), line.switch("UseRecoveryUrl")) {
            (true, true) => Some("default"),
            (true, false) => Some("custom_message"),
            (false, true) => Some("custom_url"),
            (false, false) => None,
        };
        if let Some(mode) = mode {
            let result = assign(imported, MODE, mode);
            problems.extend(result.err().map(|why| unknown(line.command.clone(), &why)));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn assign(imported: &mut Imported, id: &str, value: &str) -> Result<(), String> {
    imported.assignments.set(id, value).map_err(|error| error.message)
}

fn decode(setting: &Setting, given: Option<&str>) -> Result<String, String> {
    let Some(cmdlet) = setting.cmdlet else {
        return Err("It has no cmdlet.".to_owned());
    };
    let on = || match given.map(str::to_ascii_lowercase).as_deref() {
        None | Some("$true" | "true") => Ok(true),
        Some("$false" | "false") => Ok(false),
        Some(_) => Err("A switch stands alone, or with $true or $false.".to_owned()),
    };
    match cmdlet.value {
        CmdletValue::Switch => on().map(|on| on.to_string()),
        CmdletValue::InvertedSwitch => on().map(|on| (!on).to_string()),
        CmdletValue::Number | CmdletValue::Text => given.map(str::to_owned).ok_or("It needs a value.".to_owned()),
        CmdletValue::Words(pairs) => {
            let given = given.ok_or("It needs a value.")?;
            let known = pairs.iter().find(|(_, word)| word.eq_ignore_ascii_case(given));
            known.map(|(text, _)| (*text).to_owned()).ok_or_else(|| {
                let words: Vec<&str> = pairs.iter().map(|(_, word)| *word).collect();
                format!("Understood are {}.", words.join(", "))
            })
        }
    }
}

/// Writes a script that makes the same policy in Configuration Manager.
#[must_use]
pub fn export_cmdlets(name: &str, assignments: &Assignments) -> Exported<String> {
    let mut inexpressible = Vec::new();
    let mut commands = BTreeMap::<usize, (&'static str, bool, Vec<String>)>::new();
    let mut plaintext = false;
    for (id, value) in assignments.iter() {
        let Some(setting) = setting(id) else { continue };
        if id == "client.allow_plaintext_storage" && value == "true" {
            plaintext = true;
            continue;
        }
        match parameter(setting, value, assignments) {
            Err(why) => inexpressible.push(Inexpressible {
                setting: setting.id,
                why,
            }),
            Ok((cmdlet, parameter)) => {
                let order = reference()
                    .iter()
                    .position(|s| s.cmdlet.is_some_and(|c| c.name == cmdlet))
                    .unwrap_or_default();
                let entry = commands.entry(order).or_insert((cmdlet, true, Vec::new()));
                // Those whose state is a setting say it themselves.
                entry.1 &= state_setting(cmdlet).is_none();
                entry.2.push(parameter);
            }
        }
    }
    let mut text = String::new();
    let mut variables = Vec::new();
    for (number, (cmdlet, needs_state, parameters)) in commands.values().enumerate() {
        let variable = format!("$p{}", number + 1);
        let state = if *needs_state { " -PolicyState Enabled" } else { "" };
        let _ = writeln!(text, "{variable} = {cmdlet}{state} {}", parameters.join(" "));
        variables.push(variable);
    }
    if plaintext {
        let _ = writeln!(text, "{PLAINTEXT}");
    }
    let _ = writeln!(
        text,
        "New-CMBlmSetting -Name {} -Policies @({})",
        quoted(name),
        variables.join(", ")
    );
    Exported {
        content: text,
        inexpressible,
    }
}

fn parameter(setting: &Setting, value: &str, all: &Assignments) -> Result<(&'static str, String), String> {
    let cmdlet = setting.cmdlet.ok_or("Configuration Manager has no such setting.")?;
    if let Some(state) = state_setting(cmdlet.name).filter(|s| s.id != setting.id)
        && all.get(state.id).is_none()
    {
        return Err(format!("{} says it only together with {}.", cmdlet.name, state.id));
    }
    if setting.id == MODE {
        let switches = match value {
            "default" => "-UseRecoveryMessage -UseRecoveryUrl",
            "custom_message" => "-UseRecoveryMessage",
            "custom_url" => "-UseRecoveryUrl",
            _ => return Err("The recovery screen cannot be empty there.".to_owned()),
        };
        return Ok((cmdlet.name, switches.to_owned()));
    }
    let name = cmdlet.parameter;
    let parameter = match cmdlet.value {
        CmdletValue::Number => format!("-{name} {value}"),
        CmdletValue::Text => format!("-{name} {}", quoted(value)),
        CmdletValue::Switch | CmdletValue::InvertedSwitch => {
            let on = (value == "true") == (cmdlet.value == CmdletValue::Switch);
            if on {
                format!("-{name}")
            } else {
                format!("-{name}:$false")
            }
        }
        CmdletValue::Words(pairs) => {
            let word = pairs.iter().find(|(text, _)| *text == value);
            let (_, word) = word.ok_or_else(|| format!("No word stands for \"{value}\"."))?;
            format!("-{name} {word}")
        }
    };
    Ok((cmdlet.name, parameter))
}

/// The setting that a cmdlet's `-PolicyState` is.
fn state_setting(cmdlet: &str) -> Option<&'static Setting> {
    reference()
        .iter()
        .find(|s| s.cmdlet.is_some_and(|c| c.name == cmdlet && c.parameter == STATE))
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
