//! `claviger volume mount`, when nothing can be mounted: said in words, nothing changed. Mounting itself is tested where ntfs-3g and
//! the other readers are, in the test kit.

use crate::program::{Run, claviger, names};
use crate::sample::{Folder, sample};

fn mount(image: &std::path::Path, folder: &std::path::Path) -> Run {
    claviger(["volume", "mount", "--passphrase-file", "-"])
        .arg(image)
        .arg(folder)
}

#[test]
fn a_mount_needs_a_volume_its_key_and_a_folder() {
    let (folder, image) = Folder::with_sample();
    let (inside, file) = (folder.join("inside"), folder.put("file", "file"));
    mount(&image, &inside).end().refused_with(&["inside", "No such file"]);
    mount(&image, &file).end().refused_with(&["file is not a folder"]);
    std::fs::create_dir(&inside).unwrap();
    mount(&folder.join("missing"), &inside)
        .end()
        .refused_with(&["opening", "missing"]);
    mount(&file, &inside)
        .end()
        .refused_with(&["file", "not a BitLocker volume"]);
    let wrong = mount(&image, &inside).stdin("hunter2").end();
    wrong.refused_with(&["the volume does not open"]);
    assert!(std::fs::read(&image).unwrap() == sample().image);
    assert_eq!(names(&inside), [""; 0]);
}
