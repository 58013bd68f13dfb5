//! The examples at the end of each command's help. Every line that begins with `$` is run by a test, in a folder with a
//! plain image `plain.img` and a volume `drive.img` that `recovery.txt`, `passphrase.txt` and `usb/key.BEK` open.

pub(crate) const VOLUME: &str = "\
Exit codes:
  0    done
  1    refused or failed; the reason is on standard error
  2    the command line is wrong
  3    stopped by an interrupt or termination after the present step;
       the same command goes on
  130  ended at once by a second interrupt (143: termination);
       a conversion goes on all the same

Secrets are read from files, from standard input ('-') or at the terminal,
never from the command line. A file that a command makes for a secret has mode
0600 and never replaces another. A volume that is mounted, in use, or worked
on by another claviger is not written to. Bad input changes nothing.

What Windows calls these commands: manage-bde -status (info), -on (encrypt),
-off (decrypt), -pause, -resume, -wipefreespace, -protectors (protectors),
-changepassword (protectors change-passphrase); repair-bde (repair image).";

pub(super) const INFO: &str = "\
On Windows: manage-bde -status

Examples:
  $ claviger volume info drive.img
  $ claviger volume status --json drive.img";

pub(super) const CREATE: &str = "\
Examples:
  $ claviger volume create new.img --from plain.img \\
      --recovery-password-out new.txt
  $ claviger volume create quick.img --from plain.img --used-space-only \\
      --method aes-xts-256 --recovery-password-out quick.txt \\
      --new-passphrase-file passphrase.txt
  $ claviger volume create other.img --from plain.img \\
      --startup-key-out usb --plan";

pub(super) const ENCRYPT: &str = "\
On Windows: manage-bde -on

Examples:
  $ claviger volume encrypt plain.img --recovery-password-out new.txt --plan
  $ claviger volume encrypt plain.img --recovery-password-out new.txt \\
      --description 'PC-7 DATA 1/2/2026'";

pub(super) const DECRYPT: &str = "\
On Windows: manage-bde -off

Examples:
  $ claviger volume decrypt drive.img \\
      --recovery-password-file recovery.txt --plan
  $ claviger volume decrypt drive.img \\
      --recovery-password-file recovery.txt --yes";

pub(super) const REENCRYPT: &str = "\
Windows has no such command: a volume has to be decrypted and encrypted again.

Examples:
  $ claviger volume reencrypt drive.img \\
      --recovery-password-file recovery.txt --plan
  $ claviger volume reencrypt drive.img \\
      --recovery-password-file recovery.txt --method aes-xts-256 \\
      --new-master-key --yes";

pub(super) const PAUSE: &str = "\
On Windows: manage-bde -pause

Examples (of a volume whose encryption was interrupted):
  # claviger volume pause half.img --clear-key";

pub(super) const RESUME: &str = "\
On Windows: manage-bde -resume

Examples (of a volume whose encryption was paused):
  # claviger volume resume half.img --clear-key";

pub(super) const WIPE: &str = "\
On Windows: manage-bde -wipefreespace

Examples:
  $ claviger volume wipe-free-space drive.img \\
      --recovery-password-file recovery.txt --plan
  $ claviger volume wipe-free-space drive.img \\
      --recovery-password-file recovery.txt";

pub(super) const ROTATE_MASTER_KEY: &str = "\
Examples:
  $ claviger volume rotate-master-key drive.img \\
      --recovery-password-file recovery.txt --plan
  $ claviger volume rotate-master-key drive.img \\
      --recovery-password-file recovery.txt";

pub(super) const BACKUP: &str = "\
Examples:
  $ claviger volume metadata backup drive.img --output drive.metadata";

pub(super) const RESTORE: &str = "\
Examples:
  $ claviger volume metadata backup drive.img --output drive.metadata
  $ claviger volume metadata restore drive.img --metadata drive.metadata \\
      --recovery-password-file recovery.txt --plan
  $ claviger volume metadata restore drive.img --metadata drive.metadata \\
      --recovery-password-file recovery.txt --yes";

pub(super) const EXAMINE: &str = "\
Examples:
  $ claviger volume repair examine drive.img
  $ claviger volume repair examine drive.img --scan always --json";

pub(super) const IMAGE: &str = "\
On Windows: repair-bde. The map is that of GNU ddrescue; its viewers show it.

Examples:
  $ claviger volume repair image drive.img --output rescued.img
  $ claviger volume repair image drive.img --output plain-copy.img \\
      --recovery-password-file recovery.txt";

pub(super) const MEND: &str = "\
Examples:
  $ claviger volume repair mend drive.img \\
      --recovery-password-file recovery.txt --plan
  $ claviger volume repair mend drive.img \\
      --recovery-password-file recovery.txt --undo-file undo.bin --yes";

pub(super) const UNDO: &str = "\
Examples (after a repair that wrote undo.bin):
  # claviger volume repair undo drive.img --undo-file undo.bin --yes";

pub(super) const LIST: &str = "\
On Windows: manage-bde -protectors -get

Examples:
  $ claviger volume protectors list drive.img
  $ claviger volume protectors list drive.img --json";

pub(super) const ADD: &str = "\
On Windows: manage-bde -protectors -add

Examples:
  $ claviger volume protectors add drive.img \\
      --passphrase-file passphrase.txt --recovery-password-out second.txt
  $ claviger volume protectors add drive.img \\
      --recovery-password-file recovery.txt --startup-key-out usb";

pub(super) const REMOVE: &str = "\
On Windows: manage-bde -protectors -delete

Examples (the beginning of a GUID is enough):
  # claviger volume protectors remove drive.img --protector 4F2A \\
      --recovery-password-file recovery.txt";

pub(super) const SUSPEND: &str = "\
On Windows: manage-bde -protectors -disable

Examples:
  $ claviger volume protectors suspend drive.img \\
      --recovery-password-file recovery.txt --reboots 1";

pub(super) const RESUME_PROTECTION: &str = "\
On Windows: manage-bde -protectors -enable

Examples:
  $ claviger volume protectors suspend drive.img \\
      --recovery-password-file recovery.txt
  $ claviger volume protectors resume drive.img --clear-key";

pub(super) const ROTATE_PASSWORD: &str = "\
Examples:
  $ claviger volume protectors rotate-password drive.img \\
      --recovery-password-file recovery.txt \\
      --recovery-password-out new.txt";

pub(super) const CHANGE_PASSPHRASE: &str = "\
On Windows: manage-bde -changepassword

Examples:
  $ printf 'four plain words here' > new.txt
  $ claviger volume protectors change-passphrase drive.img \\
      --passphrase-file passphrase.txt \\
      --new-passphrase-file new.txt";

pub(super) const EXPORT: &str = "\
An interrupted export into a file leaves FILE.part behind; the same command
goes on from there.

Examples:
  $ claviger volume export drive.img --output all.img \\
      --recovery-password-file recovery.txt
  $ claviger volume export drive.img --startup-key usb/key.BEK | sha256sum";

pub(super) const MOUNT: &str = "\
FOLDER then holds `volume`, the file system inside as one file, which can be
mounted in turn, and `info.json`. The command stays in the foreground until
FOLDER is unmounted; Ctrl-C unmounts it.

Examples (as somebody who may mount):
  # claviger volume mount drive.img /mnt/drive --passphrase-file -
  # claviger volume mount broken.img /mnt/drive --read-only --rescue \\
      --metadata drive.metadata --recovery-password-file recovery.txt";
