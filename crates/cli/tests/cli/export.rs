//! `claviger volume export`: what it writes, and when it writes nothing.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::program::{Run, claviger, names};
use crate::sample::{Folder, PASSPHRASE, sample};

fn export(image: &std::path::Path) -> Run {
    claviger(["volume", "export"]).arg(image)
}

#[test]
fn every_kind_of_credential_gives_the_same_plain_text() {
    let (folder, image) = Folder::with_sample();
    let password = sample().password.expose();
    let bek = folder.put("key.BEK", &sample().bek);
    let runs = [
        export(&image).arg("--clear-key"),
        export(&image).arg("--startup-key").arg(bek),
        export(&image).args(["--startup-key", "-"]).stdin(&sample().bek),
        export(&image).args(["--passphrase-file", "-"]).stdin(PASSPHRASE),
        export(&image)
            .args(["--passphrase-file", "-"])
            .stdin(format!("{PASSPHRASE}\r\n")),
        export(&image).args(["--recovery-password-file", "-"]).stdin(&*password),
        export(&image)
            .args(["--recovery-password-file", "-"])
            .stdin(password.replace('-', " ")),
        export(&image)
            .args(["--recovery-password-file", "-"])
            .stdin(password.replace('-', "")),
    ];
    for run in runs {
        assert!(run.end().done() == sample().plain);
    }
}

#[test]
fn the_plain_text_is_readable_by_its_owner_only() {
    let (folder, image) = Folder::with_sample();
    let output = folder.join("plain");
    export(&image)
        .args(["--clear-key", "--output"])
        .arg(&output)
        .end()
        .done();
    assert!(std::fs::read(&output).unwrap() == sample().plain);
    assert_eq!(output.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(names(folder.path()), ["plain", "volume.img"]);
}

#[test]
fn whatever_is_at_the_output_already_is_left_as_it_is() {
    let (folder, image) = Folder::with_sample();
    let before = folder.put("plain", "precious");
    std::os::unix::fs::symlink("nowhere", folder.join("link")).unwrap();
    for output in [&before, &folder.join("link"), &image, &folder.path().to_owned()] {
        let ended = export(&image).args(["--clear-key", "--output"]).arg(output).end();
        ended.refused_with(&[&output.display().to_string(), "exists already"]);
    }
    assert_eq!(std::fs::read(before).unwrap(), b"precious");
    assert!(std::fs::read(&image).unwrap() == sample().image);
    assert_eq!(names(folder.path()), ["link", "plain", "volume.img"]);
}

#[test]
fn an_output_that_appears_meanwhile_is_left_as_it_is() {
    let (folder, image) = Folder::with_sample();
    let (fifo, output) = (folder.join("secret"), folder.join("plain"));
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let appears = {
        let (fifo, output) = (fifo.clone(), output.clone());
        std::thread::spawn(move || {
            // Opens once the program asks for the secret: by then it has looked at the output.
            let mut fifo = std::fs::OpenOptions::new().write(true).open(fifo).unwrap();
            std::fs::write(output, "precious").unwrap();
            fifo.write_all(PASSPHRASE.as_bytes()).unwrap();
        })
    };
    let run = export(&image)
        .arg("--passphrase-file")
        .arg(&fifo)
        .arg("--output")
        .arg(&output);
    run.end().refused_with(&["creating", "plain", "File exists"]);
    appears.join().unwrap();
    assert_eq!(std::fs::read(output).unwrap(), b"precious");
    assert_eq!(names(folder.path()), ["plain", "secret", "volume.img"]);
}

#[test]
fn an_output_that_cannot_be_made_is_named() {
    let (folder, image) = Folder::with_sample();
    for output in ["no/such/folder/plain", "volume.img/plain", ".."] {
        let output = folder.join(output);
        let ended = export(&image).args(["--clear-key", "--output"]).arg(&output).end();
        ended.refused_with(&[&output.display().to_string()]);
    }
    assert_eq!(names(folder.path()), ["volume.img"]);
}

#[test]
fn a_failure_half_way_leaves_nothing_behind() {
    let (folder, image) = Folder::with_sample();
    let limit = format!("ulimit -f {}; exec \"$0\" \"$@\"", (sample().plain.len() / 1024) / 2);
    // Larger files than half the plain text are refused by the system, as on a full disk.
    let mut shell = Command::new("bash");
    shell.args(["-c", &format!("trap '' XFSZ; {limit}"), env!("CARGO_BIN_EXE_claviger")]);
    shell
        .args(["volume", "export", "--clear-key", "--output"])
        .arg(folder.join("plain"))
        .arg(&image);
    let output = shell.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.starts_with("error: writing the plain text: "), "{stderr}");
    assert_eq!(names(folder.path()), ["volume.img"]);
}
