//! The kernel's device mapper: volumes that we created are opened by cryptsetup in a small virtual machine, mounted by
//! the kernel's own NTFS, read, written and closed there; and are still right afterwards.
//!
//! One boot for all volumes. Ignored here, because it needs the virtual machine (`scripts/vm/build`); `./test` runs it.

#![expect(clippy::unwrap_used, reason = "a test that cannot prepare its volume has to fail")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use fve::io::{FileDevice, MemoryDevice, ReadAt};
use fve::{
    Context, CreateOptions, Credential, EncryptionMethod, ExternalKey, FileTime, NewProtector, Passphrase,
    ProtectorKind, RecoveryPassword, Volume, create,
};
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha20Rng;
use sha2::{Digest, Sha256};

const SIZE: u64 = 16 << 20;
const PASSPHRASE: &str = "correct horse";
/// In software emulation, on a busy machine.
const SECONDS: &str = "480";

/// A volume and what lies in it.
struct Made {
    name: String,
    image: PathBuf,
    sector_size: u32,
    recovery: RecoveryPassword,
    copies: [(u64, Vec<u8>); 3],
    /// The steps in the machine open it by this file, with or without `--key-file`.
    secret: &'static str,
    files: Vec<(String, Vec<u8>)>,
}

#[test]
#[ignore = "needs the small virtual machine; run by ./test"]
fn the_kernel_maps_mounts_and_writes_every_volume_and_all_of_it_is_still_right() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let directory = tempfile::tempdir().unwrap();
    let plan = directory.path().join("plan");
    std::fs::create_dir(&plan).unwrap();
    let mut volumes = Vec::new();
    for method in [
        EncryptionMethod::AesCbc128,
        EncryptionMethod::AesCbc256,
        EncryptionMethod::AesXts128,
        EncryptionMethod::AesXts256,
    ] {
        for sector_size in [512, 4096] {
            for used_space_only in [false, true] {
                let number = volumes.len();
                volumes.push(make(
                    directory.path(),
                    number,
                    method,
                    sector_size,
                    used_space_only,
                    &mut rng,
                ));
            }
        }
    }
    let added = contents(&mut rng, "new", &[1_500_000, 4097, 1]);
    for (name, content) in &added {
        std::fs::write(plan.join(name), content).unwrap();
    }
    write_steps(&plan, &volumes, &added);
    let said = boot(directory.path(), &plan, &volumes);
    for volume in &volumes {
        let line = format!("VM-OK {}", volume.name);
        assert!(
            said.lines().any(|said| said.trim().ends_with(&line)),
            "{line} is missing:\n{said}"
        );
    }
    assert!(said.contains("VM-DONE"), "{said}");
    for volume in &volumes {
        check_afterwards(volume, &added, directory.path());
    }
}

fn make(
    directory: &Path,
    number: usize,
    method: EncryptionMethod,
    sector_size: u32,
    used_space_only: bool,
    rng: &mut ChaCha20Rng,
) -> Made {
    let extent = if used_space_only { "used" } else { "full" };
    let name = format!("v{number}-{:x}-{sector_size}-{extent}", method.number());
    let plain = directory.join("plain.img");
    let files = ntfs_with_files(&plain, sector_size, rng);
    let inner = MemoryDevice::new(std::fs::read(&plain).unwrap());
    let image = directory.join(format!("{name}.img"));
    std::fs::File::create(&image).unwrap().set_len(SIZE).unwrap();
    let recovery = RecoveryPassword::generate(rng);
    let external = ExternalKey::generate(rng);
    let passphrase = Passphrase::new(PASSPHRASE);
    let mut protectors = vec![
        NewProtector::RecoveryPassword(&recovery),
        NewProtector::ExternalKey(&external),
    ];
    // A stretch takes half a minute in software emulation, and cryptsetup tries a key file as passphrase too. So a passphrase
    // opens one volume, a recovery password another one, and key files the rest.
    let secret = match number {
        6 => "passphrase",
        9 => "recovery",
        _ => "BEK",
    };
    if secret == "passphrase" {
        protectors.push(NewProtector::Passphrase(&passphrase));
    }
    let options = CreateOptions {
        method,
        description: Some("MACHINE DATA 24.11.2026"),
        protectors: &protectors,
        used_space_only,
        ..CreateOptions::default()
    };
    let device = FileDevice::open_write(&image).unwrap();
    let volume = create(device, &inner, &options, &mut context(rng)).unwrap();
    let infos = volume.protectors().unwrap();
    let external = infos
        .iter()
        .find(|info| info.kind == ProtectorKind::ExternalKey)
        .unwrap();
    let plan = directory.join("plan");
    std::fs::write(
        plan.join(format!("{name}.BEK")),
        volume.bek(external.id).unwrap().to_bytes(),
    )
    .unwrap();
    std::fs::write(plan.join(format!("{name}.recovery")), recovery.expose().as_bytes()).unwrap();
    std::fs::write(plan.join(format!("{name}.passphrase")), PASSPHRASE).unwrap();
    let area = volume.metadata_bytes();
    let copies = volume.copies().map(|copy| (copy.offset, area.clone()));
    Made {
        name,
        image,
        sector_size,
        recovery,
        copies,
        secret,
        files,
    }
}

fn context(rng: &mut ChaCha20Rng) -> Context<'_> {
    Context {
        now: FileTime(133_700_000_000_000_000),
        rng,
    }
}

fn contents(rng: &mut ChaCha20Rng, stem: &str, lens: &[usize]) -> Vec<(String, Vec<u8>)> {
    let content = |&len: &usize| {
        let mut bytes = vec![0; len];
        rng.fill_bytes(&mut bytes);
        (format!("{stem}-{len}.bin"), bytes)
    };
    lens.iter().map(content).collect()
}

fn ntfs_with_files(path: &Path, sector_size: u32, rng: &mut ChaCha20Rng) -> Vec<(String, Vec<u8>)> {
    std::fs::File::create(path).unwrap().set_len(SIZE).unwrap();
    let sector = sector_size.to_string();
    run(Command::new("mkntfs")
        .args([
            "-F", "-Q", "-q", "-s", &sector, "-c", "4096", "-p", "0", "-H", "0", "-S", "0", "-L", "TEST",
        ])
        .arg(path));
    let files = contents(rng, "old", &[300, 70_000, 2_000_000]);
    let source = path.with_extension("file");
    for (name, content) in &files {
        std::fs::write(&source, content).unwrap();
        run(Command::new("ntfscp")
            .args(["-f", "-q"])
            .arg(path)
            .arg(&source)
            .arg(name));
    }
    files
}

/// The shell commands for the machine. In each volume: compare all files, write three new ones, overwrite one in place, delete
/// one, close, open again, compare.
fn write_steps(plan: &Path, volumes: &[Made], added: &[(String, Vec<u8>)]) {
    let mut steps = String::from(
        "each() { # name device type-of-secret\n\
         key=; [ $3 = BEK ] && key=\"--key-file /plan/$1.BEK\"\n\
         cryptsetup open --type bitlk $key $2 $1 </plan/$1.$3 || stop \"$1: open\"\n\
         mount -t ntfs3 /dev/mapper/$1 /mnt || stop \"$1: mount\"\n\
         (cd /mnt && sha256sum -s -c /plan/$1.before) || stop \"$1: what was there\"\n\
         cp /plan/new-* /mnt && cat /plan/overwritten | dd of=/mnt/old-70000.bin conv=notrunc bs=5000 seek=3 2>/dev/null || stop \"$1: write\"\n\
         mkdir /mnt/directory && rm /mnt/old-300.bin && mv /mnt/new-1.bin /mnt/directory/ || stop \"$1: change\"\n\
         umount /mnt && cryptsetup close $1 || stop \"$1: close\"\n\
         echo 3 >/proc/sys/vm/drop_caches\n\
         cryptsetup open --type bitlk --key-file /plan/$1.BEK -r $2 $1 && mount -t ntfs3 -o ro /dev/mapper/$1 /mnt || stop \"$1: open again\"\n\
         (cd /mnt && sha256sum -s -c /plan/$1.after) || stop \"$1: what is there now\"\n\
         umount /mnt && cryptsetup close $1 || stop \"$1: close again\"\n\
         echo VM-OK $1\n}\n",
    );
    std::fs::write(plan.join("overwritten"), overwritten()).unwrap();
    for (number, volume) in volumes.iter().enumerate() {
        let device = char::from(b'b' + u8::try_from(number).unwrap());
        writeln!(steps, "each {} /dev/vd{device} {}", volume.name, volume.secret).unwrap();
        let sums = |files: &[(String, Vec<u8>)]| {
            let line =
                |(name, content): &(String, Vec<u8>)| format!("{}  {name}\n", hex::encode(Sha256::digest(content)));
            files.iter().map(line).collect::<String>()
        };
        std::fs::write(plan.join(format!("{}.before", volume.name)), sums(&volume.files)).unwrap();
        std::fs::write(plan.join(format!("{}.after", volume.name)), sums(&after(volume, added))).unwrap();
    }
    std::fs::write(plan.join("steps"), steps).unwrap();
}

fn overwritten() -> Vec<u8> {
    vec![0x5A; 12_345]
}

/// What a volume holds after the steps.
fn after(volume: &Made, added: &[(String, Vec<u8>)]) -> Vec<(String, Vec<u8>)> {
    let mut files = volume.files.clone();
    files.retain(|(name, _)| name != "old-300.bin");
    for (name, content) in &mut files {
        if name == "old-70000.bin" {
            content[15_000..27_345].copy_from_slice(&overwritten());
        }
    }
    files.extend(added.iter().map(|(name, content)| match name.as_str() {
        "new-1.bin" => ("directory/new-1.bin".to_owned(), content.clone()),
        _ => (name.clone(), content.clone()),
    }));
    files
}

/// Boots once; what the machine said.
fn boot(directory: &Path, plan: &Path, volumes: &[Made]) -> String {
    let disk = directory.join("plan.tar");
    run(Command::new("tar").arg("-C").arg(plan).arg("-cf").arg(&disk).arg("."));
    // Whole sectors, or the last piece does not arrive.
    let len = std::fs::metadata(&disk).unwrap().len().next_multiple_of(1 << 20);
    std::fs::OpenOptions::new()
        .write(true)
        .open(&disk)
        .unwrap()
        .set_len(len)
        .unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/vm/boot");
    let mut command = Command::new(script);
    command.arg(SECONDS).arg(&disk);
    for volume in volumes {
        command.arg(&volume.image).arg(volume.sector_size.to_string());
    }
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{script} does not run: {error}"));
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{script}: {}\n{said}", output.status);
    said
}

/// Our reader, ntfsfix and ntfscat on what the machine left; the metadata as it was.
fn check_afterwards(volume: &Made, added: &[(String, Vec<u8>)], directory: &Path) {
    let opened = Volume::open(FileDevice::open_read(&volume.image).unwrap()).unwrap();
    let opened = opened.unlock(&Credential::RecoveryPassword(&volume.recovery)).unwrap();
    for (offset, area) in &volume.copies {
        let mut now = vec![0; area.len()];
        opened.device().read_at(*offset, &mut now).unwrap();
        assert!(now == *area, "{}: the metadata at {offset} was written to", volume.name);
    }
    let mut plain = vec![0; usize::try_from(opened.size()).unwrap()];
    opened.read_at(0, &mut plain).unwrap();
    let image = directory.join("after.img");
    std::fs::write(&image, plain).unwrap();
    run(Command::new("ntfsfix").arg("-n").arg(&image));
    for (name, content) in after(volume, added) {
        let output = Command::new("ntfscat")
            .arg("-f")
            .arg(&image)
            .arg(&name)
            .output()
            .unwrap();
        assert!(
            output.stdout == content,
            "{}: {name}: {}",
            volume.name,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let gone = Command::new("ntfscat")
        .arg("-f")
        .arg(&image)
        .arg("old-300.bin")
        .output()
        .unwrap();
    assert!(!gone.status.success(), "{}: a deleted file is there", volume.name);
}

fn run(command: &mut Command) {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?} does not run: {error}; ./test installs the tools"));
    assert!(
        output.status.success(),
        "{command:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
