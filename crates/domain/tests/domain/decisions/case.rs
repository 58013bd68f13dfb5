//! A situation, as its file says it.

use domain::inventory::Inventory;
use domain::ledger::Ledger;
use domain::plan::Situation;
use domain::policy::{Assignments, Policy};
use domain::volume::{ProtectorType, VolumeKind};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// All that a decision is made from.
pub(super) struct Case {
    pub(super) about: String,
    pub(super) policy: Policy,
    pub(super) inventory: Inventory,
    pub(super) ledger: Ledger,
    pub(super) situation: Situation,
}

impl Case {
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| error.to_string())?;
        let file = serde_json::to_value(table).map_err(|error| error.to_string())?;
        for key in file.as_object().into_iter().flat_map(Map::keys) {
            if !["about", "policy", "device", "drives", "ledger", "situation"].contains(&key.as_str()) {
                return Err(format!("what is {key}?"));
            }
        }
        let volumes = volumes(&file["drives"])?;
        let ledger = typed("ledger", ledger(&file["ledger"], &volumes)?)?;
        Ok(Self {
            about: file["about"].as_str().ok_or("about what?")?.to_owned(),
            policy: policy(&file["policy"])?,
            inventory: inventory(&file["device"], volumes)?,
            ledger,
            situation: situation(&file["situation"])?,
        })
    }
}

fn typed<T: DeserializeOwned>(what: &str, value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|error| format!("{what}: {error}"))
}

/// Puts `over` on `under`, object by object.
fn lay(under: &mut Value, over: &Value) {
    match (under, over) {
        // One with a state or source of its own is another one altogether.
        (Value::Object(under), Value::Object(over)) if !over.contains_key("state") && !over.contains_key("source") => {
            for (key, value) in over {
                lay(under.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (_, Value::Null) => {}
        (under, over) => *under = over.clone(),
    }
}

fn policy(said: &Value) -> Result<Policy, String> {
    let mut assignments = Assignments::default();
    assignments
        .set("os.encryption", "require")
        .map_err(|error| error.to_string())?;
    for (section, settings) in said.as_object().into_iter().flatten() {
        for (name, value) in settings.as_object().into_iter().flatten() {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            assignments
                .set(&format!("{section}.{name}"), &value)
                .map_err(|error| error.to_string())?;
        }
    }
    Ok(assignments.policy())
}

fn inventory(said: &Value, volumes: Vec<Value>) -> Result<Inventory, String> {
    let mut device = json!({
        "hostname": "PC-1",
        "os": "Windows 11 Pro",
        "os_version": "26100",
        "portable": true,
        "os_kind": "windows_client",
        "join": "domain",
        "domain": "corp.example",
        "tpm": { "state": "ready" },
        "users": ["CORP\\anna"],
    });
    if said == "bare" {
        device = json!({});
    } else {
        lay(&mut device, said);
    }
    device["volumes"] = Value::Array(volumes);
    typed("device", device)
}

/// Identity of the drive that is called so in files.
fn identity(drive: &str) -> String {
    let letter = drive.bytes().next().unwrap_or(b'?');
    Uuid::from_u128(u128::from(letter) << 120 | 1).to_string()
}

/// `recovery_password 2`: a protector's type and number.
fn protector(said: &str) -> Result<(ProtectorType, String), String> {
    let (kind, number) = said.split_once(' ').ok_or_else(|| format!("which {said}?"))?;
    let kind: ProtectorType = typed("protector", json!(kind))?;
    let number: u128 = number.parse().map_err(|_| format!("which {said}?"))?;
    let id = Uuid::from_u128((kind as u128) << 124 | number << 96 | 7);
    Ok((kind, id.to_string()))
}

fn volumes(said: &Value) -> Result<Vec<Value>, String> {
    if said == "none" {
        return Ok(Vec::new());
    }
    let plain = json!({ "C:": { "is": "plain" } });
    let drives = said.as_object().or(plain.as_object()).into_iter().flatten();
    drives
        .filter(|(_, said)| said["is"] != "absent")
        .map(|(name, said)| volume(name, said))
        .collect()
}

fn volume(name: &str, said: &Value) -> Result<Value, String> {
    let letter = name.chars().next().unwrap_or('?');
    let kind = match letter {
        'C' => VolumeKind::Os,
        'R'..='Z' => VolumeKind::Removable,
        _ => VolumeKind::Fixed,
    };
    let kind: VolumeKind = match &said["kind"] {
        Value::Null => kind,
        other => typed("kind", other.clone())?,
    };
    let state = said["is"].as_str().unwrap_or("plain");
    let mut volume = state_of(state, kind)?;
    volume["device"] = json!(name);
    volume["kind"] = json!(kind);
    volume["file_system"] = json!("NTFS");
    if state != "plain" {
        volume["volume"] = json!(identity(name));
    }
    let mut said = said.clone();
    let own = said.as_object_mut().ok_or("a drive is a table")?;
    own.remove("is");
    if let Some(other) = own.remove("clone_of") {
        volume["volume"] = json!(identity(other.as_str().unwrap_or("?")));
    }
    match own.remove("volume") {
        Some(Value::String(word)) if word == "none" => volume["volume"] = Value::Null,
        Some(Value::String(word)) if word == "own" => volume["volume"] = json!(identity(name)),
        _ => {}
    }
    let protectors = own.remove("protectors").unwrap_or_else(|| volume["protectors"].take());
    lay(&mut volume, &said);
    volume["protectors"] = protectors
        .as_array()
        .into_iter()
        .flatten()
        .map(|said| protector(said.as_str().unwrap_or("?")).map(|(kind, id)| json!({ "id": id, "kind": kind })))
        .collect::<Result<Value, _>>()?;
    Ok(volume)
}

/// What a drive that *is* so reports.
fn state_of(state: &str, kind: VolumeKind) -> Result<Value, String> {
    let os = kind == VolumeKind::Os;
    let protectors = if os {
        json!(["tpm 1", "recovery_password 1"])
    } else {
        json!(["external_key 2", "recovery_password 2"])
    };
    let method = "xts_aes128";
    let auto_unlock = if os {
        Value::Null
    } else {
        json!(kind == VolumeKind::Fixed)
    };
    let converting = |conversion: &str| {
        json!({ "protection": "off", "conversion": conversion, "method": method, "encrypted_basis_points": 4000,
                "protectors": protectors, "auto_unlock": auto_unlock })
    };
    Ok(match state {
        "plain" => json!({ "protection": "off", "conversion": "fully_decrypted", "protectors": [],
                           "auto_unlock": if os { Value::Null } else { json!(false) } }),
        "encrypted" => json!({ "protection": "on", "conversion": "fully_encrypted", "method": method,
                               "encrypted_basis_points": 10000, "protectors": protectors, "auto_unlock": auto_unlock }),
        "suspended" => json!({ "protection": "off", "conversion": "fully_encrypted", "method": method,
                               "encrypted_basis_points": 10000, "protectors": protectors, "auto_unlock": auto_unlock,
                               "suspend_count": if os { json!(0) } else { Value::Null } }),
        "encrypting" => converting("encryption_in_progress"),
        "encryption_paused" => converting("encryption_paused"),
        "decrypting" => converting("decryption_in_progress"),
        "decryption_paused" => converting("decryption_paused"),
        "locked" => {
            json!({ "protection": "unknown", "conversion": "fully_encrypted", "lock": "locked", "protectors": [] })
        }
        other => return Err(format!("what is {other}?")),
    })
}

/// `C: recovery_password 1 disclosed proven 2026-11-01`; what is not said is live, proven, and of the first of November.
/// `all`: every recovery password of the device.
fn ledger(said: &Value, volumes: &[Value]) -> Result<Value, String> {
    let mut entries = Vec::new();
    for line in said.as_array().into_iter().flatten().filter_map(Value::as_str) {
        if line == "all" {
            for volume in volumes {
                for protector in volume["protectors"].as_array().into_iter().flatten() {
                    if protector["kind"] == "recovery_password" {
                        entries.push(json!({ "volume": volume["volume"], "protector": protector["id"],
                            "state": "live", "proof": "proven", "escrowed_at": "2026-11-01" }));
                    }
                }
            }
            continue;
        }
        let mut words = line.split(' ');
        let mut word = || words.next().ok_or_else(|| format!("what is {line}?"));
        let (drive, kind, number) = (word()?, word()?, word()?);
        let (_, id) = protector(&format!("{kind} {number}"))?;
        let mut entry = json!({ "volume": identity(drive), "protector": id, "state": "live", "proof": "proven",
                                "escrowed_at": "2026-11-01" });
        for word in words {
            let field = match word {
                "live" | "disclosed" | "superseded" => "state",
                "proven" | "not_proven" | "failed" => "proof",
                _ => "escrowed_at",
            };
            entry[field] = json!(word);
        }
        entries.push(entry);
    }
    Ok(Value::Array(entries))
}

fn situation(said: &Value) -> Result<Situation, String> {
    let mut situation = json!({ "now": "2026-11-25T09:00Z", "server_reachable": true });
    lay(&mut situation, said);
    for used in situation["used"].as_array_mut().into_iter().flatten() {
        *used = json!(protector(used.as_str().unwrap_or("?"))?.1);
    }
    for request in situation["rotate"].as_array_mut().into_iter().flatten() {
        if let Some(drive) = request["volume"].as_str() {
            request["volume"] = json!(identity(drive));
        }
        for wanted in request["protectors"].as_array_mut().into_iter().flatten() {
            *wanted = json!(protector(wanted.as_str().unwrap_or("?"))?.1);
        }
    }
    if let Some(object) = situation.as_object_mut() {
        object.retain(|_, value| !value.is_null());
    }
    typed("situation", situation)
}
