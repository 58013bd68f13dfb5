//! Whether the system uses a device or an image file.

use std::io;
use std::os::unix::fs::MetadataExt;

use rustix::fs::{major, minor};

/// Who uses a block device: where it is mounted, or as what it is held.
///
/// # Errors
/// When the system does not tell.
pub(super) fn of_device(device: u64) -> io::Result<Option<String>> {
    let number = format!("{}:{}", major(device), minor(device));
    if let Some(place) = mounted_at(&std::fs::read_to_string("/proc/self/mountinfo")?, &number) {
        return Ok(Some(format!("mounted at {place}")));
    }
    let holders = std::fs::read_dir(format!("/sys/dev/block/{number}/holders"));
    let holder = holders.into_iter().flatten().flatten().next();
    Ok(holder.map(|holder| format!("held by {}", holder.file_name().to_string_lossy())))
}

/// Who uses an image file: the loop device that it is the backing file of.
///
/// # Errors
/// When the system does not tell.
pub(super) fn of_file(device: u64, inode: u64) -> io::Result<Option<String>> {
    let Ok(blocks) = std::fs::read_dir("/sys/block") else {
        return Ok(None);
    };
    for block in blocks.flatten() {
        let Ok(backing) = std::fs::read_to_string(block.path().join("loop/backing_file")) else {
            continue;
        };
        let Ok(file) = std::fs::metadata(backing.trim_end()) else {
            continue;
        };
        if (file.dev(), file.ino()) == (device, inode) {
            return Ok(Some(format!(
                "backing file of /dev/{}",
                block.file_name().to_string_lossy()
            )));
        }
    }
    Ok(None)
}

/// The mount point of a device in the text of mountinfo (proc(5): the third field is the device, the fifth the place).
fn mounted_at(mountinfo: &str, number: &str) -> Option<String> {
    mountinfo
        .lines()
        .map(|line| line.split(' ').collect::<Vec<_>>())
        .find(|fields| fields.get(2) == Some(&number))
        .and_then(|fields| fields.get(4).map(|place| place.replace("\\040", " ")))
}

#[cfg(test)]
mod tests {
    use super::mounted_at;

    #[test]
    fn the_mount_point_of_a_device_is_found_by_its_number() {
        let text = "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n30 22 8:17 / /mnt/my\\040disk rw,noatime shared:1 - ntfs3 /dev/sdb1 rw\n";
        assert_eq!(mounted_at(text, "8:17").as_deref(), Some("/mnt/my disk"));
        assert_eq!(mounted_at(text, "8:1").as_deref(), Some("/"));
        assert_eq!(mounted_at(text, "8:2"), None);
    }
}
