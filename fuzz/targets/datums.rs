//! Metadata of datums that the fuzzer composes, wrapped rightly by the master key where it asks for that: what
//! lies behind the authentication is reached too.
#![no_main]

use arbitrary::Arbitrary;
use fve::io::{ReadAt, WriteAt};
use fve::{Credential, Volume, VolumeMasterKey};
use fve_fuzz::device::Sparse;
use fve_fuzz::{MASTER_KEY, area, with_context};

#[derive(Debug, Arbitrary)]
struct Piece {
    role: u8,
    kind: u8,
    flags: u8,
    content: Content,
}

#[derive(Debug, Arbitrary)]
enum Content {
    Raw(Vec<u8>),
    Key {
        key_type: u16,
        key: Vec<u8>,
    },
    Wrapped {
        role: u8,
        kind: u8,
        body: Vec<u8>,
    },
    WrappedKey {
        key_type: u16,
        key: Vec<u8>,
    },
    Protector {
        id: [u8; 16],
        priority: u16,
        inner: Vec<(u8, u8, Vec<u8>)>,
    },
    Place {
        header: u32,
        len: u32,
        extended: Option<([u8; 4], u32, u32)>,
    },
}

#[derive(Debug, Arbitrary)]
struct Input {
    large_sectors: bool,
    size: u32,
    states: (u8, u8),
    watermark: u32,
    header: (u8, u32),
    copies: [u32; 3],
    method: u16,
    key: Vec<u8>,
    pieces: Vec<Piece>,
    reads: Vec<(u32, u16)>,
    act: u8,
}

fn body(piece: &Piece, counter: u32) -> Vec<u8> {
    match &piece.content {
        Content::Raw(bytes) => bytes.clone(),
        Content::Key { key_type, key } => [&key_type.to_le_bytes(), [0, 0].as_slice(), key].concat(),
        Content::Wrapped { role, kind, body } => {
            area::wrap(counter, &area::datum((*role).into(), (*kind).into(), 0, body))
        }
        Content::WrappedKey { key_type, key } => {
            let body = [&key_type.to_le_bytes(), [0, 0].as_slice(), key].concat();
            area::wrap(counter, &area::datum(0, 1, 0, &body))
        }
        Content::Protector { id, priority, inner } => {
            let mut body = id.to_vec();
            body.extend_from_slice(&fve_fuzz::NOW.0.to_le_bytes());
            body.extend_from_slice(&[0, 0]);
            body.extend_from_slice(&priority.to_le_bytes());
            for (role, kind, bytes) in inner {
                body.extend(area::datum((*role).into(), (*kind).into(), 1, bytes));
            }
            body
        }
        Content::Place { header, len, extended } => {
            let mut body = (u64::from(*header) * 512).to_le_bytes().to_vec();
            body.extend_from_slice(&u64::from(*len).to_le_bytes());
            if let Some((flags, log, log_len)) = extended {
                body.extend_from_slice(&[5, 0, 76, 0, 0, 0, 0, 0]);
                body.extend_from_slice(flags);
                body.extend_from_slice(&[0; 4]);
                body.extend_from_slice(&(u64::from(*log) * 512).to_le_bytes());
                body.extend_from_slice(&log_len.to_le_bytes());
                body.resize(92, 0);
            }
            body
        }
    }
}

fn metadata(input: &Input) -> Vec<u8> {
    let mut datums = Vec::new();
    for (counter, piece) in (1..).zip(&input.pieces) {
        let body = body(piece, counter);
        if datums.len() + body.len() > 60_000 {
            break;
        }
        datums.extend(area::datum(
            piece.role.into(),
            piece.kind.into(),
            piece.flags.into(),
            &body,
        ));
    }
    datums.extend(area::wrapped_key(
        3,
        0,
        input.method,
        &input.key[..input.key.len().min(64)],
    ));
    let hashed = (64 + 48 + datums.len()).next_multiple_of(16);
    let len = (48 + datums.len()) as u32;
    let mut area = b"-FVE-FS-".to_vec();
    for field in [(hashed / 16) as u16, 2, input.states.0.into(), input.states.1.into()] {
        area.extend_from_slice(&field.to_le_bytes());
    }
    area.extend_from_slice(&(u64::from(input.watermark) * 512).to_le_bytes());
    area.extend_from_slice(&[0; 4]);
    area.extend_from_slice(&u32::from(input.header.0).to_le_bytes());
    for place in input.copies.iter().chain([&input.header.1]) {
        area.extend_from_slice(&(u64::from(*place) * 512).to_le_bytes());
    }
    for field in [len, 1, 48, len] {
        area.extend_from_slice(&field.to_le_bytes());
    }
    area.extend_from_slice(&[7; 16]);
    area.extend_from_slice(&1000_u32.to_le_bytes());
    area.extend_from_slice(&input.method.to_le_bytes());
    area.extend_from_slice(&[0; 2]);
    area.extend_from_slice(&fve_fuzz::NOW.0.to_le_bytes());
    area.extend_from_slice(&datums);
    area::mend(&mut area);
    area
}

libfuzzer_sys::fuzz_target!(|input: Input| {
    let area = metadata(&input);
    let sector_size = if input.large_sectors { 4096 } else { 512 };
    let device = Sparse::new(u64::from(input.size) * 512);
    let _ = device.write_at(0, &area::boot_sector(&area, sector_size));
    for place in input.copies {
        let _ = device.write_at(u64::from(place) * 512, &area);
    }
    let Ok(volume) = Volume::open(&device) else {
        return;
    };
    let _ = (volume.info(), volume.protectors().len(), volume.metadata_bytes());
    let Ok(volume) = volume.unlock(&Credential::Vmk(&VolumeMasterKey::from_bytes(MASTER_KEY))) else {
        return;
    };
    for (offset, len) in input.reads.iter().take(8) {
        let _ = volume.read_at((*offset).into(), &mut vec![0; (*len).into()]);
    }
    for protector in volume.protectors().unwrap_or_default() {
        let _ = (
            volume.recovery_password(protector.id),
            volume.external_key(protector.id),
        );
    }
    with_context(|ctx| {
        let _ = match input.act % 8 {
            0 => volume.add_external_key(ctx, None, Some("fuzz")).map(drop),
            1 => volume.suspend(ctx, Some(1)),
            2 => volume.resume(ctx),
            3 => volume.set_description(ctx, "fuzz"),
            4 => volume
                .begin_decryption(ctx)
                .and_then(|()| volume.convert_step(ctx))
                .map(drop),
            5 => volume.pause(ctx),
            6 => volume.recover(ctx),
            _ => volume.write_at(input.watermark.into(), &[1; 5000]).map_err(Into::into),
        };
    });
});
