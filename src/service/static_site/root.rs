use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};

/// A folder, opened once, from which nothing leads out: neither `..` nor a link. A link into the app's shared folder is the
/// one exception, because Teal itself puts such links into a release.
#[derive(Debug)]
pub struct Root {
    folder: File,
    path: PathBuf,
    shared: Option<(File, PathBuf)>,
    is_single_page: bool,
}

/// What is at a path.
pub(super) enum Found {
    File(File, Metadata),
    Folder,
    Nothing,
}

impl Root {
    /// Opens the folder, and the app's shared one if there is any.
    pub fn open(path: &Path, shared: Option<&Path>) -> io::Result<Root> {
        let path = path.canonicalize()?;
        let folder = File::open(&path)?;
        if !folder.metadata()?.is_dir() {
            return Err(io::Error::from(io::ErrorKind::NotADirectory));
        }
        let shared = shared
            .and_then(|shared| shared.canonicalize().ok())
            .and_then(|shared| Some((File::open(&shared).ok()?, shared)));
        Ok(Root {
            folder,
            path,
            shared,
            is_single_page: false,
        })
    }

    /// The same folder as an app of one page, which finds its way by the address itself.
    pub fn single_page(self, is_single_page: bool) -> Root {
        Root {
            is_single_page,
            ..self
        }
    }

    /// What an address gets that no file has: the first of these that is there.
    pub(super) fn fallbacks(&self) -> &'static [&'static str] {
        match self.is_single_page {
            true => &["200.html", "index.html"],
            false => &["200.html"],
        }
    }

    /// What is at this path below the folder.
    pub(super) fn find(&self, path: &Path) -> Found {
        let path = if path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            path
        };
        let opened = match beneath(&self.folder, path) {
            Err(Errno::EXDEV) => self.find_shared(path),
            other => other,
        };
        let Ok(file) = opened else {
            return Found::Nothing;
        };
        match file.metadata() {
            Ok(meta) if meta.is_file() => Found::File(file, meta),
            Ok(meta) if meta.is_dir() => Found::Folder,
            _ => Found::Nothing,
        }
    }

    fn find_shared(&self, path: &Path) -> Result<File, Errno> {
        let (folder, shared) = self.shared.as_ref().ok_or(Errno::EXDEV)?;
        let target = self.path.join(path).canonicalize();
        let target = target.map_err(|_| Errno::ENOENT)?;
        let inside = target.strip_prefix(shared).map_err(|_| Errno::EXDEV)?;
        // The shared folder also holds the app's `.env` and its logs: only what is in a folder of its own is for serving.
        let mut parts = inside.components();
        let hidden = |part: std::path::Component<'_>| {
            part.as_os_str().as_encoded_bytes().first() == Some(&b'.')
        };
        if inside.components().any(hidden) || parts.nth(1).is_none() && !target.is_dir() {
            return Err(Errno::EACCES);
        }
        beneath(folder, inside)
    }
}

/// Opens without ever leaving the folder, however the path changes meanwhile. A FIFO does not hold the opening up.
fn beneath(folder: &File, path: &Path) -> Result<File, Errno> {
    let how = OpenHow::new()
        .flags(OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_NOCTTY)
        .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    openat2(folder, path, how).map(File::from)
}
