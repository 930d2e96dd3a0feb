//! The user's own files that outlive releases: kept in `shared/`, linked into each release.

use crate::system::copy::Copier;
use crate::system::files::{AtPath, FileError};
use crate::system::folder::{EntryKind, Folder};
use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};

/// Why a shared path could not be linked.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// A file or folder could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A path that is empty or leaves the release.
    #[error("`{0}` cannot be shared: it has to be a path below the app's folder")]
    Path(String),
    /// A path that the server itself uses in `shared/`.
    #[error("`{0}` cannot be shared: the server keeps a file of that name in shared/")]
    Reserved(String),
}

/// What linking did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Linked {
    /// The paths that lead to `shared/` now.
    pub paths: Vec<String>,
    /// What people should know: "uploads was filled with what the commit has there".
    pub notes: Vec<String>,
}

/// The files in `shared/` that are the server's, not the app's.
const OURS: [&str; 5] = [
    "deploy.log",
    "blue-service.log",
    "green-service.log",
    "blue.pid",
    "green.pid",
];

/// Links each path of `shared` (below `dir`, the app's folder in the release) to the same path in the shared folder.
/// What `shared/` lacks begins with what the release has there, or as an empty folder. A `.env` in `shared/` is linked
/// even when nobody lists it. What exists nowhere yet is taken for a folder, unless its name has an extension
/// (`db.sqlite3`): then the link waits for the app to create the file.
pub fn link_shared(
    slot: &Path,
    dir: &str,
    shared: &Path,
    paths: &[String],
) -> Result<Linked, LinkError> {
    let release = Folder::open(slot)?;
    let kept = Folder::open(shared)?;
    let mut linked = Linked::default();
    let base = checked(dir)?;
    let mut all: Vec<(String, PathBuf)> = Vec::new();
    for path in paths {
        let clean = checked(path)?;
        if clean.as_os_str().is_empty() {
            return Err(LinkError::Path(path.clone()));
        }
        let first = clean
            .components()
            .next()
            .map(|part| part.as_os_str().to_owned());
        if OURS
            .iter()
            .any(|ours| first.as_deref() == Some(OsStr::new(ours)))
        {
            return Err(LinkError::Reserved(path.clone()));
        }
        all.push((path.clone(), clean));
    }
    let env = OsStr::new(".env");
    let listed = all.iter().any(|(_, path)| path.as_os_str() == env);
    if !listed && kept.stat(env)?.is_some() {
        all.push((".env".to_owned(), PathBuf::from(env)));
    }
    for (named, path) in all {
        let folder = named.ends_with('/') || !looks_like_a_file(&path);
        let note = link_one(&release, &base, &kept, shared, &path, folder)?;
        linked
            .notes
            .extend(note.map(|note| format!("`{named}` {note}")));
        linked.paths.push(named);
    }
    Ok(linked)
}

fn link_one(
    release: &Folder,
    base: &Path,
    kept: &Folder,
    shared: &Path,
    path: &Path,
    folder: bool,
) -> Result<Option<&'static str>, LinkError> {
    let name = last(path);
    let above = path.parent().unwrap_or(Path::new(""));
    let place = release.make_beneath(&base.join(above))?;
    let home = kept.make_beneath(above)?;
    let mut note = None;
    if home.stat(name)?.is_none() {
        note = begin(&place, &home, name, folder)?;
    }
    place.link_to(
        target(base, path, shared, release.path())?.as_os_str(),
        name,
    )?;
    Ok(note)
}

/// Fills `shared/` for the first time, from what the release has at that path. A copy, because the two may be on
/// different file systems, put in place in one move, because a copy that was interrupted must not be taken for whole.
fn begin(
    place: &Folder,
    home: &Folder,
    name: &OsStr,
    folder: bool,
) -> Result<Option<&'static str>, LinkError> {
    let kind = place
        .stat(name)?
        .map(|stat| EntryKind::of_mode(stat.st_mode));
    let mut fresh = OsString::from(".fresh-");
    fresh.push(name);
    home.remove(&fresh)?;
    match kind {
        Some(EntryKind::Folder) => {
            copy_folder(&place.folder(name)?, &home.make_folder(&fresh)?)?;
        }
        Some(EntryKind::File) => copy_file(place, name, home, &fresh)?,
        _ if folder => {
            home.make_folder(name)?;
            return Ok(Some("is an empty folder in shared/ for now"));
        }
        _ => return Ok(Some("will be in shared/ as soon as the app writes it")),
    }
    home.take(home, &fresh, name)?;
    home.sync_file_system()?;
    Ok(Some("begins in shared/ with what the commit has there"))
}

fn copy_folder(from: &Folder, to: &Folder) -> Result<(), FileError> {
    for entry in from.entries()? {
        match entry.kind {
            EntryKind::Folder => {
                copy_folder(&from.folder(&entry.name)?, &to.make_folder(&entry.name)?)?
            }
            EntryKind::File => copy_file(from, &entry.name, to, &entry.name)?,
            EntryKind::Link => to.link_to(&from.read_link(&entry.name)?, &entry.name)?,
            EntryKind::Special => {}
        }
    }
    Ok(())
}

fn copy_file(from: &Folder, name: &OsStr, to: &Folder, as_name: &OsStr) -> Result<(), FileError> {
    let Some(source) = from.open_file(name)? else {
        return Ok(());
    };
    let path = from.path().join(name);
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &source.metadata().at("look at", &path)?.permissions(),
    );
    let copy = to.create_file(as_name, mode & 0o777)?;
    Copier::default().copy(&source, &copy).at("copy", &path)
}

/// The text of the link: relative where the release is in the environment's folder, so that the folder can be moved.
fn target(base: &Path, path: &Path, shared: &Path, slot: &Path) -> Result<PathBuf, LinkError> {
    let beside = slot.parent().and_then(Path::parent).zip(shared.parent());
    if beside.is_none_or(|(of_slot, of_shared)| of_slot != of_shared) {
        return Ok(std::path::absolute(shared).at("find", shared)?.join(path));
    }
    let depth = 2 + base.join(path).components().count() - 1;
    let mut target: PathBuf = std::iter::repeat_n("..", depth).collect();
    target.push(last(shared));
    target.push(path);
    Ok(target)
}

fn looks_like_a_file(path: &Path) -> bool {
    path.extension().is_some() || last(path).to_string_lossy().starts_with(".env")
}

fn last(path: &Path) -> &OsStr {
    path.file_name().unwrap_or_default()
}

/// The path without `.` parts; one that leaves its folder is refused.
fn checked(path: &str) -> Result<PathBuf, LinkError> {
    let refused = || LinkError::Path(path.chars().take(80).flat_map(char::escape_debug).collect());
    let mut clean = PathBuf::new();
    for part in Path::new(path).components() {
        match part {
            Component::Normal(part) => clean.push(part),
            Component::CurDir => {}
            _ => return Err(refused()),
        }
    }
    if path.contains('\0') {
        return Err(refused());
    }
    Ok(clean)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    struct World {
        dir: tempfile::TempDir,
    }

    impl World {
        fn new() -> World {
            let dir = tempfile::tempdir().unwrap();
            fs::create_dir_all(dir.path().join("releases/blue")).unwrap();
            fs::create_dir_all(dir.path().join("shared")).unwrap();
            World { dir }
        }

        fn link(&self, dir: &str, paths: &[&str]) -> Result<Linked, LinkError> {
            let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
            let shared = self.dir.path().join("shared");
            link_shared(&self.at("releases/blue"), dir, &shared, &paths)
        }

        fn at(&self, path: &str) -> PathBuf {
            self.dir.path().join(path)
        }
    }

    #[test]
    fn what_the_commit_has_becomes_the_first_content() {
        let world = World::new();
        fs::create_dir_all(world.at("releases/blue/app/uploads/x")).unwrap();
        fs::write(world.at("releases/blue/app/uploads/x/y"), "tracked").unwrap();
        let linked = world.link("app", &["uploads", "data/db"]).unwrap();
        assert_eq!((linked.paths.len(), linked.notes.len()), (2, 2));
        assert_eq!(
            fs::read_to_string(world.at("shared/uploads/x/y")).unwrap(),
            "tracked"
        );
        fs::write(world.at("releases/blue/app/uploads/new"), "uploaded").unwrap();
        assert_eq!(
            fs::read_to_string(world.at("shared/uploads/new")).unwrap(),
            "uploaded"
        );
        fs::write(world.at("releases/blue/app/data/db/rows"), "1").unwrap();
        assert!(world.at("shared/data/db/rows").exists());
        assert_eq!(
            fs::read_link(world.at("releases/blue/app/uploads")).unwrap(),
            Path::new("../../../shared/uploads")
        );
    }

    #[test]
    fn what_is_shared_already_is_never_overwritten() {
        let world = World::new();
        fs::create_dir_all(world.at("shared/uploads")).unwrap();
        fs::write(world.at("shared/uploads/a"), "kept").unwrap();
        fs::write(world.at("shared/.env"), "A=1").unwrap();
        fs::create_dir_all(world.at("releases/blue/uploads")).unwrap();
        fs::write(world.at("releases/blue/uploads/a"), "tracked").unwrap();
        for _ in 0..2 {
            let linked = world.link(".", &["./uploads/"]).unwrap();
            assert_eq!(linked.paths, ["./uploads/", ".env"]);
            assert_eq!(linked.notes, Vec::<String>::new());
        }
        assert_eq!(
            fs::read_to_string(world.at("releases/blue/uploads/a")).unwrap(),
            "kept"
        );
        assert_eq!(
            fs::read_to_string(world.at("releases/blue/.env")).unwrap(),
            "A=1"
        );
    }

    #[test]
    fn a_file_that_does_not_exist_yet_is_created_through_its_link() {
        let world = World::new();
        let linked = world.link(".", &["db.sqlite3", "conf.d/"]).unwrap();
        assert_eq!(linked.notes.len(), 2);
        fs::write(world.at("releases/blue/db.sqlite3"), "rows").unwrap();
        assert_eq!(
            fs::read_to_string(world.at("shared/db.sqlite3")).unwrap(),
            "rows"
        );
        assert!(world.at("shared/conf.d").is_dir());
    }

    #[test]
    fn a_path_that_leaves_or_is_ours_is_refused() {
        let world = World::new();
        for bad in [
            "../x",
            "/etc",
            "a/../../b",
            "",
            ".",
            "deploy.log",
            "blue.pid/x",
        ] {
            assert!(world.link(".", &[bad]).is_err(), "{bad}");
        }
        assert!(world.link("..", &["a"]).is_err());
    }

    #[test]
    fn a_planted_link_does_not_lead_the_shared_files_away() {
        let world = World::new();
        let outside = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(outside.path(), world.at("releases/blue/app")).unwrap();
        world.link("app", &["data"]).unwrap();
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
        assert!(world.at("releases/blue/app/data").is_dir());
    }
}
