//! One device.

use axum::{
    extract::{Path, State},
    response::Response,
};
use domain::{
    compliance::VolumeCompliance,
    ids::{DeviceId, VolumeId},
    inventory::{Inventory, Tpm, VolumeReport},
    ledger::KeyState,
    time::Timestamp,
    volume::{EncryptionMethod, LockStatus, ProtectorType},
};
use serde::Deserialize;
use store::model::{KeyRecord, RequestKind};

use crate::{
    csrf::CsrfForm,
    error::{AppError, Result},
    services::{
        devices::{self, DeviceDetail},
        requests,
    },
    session::CurrentUser,
    state::AppState,
    web::{
        format::{exact, moment, moment_or, size},
        frame::{Frame, go, page as answer},
        names::Names,
        view::{
            chrome::Place,
            device::{DevicePage, KeyLine, ProtectorLine, ReasonLine, VolumeCard},
            part::{Fact, KeyId, Meter},
        },
        words,
    },
};

/// Which volume; empty: all.
#[derive(Debug, Deserialize)]
pub(crate) struct Fields {
    #[serde(default)]
    volume: String,
}

/// `GET /admin/devices/{id}`.
pub(crate) async fn page(
    State(state): State<AppState>,
    frame: Frame,
    user: CurrentUser,
    Path(id): Path<String>,
) -> Result<Response> {
    let id = named(&id)?;
    let detail = devices::get(&state, &user, id).await?;
    let now = state.now();
    let names = Names::of(&state, &detail.history).await?;
    let chrome = frame.chrome(&user, Place::Devices);
    let audit_href = if chrome.may_read_audit() {
        format!("/admin/audit?device={id}")
    } else {
        String::new()
    };
    let device = &detail.device;
    answer(&DevicePage {
        id: id.to_string(),
        name: device.hostname.clone(),
        compliance: words::verdict(device.verdict),
        seen: moment_or(device.last_seen, now, "never"),
        machine: machine(&detail),
        agent: agent(&detail),
        users: device
            .inventory
            .as_ref()
            .map(|inventory| inventory.users.clone())
            .unwrap_or_default(),
        volumes: cards(&detail, now),
        former: former(&detail, now),
        history: detail
            .history
            .iter()
            .map(|entry| names.event(entry, now, Some(id)))
            .collect(),
        warnings: warnings(&detail),
        rotation_pending: pending(&detail, None),
        audit_href,
        chrome,
    })
}

/// `POST /admin/devices/{id}/rotate`.
pub(crate) async fn rotate(
    State(state): State<AppState>,
    user: CurrentUser,
    Path(id): Path<String>,
    CsrfForm(fields): CsrfForm<Fields>,
) -> Result<Response> {
    let id = named(&id)?;
    let volume: Option<VolumeId> = match fields.volume.as_str() {
        "" => None,
        text => Some(
            text.parse()
                .map_err(|_| AppError::invalid("volume", "volume: a volume of this device"))?,
        ),
    };
    requests::rotate(&state, &user, id, volume, "by an administrator").await?;
    let done = if volume.is_some() { "rotate-volume" } else { "rotate" };
    Ok(go(&format!("/admin/devices/{id}?done={done}")))
}

fn named(id: &str) -> Result<DeviceId> {
    id.parse().map_err(|_| AppError::not_found("There is no such device."))
}

fn machine(detail: &DeviceDetail) -> Vec<Fact> {
    let device = &detail.device;
    let Some(inventory) = &device.inventory else {
        return vec![Fact::new("Hardware ID", device.hardware_id.clone())];
    };
    let model = format!("{} {}", inventory.manufacturer.trim(), inventory.model.trim());
    let form = match (inventory.virtual_machine, inventory.portable) {
        (true, _) => "Virtual machine",
        (false, true) => "Portable",
        (false, false) => "Not portable",
    };
    vec![
        Fact::new("Model", model.trim()),
        Fact::new("System", format!("{} {}", inventory.os, inventory.os_version).trim()),
        Fact::new("TPM", tpm(inventory)),
        Fact::new("Form", form),
        Fact::new("Hardware ID", device.hardware_id.clone()),
    ]
}

fn tpm(inventory: &Inventory) -> String {
    match &inventory.tpm {
        Tpm::Absent => "None".to_owned(),
        Tpm::NotReady { reason, .. } => format!("Not ready: {reason}"),
        Tpm::Ready {
            manufacturer,
            spec_version,
        } => format!("{spec_version}, ready ({})", manufacturer.trim()),
    }
}

fn agent(detail: &DeviceDetail) -> Vec<Fact> {
    let device = &detail.device;
    let written = |at: Option<Timestamp>| at.map(|at| format!("{} UTC", exact(at))).unwrap_or_default();
    let version = device
        .inventory
        .as_ref()
        .map(|inventory| inventory.agent_version.clone())
        .unwrap_or_default();
    let mut facts = vec![
        Fact::new("Version", version),
        Fact::new("Enrolled", written(Some(device.enrolled_at))),
        Fact::new("Last report", written(device.inventory_at)),
        Fact::new("Device ID", device.id.to_string()),
    ];
    if let Some(at) = device.retired_at {
        facts.push(Fact::new("Retired", written(Some(at))));
    }
    facts
}

fn warnings(detail: &DeviceDetail) -> Vec<String> {
    let device = &detail.device;
    let mut lines = Vec::new();
    if device.retired_at.is_some() {
        lines.push("This device is retired: it may not report any more. Its keys are kept.".to_owned());
    }
    if device.duplicate_hardware {
        lines.push("Another device has, or had at enrolment, the same hardware ID. Both are kept apart; look which of them is the real one.".to_owned());
    }
    lines.extend(
        device
            .blocked
            .iter()
            .map(|blocked| format!("{}: {}", volume_called(detail, &blocked.device), blocked.reason)),
    );
    lines.extend(
        device
            .last_error
            .iter()
            .map(|error| format!("The agent's last failure: {error}")),
    );
    lines
}

fn volume_called(detail: &DeviceDetail, device: &str) -> String {
    let report = detail
        .device
        .inventory
        .iter()
        .flat_map(|inventory| &inventory.volumes)
        .find(|report| report.device == device);
    report.map_or_else(|| device.to_owned(), name_of)
}

fn name_of(report: &VolumeReport) -> String {
    words::volume_name(report.letter.as_deref(), Some(&report.label), &report.device)
}

/// Whether the device still owes a replacement: of this volume, or, with `None`, of all volumes.
fn pending(detail: &DeviceDetail, volume: Option<VolumeId>) -> bool {
    detail
        .requests
        .iter()
        .filter(|request| request.done_at.is_none())
        .any(|request| match &request.kind {
            RequestKind::Rotate(rotate) => rotate.volume.is_none() || (volume.is_some() && rotate.volume == volume),
            RequestKind::Report => false,
        })
}

fn cards(detail: &DeviceDetail, now: Timestamp) -> Vec<VolumeCard> {
    let Some(inventory) = &detail.device.inventory else {
        return Vec::new();
    };
    let verdicts = detail
        .device
        .compliance
        .as_ref()
        .map(|compliance| compliance.volumes.as_slice())
        .unwrap_or_default();
    inventory
        .volumes
        .iter()
        .map(|report| {
            card(
                detail,
                report,
                verdicts.iter().find(|verdict| verdict.device == report.device),
                now,
            )
        })
        .collect()
}

fn card(
    detail: &DeviceDetail,
    report: &VolumeReport,
    verdict: Option<&VolumeCompliance>,
    now: Timestamp,
) -> VolumeCard {
    let reasons = verdict.map(|verdict| verdict.reasons.as_slice()).unwrap_or_default();
    VolumeCard {
        name: name_of(report),
        kind: words::kind(report.kind).to_owned(),
        icon: words::kind_icon(report.kind),
        id: report.volume.map(|id| id.to_string()).unwrap_or_default(),
        compliance: words::verdict(verdict.map_or(domain::compliance::Verdict::Unknown, |verdict| verdict.verdict)),
        reasons: reasons
            .iter()
            .map(|reason| ReasonLine {
                code: reason.code(),
                text: reason.sentence().to_owned(),
            })
            .collect(),
        protection: words::protection(report.protection, report.suspend_count.is_some()),
        conversion: meter(report),
        facts: facts(report),
        protectors: protectors(report),
        keys: keys(detail, report.volume, now),
        rotation_pending: report.volume.is_some() && pending(detail, report.volume),
    }
}

fn meter(report: &VolumeReport) -> Meter {
    use domain::volume::ConversionStatus::{FullyDecrypted, FullyEncrypted};
    let percent = u8::try_from(report.encrypted_basis_points.min(10_000) / 100).unwrap_or(100);
    let (tone, words) = words::conversion(report.conversion);
    match report.conversion {
        FullyEncrypted => Meter {
            percent: 100,
            label: words.to_owned(),
            tone,
        },
        FullyDecrypted => Meter {
            percent: 0,
            label: words.to_owned(),
            tone,
        },
        _ => Meter {
            percent,
            label: format!("{words}, {percent} %"),
            tone,
        },
    }
}

fn facts(report: &VolumeReport) -> Vec<Fact> {
    let method = match report.method {
        EncryptionMethod::None => "None",
        other => other.name(),
    };
    let mut facts = vec![
        Fact::new("Method", method),
        Fact::new("Size", size(report.size)),
        Fact::new("File system", report.file_system.clone()),
    ];
    facts.push(Fact::new(
        "Lock",
        if report.lock == LockStatus::Locked {
            "Locked"
        } else {
            "Unlocked"
        },
    ));
    if let Some(on) = report.auto_unlock {
        facts.push(Fact::new("Automatic unlock", if on { "On" } else { "Off" }));
    }
    if let Some(count) = report.suspend_count {
        facts.push(Fact::new(
            "Suspended",
            if count == 0 {
                "until resumed by hand".to_owned()
            } else {
                format!("for {count} restarts")
            },
        ));
    }
    facts.push(Fact::new("Name for the system", report.device.clone()));
    facts
}

fn protectors(report: &VolumeReport) -> Vec<ProtectorLine> {
    report
        .protectors
        .iter()
        .map(|protector| {
            let kind = words::protector(protector.kind);
            let automatic = protector.kind == ProtectorType::ExternalKey && report.auto_unlock == Some(true);
            ProtectorLine {
                kind: if automatic {
                    format!("{kind} (automatic unlock)")
                } else {
                    kind.to_owned()
                },
                id: KeyId {
                    id: protector.id.to_string(),
                },
            }
        })
        .collect()
}

fn keys(detail: &DeviceDetail, volume: Option<VolumeId>, now: Timestamp) -> Vec<KeyLine> {
    let Some(volume) = volume else { return Vec::new() };
    detail
        .keys
        .iter()
        .filter(|key| key.name.volume == volume)
        .map(|key| key_line(key, now))
        .collect()
}

/// Keys of volumes that the last report does not have.
fn former(detail: &DeviceDetail, now: Timestamp) -> Vec<KeyLine> {
    let here: Vec<VolumeId> = detail
        .device
        .inventory
        .iter()
        .flat_map(|inventory| &inventory.volumes)
        .filter_map(|report| report.volume)
        .collect();
    detail
        .keys
        .iter()
        .filter(|key| !here.contains(&key.name.volume))
        .map(|key| key_line(key, now))
        .collect()
}

fn key_line(key: &KeyRecord, now: Timestamp) -> KeyLine {
    KeyLine {
        id: KeyId {
            id: key.name.protector.to_string(),
        },
        state: words::key_state(key.state),
        proof: words::proof(key.proof),
        proven_at: key.proof_at.map(|at| moment(at, now)),
        escrowed_at: moment(key.escrowed_at, now),
        disclosed: key.disclosed_at.map(|at| moment(at, now)),
    }
}

/// Whether a key is still in use.
pub(super) fn in_use(key: &KeyRecord) -> bool {
    key.state != KeyState::Superseded
}
