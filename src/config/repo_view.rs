use git2::{ObjectType, Repository, Tree};
use std::fs;
use std::path::{Path, PathBuf};

/// What stands at a path of a repository. Symbolic links and submodules are neither, and are not seen at all: a link may
/// lead anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// A regular file.
    File,
    /// A folder.
    Folder,
}

type Reader<'r> = dyn Fn(&str) -> Option<Vec<u8>> + 'r;
type Lister<'r> = dyn Fn(&str) -> Vec<(String, Entry)> + 'r;

/// The files of one commit, to look at: a folder on disk or a tree in git, without a checkout.
pub struct RepoView<'r> {
    read: Box<Reader<'r>>,
    list: Box<Lister<'r>>,
}

impl<'r> RepoView<'r> {
    /// Larger files are not read.
    pub const LARGEST: u64 = 1024 * 1024;

    /// A view made of two functions. Paths are relative to the repository, with `/` and without `.` and `..`; `""` is the
    /// repository itself. `read` gives nothing for what is no file or larger than [`RepoView::LARGEST`].
    pub fn new(
        read: impl Fn(&str) -> Option<Vec<u8>> + 'r,
        list: impl Fn(&str) -> Vec<(String, Entry)> + 'r,
    ) -> Self {
        RepoView {
            read: Box::new(read),
            list: Box::new(list),
        }
    }

    /// The files of a folder on disk.
    pub fn of_folder(root: &Path) -> RepoView<'static> {
        let (for_read, for_list) = (root.to_owned(), root.to_owned());
        RepoView::new(
            move |path| read_file(&inside(&for_read, path)?),
            move |path| {
                inside(&for_list, path)
                    .map(|dir| list_folder(&dir))
                    .unwrap_or_default()
            },
        )
    }

    /// The files of a tree in git.
    pub fn of_tree(repo: &'r Repository, tree: &'r Tree<'r>) -> RepoView<'r> {
        RepoView::new(
            move |path| read_blob(repo, tree, path),
            move |path| list_tree(repo, tree, path),
        )
    }

    /// What stands at the path.
    pub fn entry(&self, path: &str) -> Option<Entry> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let entries = (self.list)(folder);
        entries
            .into_iter()
            .find(|(other, _)| other == name)
            .map(|(_, entry)| entry)
    }

    /// The file's content.
    pub fn read(&self, path: &str) -> Option<Vec<u8>> {
        (self.read)(path).filter(|content| content.len() as u64 <= Self::LARGEST)
    }

    /// The names in a folder, sorted.
    pub fn list(&self, path: &str) -> Vec<(String, Entry)> {
        let mut entries = (self.list)(path);
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        entries
    }
}

/// The path below the root; nothing when a part of the way is a symbolic link, because that may lead out.
fn inside(root: &Path, path: &str) -> Option<PathBuf> {
    let mut place = root.to_owned();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        if part == "." || part == ".." {
            return None;
        }
        place.push(part);
        if fs::symlink_metadata(&place).ok()?.is_symlink() {
            return None;
        }
    }
    Some(place)
}

fn read_file(path: &Path) -> Option<Vec<u8>> {
    let facts = fs::symlink_metadata(path).ok()?;
    if !facts.is_file() || facts.len() > RepoView::LARGEST {
        return None;
    }
    fs::read(path).ok()
}

fn list_folder(path: &Path) -> Vec<(String, Entry)> {
    let Ok(entries) = fs::read_dir(path) else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let kind = entry.file_type().ok()?;
            let is = if kind.is_file() {
                Entry::File
            } else if kind.is_dir() {
                Entry::Folder
            } else {
                return None;
            };
            Some((entry.file_name().into_string().ok()?, is))
        })
        .collect()
}

fn read_blob(repo: &Repository, tree: &Tree<'_>, path: &str) -> Option<Vec<u8>> {
    let entry = tree.get_path(Path::new(path)).ok()?;
    if entry.filemode() & 0o170_000 != 0o100_000 {
        return None;
    }
    // The header tells the size before the content is unpacked.
    let (size, _) = repo.odb().ok()?.read_header(entry.id()).ok()?;
    if size as u64 > RepoView::LARGEST {
        return None;
    }
    Some(repo.find_blob(entry.id()).ok()?.content().to_owned())
}

fn list_tree(repo: &Repository, tree: &Tree<'_>, path: &str) -> Vec<(String, Entry)> {
    let names = |tree: &Tree<'_>| {
        tree.iter()
            .filter_map(|entry| {
                let is = match (entry.kind()?, entry.filemode() & 0o170_000) {
                    (ObjectType::Blob, 0o100_000) => Entry::File,
                    (ObjectType::Tree, _) => Entry::Folder,
                    _ => return None,
                };
                Some((entry.name().ok()?.to_owned(), is))
            })
            .collect()
    };
    if path.is_empty() {
        return names(tree);
    }
    let folder = tree
        .get_path(Path::new(path))
        .and_then(|entry| repo.find_tree(entry.id()));
    folder.map(|folder| names(&folder)).unwrap_or_default()
}

/// The files of the app's own folder (`dir`) in a view.
pub(super) struct Files<'v> {
    view: &'v RepoView<'v>,
    dir: &'v str,
}

impl<'v> Files<'v> {
    /// The files below `dir`.
    pub fn new(view: &'v RepoView<'v>, dir: &'v str) -> Self {
        Files { view, dir }
    }

    /// Whether there is such a file.
    pub fn has(&self, path: &str) -> bool {
        self.view.entry(&self.full(path)) == Some(Entry::File)
    }

    /// Those of the paths that are files.
    pub fn present(&self, paths: &[&str]) -> Vec<String> {
        paths
            .iter()
            .filter(|path| self.has(path))
            .map(|path| (*path).to_owned())
            .collect()
    }

    /// The file's text, without a byte order mark; nothing when it is no text or too large.
    pub fn text(&self, path: &str) -> Option<String> {
        let text = String::from_utf8(self.view.read(&self.full(path))?).ok()?;
        Some(text.trim_start_matches('\u{feff}').to_owned())
    }

    /// The names in a folder.
    pub fn list(&self, path: &str) -> Vec<(String, Entry)> {
        self.view.list(&self.full(path))
    }

    fn full(&self, path: &str) -> String {
        match (self.dir, path) {
            (".", path) => path.to_owned(),
            (dir, "") => dir.to_owned(),
            (dir, path) => format!("{dir}/{path}"),
        }
    }
}
