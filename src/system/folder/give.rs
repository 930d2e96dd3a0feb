//! Giving what is in a folder to another user, without following a link and without being led to somebody else's file.

use super::Folder;
use crate::system::files::FileError;
use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::os::fd::AsFd;

/// A user and their group, as the kernel knows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// The user's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
}

impl Folder {
    /// Gives the file, folder or link of this name to somebody; a link itself, never what it leads to. A file that has a
    /// second name may be known by it elsewhere, to people who have nothing to do with this: it is refused.
    pub fn give(&self, name: &OsStr, to: Owner) -> Result<(), FileError> {
        self.named("give away", name, self.try_give(name, to))
    }

    /// Gives the folder itself to somebody.
    pub fn give_itself(&self, to: Owner) -> Result<(), FileError> {
        let given = chown(self.fd(), to);
        self.named("give away", OsStr::new(""), given)
    }

    /// Lets a group add files here. What somebody added, only they and the folder's owner can remove again.
    pub fn share_with_group(&self, with: Owner) -> Result<(), FileError> {
        let shared = rustix::fs::fchown(self.fd(), None, Some(Gid::from_raw(with.gid)))
            .and_then(|()| rustix::fs::fchmod(self.fd(), Mode::from_raw_mode(0o1775)));
        self.named("share", OsStr::new(""), shared)
    }

    fn try_give(&self, name: &OsStr, to: Owner) -> Result<(), Errno> {
        let only_named = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let held = match rustix::fs::openat(self.fd(), name, only_named, Mode::empty()) {
            // Whoever removed it meanwhile has answered the question.
            Err(Errno::NOENT) => return Ok(()),
            other => other?,
        };
        let stat = rustix::fs::fstat(&held)?;
        if (stat.st_uid, stat.st_gid) == (to.uid, to.gid) {
            return Ok(());
        }
        let is_folder = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        if !is_folder && stat.st_nlink > 1 && stat.st_uid != to.uid {
            return Err(Errno::MLINK);
        }
        chown(held.as_fd(), to)
    }
}

fn chown(held: impl AsFd, to: Owner) -> Result<(), Errno> {
    let (uid, gid) = (Uid::from_raw(to.uid), Gid::from_raw(to.gid));
    rustix::fs::chownat(held, "", Some(uid), Some(gid), AtFlags::EMPTY_PATH)
}
