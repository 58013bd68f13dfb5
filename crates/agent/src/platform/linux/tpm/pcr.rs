//! Which measurements a key is bound to.

use zeroize::Zeroizing;

use super::ALG_SHA256;
use super::wire::Writer;

/// Registers of the SHA-256 bank: a bit map, bit 0 = PCR 0. Never empty, never above PCR 23.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PcrSelection(u32);

impl PcrSelection {
    /// Registers 0, 2, 4 and 11: firmware, option ROMs, boot loader, and BitLocker's own; the default of Windows on UEFI
    /// without Secure Boot binding.
    pub const UEFI: Self = Self(1 | 1 << 2 | 1 << 4 | 1 << 11);

    /// From a bit map; none when it is empty or names registers that do not exist.
    #[must_use]
    pub fn from_bitmap(bitmap: u32) -> Option<Self> {
        (bitmap != 0 && bitmap < 1 << 24).then_some(Self(bitmap))
    }

    /// The bit map.
    #[must_use]
    pub fn bitmap(self) -> u32 {
        self.0
    }

    /// As a `TPML_PCR_SELECTION`: one bank, three bytes.
    pub(super) fn wire(self) -> Zeroizing<Vec<u8>> {
        let [a, b, c, _] = self.0.to_le_bytes();
        Writer::new().u32(1).u16(ALG_SHA256).u8(3).bytes(&[a, b, c]).finish()
    }
}
