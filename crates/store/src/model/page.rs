//! Pages of long lists.

/// Which part of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paging {
    /// Items to skip.
    pub offset: u64,
    /// Most items to return; at most [`Paging::MAX`], more is cut to it.
    pub limit: u32,
}

impl Paging {
    /// Longest page.
    pub const MAX: u32 = 1000;

    /// Page `number` (from 1; 0 counts as 1) of `size` items.
    #[must_use]
    pub fn page(number: u64, size: u32) -> Self {
        let limit = size.clamp(1, Self::MAX);
        Self {
            offset: number.saturating_sub(1).saturating_mul(u64::from(limit)),
            limit,
        }
    }
}

impl Default for Paging {
    fn default() -> Self {
        Self { offset: 0, limit: 50 }
    }
}

/// A part of a list, and how long the whole list is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Exact number of items in the whole list, at the same moment.
    pub total: u64,
}

/// Order of a sorted list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// Smallest, earliest, or A first.
    #[default]
    Ascending,
    /// Largest, latest, or Z first.
    Descending,
}
