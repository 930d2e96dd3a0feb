//! Files and links, changed so that a reader, or a restart after a power cut, finds the old or the new content whole.

use super::fault;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// What went wrong with which path.
#[derive(Debug, thiserror::Error)]
#[error("cannot {act} {}: {source}{}", path.display(), room(path, source))]
pub struct FileError {
    /// What was tried: "write", "create", "read".
    pub act: &'static str,
    /// On which path.
    pub path: PathBuf,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

/// How much room there is where there was not enough.
fn room(path: &Path, source: &io::Error) -> String {
    let is_full = matches!(
        source.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    );
    let free = || {
        let place = path.ancestors().find(|place| place.exists())?;
        rustix::fs::statvfs(place).ok()
    };
    match free().filter(|_| is_full) {
        Some(free) => format!(
            " ({} MB and {} inodes are free there)",
            free.f_bavail.saturating_mul(free.f_frsize) / 1_000_000,
            free.f_favail
        ),
        None => String::new(),
    }
}

/// Adds the act and the path to an I/O error.
pub trait AtPath<T> {
    /// `self`, with what was tried on which path.
    fn at(self, act: &'static str, path: &Path) -> Result<T, FileError>;
}

impl<T> AtPath<T> for io::Result<T> {
    fn at(self, act: &'static str, path: &Path) -> Result<T, FileError> {
        self.map_err(|source| FileError {
            act,
            path: path.to_owned(),
            source,
        })
    }
}

/// Replaces the file's content in one move: temporary file beside it, synced, renamed, folder synced. `mode` is the new
/// file's permission bits.
pub fn write_atomic(path: &Path, content: &[u8], mode: u32) -> Result<(), FileError> {
    let temporary = beside(path);
    fault::point("file: before");
    let written = write_synced(&temporary, content, mode)
        .and_then(|()| fs::rename(&temporary, path))
        .and_then(|()| sync_parent(path));
    fault::point("file: after");
    if written.is_err() {
        // The first error is the one to tell; a temporary file left behind is swept by the next write.
        let _ = fs::remove_file(&temporary);
    }
    written.at("write", path)
}

/// Points the symbolic link at `target` in one move, and makes that durable.
pub fn symlink_atomic(target: &Path, link: &Path) -> Result<(), FileError> {
    let temporary = beside(link);
    fault::point("link: before");
    let made = remove_if_there(&temporary)
        .and_then(|()| std::os::unix::fs::symlink(target, &temporary))
        .and_then(|()| fs::rename(&temporary, link))
        .and_then(|()| sync_parent(link));
    fault::point("link: after");
    made.at("link", link)
}

/// Creates the folder and its parents, with these permission bits for what is new.
pub fn create_dir(path: &Path, mode: u32) -> Result<(), FileError> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)
        .at("create", path)
}

/// The text of a file, or nothing when there is no such file.
pub fn read_if_there(path: &Path) -> Result<Option<String>, FileError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).at("read", path),
    }
}

/// Removes a file or link; one that is not there is fine.
pub fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn beside(path: &Path) -> PathBuf {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    path.with_file_name(format!(".{name}.new"))
}

fn write_synced(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    remove_if_there(path)?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_with_its_mode() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        write_atomic(&path, b"one", 0o600).unwrap();
        write_atomic(&path, b"two", 0o600).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_is_moved_in_one_step() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("current");
        symlink_atomic(Path::new("releases/blue"), &link).unwrap();
        symlink_atomic(Path::new("releases/green"), &link).unwrap();
        assert_eq!(fs::read_link(&link).unwrap(), Path::new("releases/green"));
    }

    #[test]
    fn an_error_names_the_path() {
        let error = write_atomic(Path::new("/nowhere/at/all"), b"", 0o644).unwrap_err();
        assert!(error.to_string().contains("/nowhere/at/all"), "{error}");
    }
}
