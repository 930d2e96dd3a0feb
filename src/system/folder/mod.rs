//! A folder held open, and what is done to the names directly inside it. No operation ever follows a symbolic link, so
//! whatever a repository or a build planted there, nothing outside the folder is read, written or removed.

mod give;
mod remove;
#[cfg(test)]
mod tests;

pub use give::Owner;

use super::fault;
use super::files::{AtPath, FileError};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, Stat};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

/// A folder held open by descriptor: renaming it, or replacing it by a link, cannot redirect what is done through it.
#[derive(Debug)]
pub struct Folder {
    fd: OwnedFd,
    path: PathBuf,
}

/// One name inside a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name, without any `/`.
    pub name: OsString,
    /// What it was when the folder was read.
    pub kind: EntryKind,
}

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A device, a FIFO or a socket.
    Special,
}

impl EntryKind {
    /// The kind that a mode word from the system tells.
    pub fn of_mode(mode: u32) -> EntryKind {
        EntryKind::of(FileType::from_raw_mode(mode))
    }

    fn of(kind: FileType) -> EntryKind {
        match kind {
            FileType::RegularFile => EntryKind::File,
            FileType::Directory => EntryKind::Folder,
            FileType::Symlink => EntryKind::Link,
            _ => EntryKind::Special,
        }
    }
}

/// How much more a file system can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Free {
    /// Bytes.
    pub bytes: u64,
    /// Files; absent where there is no limit.
    pub files: Option<u64>,
    /// Bytes of all of it.
    pub of_bytes: u64,
    /// The most files that it can hold; absent where there is no limit.
    pub of_files: Option<u64>,
}

const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

impl Folder {
    /// Opens the folder at `path`, whose last part must not be a link.
    pub fn open(path: &Path) -> Result<Folder, FileError> {
        let fd = rustix::fs::open(path, FOLDER, Mode::empty())
            .map_err(io::Error::from)
            .at("open the folder", path)?;
        Ok(Folder {
            fd,
            path: path.to_owned(),
        })
    }

    /// Where it was when it was opened; for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its descriptor.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    fn named<T>(
        &self,
        act: &'static str,
        name: &OsStr,
        result: Result<T, Errno>,
    ) -> Result<T, FileError> {
        result.map_err(|errno| FileError {
            act,
            path: self.path.join(name),
            source: errno.into(),
        })
    }

    fn enter(&self, name: &OsStr) -> Result<Folder, Errno> {
        let fd = rustix::fs::openat(&self.fd, name, FOLDER, Mode::empty())?;
        Ok(Folder {
            fd,
            path: self.path.join(name),
        })
    }

    /// Opens the folder of that name inside this one.
    pub fn folder(&self, name: &OsStr) -> Result<Folder, FileError> {
        self.named("open the folder", name, self.enter(name))
    }

    /// Opens the folder of that name, or nothing when there is none (a link or a file of that name is none).
    pub fn folder_if_there(&self, name: &OsStr) -> Result<Option<Folder>, FileError> {
        match self.enter(name) {
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            other => self.named("open the folder", name, other).map(Some),
        }
    }

    /// The folder of that name, made when it is missing. Anything else of that name (a file, a link) is removed first.
    pub fn make_folder(&self, name: &OsStr) -> Result<Folder, FileError> {
        // Another thread may be making the same folder: whoever loses the race simply opens it.
        for _ in 0..8 {
            match rustix::fs::mkdirat(&self.fd, name, Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return self.named("create the folder", name, Err(errno)),
            }
            match self.enter(name) {
                Err(Errno::NOTDIR | Errno::LOOP) => {
                    // Without the flag for folders this can only remove what is in the way, never a folder.
                    match rustix::fs::unlinkat(&self.fd, name, AtFlags::empty()) {
                        Ok(()) | Err(Errno::NOENT | Errno::ISDIR | Errno::PERM) => {}
                        Err(errno) => return self.named("remove", name, Err(errno)),
                    }
                }
                Err(Errno::NOENT) => {}
                other => return self.named("open the folder", name, other),
            }
        }
        self.named("create the folder", name, Err(Errno::EXIST))
    }

    /// Opens the folder at a relative path below this one, one part at a time; nothing when a part is missing or is no
    /// folder. A path that could leave the folder (`..`, absolute) is refused.
    pub fn beneath(&self, relative: &Path) -> Result<Option<Folder>, FileError> {
        let mut here = self.again()?;
        for part in parts(relative).at("open the folder", relative)? {
            match here.folder_if_there(part)? {
                Some(next) => here = next,
                None => return Ok(None),
            }
        }
        Ok(Some(here))
    }

    /// Like [`Folder::beneath`], but makes what is missing and replaces what is in the way.
    pub fn make_beneath(&self, relative: &Path) -> Result<Folder, FileError> {
        let mut here = self.again()?;
        for part in parts(relative).at("create the folder", relative)? {
            here = here.make_folder(part)?;
        }
        Ok(here)
    }

    /// A second handle on the same folder.
    pub fn again(&self) -> Result<Folder, FileError> {
        Ok(Folder {
            fd: self.fd.try_clone().at("open the folder", &self.path)?,
            path: self.path.clone(),
        })
    }

    /// The folder's own permission bits.
    pub fn mode(&self) -> Result<u32, FileError> {
        let stat = rustix::fs::fstat(&self.fd).map_err(io::Error::from);
        Ok(stat.at("look at", &self.path)?.st_mode & 0o7777)
    }

    /// What the system knows about a name (about the link itself, when it is one).
    pub fn stat(&self, name: &OsStr) -> Result<Option<Stat>, FileError> {
        match rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => Ok(None),
            other => self.named("look at", name, other).map(Some),
        }
    }

    /// Everything in the folder, in no particular order.
    pub fn entries(&self) -> Result<Vec<Entry>, FileError> {
        let read = |errno: Errno| FileError {
            act: "read the folder",
            path: self.path.clone(),
            source: errno.into(),
        };
        // A handle of its own, because reading moves the position that all copies of a descriptor share.
        let fd = rustix::fs::openat(&self.fd, ".", FOLDER, Mode::empty()).map_err(read)?;
        let mut buffer = Vec::with_capacity(32 * 1024);
        let mut reader = RawDir::new(fd, buffer.spare_capacity_mut());
        let mut entries = Vec::new();
        while let Some(entry) = reader.next() {
            let entry = entry.map_err(read)?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            entries.push((OsString::from_vec(name.to_vec()), entry.file_type()));
        }
        entries
            .into_iter()
            .filter_map(|(name, kind)| self.classified(name, kind).transpose())
            .collect()
    }

    /// Some file systems do not say in the listing what a name is; a name that vanished meanwhile is left out.
    fn classified(&self, name: OsString, kind: FileType) -> Result<Option<Entry>, FileError> {
        let kind = match kind {
            FileType::Unknown => match self.stat(&name)? {
                Some(stat) => EntryKind::of_mode(stat.st_mode),
                None => return Ok(None),
            },
            known => EntryKind::of(known),
        };
        Ok(Some(Entry { name, kind }))
    }

    /// Creates a new file and opens it for writing; whatever had that name before is removed, never written to.
    pub fn create_file(&self, name: &OsStr, mode: u32) -> Result<File, FileError> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let create = || rustix::fs::openat(&self.fd, name, flags, Mode::from_raw_mode(mode));
        let made = match create() {
            Err(Errno::EXIST) => {
                self.remove(name)?;
                create()
            }
            other => other,
        };
        Ok(File::from(self.named("create", name, made)?))
    }

    /// Opens a regular file for reading; anything else (a link, a FIFO, nothing at all) is nothing.
    pub fn open_file(&self, name: &OsStr) -> Result<Option<File>, FileError> {
        // NONBLOCK, because opening a FIFO would otherwise wait for a writer.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = match rustix::fs::openat(&self.fd, name, flags, Mode::empty()) {
            Err(Errno::NOENT | Errno::LOOP | Errno::NXIO) => return Ok(None),
            other => self.named("open", name, other)?,
        };
        let stat = self.named("look at", name, rustix::fs::fstat(&fd))?;
        Ok((EntryKind::of_mode(stat.st_mode) == EntryKind::File).then(|| File::from(fd)))
    }

    /// Makes a symbolic link; whatever had that name before is removed.
    pub fn link_to(&self, target: &OsStr, name: &OsStr) -> Result<(), FileError> {
        let link = || rustix::fs::symlinkat(target, &self.fd, name);
        let made = match link() {
            Err(Errno::EXIST) => {
                self.remove(name)?;
                link()
            }
            other => other,
        };
        self.named("link", name, made)
    }

    /// The text of a symbolic link.
    pub fn read_link(&self, name: &OsStr) -> Result<OsString, FileError> {
        let text = self.named(
            "read the link",
            name,
            rustix::fs::readlinkat(&self.fd, name, Vec::new()),
        )?;
        Ok(OsString::from_vec(text.into_bytes()))
    }

    /// Gives a file of another folder a second name here. The plain system error, because callers fall back to copying.
    pub fn hard_link(&self, from: &Folder, from_name: &OsStr, name: &OsStr) -> io::Result<()> {
        rustix::fs::linkat(&from.fd, from_name, &self.fd, name, AtFlags::empty())?;
        Ok(())
    }

    /// Moves a name of another folder here; a file or empty folder of that name is replaced.
    pub fn take(&self, from: &Folder, from_name: &OsStr, name: &OsStr) -> Result<(), FileError> {
        fault::point("move: before");
        let moved = rustix::fs::renameat(&from.fd, from_name, &self.fd, name);
        fault::point("move: after");
        self.named("move", name, moved)
    }

    /// How much room the file system has for an ordinary user.
    pub fn free(&self) -> Result<Free, FileError> {
        let told = rustix::fs::fstatvfs(&self.fd)
            .map_err(io::Error::from)
            .at("look at the file system of", &self.path)?;
        Ok(Free {
            bytes: told.f_bavail.saturating_mul(told.f_frsize),
            // Some file systems make inodes as they need them and count none.
            files: (told.f_files > 0).then_some(told.f_favail),
            of_bytes: told.f_blocks.saturating_mul(told.f_frsize),
            of_files: (told.f_files > 0).then_some(told.f_files),
        })
    }

    /// Writes the folder's names to the disk.
    pub fn sync(&self) -> Result<(), FileError> {
        rustix::fs::fsync(&self.fd)
            .map_err(io::Error::from)
            .at("sync", &self.path)
    }

    /// Writes everything that the folder's file system still holds in memory to the disk.
    pub fn sync_file_system(&self) -> Result<(), FileError> {
        rustix::fs::syncfs(&self.fd)
            .map_err(io::Error::from)
            .at("sync", &self.path)
    }
}

/// The parts of a relative path that stays below where it starts.
fn parts(relative: &Path) -> io::Result<Vec<&OsStr>> {
    let mut parts = Vec::new();
    for component in relative.components() {
        match component {
            Component::Normal(part) if !part.as_bytes().contains(&0) => parts.push(part),
            Component::CurDir => {}
            _ => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    "the path leaves its folder",
                ));
            }
        }
    }
    Ok(parts)
}
