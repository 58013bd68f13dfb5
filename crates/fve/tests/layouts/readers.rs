//! The builder judged by others: what it builds, libbde and dissect read as we do.

use std::process::Command;

use crate::builder::Builder;

const SCRIPT: &str = "
import sys, pybde
from dissect.fve.bde.bde import BDE
for line in sys.stdin:
    image, plain, libbde = line.split()
    expected = open(plain, 'rb').read()
    bde = BDE(open(image, 'rb'))
    assert len(bde._valid_information) == 3, image
    bde.unlock_with_clear_key()
    stream = bde.open()
    view = b''
    while len(view) < len(expected):
        view += stream.read(1 << 20)
    assert view == expected, 'dissect: ' + image
    if libbde == '1':
        volume = pybde.volume()
        volume.open(image)
        if volume.is_locked(): volume.unlock()
        assert volume.read_buffer_at_offset(len(expected), 0) == expected, 'libbde: ' + image
    print('read', image)
";

#[test]
fn what_the_builder_builds_others_read_too() {
    let dir = tempfile::tempdir().unwrap();
    let mut list = String::new();
    let mut count = 0;
    let mut add = |builder: &Builder, libbde: bool| {
        let (image, plain) = (
            dir.path().join(format!("{count}.img")),
            dir.path().join(format!("{count}.plain")),
        );
        std::fs::write(&image, builder.image()).unwrap();
        std::fs::write(&plain, builder.plain()).unwrap();
        list.push_str(&format!(
            "{} {} {}\n",
            image.display(),
            plain.display(),
            u8::from(libbde)
        ));
        count += 1;
    };
    for method in 0x8000..=0x8005 {
        for sector in [512, 4096] {
            let builder = Builder::new(method, sector);
            // libbde takes sectors of the diffuser to have 512 bytes.
            add(&builder, sector == 512 || method > 0x8001);
        }
        let mut windows_7 = Builder::new(method, 512);
        (windows_7.extended, windows_7.virtualization_first) = (None, true);
        add(&windows_7, true);
        let mut paused = windows_7.clone();
        (paused.states, paused.watermark) = ([3, 1], 700 << 10);
        add(&paused, true);
    }
    let input = dir.path().join("list");
    std::fs::write(&input, list).unwrap();
    let output = Command::new("python3")
        .args(["-c", SCRIPT])
        .stdin(std::fs::File::open(input).unwrap())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}; ./test installs the readers");
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), count);
}
