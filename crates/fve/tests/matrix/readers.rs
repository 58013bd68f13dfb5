//! The readers, and what each has to give.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};

use crate::every_secret;
use crate::oracle::{self, Secret};

pub(crate) struct Readers<'a> {
    pub(crate) image: &'a Path,
    pub(crate) plain: Vec<u8>,
}

impl Readers<'_> {
    pub(crate) fn cryptsetup(&self, secret: Secret<'_>) {
        assert!(oracle::cryptsetup_opens(self.image, secret), "cryptsetup {secret:?}");
    }

    pub(crate) fn refuse(&self, wrong: Secret<'_>) {
        assert!(!oracle::cryptsetup_opens(self.image, wrong), "cryptsetup");
        assert!(oracle::libbde(self.image, wrong).is_none(), "libbde");
    }

    /// The whole plain text by libbde and dislocker; of dissect, which takes seconds for a MiB, samples.
    pub(crate) fn others(&self, secret: Secret<'_>, dislocker: bool) {
        let sum = hex::encode(Sha256::digest(&self.plain));
        if dislocker {
            let (by_dislocker, _) = oracle::dislocker(self.image, secret).expect("dislocker opens");
            assert_eq!(by_dislocker, sum, "dislocker {secret:?}");
        }
        let (by_libbde, _) = oracle::libbde(self.image, secret).expect("libbde opens");
        assert_eq!(by_libbde, sum, "libbde {secret:?}");
        if every_secret() {
            let all = oracle::dissect(self.image, secret).expect("dissect opens");
            assert!(all == self.plain, "dissect {secret:?}");
        } else {
            self.dissect_samples(secret);
        }
    }

    fn dissect_samples(&self, secret: Secret<'_>) {
        let (kind, text) = match secret {
            Secret::Recovery(text) => ("recovery_password", text),
            Secret::Passphrase(text) => ("passphrase", text),
            Secret::Bek(path) => ("bek", path.to_str().unwrap()),
            Secret::Clear => ("clear_key", ""),
        };
        let mut child = Command::new("python3")
            .args(["-c", DISSECT, kind])
            .arg(self.image)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("python3 does not run: {error}; ./test installs the readers"));
        // With a clear key it does not listen.
        let _ = child.stdin.take().unwrap().write_all(text.as_bytes());
        let output = child.wait_with_output().unwrap();
        assert!(
            output.status.success(),
            "dissect {secret:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let lines = String::from_utf8(output.stdout).unwrap();
        let mut samples = 0;
        for line in lines.lines() {
            let (at, sum) = line.split_once(' ').unwrap();
            let at: usize = at.parse().unwrap();
            let expected = hex::encode(Sha256::digest(&self.plain[at..at + SAMPLE]));
            assert_eq!(sum, expected, "dissect {secret:?} at {at}");
            samples += 1;
        }
        assert_eq!(samples, self.plain.len() / (1 << 20) + 2);
    }
}

const SAMPLE: usize = 32768;

/// Opens, checks the integrity of all three copies, and prints sums of samples: the beginning, the end, and inside each MiB.
const DISSECT: &str = r#"
import hashlib, sys
from dissect.fve.bde.bde import BDE
kind, image = sys.argv[1:3]
secret = sys.stdin.read()
bde = BDE(open(image, "rb"))
assert len(bde._valid_information) == 3, "not all copies are sound"
vmk = []
check = type(bde.information).check_integrity
def noted(self, key):
    vmk.append(key)
    return check(self, key)
type(bde.information).check_integrity = noted
unlock = getattr(bde, "unlock_with_" + kind)
if kind == "clear_key": unlock()
elif kind == "bek": unlock(open(secret, "rb"))
else: unlock(secret)
for information in bde._valid_information:
    assert check(information, vmk[-1]), "integrity"
stream = bde.open()
size = stream.seek(0, 2)
for at in [0, size - 32768, *(mib + 300 * 1024 for mib in range(0, size, 1 << 20))]:
    stream.seek(at)
    print(at, hashlib.sha256(stream.read(32768)).hexdigest())
"#;
