//! A folder with a plain NTFS image and an encrypted volume made from it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

use crate::program::{Ended, Run, claviger};
use crate::sample::Folder;

pub(crate) const PASSPHRASE: &str = "correct horse battery";
pub(crate) const FILE: &str = "letter.bin";
const SIZE: u64 = 16 << 20;

/// What all folders begin with; made once.
struct Template {
    folder: Folder,
    content: Vec<u8>,
}

/// A folder of a test.
pub(crate) struct Ground {
    pub(crate) folder: Folder,
}

fn template() -> &'static Template {
    static TEMPLATE: OnceLock<Template> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let folder = Folder::new();
        let mut content = vec![0; 3 << 20];
        ChaCha20Rng::seed_from_u64(8).fill_bytes(&mut content);
        let plain = folder.join("plain.img");
        std::fs::File::create(&plain).unwrap().set_len(SIZE).unwrap();
        let format = [
            "-F", "-Q", "-q", "-s", "512", "-c", "4096", "-p", "0", "-H", "0", "-S", "0", "-L", "DATA",
        ];
        tool(Command::new("mkntfs").args(format).arg(&plain));
        let file = folder.put("content", &content);
        tool(Command::new("ntfscp").arg("-f").arg(&plain).arg(&file).arg(FILE));
        folder.put("passphrase.txt", PASSPHRASE);
        std::fs::create_dir(folder.join("usb")).unwrap();
        claviger(["volume", "create", "drive.img", "--from", "plain.img"])
            .args([
                "--recovery-password-out",
                "recovery.txt",
                "--new-passphrase-file",
                "passphrase.txt",
            ])
            .args(["--startup-key-out", "usb"])
            .within(folder.path())
            .end()
            .done();
        let key = std::fs::read_dir(folder.join("usb"))
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path();
        std::fs::rename(key, folder.join("usb/key.BEK")).unwrap();
        Template { folder, content }
    })
}

impl Ground {
    /// `plain.img` and `drive.img`, which `recovery.txt`, `passphrase.txt` and `usb/key.BEK` open.
    pub(crate) fn new() -> Self {
        let ground = Self { folder: Folder::new() };
        std::fs::create_dir(ground.path("usb")).unwrap();
        for name in [
            "plain.img",
            "drive.img",
            "recovery.txt",
            "passphrase.txt",
            "usb/key.BEK",
        ] {
            let from = template().folder.join(name);
            tool(
                Command::new("cp")
                    .args(["--sparse=always", "-p"])
                    .arg(from)
                    .arg(ground.path(name)),
            );
        }
        ground
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// `claviger volume …` in the folder.
    pub(crate) fn volume(&self, arguments: &str) -> Run {
        claviger(["volume"])
            .args(arguments.split_whitespace())
            .within(self.folder.path())
    }

    /// The same, which has to succeed; its standard output.
    #[track_caller]
    pub(crate) fn done(&self, arguments: &str) -> String {
        self.volume(arguments).end().text()
    }

    /// The same, which has to be refused with these words.
    #[track_caller]
    pub(crate) fn refused(&self, arguments: &str, words: &str) -> Ended {
        let ended = self.volume(arguments).end();
        ended.refused_with(&[words]);
        ended
    }

    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// The text of a recovery password file.
    pub(crate) fn password(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap().trim().to_owned()
    }

    /// What `info` says.
    pub(crate) fn info(&self, name: &str) -> serde_json::Value {
        serde_json::from_str(&self.done(&format!("info --json {name}"))).unwrap()
    }

    /// The kinds of protectors.
    pub(crate) fn kinds(&self, name: &str) -> Vec<String> {
        let info = self.info(name);
        let protectors = info["protectors"].as_array().unwrap();
        protectors
            .iter()
            .map(|p| p["kind"].as_str().unwrap().to_owned())
            .collect()
    }

    /// GUID of the only protector of this kind.
    pub(crate) fn id(&self, name: &str, kind: &str) -> String {
        let info = self.info(name);
        let mut found = info["protectors"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|p| p["kind"] == kind);
        let id = found.next().unwrap()["id"].as_str().unwrap().to_owned();
        assert!(found.next().is_none(), "several of {kind}");
        id
    }
}

/// The file that lies in the plain image.
pub(crate) fn content() -> &'static [u8] {
    &template().content
}

/// Runs a tool that has to succeed; its standard output.
#[track_caller]
pub(crate) fn tool(command: &mut Command) -> Vec<u8> {
    let output = command.output();
    let output = output.unwrap_or_else(|error| panic!("{command:?} does not run: {error}; ./test installs it"));
    assert!(
        output.status.success(),
        "{command:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// Whether the NTFS in a plain image is in order and its file is what it was.
#[track_caller]
pub(crate) fn assert_plain_is_right(image: &Path) {
    tool(Command::new("ntfsfix").arg("-n").arg(image));
    let file = tool(Command::new("ntfscat").arg("-f").arg(image).arg(FILE));
    assert!(file == content(), "the file in {} differs", image.display());
}
