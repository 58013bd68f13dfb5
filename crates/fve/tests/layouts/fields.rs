//! Every field of `info`, on every volume of Windows that there is, against two readers that share nothing with us.

use std::path::{Path, PathBuf};
use std::process::Command;

use fve::io::FileDevice;
use fve::{EncryptionMethod, ProtectorKind, Volume, VolumeInfo};
use serde_json::{Value, json};

fn images() -> Vec<PathBuf> {
    let directory = std::env::var_os("CLAVIGER_WINDOWS_IMAGES")
        .expect("CLAVIGER_WINDOWS_IMAGES is not set: run ./test, which fetches the Windows-made images and sets it");
    let mut images = Vec::new();
    for folder in ["", "more/cryptsetup", "more/dissect"] {
        let files = std::fs::read_dir(Path::new(&directory).join(folder)).unwrap();
        images.extend(files.map(|file| file.unwrap().path()).filter(|path| {
            path.extension().is_some_and(|extension| extension == "img") && !path.ends_with("vista.img")
        }));
    }
    images.sort();
    assert!(images.len() >= 34, "{} images", images.len());
    images
}

fn info(path: &Path) -> VolumeInfo {
    Volume::open(FileDevice::open_read(path).unwrap()).unwrap().info()
}

/// One JSON object for each image: what dissect reads, raw numbers wherever it keeps them.
const DISSECT: &str = "
import json, struct, sys
from dissect.fve.bde.bde import BDE
for path in sys.argv[1:]:
    bde = BDE(open(path, 'rb'))
    # Of the sound copies the newest counts.
    info = max(bde._valid_information, key=lambda i: i.dataset.header.NonceCounter)
    dataset = info.dataset.header
    protectors = []
    for d in info.dataset.data:
        if d.role.value != 2: continue
        label = [p.text for p in d.properties if p.type.value == 2]
        protectors.append({
            'id': str(d.identifier), 'created': d._datum.DateTime, 'priority': int(d._datum.Priority),
            'name': label[0] if label else None,
            'parts': [[p.role.value, p.type.value, p.size] for p in d.properties],
        })
    virtualization = info.dataset.find_virtualization_info()
    boot = open(path, 'rb').read(512)
    print(json.dumps({
        'volume': str(info.dataset.identifier),
        'created': dataset.CreationTime, 'method': int(dataset.FvekType),
        'next_nonce': dataset.NonceCounter,
        'description': info.dataset.find_description(),
        'states': [info.current_state.value, info.next_state.value], 'watermark': info.state_offset,
        'copies': list(info.information_offset), 'sound': sorted(i.offset for i in bde._valid_information),
        'header': [virtualization.virtualized_block_offset, virtualization.virtualized_block_size],
        'header_too': [info.virtualized_block_offset, info.virtualized_sectors * bde.sector_size],
        'sector_size': bde.sector_size, 'eow': bool(bde.boot_sector.eow_offsets), 'to_go': boot[3:11] == b'MSWIN4.1',
        'protectors': protectors,
    }))
";

fn python(script: &str, images: &[PathBuf]) -> Vec<Value> {
    let output = Command::new("python3")
        .arg("-c")
        .arg(script)
        .args(images)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}; ./test installs the readers");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn dissect_reads_the_same_in_every_field() {
    // In the two images whose conversion bitmaps were cut out dissect reads nothing.
    let cut = |path: &PathBuf| {
        path.ends_with("bitlk-aes-xts-128-eow.img") || path.ends_with("bitlk-clearkey-aes-cbc-128.img")
    };
    let images: Vec<_> = images().into_iter().filter(|path| !cut(path)).collect();
    let theirs = python(DISSECT, &images);
    assert_eq!(theirs.len(), images.len());
    for (path, theirs) in images.iter().zip(theirs) {
        let info = info(path);
        let protectors = info.protectors.iter().map(|protector| {
            json!({
                "id": protector.id.to_plain_string().to_lowercase(),
                "created": protector.created.0,
                "priority": protector.kind.priority(),
                "name": protector.name,
                "parts": protector.parts.iter().map(|part| json!([part.role, part.kind, part.len])).collect::<Vec<_>>(),
            })
        });
        let mut sound: Vec<_> = info
            .copies
            .iter()
            .filter(|copy| copy.problem.is_none())
            .map(|copy| copy.offset)
            .collect();
        sound.sort_unstable();
        let header = [info.header_offset, info.header_len];
        let ours = json!({
            "volume": info.volume.to_plain_string().to_lowercase(),
            "created": info.created.0,
            "method": info.method_number,
            "next_nonce": info.next_nonce,
            "description": info.description,
            "states": [info.current_state, info.next_state],
            "watermark": info.watermark,
            "copies": info.copies.iter().map(|copy| copy.offset).collect::<Vec<_>>(),
            "sound": sound,
            "header": header,
            "header_too": header,
            "sector_size": info.sector_size,
            "eow": info.layout == fve::format::read::Layout::Eow,
            "to_go": info.layout == fve::format::read::Layout::ToGo,
            "protectors": protectors.collect::<Vec<_>>(),
        });
        for (field, value) in theirs.as_object().unwrap() {
            assert_eq!(&ours[field], value, "{}: {field}", path.display());
        }
    }
}

/// The extended information, taken from the raw bytes of a copy.
const EXTENDED: &str = "
import json, struct, sys
for path in sys.argv[1:]:
    file = open(path, 'rb')
    boot = file.read(512)
    for guid in (b'\\x3b\\xd6\\x67\\x49', b'\\x3b\\x4d\\xa8\\x92'):
        at = boot.find(guid)
        if at >= 0: break
    file.seek(struct.unpack_from('<Q', boot, at + 16)[0])
    area = file.read(65536)
    at = next((i for i in range(112, 65000) if area[i + 2:i + 6] == b'\\x0f\\0\\x0f\\0' and area[i:i + 2] == b'\\x64\\0'), None)
    if at is None: print('null'); continue
    names = 'version size wipe_files_max flags log_offset log_len sector_size native_sector_size os_major os_minor os_build platform sp0 sp1 suite product_type architecture ice_offset ice_len'.split()
    fields = dict(zip(names, struct.unpack_from('<HHIQQIIIIIIIHHHBBQQ', area, at + 24)))
    fields['service_pack'] = [fields.pop('sp0'), fields.pop('sp1')]
    assert fields.pop('size') == 76
    print(json.dumps(fields))
";

#[test]
fn the_extended_information_is_right_in_every_field() {
    let images = images();
    let mut with = 0;
    for (path, theirs) in images.iter().zip(python(EXTENDED, &images)) {
        let ours = serde_json::to_value(info(path).extended).unwrap();
        assert_eq!(ours, theirs, "{}", path.display());
        with += u32::from(!ours.is_null());
    }
    assert!(with >= 28, "{with}");
}

/// `cryptsetup bitlkDump` as lines of name and value.
fn dump(path: &Path) -> Option<Vec<(String, String)>> {
    let output = Command::new("cryptsetup")
        .arg("bitlkDump")
        .arg(path)
        .env("TZ", "UTC")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    output.status.success().then(|| {
        let pairs = text.lines().filter_map(|line| line.split_once(':'));
        pairs
            .map(|(name, value)| {
                (
                    name.trim().to_owned(),
                    value.trim().trim_end_matches(" [bytes]").to_owned(),
                )
            })
            .collect()
    })
}

fn protection(kind: ProtectorKind) -> &'static str {
    match kind {
        ProtectorKind::ClearKey => "VMK protected with clear key",
        ProtectorKind::Passphrase => "VMK protected with passphrase",
        ProtectorKind::RecoveryPassword => "VMK protected with recovery passphrase",
        ProtectorKind::ExternalKey => "VMK protected with startup key",
        ProtectorKind::PublicKey => "VMK protected with smart card",
        _ => "VMK protected with TPM",
    }
}

fn cipher(method: EncryptionMethod) -> (&'static str, &'static str) {
    match method {
        EncryptionMethod::AesCbc128Elephant => ("cbc-elephant", "128 bits"),
        EncryptionMethod::AesCbc256Elephant => ("cbc-elephant", "256 bits"),
        EncryptionMethod::AesCbc128 => ("cbc-eboiv", "128 bits"),
        EncryptionMethod::AesCbc256 => ("cbc-eboiv", "256 bits"),
        EncryptionMethod::AesXts128 => ("xts-plain64", "128 bits"),
        EncryptionMethod::AesXts256 => ("xts-plain64", "256 bits"),
    }
}

#[test]
fn cryptsetup_dumps_the_same() {
    let mut dumped = 0;
    for path in images() {
        let Some(dump) = dump(&path) else { continue };
        let info = info(&path);
        // The packaged version believes copy 0 whatever its checksum says.
        if info.copies[0].problem.is_some() {
            continue;
        }
        dumped += 1;
        let all = |name: &str| -> Vec<&str> {
            dump.iter()
                .filter(|(key, _)| key == name)
                .map(|(_, value)| value.as_str())
                .collect()
        };
        let name = path.display();
        let lower = |guid: fve::Guid| guid.to_plain_string().to_lowercase();
        let mut guids = vec![lower(info.volume)];
        guids.extend(info.protectors.iter().map(|protector| lower(protector.id)));
        assert_eq!(all("GUID"), guids, "{name}");
        assert_eq!(all("Sector size"), [info.sector_size.to_string().as_str()], "{name}");
        assert_eq!(
            all("Description"),
            [info.description.clone().unwrap_or_default().as_str()],
            "{name}"
        );
        let (mode, _) = cipher(info.method.unwrap());
        assert_eq!(all("Cipher mode"), [mode], "{name}");
        let kinds: Vec<_> = info
            .protectors
            .iter()
            .map(|protector| protection(protector.kind))
            .collect();
        assert_eq!(all("Protection"), kinds, "{name}");
        let mut offsets: Vec<_> = info.copies.iter().map(|copy| copy.offset.to_string()).collect();
        offsets.push(info.header_offset.to_string());
        assert_eq!(all("Offset"), offsets, "{name}");
        assert_eq!(
            all("Size").last(),
            Some(&info.header_len.to_string().as_str()),
            "{name}"
        );
        // The creation time, to the second.
        let seconds = info.created.unix_millis().div_euclid(1000);
        let date = Command::new("date")
            .args(["-u", "-d", &format!("@{seconds}"), "+%a %b %e %H:%M:%S %Y"])
            .env("LC_ALL", "C")
            .output();
        let date = String::from_utf8(date.unwrap().stdout).unwrap();
        assert_eq!(
            dump.iter()
                .find(|(key, _)| key == "Created")
                .map(|(_, value)| value.as_str()),
            Some(date.trim()),
            "{name}"
        );
    }
    assert!(dumped >= 16, "{dumped}");
}
