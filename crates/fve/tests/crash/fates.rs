//! What may become of writes that were not flushed when the power goes.
//!
//! Exhaustively: every write is cut into pieces - its first sector, its last, what lies between, and wherever another
//! unflushed write begins or ends - and each set of pieces is one outcome. As the writes are applied in their order,
//! leaving out later ones gives every sector every one of its versions, so no separate reordering is needed.
//! At random: each sector of each write is there or not, writes arrive in any order, and inside of sectors that check
//! themselves (`torn`) any byte may be old or new.

use std::ops::Range;

use rand::Rng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;

use crate::disk::{Disk, SECTOR};
use crate::recorder::Write;

/// Sectors of one write that reach the medium together or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    write: usize,
    sectors: Range<u64>,
}

/// Sets of more pieces than this are not all tried.
const ALL_OF: usize = 9;

/// Cuts unflushed writes into pieces, none of which begins or ends within `atom` sectors that the disk writes at once.
pub(crate) fn pieces(writes: &[Write], atom: u64) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for (index, write) in writes.iter().enumerate() {
        let (first, end) = (write.offset / SECTOR, write.end().div_ceil(SECTOR));
        let mut cuts = vec![first, first + 1, end - 1, end];
        for other in writes {
            cuts.extend([other.offset / SECTOR, other.end().div_ceil(SECTOR)]);
        }
        for cut in &mut cuts {
            *cut = if *cut == end {
                end
            } else {
                (*cut - *cut % atom).max(first)
            };
        }
        cuts.retain(|cut| (first..=end).contains(cut));
        cuts.sort_unstable();
        cuts.dedup();
        pieces.extend(cuts.windows(2).map(|pair| Piece {
            write: index,
            sectors: pair[0]..pair[1],
        }));
    }
    pieces
}

/// The sets of pieces to try, as one flag a piece: all of them, or, of many pieces, those that lack or have at most
/// two, all beginnings, and some at random.
pub(crate) fn sets(count: usize, rng: &mut ChaCha8Rng) -> Vec<Vec<bool>> {
    if count <= ALL_OF {
        return (0..1_u32 << count)
            .map(|mask| (0..count).map(|bit| mask >> bit & 1 == 1).collect())
            .collect();
    }
    let mut sets: Vec<Vec<bool>> = (0..=count).map(|len| (0..count).map(|at| at < len).collect()).collect();
    for first in 0..count {
        for second in first..count {
            for rest in [true, false] {
                let flag = |at| if at == first || at == second { !rest } else { rest };
                sets.push((0..count).map(flag).collect());
            }
        }
    }
    sets.extend((0..64).map(|_| (0..count).map(|_| rng.random()).collect()));
    sets.sort_unstable();
    sets.dedup();
    sets
}

/// The disk after a cut that let exactly the flagged pieces through.
pub(crate) fn with_pieces(durable: &Disk, writes: &[Write], pieces: &[Piece], set: &[bool]) -> Disk {
    let mut disk = durable.clone();
    for (piece, _) in pieces.iter().zip(set).filter(|(_, there)| **there) {
        let write = &writes[piece.write];
        for sector in piece.sectors.clone() {
            put(&mut disk, write, sector);
        }
    }
    disk
}

/// The disk after a cut at random. Sectors for which `torn` holds may be torn inside.
pub(crate) fn at_random(
    durable: &Disk,
    writes: &[Write],
    atom: u64,
    torn: &dyn Fn(u64) -> bool,
    rng: &mut ChaCha8Rng,
) -> Disk {
    let mut disk = durable.clone();
    let mut order: Vec<usize> = (0..writes.len()).collect();
    if rng.random_ratio(1, 3) {
        order.shuffle(rng);
    }
    for index in order {
        let write = &writes[index];
        let sectors = write.offset / SECTOR..write.end().div_ceil(SECTOR);
        let fate = *Fate::ALL.choose(rng).unwrap();
        // Most of a large write may be what is there already: half of the edges are where it matters.
        let changing: Vec<u64> = sectors
            .clone()
            .filter(|&sector| changes(&disk, write, sector))
            .collect();
        let edge = match changing.choose(rng) {
            Some(&sector) if rng.random() => sector,
            _ => rng.random_range(sectors.start..=sectors.end),
        };
        let edge = edge - edge % atom;
        let mut lucky = false;
        for sector in sectors.clone() {
            if sector == sectors.start || sector % atom == 0 {
                lucky = rng.random();
            }
            let there = match fate {
                Fate::Whole => true,
                Fate::Lost => false,
                Fate::Scattered => lucky,
                Fate::Beginning | Fate::TornBeginning => sector < edge,
                Fate::Ending => sector >= edge,
            };
            if there {
                put(&mut disk, write, sector);
            } else if fate == Fate::TornBeginning && sector == edge && torn(sector) {
                tear(&mut disk, write, sector, rng);
            }
        }
    }
    disk
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Whole,
    Lost,
    Scattered,
    Beginning,
    TornBeginning,
    Ending,
}

impl Fate {
    const ALL: [Self; 6] = [
        Self::Whole,
        Self::Lost,
        Self::Scattered,
        Self::Beginning,
        Self::TornBeginning,
        Self::Ending,
    ];
}

fn changes(disk: &Disk, write: &Write, sector: u64) -> bool {
    let old = disk.sector(sector);
    let mut new = old;
    overlay(&mut new, write, sector);
    old != new
}

/// Writes what `write` has for `sector`.
fn put(disk: &mut Disk, write: &Write, sector: u64) {
    let mut content = disk.sector(sector);
    overlay(&mut content, write, sector);
    disk.set_sector(sector, content);
}

/// Leaves a sector with some bytes old and some new.
fn tear(disk: &mut Disk, write: &Write, sector: u64, rng: &mut ChaCha8Rng) {
    let old = disk.sector(sector);
    let mut new = old;
    overlay(&mut new, write, sector);
    let changing: Vec<usize> = (0..SECTOR as usize).filter(|&at| old[at] != new[at]).collect();
    let edge = changing.choose(rng).copied().unwrap_or(0);
    let (from_front, any) = (rng.random::<bool>(), rng.random_ratio(1, 4));
    let mut content = old;
    for (at, byte) in content.iter_mut().enumerate() {
        let is_new = if any { rng.random() } else { (at < edge) == from_front };
        if is_new {
            *byte = new[at];
        }
    }
    disk.set_sector(sector, content);
}

fn overlay(content: &mut [u8; SECTOR as usize], write: &Write, sector: u64) {
    let start = sector * SECTOR;
    let (from, to) = (start.max(write.offset), (start + SECTOR).min(write.end()));
    content[(from - start) as usize..(to - start) as usize]
        .copy_from_slice(&write.data[(from - write.offset) as usize..(to - write.offset) as usize]);
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn write(offset: u64, len: usize, byte: u8) -> Write {
        Write {
            offset,
            data: vec![byte; len].into(),
        }
    }

    #[test]
    fn pieces_are_head_body_and_tail_and_end_where_other_writes_do() {
        let cut = |writes: &[Write]| {
            pieces(writes, 1)
                .into_iter()
                .map(|p| (p.write, p.sectors))
                .collect::<Vec<_>>()
        };
        assert_eq!(cut(&[write(512, 2048, 1)]), [(0, 1..2), (0, 2..4), (0, 4..5)]);
        assert_eq!(cut(&[write(0, 512, 1)]), [(0, 0..1)]);
        assert_eq!(
            cut(&[write(0, 5120, 1), write(2048, 512, 2)]),
            [(0, 0..1), (0, 1..4), (0, 4..5), (0, 5..9), (0, 9..10), (1, 4..5)]
        );
        let atoms: Vec<_> = pieces(&[write(2048, 8192, 1)], 8)
            .into_iter()
            .map(|p| p.sectors)
            .collect();
        assert_eq!(atoms, [4..16, 16..20]);
    }

    #[test]
    fn the_sets_reach_every_version_of_every_sector() {
        let writes = [write(0, 1024, 1), write(512, 1024, 2)];
        let disk = Disk::new(vec![0; 2048]);
        let pieces = pieces(&writes, 1);
        let rng = &mut ChaCha8Rng::seed_from_u64(1);
        let mut seen: Vec<[u8; 3]> = sets(pieces.len(), rng)
            .iter()
            .map(|set| with_pieces(&disk, &writes, &pieces, set))
            .map(|disk| [0, 1, 2].map(|sector| disk.sector(sector)[7]))
            .collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 2 * 3 * 2, "{seen:?}");
    }

    #[test]
    fn chance_tears_inside_of_a_sector_only_where_that_is_allowed() {
        let writes = [write(0, 1024, 1)];
        let disk = Disk::new(vec![0; 1024]);
        let rng = &mut ChaCha8Rng::seed_from_u64(2);
        let mut torn = [false; 2];
        for _ in 0..500 {
            let after = at_random(&disk, &writes, 1, &|sector| sector == 1, rng);
            for (sector, torn) in torn.iter_mut().enumerate() {
                let content = after.sector(sector as u64);
                *torn |= content.contains(&0) && content.contains(&1);
            }
        }
        assert_eq!(torn, [false, true]);
    }
}
