//! Further volumes that Windows made: those of cryptsetup's newer test set and of dissect's, fetched by `./test` into the
//! folder `more` beside the others.

use std::path::PathBuf;
use std::process::Command;

use fve::format::read::Layout;
use fve::io::{FileDevice, ReadAt};
use fve::{Bek, ConversionStatus, Credential, Error, Passphrase, RecoveryPassword, UnlockedVolume, Volume};
use sha2::{Digest, Sha256};

fn path(name: &str) -> PathBuf {
    let directory = std::env::var_os("CLAVIGER_WINDOWS_IMAGES")
        .expect("CLAVIGER_WINDOWS_IMAGES is not set: run ./test, which fetches the Windows-made images and sets it");
    PathBuf::from(directory).join("more").join(name)
}

fn open(name: &str) -> Volume<FileDevice> {
    let path = path(name);
    let device = FileDevice::open_read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; scripts/fetch-windows-images fetches it", path.display()));
    Volume::open(device).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn sum(view: &dyn ReadAt) -> String {
    let mut hasher = Sha256::new();
    let mut piece = vec![0; 1 << 20];
    for offset in (0..view.size()).step_by(piece.len()) {
        let len = piece.len().min((view.size() - offset) as usize);
        view.read_at(offset, &mut piece[..len]).unwrap();
        hasher.update(&piece[..len]);
    }
    hex::encode(hasher.finalize())
}

fn by_password(name: &str, password: &str) -> Result<UnlockedVolume<FileDevice>, Error> {
    open(name).unlock(&Credential::RecoveryPassword(
        &RecoveryPassword::parse(password).unwrap(),
    ))
}

fn by_passphrase(name: &str, phrase: &str) -> UnlockedVolume<FileDevice> {
    open(name)
        .unlock(&Credential::Passphrase(&Passphrase::new(phrase)))
        .unwrap()
}

#[test]
fn the_newer_images_give_their_published_sums_by_every_credential() {
    let text = std::fs::read_to_string(path("cryptsetup/images.conf")).unwrap();
    let mut checked = 0;
    for section in text.split('[').skip(1) {
        let (name, body) = section.split_once(']').unwrap();
        let get = |wanted: &str| {
            let line = body
                .lines()
                .find_map(|line| line.split_once('=').filter(|(key, _)| *key == wanted));
            line.map(|(_, value)| value).filter(|value| !value.is_empty())
        };
        let file = format!("cryptsetup/{name}.img");
        if !path(&file).exists() {
            continue;
        }
        let expected = get("SHA256SUM").unwrap();
        for key in ["RP", "RP2"] {
            if let Some(password) = get(key) {
                let volume = by_password(&file, password).unwrap();
                assert_eq!(sum(&volume), expected, "{name} by {key}");
                let id = get(&format!("{key}_VMK_GUID")).unwrap().parse().unwrap();
                assert_eq!(
                    volume.recovery_password(id).unwrap().expose().as_str(),
                    password,
                    "{name}"
                );
                checked += 1;
            }
        }
        if let Some(phrase) = get("PW") {
            assert_eq!(sum(&by_passphrase(&file, phrase)), expected, "{name} by passphrase");
            checked += 1;
        }
        if get("CLEARKEY_VMK_GUID").is_some() {
            assert_eq!(
                sum(&open(&file).unlock(&Credential::ClearKey).unwrap()),
                expected,
                "{name}"
            );
            checked += 1;
        }
        let info = open(&file).info();
        assert_eq!(Some(info.volume), get("GUID").map(|guid| guid.parse().unwrap()));
        assert_eq!(
            (info.status, info.percent),
            (ConversionStatus::FullyEncrypted, 100),
            "{name}"
        );
    }
    assert!(checked >= 10, "{checked} credentials checked");
}

const LIBBDE: &str = "
import hashlib, pybde, sys
image, secret = sys.argv[1:3]
volume = pybde.volume()
volume.set_password(secret)
volume.open(image)
if volume.is_locked(): volume.unlock()
assert not volume.is_locked()
read = volume.read_buffer_at_offset
";
const DISSECT: &str = "
import hashlib, sys
from dissect.fve.bde.bde import BDE
image, secret = sys.argv[1:3]
bde = BDE(open(image, 'rb'))
bde.unlock_with_recovery_password(secret)
stream = bde.open()
def read(length, offset):
    stream.seek(offset)
    return stream.read(length)
";
const SUMS: &str = "
for place in sys.argv[3:]:
    offset, length = map(int, place.split('+'))
    print(hashlib.sha256(read(length, offset)).hexdigest())
";

/// What another reader sees at places: SHA-256 of each.
fn theirs(reader: &str, name: &str, secret: &str, places: &[(u64, usize)]) -> Vec<String> {
    let script = format!("{reader}{SUMS}");
    let places = places.iter().map(|(offset, len)| format!("{offset}+{len}"));
    let mut command = Command::new("python3");
    command.args(["-c", &script]).arg(path(name)).arg(secret).args(places);
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}; ./test installs the readers");
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect()
}

fn assert_same(ours: &[String], theirs: &[String], places: &[(u64, usize)]) {
    assert_eq!(ours.len(), theirs.len());
    for ((ours, theirs), (offset, len)) in ours.iter().zip(theirs).zip(places) {
        assert_eq!(ours, theirs, "{len} bytes at {offset}");
    }
}

fn ours(volume: &dyn ReadAt, places: &[(u64, usize)]) -> Vec<String> {
    let sum = |&(offset, len): &(u64, usize)| {
        let mut bytes = vec![0; len];
        volume.read_at(offset, &mut bytes).unwrap();
        hex::encode(Sha256::digest(&bytes))
    };
    places.iter().map(sum).collect()
}

#[test]
fn a_windows_10_conversion_in_progress_reads_as_libbde_reads_it() {
    let volume = by_passphrase("dissect/eow_partial.img", "password12!@");
    let size = volume.size();
    // Everything, in pieces that begin inside of chunks.
    let places: Vec<_> = (0..size)
        .step_by(3_145_728 + 512)
        .map(|at| (at, (size - at).min(3_146_240) as usize))
        .collect();
    let theirs = theirs(LIBBDE, "dissect/eow_partial.img", "password12!@", &places);
    assert_same(&ours(&volume, &places), &theirs, &places);
    let info = open("dissect/eow_partial.img").info();
    // Its flags are those of a decryption, and its first chunks are plain.
    assert_eq!(
        (info.layout, info.status),
        (Layout::Eow, ConversionStatus::DecryptionInProgress)
    );
    let eow = info.eow.unwrap();
    assert_eq!((eow.chunk_size, eow.problem), (8 << 20, None));
    assert!((1..100).contains(&info.percent), "{}", info.percent);
}

#[test]
fn a_paused_windows_7_decryption_reads_as_dissect_reads_it() {
    let password = "131450-120197-153989-250338-511368-495572-680944-381546";
    let volume = by_password("dissect/win7_partial.img", password).unwrap();
    let watermark = open("dissect/win7_partial.img").info().watermark;
    assert_eq!(watermark, 2_234_024 * 512);
    let mut places = vec![
        (0, 1 << 16),
        (watermark - 4096, 8192),
        (watermark - 512, 1024),
        (watermark, 512),
    ];
    places.extend((0..volume.size() - (1 << 16)).step_by(97 << 20).map(|at| (at, 1 << 16)));
    let theirs = theirs(DISSECT, "dissect/win7_partial.img", password, &places);
    assert_same(&ours(&volume, &places), &theirs, &places);
}

#[test]
fn volumes_of_other_makers_open_by_passphrase_password_key_file_and_clear_key() {
    let mut opened = Vec::new();
    for name in [
        "aes_128",
        "aes_256",
        "aes_128_diffuser",
        "aes_256_diffuser",
        "aes-xts_128",
        "aes-xts_256",
    ] {
        opened.push((name, by_passphrase(&format!("dissect/{name}.img"), "password12!@")));
    }
    let password = "284867-596541-514998-422114-660297-261613-215424-199408";
    opened.push((
        "recovery_password",
        by_password("dissect/recovery_password.img", password).unwrap(),
    ));
    for name in ["recovery_key", "startup_key"] {
        let bek = Bek::parse(&std::fs::read(path(&format!("dissect/{name}.bek"))).unwrap()).unwrap();
        let volume = open(&format!("dissect/{name}.img"));
        opened.push((name, volume.unlock(&Credential::ExternalKey(&bek.key)).unwrap()));
    }
    opened.push((
        "suspended",
        open("dissect/suspended.img").unlock(&Credential::ClearKey).unwrap(),
    ));
    for (name, volume) in opened {
        let mut boot = [0; 512];
        volume.read_at(0, &mut boot).unwrap();
        assert_eq!(&boot[3..11], b"NTFS    ", "{name}");
        // The images keep the start of $MFT behind the header.
        let mut record = [0; 8];
        volume.read_at(0x2000, &mut record).unwrap();
        assert_eq!(&record, b"FILE0\0\x03\0", "{name}");
    }
}

#[test]
fn a_volume_that_windows_decrypted_needs_no_key() {
    let volume = open("dissect/decrypted.img");
    let info = volume.info();
    assert_eq!(
        (info.method, info.status, info.protectors.len()),
        (None, ConversionStatus::FullyDecrypted, 0)
    );
    assert!(volume.is_keyless());
    let view = volume.into_keyless().unwrap();
    let mut bytes = vec![0; 0x2400];
    view.read_at(0, &mut bytes).unwrap();
    assert_eq!(
        (&bytes[3..11], &bytes[0x2000..0x2008]),
        (&b"NTFS    "[..], &b"FILE0\0\x03\0"[..])
    );
    let mut copy = [1; 512];
    view.read_at(info.copies[0].offset + 512, &mut copy).unwrap();
    assert_eq!(copy, [0; 512]);
    assert!(open("dissect/suspended.img").into_keyless().is_err());
}

#[test]
fn a_vista_volume_is_refused_by_name() {
    let device = FileDevice::open_read(path("dissect/vista.img")).unwrap();
    let error = Volume::open(device).unwrap_err().to_string();
    assert!(error.contains("version 1"), "{error}");
}

/// An image with its boot sector and two of its metadata copies wiped out.
struct Wiped {
    device: FileDevice,
    wiped: Vec<std::ops::Range<u64>>,
}

impl ReadAt for Wiped {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> std::io::Result<()> {
        self.device.read_at(offset, buf)?;
        let end = offset + buf.len() as u64;
        for range in &self.wiped {
            let (from, to) = (range.start.clamp(offset, end), range.end.clamp(offset, end));
            buf[(from - offset) as usize..(to - offset) as usize].fill(0);
        }
        Ok(())
    }

    fn size(&self) -> u64 {
        self.device.size()
    }
}

#[test]
fn windows_volumes_without_boot_sector_and_with_one_copy_left_are_rescued() {
    let dir = path("").parent().unwrap().to_owned();
    let mut rescued = 0;
    for (name, secret) in [
        ("bitlk-aes-cbc-128-4k", "anaconda"),
        ("bitlk-aes-cbc-256", "anaconda"),
        ("bitlk-aes-cbc-elephant-256", "anaconda"),
        ("bitlk-aes-xts-128-4k", "anaconda"),
        ("bitlk-aes-xts-256", "anaconda"),
        ("bitlk-togo-aes-cbc-128", "anaconda"),
        ("bitlk-togo-aes-xts-128", "anaconda"),
    ] {
        let image = dir.join(format!("{name}.img"));
        let open = || FileDevice::open_read(&image).unwrap();
        let whole = Volume::open(open()).unwrap();
        let copies = whole.info().copies.map(|copy| copy.offset);
        let credential = Passphrase::new(secret);
        let expected = sum(&whole.unlock(&Credential::Passphrase(&credential)).unwrap());
        let wiped = [0, copies[0], copies[1]]
            .iter()
            .zip([8192, 65536, 65536])
            .map(|(&at, len)| at..at + len)
            .collect();
        let device = Wiped { device: open(), wiped };
        let findings = fve::repair::examine(&device, &Default::default(), &mut |_| {
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
        let rescue = fve::repair::rescue(device, &findings, &Default::default()).unwrap();
        let volume = rescue.unlock(&Credential::Passphrase(&credential)).unwrap();
        assert!(
            volume.proof().inner.is_some() && volume.proof().integrity,
            "{name}: {:?}",
            volume.proof()
        );
        assert_eq!(sum(volume.volume()), expected, "{name}");
        assert_eq!(volume.plan().steps.len(), 3, "{name}: two copies and the boot sector");
        rescued += 1;
    }
    assert_eq!(rescued, 7);
}
