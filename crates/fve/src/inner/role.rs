//! The files that own the regions, in whatever file system.

use std::collections::BTreeMap;

use super::RegionRequest;

/// The directory that Windows keeps such files in.
pub(crate) const SYSTEM_DIRECTORY: &str = "System Volume Information";

/// A file that owns a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    Metadata(usize),
    Header,
    Ice,
    Log,
}

impl Role {
    /// A record that is never in use: where an interrupted move was going to.
    pub(crate) const NOTE_OF_MOVES: &'static str = "FVE2.{c0f4a7d2-3b51-4d0e-9f67-52a1b8e60c94}";

    pub(crate) const ALL: [Self; 6] = [
        Self::Metadata(0),
        Self::Metadata(1),
        Self::Metadata(2),
        Self::Header,
        Self::Ice,
        Self::Log,
    ];

    /// As Windows names them (BitLocker format notes §3); the log's name is ours.
    pub(crate) fn file_name(self) -> &'static str {
        match self {
            Self::Metadata(0) => "FVE2.{e40ad34d-dae9-4bc7-95bd-b16218c10f72}.1",
            Self::Metadata(1) => "FVE2.{e40ad34d-dae9-4bc7-95bd-b16218c10f72}.2",
            Self::Metadata(_) => "FVE2.{e40ad34d-dae9-4bc7-95bd-b16218c10f72}.3",
            Self::Header => "FVE2.{24e6f0ae-6a00-4f73-984b-75ce9942852d}",
            Self::Ice => "FVE2.{da392a22-cae0-4f0f-9a30-b8830385d046}",
            Self::Log => "FVE2.{5b0f3c1e-9d0a-4b57-8c66-2f7e41a9d5b3}",
        }
    }

    pub(crate) fn what(self) -> &'static str {
        match self {
            Self::Metadata(_) => "metadata copy",
            Self::Header => "relocated header",
            Self::Ice => "ICE-verify area",
            Self::Log => "conversion log",
        }
    }

    pub(crate) fn by_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|role| role.file_name().eq_ignore_ascii_case(name))
    }
}

/// Whether a file in the directory bears a name of BitLocker's files: those of
/// [`Role`], and further ones that Windows makes (BitLocker format notes §3).
pub(crate) fn is_bitlocker_name(name: &str) -> bool {
    name.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("FVE2.{"))
}

/// The length of each file. With clusters larger than the header, header and ICE
/// area share clusters and so one file, the header's.
pub(crate) fn lengths(request: &RegionRequest, cluster: u64) -> BTreeMap<Role, u64> {
    let shared = !request.header_len.is_multiple_of(cluster);
    let mut files: BTreeMap<Role, u64> = (0..3)
        .map(|copy| (Role::Metadata(copy), request.metadata_len))
        .collect();
    files.insert(
        Role::Header,
        request.header_len + if shared { request.ice_len } else { 0 },
    );
    if !shared {
        files.insert(Role::Ice, request.ice_len);
    }
    files.insert(Role::Log, request.log_len);
    files.retain(|_, len| *len > 0);
    files
}
