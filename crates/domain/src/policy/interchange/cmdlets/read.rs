//! Calls as a document.

use super::calls::{Call, Parameter, Value, calls, is_truth};
use super::{
    Carried, Error, PLAINTEXT, PLAINTEXT_SETTING, RECOVERY_SCREEN, SCREEN_MODE, SETTING_OBJECT, STATE, USE_MESSAGE,
    USE_URL, parameter, when_left_out,
};
use crate::policy::interchange::Imported;
use crate::policy::{CmdletValue, Setting};

/// Parameters that every cmdlet has, and that say nothing of the policy.
const COMMON: [&str; 8] = [
    "DisableWildcardHandling",
    "ForceWildcardHandling",
    "WhatIf",
    "Confirm",
    "Verbose",
    "Debug",
    "ErrorAction",
    "WarningAction",
];

/// Reads the policy that a script makes.
///
/// # Errors
/// When its text cannot be read, or calls none of the cmdlets.
pub fn import(text: &str) -> Result<Imported, Error> {
    let mut imported = Imported::default();
    let mut known = false;
    for call in calls(text)? {
        let carried = Carried::by(&call.name);
        let ours = !carried.is_empty();
        if ours {
            policy(&call, &carried, &mut imported);
        } else if call.name.eq_ignore_ascii_case(SETTING_OBJECT) {
            object(&call, &mut imported);
        } else if call.name.eq_ignore_ascii_case(PLAINTEXT) {
            imported.set(PLAINTEXT_SETTING, "true", || call.shown());
        } else {
            imported.unknown(call.shown(), "Not a cmdlet that makes a BitLocker policy.");
            continue;
        }
        known = true;
    }
    if known { Ok(imported) } else { Err(Error::Nothing) }
}

/// A call of one of the table's cmdlets.
fn policy(call: &Call, carried: &Carried, imported: &mut Imported) {
    for stray in &call.strays {
        imported.unknown(
            format!("{} {}", call.shown(), stray.shown()),
            "A value without a parameter.",
        );
    }
    let state = call.parameters.iter().find(|p| is(p, STATE)).map(Parameter::literal);
    let word = match state {
        None => {
            imported.unknown(call.shown(), "Without -PolicyState; taken as Enabled.");
            "Enabled".to_owned()
        }
        Some(Ok(word)) => word,
        Some(Err(why)) => return imported.unknown(call.shown(), why),
    };
    let others = || call.parameters.iter().filter(|p| !is(p, STATE) && !is_common(p));
    if word.eq_ignore_ascii_case("Enabled") {
        if let Some(setting) = carried.state {
            assign(setting, "Enabled", call, imported);
        }
        for parameter in others() {
            one(call, carried, parameter, imported);
        }
        return finish(call, carried, imported);
    }
    let disabled = word.eq_ignore_ascii_case("Disabled");
    if !disabled && !word.eq_ignore_ascii_case("NotConfigured") {
        let why = "-PolicyState is Enabled, Disabled or NotConfigured.";
        return imported.unknown(format!("{} -PolicyState {word}", call.shown()), why);
    }
    match carried.state {
        Some(setting) if disabled => assign(setting, "Disabled", call, imported),
        None if disabled => imported.unknown(
            format!("{} -PolicyState Disabled", call.shown()),
            "No setting stands for switching it off; Windows' default holds.",
        ),
        _ => {}
    }
    for parameter in others() {
        imported.unknown(
            format!("{} {}", call.shown(), parameter.shown()),
            "Says nothing while the policy is not Enabled.",
        );
    }
}

fn one(call: &Call, carried: &Carried, written: &Parameter, imported: &mut Imported) {
    let what = || format!("{} {}", call.shown(), written.shown());
    if call.name.eq_ignore_ascii_case(RECOVERY_SCREEN) && [USE_MESSAGE, USE_URL].iter().any(|name| is(written, name)) {
        // `finish` looks at both.
        return;
    }
    let value = find(carried, &written.name).and_then(|setting| {
        let value = match setting.cmdlet.map(|cmdlet| cmdlet.value) {
            Some(CmdletValue::Switch) => written.switch()?.to_string(),
            Some(CmdletValue::InvertedSwitch) => (!written.switch()?).to_string(),
            Some(CmdletValue::Words(words)) => {
                let word = written.literal()?;
                let known = words.iter().find(|(_, of)| of.eq_ignore_ascii_case(&word));
                let all = || words.iter().map(|(_, word)| *word).collect::<Vec<_>>().join(", ");
                known
                    .map(|(value, _)| (*value).to_owned())
                    .ok_or_else(|| format!("Known: {}.", all()))?
            }
            _ => written.literal()?,
        };
        Ok((setting, value))
    });
    match value {
        Ok((setting, value)) => imported.set(setting.id, &value, what),
        Err(why) => imported.unknown(what(), why),
    }
}

/// What a call says by what it leaves out.
fn finish(call: &Call, carried: &Carried, imported: &mut Imported) {
    for setting in &carried.others {
        let named = call
            .parameters
            .iter()
            .any(|p| find(carried, &p.name).is_ok_and(|s| s.id == setting.id));
        if let Some(value) = when_left_out(setting).filter(|value| !named && *value != setting.default_value()) {
            imported.set(setting.id, value, || call.shown());
        }
    }
    if call.name.eq_ignore_ascii_case(RECOVERY_SCREEN) {
        let on = |name| {
            let switch = call.parameters.iter().find(|p| is(p, name));
            switch.is_some_and(|switch| switch.switch().unwrap_or(true))
        };
        let mode = match (on(USE_MESSAGE), on(USE_URL)) {
            (true, true) => "default",
            (true, false) => "custom_message",
            (false, true) => "custom_url",
            (false, false) => return,
        };
        imported.set(SCREEN_MODE, mode, || call.shown());
    }
}

/// The setting of a parameter, which may be cut short as long as it is not ambiguous.
fn find(carried: &Carried, written: &str) -> Result<&'static Setting, String> {
    let named = |s: &&&Setting| parameter(s).eq_ignore_ascii_case(written);
    if let Some(setting) = carried.others.iter().find(named) {
        return Ok(setting);
    }
    let begins = |s: &&Setting| {
        let start = parameter(s).get(..written.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(written)) && s.id != SCREEN_MODE
    };
    let mut candidates = carried.others.iter().copied().filter(begins);
    match (candidates.next(), candidates.next()) {
        (Some(setting), None) => Ok(setting),
        (Some(_), Some(_)) => Err("Several parameters begin like this.".to_owned()),
        (None, _) => Err("No setting stands for this parameter.".to_owned()),
    }
}

fn assign(setting: &'static Setting, word: &str, call: &Call, imported: &mut Imported) {
    let Some(CmdletValue::Words(words)) = setting.cmdlet.map(|cmdlet| cmdlet.value) else {
        return;
    };
    if let Some((value, _)) = words.iter().find(|(_, of)| *of == word) {
        imported.set(setting.id, value, || call.shown());
    }
}

/// The settings object's name; its policies were calls before it.
fn object(call: &Call, imported: &mut Imported) {
    for parameter in call.parameters.iter().filter(|p| !is_common(p) && !is(p, "Policies")) {
        let what = || format!("{} {}", call.shown(), parameter.shown());
        let done = match parameter.literal() {
            Ok(text) if is(parameter, "Name") => imported.document.rename(&text),
            Ok(text) if is(parameter, "Description") => imported.document.describe(&text),
            Ok(_) => Err("No part of a policy.".to_owned()),
            Err(why) => Err(why),
        };
        if let Err(why) = done {
            imported.unknown(what(), why);
        }
    }
}

fn is(parameter: &Parameter, name: &str) -> bool {
    parameter.name.eq_ignore_ascii_case(name)
}

fn is_common(parameter: &Parameter) -> bool {
    COMMON.iter().any(|name| is(parameter, name))
}

impl Parameter {
    /// Its value; an array is a list with commas.
    fn literal(&self) -> Result<String, String> {
        let mut texts = Vec::new();
        for value in &self.values {
            match value {
                Value::Literal(text) => texts.push(text.as_str()),
                Value::Computed(_) => return Err("Its value is computed, and nothing is run.".to_owned()),
            }
        }
        if texts.is_empty() {
            return Err("It has no value that can be read.".to_owned());
        }
        Ok(texts.join(","))
    }

    fn switch(&self) -> Result<bool, String> {
        match &self.values[..] {
            [] => Ok(true),
            [Value::Literal(word)] if is_truth(word) => Ok(word.eq_ignore_ascii_case("$true")),
            _ => Err("A switch takes $true or $false.".to_owned()),
        }
    }

    fn shown(&self) -> String {
        let values: Vec<_> = self.values.iter().map(Value::shown).collect();
        format!("-{} {}", self.name, values.join(",")).trim_end().to_owned()
    }
}

impl Value {
    fn shown(&self) -> String {
        match self {
            Self::Literal(text) => format!("'{text}'"),
            Self::Computed(text) => text.clone(),
        }
    }
}

impl Call {
    fn shown(&self) -> String {
        format!("line {}: {}", self.line, self.name)
    }
}
