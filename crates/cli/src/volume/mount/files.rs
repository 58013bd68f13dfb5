//! The two files: what the kernel asks, and what it is answered. Several threads ask at once.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fuser::{
    BsdFileFlags, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, InitFlags,
    KernelConfig, LockOwner, OpenAccMode, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory,
    ReplyEmpty, ReplyEntry, ReplyOpen, ReplyWrite, ReplyXattr, Request, TimeOrNow, WriteFlags,
};
use fve::io::WriteAt;
use zeroize::Zeroizing;

/// Name of the plain text.
pub(super) const VOLUME: &str = "volume";
const INFO: &str = "info.json";

const VOLUME_INODE: INodeNo = INodeNo(2);
const INFO_INODE: INodeNo = INodeNo(3);

/// Names and sizes never change.
const FOREVER: Duration = Duration::from_secs(24 * 60 * 60);
/// What the kernel may ask for, or hand over, at once, and have under way ahead of time.
const MAX_REQUEST: u32 = 1 << 20;
const MAX_AHEAD: u16 = 64;

/// What is mounted.
pub(super) struct Files {
    volume: Arc<dyn WriteAt>,
    info: Vec<u8>,
    writable: bool,
    shared: bool,
}

thread_local! {
    /// Plain text on its way to the kernel; each thread has its own.
    static BUFFER: RefCell<Zeroizing<Vec<u8>>> = RefCell::default();
}

impl Files {
    pub(super) fn new(volume: Arc<dyn WriteAt>, mut info: Vec<u8>, writable: bool, shared: bool) -> Self {
        info.push(b'\n');
        Self {
            volume,
            info,
            writable,
            shared,
        }
    }

    fn attributes(&self, inode: INodeNo) -> Option<FileAttr> {
        let (kind, size, modes) = match inode {
            INodeNo::ROOT => (FileType::Directory, 0, (0o700, 0o755)),
            VOLUME_INODE if self.writable => (FileType::RegularFile, self.volume.size(), (0o600, 0o644)),
            VOLUME_INODE => (FileType::RegularFile, self.volume.size(), (0o400, 0o444)),
            INFO_INODE => (FileType::RegularFile, self.info.len() as u64, (0o400, 0o444)),
            _ => return None,
        };
        Some(FileAttr {
            ino: inode,
            size,
            blocks: size.div_ceil(512),
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind,
            perm: if self.shared { modes.1 } else { modes.0 },
            nlink: 1,
            uid: rustix::process::getuid().as_raw(),
            gid: rustix::process::getgid().as_raw(),
            rdev: 0,
            blksize: MAX_REQUEST,
            flags: 0,
        })
    }

    /// Hands a range of the volume to `give`.
    fn with_range(&self, offset: u64, len: u32, give: impl FnOnce(io::Result<&[u8]>)) {
        let left = self.volume.size().saturating_sub(offset);
        let len = usize::try_from(left.min(len.into())).unwrap_or(0);
        BUFFER.with_borrow_mut(|buffer| {
            if buffer.len() < len {
                buffer.resize(len.next_power_of_two(), 0);
            }
            let range = &mut buffer[..len];
            give(self.volume.read_at(offset, range).map(|()| &*range));
        });
    }
}

/// The error in the kernel's words; the log has it in ours.
fn number(error: &io::Error) -> Errno {
    tracing::warn!("{error}");
    match (error.raw_os_error(), error.kind()) {
        (Some(number), _) => Errno::from_i32(number),
        (None, io::ErrorKind::PermissionDenied) => Errno::EPERM,
        (None, io::ErrorKind::Unsupported) => Errno::EOPNOTSUPP,
        _ => Errno::EIO,
    }
}

impl Filesystem for Files {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> io::Result<()> {
        // Each is a wish; the nearest possible value is told.
        if let Err(most) = config.set_max_readahead(8 * MAX_REQUEST) {
            let _ = config.set_max_readahead(most);
        }
        let _ = config.set_max_write(MAX_REQUEST);
        let _ = config.set_max_background(MAX_AHEAD);
        for wish in [InitFlags::FUSE_PARALLEL_DIROPS, InitFlags::FUSE_DIRECT_IO_ALLOW_MMAP] {
            let _ = config.add_capabilities(wish);
        }
        Ok(())
    }

    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let inode = match name.to_str() {
            Some(VOLUME) => VOLUME_INODE,
            Some(INFO) => INFO_INODE,
            _ => return reply.error(Errno::ENOENT),
        };
        match self.attributes(inode) {
            Some(attributes) if parent == INodeNo::ROOT => reply.entry(&FOREVER, &attributes, Generation(0)),
            _ => reply.error(Errno::ENOENT),
        }
    }

    fn getattr(&self, _: &Request, inode: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.attributes(inode) {
            Some(attributes) => reply.attr(&FOREVER, &attributes),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn readdir(&self, _: &Request, inode: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        if inode != INodeNo::ROOT {
            return reply.error(Errno::ENOTDIR);
        }
        let entries = [
            (INodeNo::ROOT, FileType::Directory, "."),
            (INodeNo::ROOT, FileType::Directory, ".."),
            (INFO_INODE, FileType::RegularFile, INFO),
            (VOLUME_INODE, FileType::RegularFile, VOLUME),
        ];
        for (next, (inode, kind, name)) in (1..).zip(entries).skip(usize::try_from(offset).unwrap_or(4)) {
            if reply.add(inode, next, kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn open(&self, _: &Request, inode: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        match inode {
            VOLUME_INODE | INFO_INODE if flags.acc_mode() == OpenAccMode::O_RDONLY => {}
            VOLUME_INODE if self.writable => {}
            VOLUME_INODE => return reply.error(Errno::EROFS),
            _ => return reply.error(Errno::EACCES),
        }
        // Only the kernel's own writes change what it keeps.
        reply.opened(FileHandle(0), FopenFlags::FOPEN_KEEP_CACHE);
    }

    fn read(
        &self,
        _: &Request,
        inode: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match inode {
            VOLUME_INODE => self.with_range(offset, size, |range| match range {
                Ok(bytes) => reply.data(bytes),
                Err(error) => reply.error(number(&error)),
            }),
            _ => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.info.len());
                let end = start.saturating_add(size as usize).min(self.info.len());
                reply.data(&self.info[start..end]);
            }
        }
    }

    fn write(
        &self,
        _: &Request,
        inode: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        if inode != VOLUME_INODE || !self.writable {
            return reply.error(Errno::EROFS);
        }
        // As on a disk: what fits is written.
        let room = usize::try_from(self.volume.size().saturating_sub(offset)).unwrap_or(usize::MAX);
        let len = data.len().min(room);
        if len == 0 && !data.is_empty() {
            return reply.error(Errno::ENOSPC);
        }
        match self.volume.write_at(offset, &data[..len]) {
            Ok(()) => reply.written(u32::try_from(len).unwrap_or(0)),
            Err(error) => reply.error(number(&error)),
        }
    }

    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        match self.volume.flush() {
            Err(error) if self.writable => reply.error(number(&error)),
            _ => reply.ok(),
        }
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    /// Times are accepted and forgotten; size, mode and owner are what they are.
    fn setattr(
        &self,
        _: &Request,
        inode: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        _: Option<TimeOrNow>,
        _: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        match self.attributes(inode) {
            None => reply.error(Errno::ENOENT),
            Some(attributes)
                if mode.is_some()
                    || uid.is_some()
                    || gid.is_some()
                    || size.is_some_and(|size| size != attributes.size) =>
            {
                reply.error(Errno::EPERM);
            }
            Some(attributes) => reply.attr(&FOREVER, &attributes),
        }
    }

    fn mknod(&self, _: &Request, _: INodeNo, _: &OsStr, _: u32, _: u32, _: u32, reply: ReplyEntry) {
        reply.error(Errno::EPERM);
    }

    fn mkdir(&self, _: &Request, _: INodeNo, _: &OsStr, _: u32, _: u32, reply: ReplyEntry) {
        reply.error(Errno::EPERM);
    }

    fn create(&self, _: &Request, _: INodeNo, _: &OsStr, _: u32, _: u32, _: i32, reply: ReplyCreate) {
        reply.error(Errno::EPERM);
    }

    fn unlink(&self, _: &Request, _: INodeNo, _: &OsStr, reply: ReplyEmpty) {
        reply.error(Errno::EPERM);
    }

    fn rmdir(&self, _: &Request, _: INodeNo, _: &OsStr, reply: ReplyEmpty) {
        reply.error(Errno::EPERM);
    }

    fn symlink(&self, _: &Request, _: INodeNo, _: &OsStr, _: &Path, reply: ReplyEntry) {
        reply.error(Errno::EPERM);
    }

    fn link(&self, _: &Request, _: INodeNo, _: INodeNo, _: &OsStr, reply: ReplyEntry) {
        reply.error(Errno::EPERM);
    }

    fn rename(&self, _: &Request, _: INodeNo, _: &OsStr, _: INodeNo, _: &OsStr, _: RenameFlags, reply: ReplyEmpty) {
        reply.error(Errno::EPERM);
    }

    fn getxattr(&self, _: &Request, _: INodeNo, _: &OsStr, _: u32, reply: ReplyXattr) {
        reply.error(Errno::ENOSYS);
    }

    fn listxattr(&self, _: &Request, _: INodeNo, _: u32, reply: ReplyXattr) {
        reply.error(Errno::ENOSYS);
    }
}
