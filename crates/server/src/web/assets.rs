//! The embedded files: compressed at build, addressed by content hash, kept by browsers for a year.

use std::io::Read as _;

use flate2::read::GzDecoder;

/// Address of the one style sheet.
pub const SITE_CSS: &str = env!("CLAVIGER_SITE_CSS");
/// Address of the brand mark.
pub const FAVICON: &str = env!("CLAVIGER_FAVICON");

/// One embedded file.
#[derive(Debug, Clone, Copy)]
pub struct Asset {
    /// Address on the server, with the content hash in it.
    pub path: &'static str,
    /// Entity tag, in quotes.
    pub etag: &'static str,
    /// Media type.
    pub kind: &'static str,
    /// Whether `body` is gzip.
    pub zipped: bool,
    /// What is sent.
    pub body: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

impl Asset {
    /// Every embedded file.
    #[must_use]
    pub fn all() -> &'static [Self] {
        ALL
    }

    /// The file at this address.
    #[must_use]
    pub fn find(path: &str) -> Option<&'static Self> {
        ALL.iter().find(|asset| asset.path == path)
    }

    /// The content for a client that does not accept gzip; `None` should the embedded copy be damaged.
    #[must_use]
    pub fn plain(&self) -> Option<Vec<u8>> {
        if !self.zipped {
            return Some(self.body.to_vec());
        }
        let mut plain = Vec::new();
        GzDecoder::new(self.body).read_to_end(&mut plain).ok().map(|_| plain)
    }
}
