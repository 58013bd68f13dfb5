//! Making directory entries.

use super::boot::Kind;
use super::directory::{SLOT, Slot, set_sum, short_sum};
use crate::time::FileTime;

/// Hidden and system.
pub(super) const HIDDEN_SYSTEM: u16 = 6;

/// What a new entry says.
pub(super) struct NewItem<'a> {
    pub(super) name: &'a str,
    /// FAT: eleven letters.
    pub(super) short: &'a [u8; 11],
    pub(super) attributes: u16,
    pub(super) first: u32,
    pub(super) len: u64,
    pub(super) now: FileTime,
}

impl NewItem<'_> {
    /// How many slots a name takes.
    pub(super) fn slots(kind: Kind, name: &str) -> usize {
        match kind {
            Kind::ExFat => 2 + name.len().div_ceil(15),
            _ => 1 + name.len().div_ceil(13),
        }
    }

    pub(super) fn encode(&self, kind: Kind) -> Vec<Slot> {
        match kind {
            Kind::ExFat => self.exfat(),
            _ => self.fat(),
        }
    }

    fn fat(&self) -> Vec<Slot> {
        let short = self.short_slot(self.short);
        let sum = short_sum(&short);
        let mut units: Vec<u16> = self.name.encode_utf16().collect();
        let count = units.len().div_ceil(13);
        if units.len() < count * 13 {
            units.push(0);
        }
        units.resize(count * 13, 0xFFFF);
        let mut slots: Vec<Slot> = units
            .chunks(13)
            .zip(1_u8..)
            .map(|(part, number)| {
                let mut slot = [0; SLOT as usize];
                slot[0] = number | if usize::from(number) == count { 0x40 } else { 0 };
                slot[11] = 0x0F;
                slot[13] = sum;
                for (unit, at) in part.iter().zip([1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30]) {
                    slot[at..at + 2].copy_from_slice(&unit.to_le_bytes());
                }
                slot
            })
            .collect();
        slots.reverse();
        slots.push(short);
        slots
    }

    /// A FAT entry by this short name alone, as `.` and `..` are.
    pub(super) fn short_slot(&self, short: &[u8; 11]) -> Slot {
        let mut slot = [0; SLOT as usize];
        slot[..11].copy_from_slice(short);
        slot[11] = self.attributes as u8;
        let (date, time) = dos(self.now);
        for (at, value) in [(14, time), (16, date), (18, date), (22, time), (24, date)] {
            slot[at..at + 2].copy_from_slice(&value.to_le_bytes());
        }
        slot[20..22].copy_from_slice(&self.first.to_le_bytes()[2..]);
        slot[26..28].copy_from_slice(&self.first.to_le_bytes()[..2]);
        let len = if self.attributes & super::directory::DIRECTORY != 0 {
            0
        } else {
            self.len
        };
        slot[28..32].copy_from_slice(&(len as u32).to_le_bytes());
        slot
    }

    fn exfat(&self) -> Vec<Slot> {
        let units: Vec<u16> = self.name.encode_utf16().collect();
        // Our names are ASCII, whose upper-case letters are the same in every table.
        let hash = self
            .name
            .to_ascii_uppercase()
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .fold(0_u16, |sum, byte| sum.rotate_right(1).wrapping_add(u16::from(byte)));
        let (date, time) = dos(self.now);
        let stamp = u32::from(date) << 16 | u32::from(time);
        let mut head = [0; SLOT as usize];
        head[0] = 0x85;
        head[1] = 1 + units.len().div_ceil(15) as u8;
        head[4..6].copy_from_slice(&self.attributes.to_le_bytes());
        for at in [8, 12, 16] {
            head[at..at + 4].copy_from_slice(&stamp.to_le_bytes());
        }
        // The times are in UTC.
        head[22..25].fill(0x80);
        let mut stream = [0; SLOT as usize];
        stream[0] = 0xC0;
        // It has clusters, and they follow each other.
        stream[1] = 3;
        stream[3] = units.len() as u8;
        stream[4..6].copy_from_slice(&hash.to_le_bytes());
        stream[8..16].copy_from_slice(&self.len.to_le_bytes());
        stream[20..24].copy_from_slice(&self.first.to_le_bytes());
        stream[24..32].copy_from_slice(&self.len.to_le_bytes());
        let mut set = vec![head, stream];
        for part in units.chunks(15) {
            let mut slot = [0; SLOT as usize];
            slot[0] = 0xC1;
            for (index, unit) in part.iter().enumerate() {
                slot[2 + 2 * index..4 + 2 * index].copy_from_slice(&unit.to_le_bytes());
            }
            set.push(slot);
        }
        let sum = set_sum(&set);
        set[0][2..4].copy_from_slice(&sum.to_le_bytes());
        set
    }
}

/// Date and time as DOS has them, between 1980 and 2107.
fn dos(now: FileTime) -> (u16, u16) {
    const SECONDS_TO_1970: u64 = 11_644_473_600;
    let seconds = (now.0 / 10_000_000).saturating_sub(SECONDS_TO_1970);
    let (days, second) = (seconds / 86400, seconds % 86400);
    // Civil date from days, in years that begin with March.
    let z = days + 719_468;
    let era = z / 146_097;
    let of_era = z % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = (year_of_era + era * 400 + u64::from(month <= 2)).clamp(1980, 2107);
    let date = ((year - 1980) << 9) | (month << 5) | day;
    let time = ((second / 3600) << 11) | ((second / 60 % 60) << 5) | (second % 60 / 2);
    (date as u16, time as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_right_around_leap_days() {
        let date = |seconds: u64| {
            let (date, time) = dos(FileTime((seconds + 11_644_473_600) * 10_000_000));
            (
                1980 + (date >> 9),
                date >> 5 & 15,
                date & 31,
                time >> 11,
                time >> 5 & 63,
            )
        };
        assert_eq!(date(1_709_164_800), (2024, 2, 29, 0, 0));
        assert_eq!(date(1_709_251_199), (2024, 2, 29, 23, 59));
        assert_eq!(date(1_709_251_200), (2024, 3, 1, 0, 0));
        assert_eq!(date(1_735_689_600), (2025, 1, 1, 0, 0));
    }
}
