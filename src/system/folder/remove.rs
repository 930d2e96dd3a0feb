use super::{EntryKind, FOLDER, Folder};
use crate::system::files::{AtPath, FileError};
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many folders deep a removal descends before it lifts what is below to the top: a build can nest folders deeper
/// than there are descriptors and stack.
const DEPTH: usize = 64;

/// Numbers the folders that were lifted, so that no two have the same name.
static LIFTED: AtomicU64 = AtomicU64::new(0);

impl Folder {
    /// Removes a name and, if it is a folder, everything below it. Links are removed, never followed. Says whether
    /// there was anything.
    pub fn remove(&self, name: &OsStr) -> Result<bool, FileError> {
        match self.unlink(name, AtFlags::empty()) {
            Ok(()) => return Ok(true),
            Err(Errno::NOENT) => return Ok(false),
            // A folder: Linux says ISDIR, other systems PERM.
            Err(Errno::ISDIR | Errno::PERM) => {}
            Err(errno) => return self.named("remove", name, Err(errno)),
        }
        if self
            .stat(name)?
            .is_some_and(|stat| EntryKind::of_mode(stat.st_mode) != EntryKind::Folder)
        {
            return self.named("remove", name, Err(Errno::PERM));
        }
        self.remove_folder(name)?;
        Ok(true)
    }

    /// Removes a folder only if nothing is in it. Says whether it did.
    pub fn remove_if_empty(&self, name: &OsStr) -> Result<bool, FileError> {
        match self.unlink(name, AtFlags::REMOVEDIR) {
            Ok(()) => Ok(true),
            // No name that is too long for the file system was ever given in it.
            Err(
                Errno::NOTEMPTY | Errno::EXIST | Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG,
            ) => Ok(false),
            Err(errno) => self.named("remove", name, Err(errno)),
        }
    }

    /// Removes a file or link, but never a folder. Says whether it did.
    pub fn remove_unless_folder(&self, name: &OsStr) -> Result<bool, FileError> {
        match self.unlink(name, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT | Errno::ISDIR | Errno::NAMETOOLONG) => Ok(false),
            Err(errno) => self.named("remove", name, Err(errno)),
        }
    }

    /// Removes everything inside and keeps the folder itself.
    pub fn empty(&self) -> Result<(), FileError> {
        for entry in self.entries()? {
            self.remove(&entry.name)?;
        }
        Ok(())
    }

    fn remove_folder(&self, name: &OsStr) -> Result<(), FileError> {
        let mut lifted = Vec::new();
        let mut next = Some(name.to_owned());
        while let Some(name) = next {
            self.open_for_removal(&name)?
                .clear_below(self, DEPTH, &mut lifted)?;
            match self.unlink(&name, AtFlags::REMOVEDIR) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(errno) => return self.named("remove", &name, Err(errno)),
            }
            next = lifted.pop();
        }
        Ok(())
    }

    fn clear_below(
        &self,
        top: &Folder,
        depth: usize,
        lifted: &mut Vec<OsString>,
    ) -> Result<(), FileError> {
        for entry in self.entries()? {
            if entry.kind != EntryKind::Folder {
                match self.unlink(&entry.name, AtFlags::empty()) {
                    Ok(()) | Err(Errno::NOENT) => continue,
                    Err(Errno::ISDIR) => {}
                    Err(errno) => return self.named("remove", &entry.name, Err(errno)),
                }
            }
            if depth == 0 {
                let number = LIFTED.fetch_add(1, Ordering::Relaxed);
                let name = OsString::from(format!(".removing-{}-{number}", std::process::id()));
                top.take(self, &entry.name, &name)?;
                lifted.push(name);
                continue;
            }
            self.open_for_removal(&entry.name)?
                .clear_below(top, depth - 1, lifted)?;
            match self.unlink(&entry.name, AtFlags::REMOVEDIR) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(errno) => return self.named("remove", &entry.name, Err(errno)),
            }
        }
        Ok(())
    }

    /// Unlinks a name; a folder that may not be written (installers leave such) is made writable first.
    fn unlink(&self, name: &OsStr, flags: AtFlags) -> Result<(), Errno> {
        match rustix::fs::unlinkat(&self.fd, name, flags) {
            Err(Errno::ACCESS) => {
                rustix::fs::fchmod(&self.fd, Mode::from_raw_mode(0o700))?;
                rustix::fs::unlinkat(&self.fd, name, flags)
            }
            other => other,
        }
    }

    /// Opens a folder that is about to be removed, even one that may not be read.
    fn open_for_removal(&self, name: &OsStr) -> Result<Folder, FileError> {
        match self.enter(name) {
            Err(Errno::ACCESS) => {
                let flags = (FOLDER - OFlags::RDONLY) | OFlags::PATH;
                let held = self.named(
                    "open the folder",
                    name,
                    rustix::fs::openat(&self.fd, name, flags, Mode::empty()),
                )?;
                // Through the descriptor, so that it is this folder and not what a link of its name points to.
                let itself = format!("/proc/self/fd/{}", held.as_raw_fd());
                rustix::fs::chmod(itself, Mode::from_raw_mode(0o700))
                    .map_err(io::Error::from)
                    .at("make writable", &self.path.join(name))?;
                self.folder(name)
            }
            other => self.named("open the folder", name, other),
        }
    }
}
